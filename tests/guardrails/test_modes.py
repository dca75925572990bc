from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chalicelib import halting, intake
from chalicelib.guardrails import MODES, Permit
from firebreak.stage import Stage
from tests.guarded import admitted, guarded, on_instance
from tests.worlds import HOME, MEMBER, failing, finding_event, playbook, refusal

OUTER, INNER, OTHER = "ou-ab12-00000001", "ou-ab12-00000002", "ou-ab12-00000009"
ENDED = {"enforce": "contained", "approve": "open", "observe": "planned"}


def organize(stage: Stage) -> None:
    """Put the member account into a unit within a unit of an organisation."""
    from moto.organizations.models import organizations_backends

    client = stage.cloud.session().client("organizations")
    client.create_organization(FeatureSet="ALL")
    (root,) = client.list_roots()["Roots"]
    outer = client.create_organizational_unit(ParentId=root["Id"], Name="outer")
    inner = client.create_organizational_unit(
        ParentId=outer["OrganizationalUnit"]["Id"], Name="inner"
    )
    client.create_account(Email="member@example.com", AccountName="member")
    backend: Any = organizations_backends[HOME]["aws"]
    units = {"outer": OUTER, "inner": INNER}
    for unit in backend.ou:
        unit.id = units.get(unit.name, unit.id)
        unit.parent_id = OUTER if unit.name == "inner" else unit.parent_id
    assert inner["OrganizationalUnit"]["Name"] == "inner"
    (account,) = [each for each in backend.accounts if each.name == "member"]
    account.id, account.parent_id = MEMBER, INNER


@pytest.mark.parametrize("had", MODES)
@pytest.mark.parametrize("asked", MODES)
def test_a_permit_is_only_ever_lowered(had: str, asked: str) -> None:
    """The lesser mode holds, and the reason that made it so."""
    found = Permit(had, "first").lowered(asked, "second")
    lower = MODES.index(asked) < MODES.index(had)

    assert found == (Permit(asked, "second") if lower else Permit(had, "first"))


@pytest.mark.parametrize(
    ("own", "accounts", "units", "wanted", "why"),
    [
        ("enforce", {MEMBER: "observe"}, {}, "observe", f"account {MEMBER} is set to observe"),
        ("observe", {MEMBER: "enforce"}, {}, "enforce", f"account {MEMBER} is set to enforce"),
        ("enforce", {"9" * 12: "observe"}, {}, "enforce", ""),
        ("enforce", {}, {OUTER: "approve"}, "approve", f"unit {OUTER} is set to approve"),
        ("observe", {}, {INNER: "enforce", OUTER: "approve"}, "enforce", INNER),
        ("enforce", {}, {INNER: "approve", OUTER: "observe"}, "approve", INNER),
        ("enforce", {}, {OTHER: "observe"}, "enforce", ""),
        ("approve", {MEMBER: "enforce"}, {INNER: "observe"}, "enforce", "account"),
        ("approve", {MEMBER: "approve"}, {INNER: "observe"}, "approve", ""),
    ],
)
def test_an_account_or_its_nearest_unit_sets_the_mode(
    tmp_path: Path,
    own: str,
    accounts: dict[str, str],
    units: dict[str, str],
    wanted: str,
    why: str,
) -> None:
    """The account's mode holds, else its nearest unit's, else the playbook's; why is said."""
    modes = {"modes": {"accounts": accounts, "organizational_units": units}}
    with guarded(tmp_path, modes, {"test": playbook(guardrails={"mode": own})}) as stage:
        organize(stage)
        head = admitted(stage, finding_event())

        assert (wanted, ENDED[wanted]) == (head.mode, head.status)
        assert why in head.why
        assert bool(why) == bool(head.why)


@pytest.mark.parametrize(
    ("override", "stage_mode", "sample", "wanted"),
    [
        ("enforce", "approve", False, "approve"),
        ("observe", "approve", False, "observe"),
        ("enforce", "", True, "observe"),
    ],
)
def test_stage_and_sample_lower_what_an_account_sets(
    tmp_path: Path, override: str, stage_mode: str, *, sample: bool, wanted: str
) -> None:
    """No override goes past what the stage is set to, nor applies a sample."""
    modes = {"modes": {"accounts": {MEMBER: override}}}
    with guarded(tmp_path, modes, MODE=stage_mode, APPLY_SAMPLES="false") as stage:
        head = admitted(stage, finding_event(title="[SAMPLE] x" if sample else "x"))

        assert wanted == head.mode


