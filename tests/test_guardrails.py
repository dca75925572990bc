from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import guardrails
from chalicelib.audit import Entry
from chalicelib.finding import RESOLVED, Finding, Resource
from chalicelib.guardrails import MODES, Permit
from chalicelib.settings import Settings
from chalicelib.table import ConditionFailed
from firebreak.stage import Stage
from tests.worlds import MEMBER, playbook, world

SETTINGS = Settings("test", "111122223333", "us-east-1")
INSTANCE = Resource("instance", "i-1", attributes={"tags": {"firebreak": "exempt", "Team": "a"}})
USER = Resource("iam_user", "deploy", attributes={"user_name": "deploy"})
BUCKET = Resource("bucket", "b", "arn:aws:s3:::b", attributes={"tags": None})
FINDING = Finding("id", "aws.guardduty", "T", "t", 8.0, MEMBER, "us-east-1", INSTANCE)
ENFORCE = Permit("enforce")


@pytest.mark.parametrize("had", MODES)
@pytest.mark.parametrize("asked", MODES)
def test_a_permit_is_only_ever_lowered(had: str, asked: str) -> None:
    """The lesser mode holds, and the reason that made it so."""
    found = Permit(had, "first").lowered(asked, "second")
    lower = MODES.index(asked) < MODES.index(had)

    assert found == (Permit(asked, "second") if lower else Permit(had, "first"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"status": RESOLVED}, "resolved"),
        ({"archived": True}, "archived"),
        ({"status": RESOLVED, "archived": True}, "resolved"),
        ({"resource": USER}, "iam_user deploy is a responder (arn:aws:iam::*:user/deploy)"),
        ({"resource": USER, "partition": "aws-cn"}, ""),
        ({"resource": BUCKET}, ""),
        ({"resource": BUCKET, "resources": (BUCKET, USER)}, ""),
        ({"resource": Resource("instance", "i-2")}, "instance i-2 is a responder"),
        ({"resource": Resource("instance", "i-2"), "account": "9" * 12}, ""),
    ],
)
def test_some_findings_are_left_alone(changes: dict[str, Any], reason: str) -> None:
    """What is resolved, archived or about a responder is left alone, and why is said."""
    responders = ("arn:aws:iam::*:user/deploy", f"arn:aws:ec2:*:{MEMBER}:instance/i-2")
    found = guardrails.exempt(replace(SETTINGS, responders=responders), replace(FINDING, **changes))

    assert bool(reason) == bool(found)
    assert reason in found


@pytest.mark.parametrize(
    ("tags", "mode"),
    [
        ({"firebreak": "exempt"}, "approve"),
        ({"firebreak": "other"}, "enforce"),
        ({"Team": "*"}, "approve"),
        ({"team": "*"}, "enforce"),
        ({"Team": "b", "firebreak": "exempt"}, "approve"),
        ({}, "enforce"),
    ],
)
def test_a_tag_asks_a_person(tags: dict[str, str], mode: str) -> None:
    """A tag with the value that is named, or any where that is `*`, lowers to approve."""
    tagged = playbook(guardrails={"mode": "enforce", "exempt_tags": tags})

    assert mode == guardrails.permit(SETTINGS, tagged, FINDING).mode
    assert "enforce" == guardrails.permit(SETTINGS, tagged, replace(FINDING, resource=BUCKET)).mode


def test_a_tag_never_lowers_to_less_than_asking() -> None:
    """Tags are written by attackers too: one cannot switch containment off."""
    tagged = playbook(guardrails={"mode": "approve", "exempt_tags": {"Team": "*"}})

    assert Permit("approve") == guardrails.permit(SETTINGS, tagged, FINDING)


def test_a_responder_that_is_only_involved_asks_a_person() -> None:
    """Of a finding that involves a responder as another resource, a person decides."""
    settings = replace(SETTINGS, responders=("*:user/deploy",))
    involved = replace(FINDING, resources=(INSTANCE, USER))

    assert ("approve", True) == (
        (found := guardrails.permit(settings, playbook(), involved)).mode,
        "is a responder" in found.why,
    )


# --- limits ---------------------------------------------------------------------------------------

LIMITED = playbook("limited", guardrails={"mode": "enforce", "limit": {"count": 2, "per": "1h"}})


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Give a stage without playbooks."""
    with world() as made:
        yield made


def admit(stage: Stage, now: float, permit: Permit = ENFORCE, name: str = "limited") -> str:
    """Count one admission at a time; return in which mode it goes."""
    tables = stage.desk.tables
    limited = replace(LIMITED, name=name)
    found, operations = guardrails.within_limit(tables, limited, permit, now)
    tables.commit(Entry("c", "k", {}, {}), lambda _seq: operations)
    return found.mode


def test_a_limit_counts_a_rolling_window(stage: Stage) -> None:
    """Past the limit a person is asked, until enough of the window is over; each counts."""
    found = [admit(stage, now) for now in (0, 1_800, 1_801, 3_599, 7_199.5, 7_200)]

    assert ["enforce", "enforce", "approve", "approve", "enforce", "enforce"] == found


def test_each_playbook_has_its_own_limit(stage: Stage) -> None:
    """One playbook's admissions do not use up another's limit."""
    found = [admit(stage, 0, name=name) for name in ("a", "a", "a", "b")]

    assert ["enforce", "enforce", "approve", "enforce"] == found


def test_what_is_observed_is_not_counted(stage: Stage) -> None:
    """Plans alone have no limit and use none up."""
    found = [admit(stage, 0, Permit("observe")) for _ in range(5)]

    assert ["observe"] * 5 == found
    assert "enforce" == admit(stage, 0)


def test_two_admissions_at_once_are_both_counted(stage: Stage) -> None:
    """The count is written on the version that was read."""
    tables = stage.desk.tables
    first, second = (guardrails.within_limit(tables, LIMITED, ENFORCE, 0.0)[1] for _ in range(2))
    tables.commit(Entry("c", "k", {}, {}), lambda _seq: first)
    with pytest.raises(ConditionFailed):
        tables.commit(Entry("c", "k", {}, {}), lambda _seq: second)

    assert ["enforce", "approve"] == [admit(stage, 1), admit(stage, 2)]


def test_a_playbook_without_a_limit_counts_nothing(stage: Stage) -> None:
    """Where no limit is set nothing is written."""
    assert (ENFORCE, []) == guardrails.within_limit(stage.desk.tables, playbook(), ENFORCE, 0.0)
