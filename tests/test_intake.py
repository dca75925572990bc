from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib import gates, intake, lifecycle
from chalicelib.audit import verify
from chalicelib.effect import canonical_text
from chalicelib.errors import Busy, Corrupt
from chalicelib.intake import Decision
from chalicelib.intake.admission import RACES
from chalicelib.playbook import Playbook
from chalicelib.store import Remediation, get_event, get_finding, listing
from firebreak.cloud.calls import CallInfo, ProcessKilled
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import (
    HOME,
    MEMBER,
    failing,
    finding_event,
    playbook,
    recorded,
    refusal,
    step,
    world,
)

OTHER = "333344445555"
ENFORCED = {"test": playbook()}
ASKING = {"test": playbook(guardrails={"mode": "approve"})}
BLOCKING = playbook(
    guardrails={"mode": "approve"},
    steps=[
        step(
            "block",
            action="deny_in_network_acl",
            **{
                "with": {
                    "instance_id": "$.finding.resource.id",
                    "cidrs": "$.finding.remote_cidrs",
                }
            },
        )
    ],
)


def deliver(stage: Stage, event: Any) -> list[Decision]:
    """Let EventBridge deliver an event; return what was decided once all came to rest."""
    answers = stage.cloud.emit(event)
    settle(stage)
    (answer,) = answers
    assert "decisions" in answer, answer
    return [Decision(**each) for each in answer["decisions"]]


def decide(stage: Stage, event: Any) -> Decision:
    """Deliver an event on which one decision is made."""
    (decision,) = deliver(stage, event)
    assert verify(stage.desk.tables.records(decision.audit), decision.audit).valid
    return decision


def head_of(stage: Stage, decision: Decision) -> Remediation:
    return lifecycle.head_of(stage.desk, decision.remediation)


def heads(stage: Stage) -> list[Remediation]:
    found = stage.desk.tables.remediation_ids()
    return [lifecycle.head_of(stage.desk, each) for each in found]


def kinds(stage: Stage, chain: str) -> list[str]:
    """Return what a chain tells of intake's part."""
    told = ("admitted", "started", "repeat", "rejected", "exempt", "no_playbook")
    return [r.kind for r in stage.desk.tables.records(chain) if r.kind in told]


def published(stage: Stage) -> list[str]:
    """Return the subjects of what people were told."""
    return [call.params["Subject"] for call in stage.cloud.calls if call.operation == "Publish"]


# --- admitted -------------------------------------------------------------------------------------


def test_a_finding_starts_its_playbook() -> None:
    """A finding that a playbook matches is recorded whole, and its execution runs to its end."""
    with world(ENFORCED) as stage:
        event = finding_event()
        decision = decide(stage, event)
        head = head_of(stage, decision)
        (execution,) = stage.cloud.executions

        assert ("started", "test", event["detail"]["id"]) == (
            decision.decision,
            decision.playbook,
            decision.finding,
        )
        assert (MEMBER, "instance/i-0a1b2c3d4e5f60718", "enforce", 1, True) == (
            head.account,
            head.target,
            head.mode,
            head.generation,
            head.started,
        )
        assert ("closed", "contained") == (head.phase, head.status)
        assert execution.endswith(f":{head.id}")
        assert head.finding_id == get_finding(stage.desk.tables, head)["id"]
        assert ["admitted", "started"] == kinds(stage, decision.audit)


def test_a_repeat_of_what_is_under_way_starts_nothing() -> None:
    """A finding delivered again while its remediation is open is counted, no more."""
    with world(ASKING) as stage:
        first, second = decide(stage, finding_event()), decide(stage, finding_event(id="other"))

        assert ("started", "duplicate") == (first.decision, second.decision)
        assert first.remediation == second.remediation
        assert f"remediation {first.remediation} is under way" == second.reason
        assert 1 == len(stage.cloud.executions)
        assert ["admitted", "started", "repeat"] == kinds(stage, first.audit)
        assert 1 == gates.get(stage.desk.tables, head_of(stage, first).gate).count