@pytest.mark.parametrize(
    ("own", "units", "wanted"),
    [
        ("enforce", {OUTER: "approve", INNER: "enforce"}, "approve"),
        ("enforce", {OUTER: "observe", INNER: "enforce"}, "observe"),
        ("observe", {OUTER: "enforce"}, "observe"),
    ],
)
def test_units_that_cannot_be_read_set_the_lowest(
    tmp_path: Path, own: str, units: dict[str, str], wanted: str
) -> None:
    """Where AWS does not say whose an account is, the lowest mode it may have holds, and why."""
    modes = {"modes": {"organizational_units": units}}
    with guarded(tmp_path, modes, {"test": playbook(guardrails={"mode": own})}) as stage:
        organize(stage)
        stage.cloud.inject = failing("ListParents", lambda: refusal("AccessDeniedException"), 9)
        head = admitted(stage, finding_event())

        assert wanted == head.mode
        assert f"units of account {MEMBER} cannot be read: AccessDeniedException" in head.why


def test_membership_is_kept_for_minutes(tmp_path: Path) -> None:
    """Organizations is asked once for several findings, and again when minutes have gone by."""
    with guarded(tmp_path, {"modes": {"organizational_units": {OUTER: "approve"}}}) as stage:
        organize(stage)
        found = []
        for number, wait in enumerate((0, 60, 600)):
            stage.desk.clock.sleep(wait)
            admitted(stage, on_instance(number))
            found.append(sum(c.operation == "ListParents" for c in stage.cloud.calls))

        assert found[0] == found[1] < found[2]


def test_under_the_kill_switch_a_person_is_asked(tmp_path: Path) -> None:
    """While all is halted new findings are admitted to ask, and use up no limit."""
    with guarded(tmp_path, {"limits": {"total": {"count": 1, "per": "1h"}}}) as stage:
        halting.halt(stage.desk, "a drill", "arn:aws:iam::111122223333:user/a")
        (decision,) = intake.handle(
            stage.desk, stage.playbooks, on_instance(1), "request"
        ).decisions
        halting.resume(stage.desk, "arn:aws:iam::111122223333:user/a")

        assert "the kill switch is on: a drill" == decision.reason
        assert "enforce" == admitted(stage, on_instance(2)).mode


BROKEN = [
    "",
    "- a list",
    "limits: {total: {count: 0, per: 1h}}",
    "limits: {total: {count: 1, per: 0s}}",
    "exmpt: {}",
    "modes: {accounts: {'123456789012': of}}",
    "exempt: {accounts: 123456789012}",
    "exempt: {accounts: [123456789012]}",
    "a: b: c",
]


@pytest.mark.parametrize("text", BROKEN)
def test_guardrails_that_cannot_be_read_ask(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with the file, nothing is done unasked and nothing is lost."""
    with guarded(tmp_path, text) as stage:
        head = admitted(stage, finding_event())

        assert ("approve", "open") == (head.mode, head.status)
        assert head.why.startswith(
            ("guardrails.yaml cannot be read: ", "guardrails.yaml is not valid: ")
        )
        assert "\n" not in head.why


def test_guardrails_that_are_not_there_ask(tmp_path: Path) -> None:
    """A file that was named and is missing is no permission."""
    with guarded(tmp_path, {}) as stage:
        (tmp_path / "guardrails.yaml").unlink()
        head = admitted(stage, finding_event())

        assert "approve" == head.mode
        assert "guardrails.yaml cannot be read: No such file" in head.why


def test_the_audit_says_under_which_guardrails(tmp_path: Path) -> None:
    """What was admitted names the content of the file it was admitted under."""
    with guarded(tmp_path, {}) as stage:
        first = admitted(stage, on_instance(1))
        (tmp_path / "guardrails.yaml").write_text("modes: {accounts: {}}")
        second = admitted(stage, on_instance(2))
        found = [stage.desk.tables.records(each.id)[0].what for each in (first, second)]

        assert [16, 16] == [len(each["guardrails"]) for each in found]
        assert found[0]["guardrails"] != found[1]["guardrails"]
