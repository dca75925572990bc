from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.aws import CACHED, Access, Place, session_name
from chalicelib.settings import Settings
from firebreak.stage import Stage
from tests.worlds import HOME, MEMBER, world

POLICY = (
    '{"Statement":[{"Action":["ec2:*"],"Effect":"Allow","Resource":["*"]}],"Version":"2012-10-17"}'
)
PLACE = Place(MEMBER, "us-east-1", POLICY, "firebreak-r-step")
SETTINGS = Settings("test", HOME, "us-east-1", member_role="role", external_id="external")


class Hours:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def assumed(stage: Stage) -> list[dict[str, Any]]:
    """Return what roles were assumed with."""
    return [dict(c.params) for c in stage.cloud.calls if c.operation == "AssumeRole"]


@pytest.mark.parametrize(
    ("remediation", "step", "name"),
    [
        ("0" * 24, "isolate", f"firebreak-{'0' * 24}-isolate"),
        ("r", "s" * 100, f"firebreak-r-{'s' * 52}"),
        ("r", "a b/c:é\n", "firebreak-r-a-b-c---"),
        ("0" * 100, "x" * 40, f"firebreak-{'0' * 24}-{'x' * 29}"),
    ],
)
def test_a_session_is_named_for_its_step(remediation: str, step: str, name: str) -> None:
    """CloudTrail shows remediation and step, in the 64 characters that AWS STS takes."""
    found = session_name(remediation, step)

    assert name == found
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", found)


def test_a_step_assumes_its_role_once() -> None:
    """All clients of one step share one session, reading and writing, of every service."""
    with world() as stage:
        stage.admit_account(MEMBER)
        access = stage.desk.access
        for service in ("ec2", "iam", "ec2", "s3"):
            for writes in (False, True, False):
                access.client(PLACE, service, writes=writes)
        access.client(PLACE, "ec2").describe_instances()

        assert [
            {
                "RoleArn": f"arn:aws:iam::{MEMBER}:role/firebreak-replay-member",
                "RoleSessionName": "firebreak-r-step",
                "ExternalId": "firebreak-replay",
                "Policy": POLICY,
                "DurationSeconds": 900,
            }
        ] == assumed(stage)
        assert ("DescribeInstances", MEMBER, "firebreak-r-step") == (
            (call := stage.cloud.calls[-1]).operation,
            call.account,
            call.session_name,
        )


def test_another_step_or_policy_is_another_session() -> None:
    """A session is never used for what it was not made for."""
    with world() as stage:
        stage.admit_account(MEMBER)
        for place in (
            PLACE,
            Place(MEMBER, "us-east-1", POLICY, "other"),
            Place(MEMBER, "us-east-1", POLICY.replace("ec2", "s3"), "firebreak-r-step"),
            Place(MEMBER, "eu-west-1", POLICY, "firebreak-r-step"),
        ):
            stage.desk.access.client(place, "ec2")

        assert 4 == len(assumed(stage))


def test_at_home_no_role_is_assumed() -> None:
    """The function's own role does what is done in the security account."""
    with world() as stage:
        stage.desk.access.home("sns").list_topics()

        assert [] == assumed(stage)


def test_a_session_is_renewed_before_it_ends() -> None:
    """Sessions of fifteen minutes are used for thirteen, clients with them."""
    with world() as stage:
        stage.admit_account(MEMBER)
        clock = Hours()
        access = Access(stage.settings, clock)
        first = access.client(PLACE, "ec2")
        clock.now += 780
        assert first is access.client(PLACE, "ec2")
        clock.now += 1

        assert first is not access.client(PLACE, "ec2")
        assert 2 == len(assumed(stage))


def test_only_so_many_sessions_are_kept() -> None:
    """A warm function does not keep the credentials of everything it ever did."""
    with world() as stage:
        stage.admit_account(MEMBER)
        access = stage.desk.access
        for number in range(CACHED + 10):
            access.client(Place(MEMBER, "us-east-1", POLICY, f"step-{number}"), "sts")

        assert len(access._held) <= CACHED


def test_a_role_that_may_not_be_assumed_is_an_error_each_time() -> None:
    """What AWS refuses is raised, and tried anew the next time: nothing is kept of it."""
    with world() as stage:
        for _ in range(2):
            with pytest.raises(ClientError, match="AccessDenied"):
                stage.desk.access.client(PLACE, "ec2")
        stage.admit_account(MEMBER)

        assert stage.desk.access.client(PLACE, "ec2")


def test_threads_share_sessions_safely() -> None:
    """Branches of a replay that run side by side get whole clients, without a quarrel."""
    with world() as stage:
        stage.admit_account(MEMBER)
        begin, found = threading.Barrier(8), list[Any]()

        def work() -> None:
            begin.wait()
            for service in ("ec2", "iam", "s3", "sns"):
                found.append(stage.desk.access.client(PLACE, service, writes=True))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 32 == len(found)
        assert 4 == len(
            {
                id(stage.desk.access.client(PLACE, s, writes=True))
                for s in ("ec2", "iam", "s3", "sns")
            }
        )


@pytest.mark.parametrize(("writes", "attempts"), [(False, 4), (True, 1)])
@pytest.mark.parametrize("service", ["sns", "ec2", "iam", "s3"])
def test_what_writes_is_never_sent_twice(
    monkeypatch: pytest.MonkeyPatch, service: str, *, writes: bool, attempts: int
) -> None:
    """A read whose answer is lost is repeated; a write is not, since it may have taken effect."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    sent: list[Any] = []
    access = Access(SETTINGS, Hours())
    client = access.client(Place(HOME, "us-east-1"), service, writes=writes)

    def lose(request: Any, **_: Any) -> None:
        sent.append(request)
        raise ReadTimeoutError(endpoint_url=request.url)

    client.meta.events.register_first("before-send", lose)
    asks = {"sns": "list_topics", "ec2": "describe_vpcs", "iam": "list_users", "s3": "list_buckets"}
    with pytest.raises(ReadTimeoutError):
        getattr(client, asks[service])()

    assert attempts == len(sent)
    assert "firebreak" in str(sent[0].headers["User-Agent"])
