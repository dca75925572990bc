"""A call is made once, an edit is resolved when it is made, and errors are told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from chalicelib.effect import Call
from chalicelib.errors import Failed, Transient
from chalicelib.runner.calling import LONGEST, STALE_ATTEMPTS, described, sort_error
from tests.runner.bench import Bench, Fault, put, refused, writes, wrote

STALE = "ParameterLimitExceeded"


def error(code: str, status: int = 400, **more: Any) -> ClientError:
    """Return the error of a service."""
    response: Any = {
        "Error": {"Code": code, "Message": "why"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(response, "Operation")


def cancelled(*reasons: str) -> ClientError:
    """Return the error of a transaction that was cancelled for these reasons."""
    found = [{"Code": reason} for reason in reasons]
    return error("TransactionCanceledException", CancellationReasons=found)


@pytest.mark.parametrize(
    "passing",
    [
        error("Throttling"),
        error("ThrottlingException"),
        error("RequestLimitExceeded", 503),
        error("SlowDown", 503),
        error("SomethingNew", 500),
        error("SomethingNew", 429),
        error("ConcurrentModification", 409),
        error("TransactionConflictException"),
        error("ExpiredToken", 403),
        cancelled("None", "ThrottlingError"),
        cancelled("TransactionConflict", "None"),
        ReadTimeoutError(endpoint_url="https://ec2"),
        ConnectTimeoutError(endpoint_url="https://ec2"),
        EndpointConnectionError(endpoint_url="https://ec2"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=repr,
)
def test_what_may_pass_is_transient(passing: Any) -> None:
    """Throttling, faults of the service and answers that do not come are tried again."""
    assert isinstance(sort_error(passing), Transient)


@pytest.mark.parametrize(
    "final",
    [
        error("AccessDenied", 403),
        error("UnauthorizedOperation", 403),
        error("InvalidParameterValue"),
        error("ValidationException"),
        error("NoSuchEntity", 404),
        error(""),
        cancelled("None", "ValidationError"),
        NoCredentialsError(),
        ParamValidationError(report="Missing required parameter"),
    ],
    ids=repr,
)
def test_what_will_not_pass_has_failed(final: Any) -> None:
    """Denied, invalid or not there: trying again would say the same."""
    sorted_error = sort_error(final)

    assert isinstance(sorted_error, Failed)
    assert type(final).__name__ in str(sorted_error)


def adding(bench: Bench) -> str:
    """Record a remediation that adds an element to a document; return its id."""
    return bench.admit({"action": "add_entry", "with": {"name": "list", "element": "mine"}})


def test_a_stale_edit_is_read_again(bench: Bench) -> None:
    """Another's write between read and write is kept: the document is read again."""
    bench.set("list", "[]")
    tries = 0

    def interfere(call: Any) -> None:
        nonlocal tries
        if writes(call) and call.phase == "before" and tries < 3:
            tries += 1
            bench.set("list", json.dumps([f"theirs-{n}" for n in range(tries)]))
            raise refused(STALE)(call)

    with bench.injecting(interfere):
        identity = adding(bench)
        assert "done" == bench.step(identity)

    assert ["theirs-0", "theirs-1", "theirs-2", "mine"] == json.loads(str(bench.get("list")))
    assert 4 == len(bench.written())
    assert "mine" in bench.effects(identity)[0].call["params"]["Value"]  # type: ignore[index]


def test_an_edit_that_stays_stale_is_tried_again_later(bench: Bench) -> None:
    """A document that others keep writing is left for a while, its intent open."""
    identity = adding(bench)

    def interfere(call: Any) -> None:
        if writes(call) and call.phase == "before":
            raise refused(STALE)(call)

    with bench.injecting(interfere), pytest.raises(Transient, match="others write"):
        bench.step(identity)

    assert STALE_ATTEMPTS == len(bench.written())
    assert ["intent"] == list(bench.states(identity).values())
    assert "done" == bench.step(identity)


def test_an_edit_of_what_is_as_wanted_by_then_calls_nothing(bench: Bench) -> None:
    """Added by somebody between look and edit, an element is not added again."""
    identity = adding(bench)
    seen = 0

    def interfere(call: Any) -> None:
        nonlocal seen
        seen += call.operation == "GetParameter" and call.phase == "before" and _own(call)
        if seen == 2:
            seen += 1
            bench.set("list", '["mine"]')

    with bench.injecting(interfere):
        assert "done" == bench.step(identity)

    assert [] == bench.written()
    assert [None] == [effect.call for effect in bench.effects(identity)]


def _own(call: Any) -> bool:
    return bool(call.session_name)


def test_an_edit_of_another_version_is_named(bench: Bench) -> None:
    """A recorded edit that is not known any more fails by name."""
    identity = adding(bench)
    from chalicelib.effect import REGISTRY

    del REGISTRY.editors["bench.add"]

    assert "stopped" == bench.step(identity)
    assert "edit bench.add is not known" in bench.result(identity).reason
    assert ["failed"] == list(bench.states(identity).values())


def test_a_writing_call_is_sent_once(bench: Bench) -> None:
    """A client that writes never tries again by itself."""
    identity = adding(bench)
    wire = 0

    def count(call: Any) -> None:
        nonlocal wire
        wire += wrote(call)

    with bench.injecting(count):
        bench.step(identity)
    client = bench.desk.access.client(_place(bench), "ssm", writes=True)

    assert 1 == wire
    assert 1 == client.meta.config.retries["total_max_attempts"]


def _place(bench: Bench) -> Any:
    from chalicelib.aws import Place

    return Place(bench.desk.settings.home_account, bench.desk.settings.region)


def test_a_call_is_described_by_what_a_record_has_room_for() -> None:
    """A long parameter is recorded by its length and hash, the others as they are."""
    call = Call("ssm", "put_parameter", Name="a", Value="x" * (LONGEST + 1))

    shown = described(call)

    assert ("ssm", "put_parameter") == (shown["service"], shown["operation"])
    assert "a" == shown["params"]["Name"]
    assert LONGEST + 3 == shown["params"]["Value"]["characters"]
    assert 64 == len(shown["params"]["Value"]["sha256"])
    assert put("a", "b").document() == described(put("a", "b"))


def test_a_timeout_of_the_table_is_transient(bench: Bench) -> None:
    """What the state machine is told of the table's faults is Firebreak's own error."""
    identity = adding(bench)
    lost = Fault(
        0,
        lambda _call: ReadTimeoutError(endpoint_url="https://dynamodb"),
        about=lambda call: call.service == "dynamodb",
    )

    with bench.injecting(lost), pytest.raises(Transient):
        bench.step(identity)
    assert "done" == bench.step(identity)