def test_a_repeat_of_what_is_contained_starts_nothing_for_a_while() -> None:
    """Within the cool-down a repeat is a duplicate; after it the next generation begins."""
    with world({"test": playbook(guardrails={"mode": "enforce", "cooldown": "7h"})}) as stage:
        first = decide(stage, finding_event())
        stage.desk.clock.sleep(7 * 3_600 - 60)
        second = decide(stage, finding_event())
        stage.desk.clock.sleep(120)
        third = decide(stage, finding_event())

        assert ["started", "duplicate", "started"] == [
            each.decision for each in (first, second, third)
        ]
        assert "already contained" in second.reason
        assert [1, 2] == [head_of(stage, each).generation for each in (first, third)]
        assert first.remediation != third.remediation
        assert 2 == len({arn.rpartition(":")[2] for arn in stage.cloud.executions})


def test_another_resource_is_another_remediation() -> None:
    """What is contained is the target: two instances are contained each for itself."""
    with world(ASKING) as stage:
        event = finding_event()
        other = finding_event()
        other["detail"]["resource"]["instanceDetails"]["instanceId"] = "i-00000000000000001"
        found = [decide(stage, each).decision for each in (event, other, event, other)]

        assert ["started", "started", "duplicate", "duplicate"] == found


def test_new_addresses_are_another_remediation() -> None:
    """Indicators that the steps act upon are part of what was done: new ones are new work."""
    with world({"test": BLOCKING}) as stage:
        event = finding_event()
        other = finding_event()
        action = other["detail"]["service"]["action"]["networkConnectionAction"]
        action["remoteIpDetails"]["ipAddressV4"] = "203.0.113.77"
        found = [decide(stage, each) for each in (event, other, event)]

        assert ["started", "started", "duplicate"] == [each.decision for each in found]
        assert found[0].remediation == found[2].remediation != found[1].remediation


def test_thousands_of_addresses_have_a_gate_too() -> None:
    """However many addresses an event names, it is admitted, and one more makes a difference."""
    with world({"test": BLOCKING}) as stage:
        event = recorded("guardduty/port_probe.json")
        probes = event["detail"]["service"]["action"]["portProbeAction"]
        one = probes["portProbeDetails"][0]
        probes["portProbeDetails"] = [
            {**one, "remoteIpDetails": {"ipAddressV4": f"203.0.{n // 250}.{n % 250 + 1}"}}
            for n in range(2_000)
        ]
        first = decide(stage, event)
        probes["portProbeDetails"].pop()
        second = decide(stage, event)

        assert ("started", "started") == (first.decision, second.decision)
        assert first.remediation != second.remediation
        assert len(head_of(stage, first).gate) < 1_100


@pytest.mark.parametrize(
    ("severity", "wanted"), [(8.9, "started"), (8, "duplicate"), (5, "duplicate")]
)
@pytest.mark.parametrize("playbooks", [ASKING, ENFORCED], ids=["open", "contained"])
def test_a_worse_finding_is_no_repeat(
    playbooks: Mapping[str, Playbook], severity: float, wanted: str
) -> None:
    """What is worse than what went through last goes through, and joins; all else is a repeat."""
    with world(playbooks) as stage:
        first = decide(stage, finding_event(severity=8))
        second = decide(stage, finding_event(severity=severity))
        third = decide(stage, finding_event(severity=severity))

        assert (wanted, "duplicate") == (second.decision, third.decision)
        assert (second.remediation != first.remediation) == (wanted == "started")
        assert second.remediation == third.remediation
        assert (2 if wanted == "started" else 1) == len(heads(stage))


def test_a_worse_finding_starts_what_it_overtakes() -> None:
    """What was admitted and not started is started before a worse finding takes its gate."""
    with world(ASKING) as stage:
        stage.cloud.inject = failing("StartExecution", ProcessKilled)
        with pytest.raises(ProcessKilled):
            intake.handle(stage.desk, ASKING, finding_event(severity=5), "first")
        (left,) = heads(stage)
        decide(stage, finding_event(severity=8))
        found = heads(stage)

        assert not left.started
        assert [True, True] == [head.started for head in found]
        assert 2 == len(stage.cloud.executions)


