from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from firebreak.stage import Stage
from tests.guarded import admitted, guarded, made
from tests.worlds import MEMBER, failing, finding_event, playbook, recorded, refusal

TAGGED = {"test": playbook(guardrails={"mode": "enforce", "exempt_tags": {"firebreak": "exempt"}})}
ANY = {"test": playbook(guardrails={"mode": "enforce", "exempt_tags": {"firebreak": "*"}})}
ID = "i-0a1b2c3d4e5f60718"
PAIR = [{"Key": "firebreak", "Value": "exempt"}]


def member(stage: Stage, service: str) -> Any:
    return stage.cloud.session(MEMBER).client(service)


def moved(name: str) -> dict[str, Any]:
    """Return a recorded event of the member account."""
    event = recorded(name)
    event["account"] = event["detail"]["accountId"] = MEMBER
    return event


def tag_instance(stage: Stage) -> None:
    member(stage, "ec2").create_tags(Resources=[ID], Tags=PAIR)


def tag_user(stage: Stage) -> None:
    (user,) = member(stage, "iam").list_users()["Users"]
    member(stage, "iam").tag_user(UserName=user["UserName"], Tags=PAIR)


def tag_role(stage: Stage) -> None:
    for role in member(stage, "iam").list_roles()["Roles"]:
        if role["RoleName"].startswith("web"):
            member(stage, "iam").tag_role(RoleName=role["RoleName"], Tags=PAIR)


def tag_bucket(stage: Stage) -> None:
    tagging = {"TagSet": PAIR}
    member(stage, "s3").put_bucket_tagging(Bucket="shop-invoices", Tagging=tagging)


@pytest.mark.parametrize(
    ("event", "tag"),
    [
        (finding_event(), tag_instance),
        (moved("guardduty/stolen_access_key_user.json"), tag_user),
        (moved("guardduty/stolen_role_credentials.json"), tag_role),
        (moved("guardduty/public_bucket.json"), tag_bucket),
    ],
    ids=["instance", "user of a key", "role of a session", "bucket"],
)
def test_a_tag_that_the_event_does_not_show_asks(
    tmp_path: Path, event: dict[str, Any], tag: Callable[[Stage], None]
) -> None:
    """Tags are read as they are now: of an instance, of whose a key is, of a bucket."""
    with guarded(tmp_path, {}, TAGGED) as stage:
        made(stage, event)
        tag(stage)
        head = admitted(stage, event)

        assert ("approve", "the resource is tagged firebreak=exempt") == (head.mode, head.why)


@pytest.mark.parametrize(
    "name",
    ["stolen_access_key_user", "stolen_role_credentials", "public_bucket", "crypto_currency_ec2"],
)
def test_what_has_no_such_tag_is_acted_upon(tmp_path: Path, name: str) -> None:
    """Where the tags can be read and none is named, nobody is asked."""
    with guarded(tmp_path, {}, TAGGED) as stage:
        head = admitted(stage, made(stage, moved(f"guardduty/{name}.json")))

        assert ("enforce", "") == (head.mode, head.why)


def test_a_tag_that_only_the_event_shows_asks_too(tmp_path: Path) -> None:
    """A tag that was taken off since still asks; neither word alone lets it go by itself."""
    with guarded(tmp_path, {}, ANY) as stage:
        event = finding_event()
        made(stage, event)
        tags = [{"key": "firebreak", "value": "x"}]
        event["detail"]["resource"]["instanceDetails"]["tags"] = tags

        assert "approve" == admitted(stage, event).mode


@pytest.mark.parametrize("operation", ["AssumeRole", "DescribeInstances"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (lambda: refusal("AccessDenied"), "AccessDenied"),
        (lambda: refusal("Throttling"), "Throttling"),
        (lambda: EndpointConnectionError(endpoint_url="x"), "EndpointConnectionError"),
    ],
)
def test_tags_that_cannot_be_read_ask(
    tmp_path: Path, operation: str, error: Callable[[], Exception], said: str
) -> None:
    """Denied, throttled or out of reach: a person is asked, and told what could not be read."""
    with guarded(tmp_path, {}, TAGGED) as stage:
        event = made(stage, finding_event())
        stage.cloud.inject = failing(operation, error, times=1)
        head = admitted(stage, event)

        assert "approve" == head.mode
        assert head.why.startswith(f"the tags of instance {ID} cannot be read: {said}")


def test_what_is_gone_has_no_tags(tmp_path: Path) -> None:
    """An instance that is no more cannot be harmed: the other steps need nobody's word."""
    with guarded(tmp_path, {}, TAGGED) as stage:
        stage.admit_account(MEMBER)
        head = admitted(stage, finding_event())

        assert ("enforce", "") == (head.mode, head.why)


@pytest.mark.parametrize(
    ("event", "mode", "said"),
    [
        ("guardduty/root_usage.json", "enforce", ""),
        ("guardduty/eks_runtime.json", "approve", "unsupported_resource"),
    ],
)
def test_kinds_without_tags_and_kinds_that_are_not_read(
    tmp_path: Path, event: str, mode: str, said: str
) -> None:
    """A root user has no tags to ask by; a cluster's are not read: a person is asked."""
    with guarded(tmp_path, {}, TAGGED) as stage:
        head = admitted(stage, made(stage, moved(event)))

        assert mode == head.mode
        assert said in head.why


def test_the_session_may_only_read(tmp_path: Path) -> None:
    """The session that tags are read in can change nothing, and nothing in another region."""
    with guarded(tmp_path, {}, TAGGED) as stage:
        admitted(stage, made(stage, finding_event()))
        policies = [
            call.params["Policy"]
            for call in stage.cloud.calls
            if call.operation == "AssumeRole" and "guardrails" in call.params["RoleSessionName"]
        ]

        assert policies
        assert not any(verb in policies[0] for verb in ("Create", "Delete", "Put", "Modify", '"*:'))
        assert '"aws:RequestedRegion":"us-east-1"' in policies[0]


def test_without_a_filter_nothing_is_read(tmp_path: Path) -> None:
    """A playbook without exempt_tags costs no session."""
    with guarded(tmp_path, {}) as stage:
        admitted(stage, made(stage, finding_event()))

        assert [] == [
            call
            for call in stage.cloud.calls
            if call.operation == "AssumeRole" and "guardrails" in call.params["RoleSessionName"]
        ]


def test_a_tag_never_lowers_to_less_than_asking(tmp_path: Path) -> None:
    """Tags are written by attackers too: one cannot switch containment off."""
    known = {"test": playbook(guardrails={"mode": "approve", "exempt_tags": {"firebreak": "*"}})}
    with guarded(tmp_path, {}, known) as stage:
        event = made(stage, finding_event())
        tag_instance(stage)

        assert ("approve", "") == ((head := admitted(stage, event)).mode, head.why)
