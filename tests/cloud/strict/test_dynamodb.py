"""Tests of the limits of items, keys, expressions and transactions, in each of the databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from firebreak.stage import Stage
from tests.cloud.strict.conftest import code_of
from tests.worlds import world

KEY = {"pk": {"S": "P"}, "sk": {"S": "A"}}
LARGEST = 400 * 1_024 - len("pkPskAdata")  # bytes of `data` beside the key
EXISTS = "attribute_exists(pk)"


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    """Give a stage without playbooks, in each of the databases."""
    with world() as made:
        yield made


def put(stage: Stage, **more: Any) -> str:
    """Return the code that a put of an item answers with; keywords replace its parameters."""
    table = stage.settings.remediations_table
    client = stage.cloud.session().client("dynamodb")
    return code_of(client.put_item, **{"TableName": table, "Item": KEY, **more})


def transact(stage: Stage, *entries: Mapping[str, Any]) -> str:
    """Return the code that a transaction of puts answers with."""
    table = {"TableName": stage.settings.remediations_table}
    client = stage.cloud.session().client("dynamodb")
    return code_of(
        client.transact_write_items, TransactItems=[{"Put": {**table, **each}} for each in entries]
    )


def item(sk: str = "A", **attributes: Any) -> dict[str, Any]:
    """Return the put of an item with attributes."""
    return {"Item": {**KEY, "sk": {"S": sk}, **attributes}}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("9" * 38, "ok"),
        ("1" + "0" * 60, "ok"),
        ("9" * 39, "ValidationException"),
        ("1E125", "ok"),
        ("1E126", "ValidationException"),
        ("-1E126", "ValidationException"),
        ("1E-130", "ok"),
        ("1E-131", "ValidationException"),
        ("0", "ok"),
        ("many", "ValidationException"),
    ],
)
def test_numbers(stage: Stage, number: str, code: str) -> None:
    """A number has 38 digits and a range."""
    assert code == put(stage, **item(version={"N": number}))
    assert code == transact(stage, item(version={"N": number}))


@pytest.mark.parametrize(("size", "code"), [(400_000, "ok"), (LARGEST + 1, "ValidationException")])
def test_items(stage: Stage, size: int, code: str) -> None:
    """An item has at most 400 KB, its key and the names of its attributes included."""
    assert code == put(stage, **item(data={"S": "x" * size}))
    assert code == transact(stage, item(data={"S": "x" * size}))
    assert code == put(stage, **item(data={"S": "é" * (size // 2 + 1)}))


@pytest.mark.parametrize(("count", "code"), [(10, "ok"), (11, "ValidationException")])
def test_transactions(stage: Stage, count: int, code: str) -> None:
    """A transaction has at most 4 MB."""
    large = {"S": "x" * 390_000}

    assert code == transact(stage, *(item(str(number), data=large) for number in range(count)))


@pytest.mark.parametrize(("count", "code"), [(100, "ok"), (101, "ValidationException")])
def test_operations_of_a_transaction(stage: Stage, count: int, code: str) -> None:
    """A transaction has at most a hundred operations."""
    assert code == transact(stage, *(item(str(number)) for number in range(count)))


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ({"ConditionExpression": "attribute_not_exists(pk)"}, "ok"),
        ({"ConditionExpression": EXISTS}, "ConditionalCheckFailedException"),
        ({"ConditionExpression": "version = :v"}, "ValidationException"),
        (
            {"ConditionExpression": EXISTS, "ExpressionAttributeValues": {":v": {"S": "1"}}},
            "ValidationException",
        ),
        (
            {"ConditionExpression": EXISTS, "ExpressionAttributeNames": {"#v": "version"}},
            "ValidationException",
        ),
        ({"ConditionExpression": EXISTS, "ExpressionAttributeValues": {}}, "ValidationException"),
        (
            {"ConditionExpression": "owner = :o", "ExpressionAttributeValues": {":o": {"S": "1"}}},
            "ValidationException",
        ),
        ({"ConditionExpression": " OR ".join([EXISTS] * 250)}, "ValidationException"),
    ],
    ids=str,
)
def test_expressions(stage: Stage, expression: dict[str, Any], code: str) -> None:
    """What an expression names is given, what is given is named, and no word is reserved."""
    assert code == put(stage, **expression)
    if code == "ValidationException":
        assert code == transact(stage, {"Item": KEY, **expression})


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({}, "ok"),
        ({"pk": {"S": "x" * 2_048}}, "ok"),
        ({"pk": {"S": "x" * 2_049}}, "ValidationException"),
        ({"sk": {"S": "x" * 1_024}}, "ok"),
        ({"sk": {"S": "é" * 513}}, "ValidationException"),
        ({"sk": {"S": ""}}, "ValidationException"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_keys(stage: Stage, key: dict[str, Any], code: str) -> None:
    """A key has 2,048 and 1,024 bytes and is not empty, whether it is written or looked for."""
    client = stage.cloud.session().client("dynamodb")
    asked = {stage.settings.remediations_table: {"Keys": [{**KEY, **key}]}}

    assert code == put(stage, Item={**KEY, **key})
    assert code == code_of(client.batch_get_item, RequestItems=asked)


def test_reasons(stage: Stage) -> None:
    """A cancelled transaction names a reason for each of its operations, in their order."""
    put(stage)
    client = stage.cloud.session().client("dynamodb")
    entries = [item("B"), {**item(), "ConditionExpression": "attribute_not_exists(pk)"}]
    table = {"TableName": stage.settings.remediations_table}
    with pytest.raises(ClientError) as cancelled:
        client.transact_write_items(TransactItems=[{"Put": {**table, **each}} for each in entries])

    reasons: Any = cancelled.value.response
    codes = [each["Code"] for each in reasons["CancellationReasons"]]
    assert ["None", "ConditionalCheckFailed"] == codes