def test_a_worse_finding_asks_as_well_after_a_roll_back() -> None:
    """While a person is asked again after a roll-back, a worse finding does not go by itself."""
    with world(ENFORCED) as stage:
        first = decide(stage, finding_event(severity=5))
        lifecycle.start_undo(stage.desk, first.remediation, {"by": "test"})
        settle(stage)
        found = [head_of(stage, decide(stage, finding_event(severity=n))) for n in (5, 7, 9)]

        assert ["approve"] * 3 == [head.mode for head in found]
        assert [2, 3, 4] == [head.generation for head in found]


def test_a_batch_that_holds_a_finding_twice_is_one_remediation() -> None:
    """A member's finding and its administrator's copy are one, and the copy is counted."""
    with world(ASKING, ADMINISTRATORS=OTHER) as stage:
        event = finding_event()
        found = [decide(stage, each) for each in (event, {**event, "account": OTHER}, event)]

        assert ["started", "duplicate", "duplicate"] == [each.decision for each in found]
        assert 2 == gates.get(stage.desk.tables, head_of(stage, found[0]).gate).count


def test_what_is_admitted_is_on_the_list_of_what_is_open() -> None:
    """Who looks after remediations finds it without reading the table."""
    with world(ASKING) as stage:
        head = head_of(stage, decide(stage, finding_event()))
        (entry,) = listing.entries(stage.desk.tables, listing.OPEN)

        assert (head.id, {"playbook": "test"}) == (entry.sk, entry.data)
        assert ("instance", 8.0) == (head.kind, head.severity)


@pytest.mark.parametrize(
    ("mode", "stage_mode", "sample", "apply_samples", "wanted"),
    [
        ("enforce", "", False, "false", "enforce"),
        ("approve", "", False, "false", "approve"),
        ("observe", "", False, "false", "observe"),
        ("enforce", "approve", False, "false", "approve"),
        ("enforce", "observe", False, "false", "observe"),
        ("observe", "approve", False, "false", "observe"),
        ("enforce", "", True, "false", "observe"),
        ("enforce", "", True, "true", "enforce"),
        ("enforce", "approve", True, "true", "approve"),
    ],
)
def test_the_least_mode_holds(
    mode: str, stage_mode: str, sample: bool, apply_samples: str, wanted: str
) -> None:
    """Playbook, stage and finding each may lower what is done; the least holds, and why is said."""
    playbooks = {"test": playbook(guardrails={"mode": mode})}
    with world(playbooks, MODE=stage_mode, APPLY_SAMPLES=apply_samples) as stage:
        title = "[SAMPLE] A finding" if sample else "A finding"
        head = head_of(stage, decide(stage, finding_event(title=title)))
        ended = {"enforce": "contained", "approve": "open", "observe": "planned"}[wanted]

        assert (wanted, ended) == (head.mode, head.status)
        assert bool(head.why) == (wanted != mode)


def test_an_exempting_tag_asks_a_person() -> None:
    """A tag of the resource lowers to approve and says so, whatever its value if that is `*`."""
    tagged = playbook(guardrails={"mode": "enforce", "exempt_tags": {"Team": "*"}})
    with world({"test": tagged}) as stage:
        event = finding_event()
        tags = [{"key": "Team", "value": "\ue000<b>\ue001"}]
        event["detail"]["resource"]["instanceDetails"]["tags"] = tags
        head = head_of(stage, decide(stage, event))

        assert ("approve", "the resource is tagged Team=<b>") == (head.mode, head.why)


def test_past_the_limit_a_person_is_asked() -> None:
    """Only so many remediations go by themselves in so long; past that, every one asks."""
    limited = playbook(guardrails={"mode": "enforce", "limit": {"count": 2, "per": "1h"}})
    with world({"test": limited}) as stage:
        modes = []
        for number, wait in enumerate((0, 1_800, 1_900, 0, 0, 9_000)):
            stage.desk.clock.sleep(wait)
            event = finding_event()
            instance = event["detail"]["resource"]["instanceDetails"]
            instance["instanceId"] = f"i-0000000000000000{number}"
            modes.append(head_of(stage, decide(stage, event)).mode)

        assert ["enforce", "enforce", "enforce", "approve", "approve", "approve"] == modes


