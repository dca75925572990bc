from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.table import Table

from firebreak.cloud import Cloud


def make_table(**more: Any) -> Any:
    """Make a table with two keys; return its client."""
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        **more,
    )
    return client


def item(pk: str, sk: str, **values: str) -> dict[str, Any]:
    return {name: {"S": text} for name, text in {"pk": pk, "sk": sk, **values}.items()}


def keys(client: Any, pk: str, **more: Any) -> list[str]:
    """Return the sort keys that a query of a partition gives."""
    answer = client.query(
        TableName="t",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        **more,
    )
    return [each["sk"]["S"] for each in answer["Items"]]


def test_a_query_gives_its_partition_in_order(cloud: Cloud) -> None:
    """Only the partition asked for, by sort key, forwards and backwards; of none there is none."""
    client = make_table()
    for pk, sk in (("b", "2"), ("a", "9"), ("b", "1"), ("b", "3")):
        client.put_item(TableName="t", Item=item(pk, sk))

    assert ["1", "2", "3"] == keys(client, "b")
    assert ["3"] == keys(client, "b", ScanIndexForward=False, Limit=1)
    assert [] == keys(client, "c")
    assert 4 == client.scan(TableName="t")["Count"]


def test_a_query_of_an_index_looks_through_all_partitions(cloud: Cloud) -> None:
    """An index has partitions of its own."""
    schema = [{"AttributeName": "sk", "KeyType": "HASH"}]
    client = make_table(
        GlobalSecondaryIndexes=[
            {"IndexName": "index", "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
        ]
    )
    for pk in ("a", "b"):
        client.put_item(TableName="t", Item=item(pk, "same"))
    answer = client.query(
        TableName="t",
        IndexName="index",
        KeyConditionExpression="sk = :sk",
        ExpressionAttributeValues={":sk": {"S": "same"}},
    )

    assert {"a", "b"} == {each["pk"]["S"] for each in answer["Items"]}


@pytest.mark.parametrize("kind", ["Put", "Delete"])
def test_a_cancelled_transaction_leaves_everything_as_it_was(cloud: Cloud, kind: str) -> None:
    """What was written before the condition that fails is taken back, in every partition."""
    client = make_table()
    for pk in ("a", "b"):
        client.put_item(TableName="t", Item=item(pk, "1", value="old"))
    write: dict[str, Any] = {"TableName": "t"}
    write |= {"Item": item("a", "1", value="new")} if kind == "Put" else {"Key": item("a", "1")}
    added = {"TableName": "t", "Item": item("c", "1", value="new")}
    check = {
        "TableName": "t",
        "Key": item("b", "1"),
        "ConditionExpression": "attribute_not_exists(pk)",
    }
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        client.transact_write_items(
            TransactItems=[{kind: write}, {"Put": added}, {"ConditionCheck": check}]
        )

    assert [item("a", "1", value="old"), item("b", "1", value="old")] == client.scan(TableName="t")[
        "Items"
    ]


def test_transactions_and_queries_leave_no_tables_behind(cloud: Cloud) -> None:
    """However many there were, there is one table, and one of what it holds."""
    client = make_table()
    before = len(Table.instances_tracked)
    for number in range(20):
        put = {"TableName": "t", "Item": item("a", str(number))}
        client.transact_write_items(TransactItems=[{"Put": put}])
        keys(client, "a")

    assert before == len(Table.instances_tracked)
    assert 20 == len(keys(client, "a"))