def test_sample_findings_do_not_use_up_the_limit() -> None:
    """What is only observed is not counted, or anybody could switch containment to asking."""
    limited = playbook(guardrails={"mode": "enforce", "limit": {"count": 1, "per": "1h"}})
    with world({"test": limited}, APPLY_SAMPLES="false") as stage:
        sample = head_of(stage, decide(stage, finding_event(title="[SAMPLE] x")))
        real = head_of(stage, decide(stage, finding_event()))

        assert ("observe", "enforce") == (sample.mode, real.mode)


def test_what_a_person_took_back_is_asked_for() -> None:
    """After a roll-back the same finding waits for a person, even within the cool-down."""
    with world(ENFORCED) as stage:
        first = decide(stage, finding_event())
        lifecycle.start_undo(stage.desk, first.remediation, {"by": "test"})
        settle(stage)
        second = decide(stage, finding_event())

        assert "rolled_back" == head_of(stage, first).status
        assert ("approve", 2) == (
            head_of(stage, second).mode,
            head_of(stage, second).generation,
        )
        assert "took the last containment back" in head_of(stage, second).why


def test_a_denied_remediation_may_be_asked_for_again() -> None:
    """A remediation that ended without containing leaves its gate ajar."""
    with world(ASKING) as stage:
        first = decide(stage, finding_event())
        stage.cloud.expire_tasks()
        settle(stage)
        second = decide(stage, finding_event())

        assert "expired" == head_of(stage, first).status
        assert ("started", 2) == (second.decision, head_of(stage, second).generation)


# --- left alone -----------------------------------------------------------------------------------


def test_an_archived_finding_is_left_alone() -> None:
    """What is suppressed in GuardDuty starts nothing, and that is on record."""
    with world(ENFORCED) as stage:
        event = finding_event()
        event["detail"]["service"]["archived"] = True
        decision = decide(stage, event)

        assert ("exempt", 0) == (decision.decision, len(stage.cloud.executions))
        assert "archived" in decision.reason
        assert ["exempt"] == kinds(stage, decision.audit)


def test_a_resolved_finding_is_left_alone() -> None:
    """A resource that is compliant again starts nothing."""
    with world({"test": playbook(match={"source": ["aws.config"]})}) as stage:
        decision = decide(stage, recorded("config/restricted_ssh_compliant.json"))

        assert "exempt" == decision.decision
        assert "resolved" in decision.reason


KEY, INSTANCE = "guardduty/stolen_access_key_user.json", "guardduty/crypto_currency_ec2.json"
ROLE = "guardduty/stolen_role_credentials.json"


@pytest.mark.parametrize(
    ("event", "pattern", "exempt"),
    [
        (KEY, f"arn:aws:iam::{MEMBER}:user/*", True),
        (KEY, "arn:aws:iam::*:user/*", True),
        (KEY, f"arn:aws:iam::{OTHER}:user/*", False),
        (KEY, "arn:aws:iam::*:role/*", False),
        (KEY, "*", True),
        (ROLE, "arn:aws:iam::*:role/*", True),
        (ROLE, "web-*", True),
        (ROLE, "WEB-*", False),
        (INSTANCE, f"nothing, arn:aws:ec2:*:{MEMBER}:instance/i-0a1b2c3d4e5f60718", True),
        (INSTANCE, "arn:aws:ec2:*:*:instance/i-0a1b2c3d4e5f60719", False),
        (INSTANCE, "", False),
    ],
)
def test_a_responder_is_left_alone(event: str, pattern: str, *, exempt: bool) -> None:
    """Who responds to incidents is not contained: users and roles, by ARN or name, resources."""
    with world(ASKING, RESPONDERS=pattern) as stage:
        raw = recorded(event)
        raw["account"] = raw["detail"]["accountId"] = MEMBER
        decision = decide(stage, raw)

        assert ("exempt" if exempt else "started") == decision.decision
        assert ("is a responder" in decision.reason) == exempt


def test_what_only_involves_a_responder_asks_a_person() -> None:
    """A bucket that a responder's key made public is not left alone, nor closed without a word."""
    with world(ENFORCED, RESPONDERS="arn:aws:iam::*:user/deploy") as stage:
        head = head_of(stage, decide(stage, recorded("guardduty/public_bucket.json")))

        assert ("bucket/shop-invoices", "approve") == (head.target, head.mode)
        assert "is a responder" in head.why


def test_what_no_playbook_matches_is_recorded_as_seen() -> None:
    """An event that nothing matches leaves a record that it was there."""
    with world({"test": playbook(match={"source": ["aws.config"]})}) as stage:
        decision = decide(stage, finding_event())

        assert ("no_playbook", "no playbook matches") == (decision.decision, decision.reason)
        assert ["no_playbook"] == kinds(stage, decision.audit)


def test_what_reports_nothing_is_recorded_as_seen() -> None:
    """A scan that found nothing is no finding, whatever playbook matches the event."""
    with world(ENFORCED) as stage:
        decision = decide(stage, recorded("guardduty/clean_object_scan.json"))

        assert ("no_playbook", "it reports nothing to act on") == (
            decision.decision,
            decision.reason,
        )


# --- rejected -------------------------------------------------------------------------------------


def alert(**changes: Any) -> dict[str, Any]:
    """Return an alert event of Firebreak's own source."""
    return {**recorded("network_firewall/alert_event.json"), **changes}


def spoken(account: str, **settings: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a finding of the member account, sent by an account."""
    return {**finding_event(), "account": account}, settings


REJECTED = [
    pytest.param({**finding_event(), "detail": {}}, {}, "detail.", id="unreadable"),
    pytest.param({**finding_event(), "detail": []}, {}, "detail", id="no object"),
    pytest.param(alert(account=OTHER), {}, "only from the security account", id="forged source"),
    pytest.param(*spoken(OTHER), f"{OTHER} may not speak for", id="another sender"),
    pytest.param(*spoken(HOME), f"{HOME} may not speak for", id="home as the sender"),
    pytest.param(
        *spoken(MEMBER, ACCOUNTS=OTHER), f"{MEMBER} is not one of ours", id="not our account"
    ),
    pytest.param(
        *spoken(HOME, ACCOUNTS=OTHER, ADMINISTRATORS=HOME),
        f"{MEMBER} is not one of ours",
        id="not our account, from an administrator",
    ),
]


@pytest.mark.parametrize(("event", "settings", "reason"), REJECTED)
def test_what_cannot_be_believed_is_kept_and_told(
    event: dict[str, Any], settings: dict[str, str], reason: str
) -> None:
    """A rejected event starts nothing, lies in the table as it came, and people are told."""
    with world(
        {**ENFORCED, "other": playbook("other", match={"source": [{"exists": True}]})}, **settings
    ) as stage:
        decision = decide(stage, event)

        assert ("rejected", 0) == (decision.decision, len(stage.cloud.executions))
        assert reason in decision.reason
        assert canonical_text(event) == get_event(stage.desk.tables, decision.audit)
        assert ["rejected"] == kinds(stage, decision.audit)
        assert ["Event rejected"] == published(stage)


@pytest.mark.parametrize(
    ("sender", "settings"),
    [
        (MEMBER, {}),
        (HOME, {"ADMINISTRATORS": f"{OTHER}, {HOME}"}),
        (MEMBER, {"ACCOUNTS": f"{OTHER},{MEMBER}"}),
        (OTHER, {"ADMINISTRATORS": OTHER, "ACCOUNTS": "*"}),
    ],
)
def test_who_may_speak_is_believed(sender: str, settings: dict[str, str]) -> None:
    """The account itself and the administrators may speak for an account of ours."""
    with world(ASKING, **settings) as stage:
        assert "started" == decide(stage, {**finding_event(), "account": sender}).decision


def test_the_security_account_is_always_ours() -> None:
    """Findings of the security account itself need not be allowed."""
    with world(ASKING, ACCOUNTS=OTHER) as stage:
        event = finding_event(accountId=HOME)

        assert "started" == decide(stage, {**event, "account": HOME}).decision


@pytest.mark.parametrize("event", [None, 7, "text", [], {}, {"a": {"b": "\ud800"}}], ids=repr)
def test_anything_can_be_rejected(event: Any) -> None:
    """Whatever is handed in, also what is no event at all, is kept."""
    with world() as stage:
        (decision,) = intake.handle(stage.desk, {}, event, "request").decisions
        kept = get_event(stage.desk.tables, decision.audit)

        assert "rejected" == decision.decision
        assert event == (kept if isinstance(event, str) else json.loads(kept))


@pytest.mark.parametrize("depth", [150, 600, 900])
def test_an_event_that_is_nested_too_deep_is_kept(depth: int) -> None:
    """An event made to exhaust the reader's stack is rejected, not raised."""
    with world(ENFORCED) as stage:
        deep: Any = "x"
        for _ in range(depth):
            deep = {"a": [deep]}
        event = finding_event(nested=deep)
        (decision,) = intake.handle(stage.desk, ENFORCED, event, "request").decisions

        assert "nested more than 100 deep" in decision.reason
        assert event["id"] in get_event(stage.desk.tables, decision.audit)


def test_a_finding_without_the_target_is_kept_and_told() -> None:
    """Where there is nothing of what the playbook contains, nothing is done in silence."""
    for target in ("$.finding.resource.attributes.bucket", "$.finding.remote_domains"):
        with world({"test": playbook(target=target)}) as stage:
            decision = decide(stage, finding_event())

            assert ("rejected", f"{target} is not in the event") == (
                decision.decision,
                decision.reason,
            )
            assert decision.finding == get_event(stage.desk.tables, decision.audit)["id"]
            assert ["Event rejected"] == published(stage)


@pytest.mark.parametrize(
    "error", [refusal("InternalError"), EndpointConnectionError(endpoint_url="sns")]
)
def test_a_topic_that_is_down_loses_nothing(error: Exception) -> None:
    """An event is rejected and kept though nobody can be told; the log says that nobody was."""
    with world() as stage:
        stage.cloud.inject = failing("Publish", lambda: error, times=9)
        event = {"no": "event"}
        (decision,) = intake.handle(stage.desk, {}, event, "request").decisions

        assert canonical_text(event) == get_event(stage.desk.tables, decision.audit)
        assert ["rejected"] == kinds(stage, decision.audit)


HOSTILE = (
    "<script>alert(1)</script> \x1b[31mred \u202e $.finding.id {$.finding.id} \x00 ${run_step}"
)


def test_what_a_finding_says_is_data() -> None:
    """Markup, escapes, paths and marks of placeholders are stored as text, the marks left out."""
    with world(ASKING) as stage:
        hostile = f"\ue000{HOSTILE}\ue001"
        event = finding_event(title=hostile, description=hostile)
        instance = event["detail"]["resource"]["instanceDetails"]
        instance["tags"] = [{"key": f"\ue000{HOSTILE[:100]}", "value": hostile}]
        head = head_of(stage, decide(stage, event))
        stored = get_finding(stage.desk.tables, head)
        records = stage.desk.tables.records(head.id)

        assert HOSTILE == stored["title"] == stored["description"]
        assert {HOSTILE[:100]: HOSTILE} == stored["resource"]["attributes"]["tags"]
        assert not {"\ue000", "\ue001"} & set(canonical_text([stored, [r.what for r in records]]))
        assert "wait" == head.phase


# --- again and again, side by side, cut off -------------------------------------------------------


def side_by_side(work: list[Callable[[], Any]]) -> list[Any]:
    """Run functions in threads that begin together; return what came of each."""
    begin, found = threading.Barrier(len(work)), [None] * len(work)

    def run(number: int) -> None:
        begin.wait()
        found[number] = work[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_twenty_deliveries_at_once_are_one_remediation() -> None:
    """The same event delivered twenty times at once starts one execution."""
    with world(ASKING) as stage:
        event = finding_event()
        handled = side_by_side(
            [lambda n=n: intake.handle(stage.desk, ASKING, event, f"r{n}") for n in range(20)]  # type: ignore[misc]
        )
        settle(stage)
        (head,) = heads(stage)
        found = [decision for each in handled for decision in each.decisions]

        assert {head.id} == {decision.remediation for decision in found}
        assert {"started", "duplicate"} >= {decision.decision for decision in found}
        assert 1 == len(stage.cloud.executions)
        assert ["admitted", "repeat"] == sorted(set(kinds(stage, head.id)) - {"started"})
        assert 19 == kinds(stage, head.id).count("repeat")
        assert verify(stage.desk.tables.records(head.id)).valid


def test_findings_at_once_on_one_target_are_not_mixed() -> None:
    """Of several findings about one target one goes through, and what is stored is of that one."""
    with world(ASKING) as stage:
        events = [finding_event(id=f"finding-{n}", description=f"{n}" * 2_000) for n in range(8)]
        side_by_side(
            [
                lambda each=each: intake.handle(stage.desk, ASKING, each, "r")  # type: ignore[misc]
                for each in events
            ]
        )
        (head,) = heads(stage)
        stored = get_finding(stage.desk.tables, head)

        assert f"finding-{stored['description'][0]}" == stored["id"] == head.finding_id
        assert 7 == kinds(stage, head.id).count("repeat")


def test_a_finding_that_comes_second_leaves_the_first_alone() -> None:
    """Who read the gate before another went through writes nothing of its own finding."""
    with world(ASKING) as stage:

        def overtake(info: CallInfo) -> None:
            if (info.operation, info.phase) == ("BatchGetItem", "after"):
                stage.cloud.inject = None
                intake.handle(stage.desk, ASKING, finding_event(id="first"), "other")

        stage.cloud.inject = overtake
        late = finding_event(id="late", description="x" * 10**4)
        (decision,) = intake.handle(stage.desk, ASKING, late, "request").decisions
        (head,) = heads(stage)

        assert ("duplicate", head.id) == (decision.decision, decision.remediation)
        assert "first" == head.finding_id == get_finding(stage.desk.tables, head)["id"]


def of_intake(info: CallInfo) -> bool:
    """Say whether a call is made by who handles the event, not by the machine it starts."""
    return info.function is None and info.service != "lambda"


def calls_of_intake(playbooks: Mapping[str, Playbook], event: Any) -> list[str]:
    """Return the calls that handling an event makes."""
    with world(playbooks) as stage:
        before = len(stage.cloud.calls)
        intake.handle(stage.desk, playbooks, event, "request")
        made = stage.cloud.calls[before:]
        return [info.operation for info in made if of_intake(info)]


def at(number: int, phase: str, error: Callable[[], BaseException]) -> Callable[[CallInfo], None]:
    """Return a hook that raises at one call of intake's, before or after its effect."""
    count = [0]

    def hook(info: CallInfo) -> None:
        if info.phase == phase and of_intake(info):
            count[0] += 1
            if count[0] == number:
                raise error()

    return hook


LIMITED = {"test": playbook(guardrails={"mode": "enforce", "limit": {"count": 9, "per": "1h"}})}
BREAKS = (
    ProcessKilled,
    lambda: refusal("AccessDenied"),
    lambda: EndpointConnectionError(endpoint_url="x"),
)


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("error", BREAKS, ids=["killed", "refused", "unreachable"])
def test_whatever_dies_in_between_is_finished_by_the_next_delivery(
    phase: str, error: Callable[[], BaseException]
) -> None:
    """Cut off before or after any call, an event delivered again is one execution, none lost."""
    event = finding_event()
    made = calls_of_intake(LIMITED, event)
    assert {"BatchGetItem", "TransactWriteItems", "StartExecution"} <= set(made)
    for number in range(1, len(made) + 1):
        with world(LIMITED) as stage:
            stage.cloud.inject = at(number, phase, error)
            with pytest.raises((ProcessKilled, ClientError, EndpointConnectionError)):
                intake.handle(stage.desk, LIMITED, event, "first")
            stage.cloud.inject = None
            (decision,) = intake.handle(stage.desk, LIMITED, event, "second").decisions
            settle(stage)
            (head,) = heads(stage)

            assert (1, head.id) == (len(stage.cloud.executions), decision.remediation)
            assert (True, "contained") == (head.started, head.status)
            assert head.finding_id == get_finding(stage.desk.tables, head)["id"]
            assert verify(stage.desk.tables.records(head.id)).valid


@pytest.mark.parametrize("phase", ["before", "after"])
def test_whatever_dies_while_rejecting_loses_nothing(phase: str) -> None:
    """Cut off before or after any call, a rejected event delivered again is kept and told."""
    event = {"no": "event"}
    made = calls_of_intake({}, event)
    assert ["PutItem", "Query", "TransactWriteItems", "Publish"] == made
    for number in range(1, len(made) + 1):
        with world() as stage:
            stage.cloud.inject = at(number, phase, ProcessKilled)
            with pytest.raises(ProcessKilled):
                intake.handle(stage.desk, {}, event, "first")
            stage.cloud.inject = None
            (decision,) = intake.handle(stage.desk, {}, event, "second").decisions

            assert canonical_text(event) == get_event(stage.desk.tables, decision.audit)
            assert "rejected" in kinds(stage, decision.audit)
            assert verify(stage.desk.tables.records(decision.audit)).valid
            assert published(stage)


def test_eventbridge_delivers_again_by_itself() -> None:
    """A function that is killed in the middle is retried by Lambda, and nothing is lost."""
    with world(ASKING) as stage:
        stage.cloud.inject = failing("StartExecution", ProcessKilled, phase="after")
        decision = decide(stage, finding_event())

        assert ("started", 1) == (decision.decision, len(stage.cloud.executions))
        assert [] == stage.cloud.failed_deliveries


# --- several playbooks ----------------------------------------------------------------------------

PAIR = {name: playbook(name, guardrails={"mode": "approve"}) for name in ("first", "second")}


def test_each_playbook_that_matches_is_started() -> None:
    """Two playbooks on one event are two remediations."""
    with world(PAIR) as stage:
        found = deliver(stage, finding_event())

        assert [("first", "started"), ("second", "started")] == [
            (each.playbook, each.decision) for each in found
        ]
        assert 2 == len(stage.cloud.executions)


@pytest.mark.parametrize(
    "error",
    [
        refusal("StateMachineDoesNotExist"),
        EndpointConnectionError(endpoint_url="states"),
        Busy("x"),
        Corrupt("x"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_playbook_that_cannot_start_does_not_hold_up_another(error: Exception) -> None:
    """Where one fails to start the other is started, and the event is delivered again."""
    with world(PAIR) as stage:
        stage.cloud.inject = failing("StartExecution", lambda: error)
        with pytest.raises(type(error)):
            intake.handle(stage.desk, PAIR, finding_event(), "first")
        settle(stage)
        assert [False, True] == [h.started for h in sorted(heads(stage), key=_name)]
        found = intake.handle(stage.desk, PAIR, finding_event(), "second").decisions

        assert ["started", "duplicate"] == [decision.decision for decision in found]
        assert 2 == len(stage.cloud.executions)


def _name(head: Remediation) -> str:
    return str(head.playbook["name"])


def test_a_gate_that_stays_contended_is_busy() -> None:
    """Going through a gate is not tried for ever; the event is delivered again."""
    with world(ASKING) as stage:
        reasons = [{"Code": "ConditionalCheckFailed"}]
        lost = refusal("TransactionCanceledException", CancellationReasons=reasons)
        stage.cloud.inject = failing("TransactWriteItems", lambda: lost, times=RACES)
        with pytest.raises(Busy, match="contended"):
            intake.handle(stage.desk, ASKING, finding_event(), "first")

        assert [] == heads(stage)


def test_a_remediation_under_way_keeps_its_playbook() -> None:
    """A repeat of what began with an older playbook is turned away, whatever is deployed now."""
    with world(ASKING) as stage:
        first = decide(stage, finding_event())
        newer = {"test": replace(ASKING["test"], title="Newer")}
        (second,) = intake.handle(stage.desk, newer, finding_event(), "r").decisions

        assert ("duplicate", first.remediation) == (second.decision, second.remediation)
        assert "A test" == head_of(stage, first).playbook["title"]
