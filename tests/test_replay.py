"""Replay as a user runs it: good events, and every kind of bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chalicelib import playbook
from chalicelib.playbook import schema
from firebreak.cli import firebreak
from firebreak.cloud import Cloud
from firebreak.commands import replay as command
from firebreak.event_files import EventFile
from firebreak.replay import HOME, Options, replay_in, replay_one
from firebreak.report import ORDER, Replayed
from firebreak.stage import staged

EVENTS = Path(__file__).parent / "events"
PLAYBOOKS = playbook.load(playbook.FOLDER)
MINER = json.loads((EVENTS / "guardduty/crypto_currency_ec2.json").read_text("utf-8"))
STOLEN = json.loads((EVENTS / "guardduty/stolen_access_key_user.json").read_text("utf-8"))
GROUP = json.loads((EVENTS / "config/restricted_ssh_noncompliant.json").read_text("utf-8"))
BARE = json.loads(json.dumps(MINER))  # without a profile, whose role would be acted upon
del BARE["detail"]["resource"]["instanceDetails"]["iamInstanceProfile"]
HOSTILE = [
    "i-1'; $(rm -rf /) #",
    "{$.finding.account}",
    "$.finding.account",
    "*",
    "<script>alert(1)</script>",
    '"; drop ip any any -> any any (sid:1;)',
    "!!python/object/apply:os.system ['true']",
    "\x1b[2J\u202egnp.exe",
    "\ue000now\ue001",
    "../../etc/passwd",
]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(firebreak, [str(each) for each in arguments])


def replayed(value: Any, **options: Any) -> Replayed:
    return replay_one(EventFile("event", value), PLAYBOOKS, Options(**options))


def changed(event: Any, path: str, value: Any) -> Any:
    """Return a copy of an event with another value at a dotted path."""
    copy = json.loads(json.dumps(event))
    *way, last = path.split(".")
    node = copy
    for key in way:
        node = node[int(key)] if isinstance(node, list) else node[key]
    node[last] = value
    return copy


class TestJson:
    def test_a_remediation_is_told_whole(self) -> None:
        """The JSON of a remediation has findings, steps, changes with undo, and a valid audit."""
        result = run("replay", EVENTS / "guardduty/stolen_access_key_user.json", "--json")
        (told,) = json.loads(result.stdout)

        assert 0 == result.exit_code
        assert {"event", "findings", "decision", "reason", "remediations", "audit"} == set(told)
        assert "remediated" == told["decision"]
        (remediation,) = told["remediations"]
        change = remediation["changes"][0]
        assert ("iam", "update_access_key") == (change["service"], change["operation"])
        assert ("Active", "Inactive", True) == (
            change["before"],
            change["after"],
            change["verified"],
        )
        assert "Active" == change["undo"]["params"]["Status"]
        assert "valid" == told["audit"]["chain"]

    def test_a_plan_changes_nothing(self) -> None:
        """With --plan the exact calls are listed, and none of them is made."""
        with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS, {"FIREBREAK_MODE": "observe"}) as stage:
            told = replay_in(stage, EventFile("event", MINER), Options(plan=True))
            sent = [
                c.operation for c in cloud.calls if (c.session_name or "").startswith("firebreak")
            ]

        assert "planned" == told.decision
        assert "modify_network_interface_attribute" in [c["operation"] for c in told.changes]
        assert [] == [o for o in sent if not o.startswith(("Describe", "Get", "List"))]

    def test_rollback_restores_what_was_changed(self) -> None:
        """With --rollback every change is taken back, evidence and messages are kept."""
        told = replayed(GROUP, rollback=True)

        results = {row["result"] for row in told.remediations[0]["undo"]}
        assert {"restored", "kept"} == results
        assert "rolled_back" == told.remediations[0]["status"]

    @pytest.mark.parametrize(
        ("option", "decision", "status"),
        [("--approve", "remediated", "contained"), ("--deny", "denied", "denied")],
    )
    def test_what_waits_is_decided_by_a_person(
        self, option: str, decision: str, status: str
    ) -> None:
        """A playbook that asks is replayed to its end; the report says who decided, and what."""
        result = run("replay", EVENTS / "network_firewall/alert_event.json", "--json", option)

        (told,) = json.loads(result.stdout)
        (remediation,) = told["remediations"]
        assert (0, decision, status) == (result.exit_code, told["decision"], remediation["status"])
        said = remediation["decision"]
        assert (f"arn:aws:iam::{HOME}:user/replay-approver", "replayed") == (
            said["by"],
            said["reason"],
        )
        assert 64 == len(said["plan"])
        done = {change["state"] for change in remediation["changes"]}
        assert done == ({"done"} if status == "contained" else {"planned"})

    def test_who_decided_is_shown(self) -> None:
        """The decision stands above the steps."""
        shown = run("replay", EVENTS / "network_firewall/alert_event.json", "--approve").stdout

        assert f"approved by arn:aws:iam::{HOME}:user/replay-approver at " in shown

    def test_what_waits_shows_the_plan_it_waits_with(self) -> None:
        """The hash that a person decides by stands under the remediation."""
        shown = run("replay", EVENTS / "network_firewall/alert_event.json").stdout

        assert re.search(r"^ +plan [0-9a-f]{64}$", shown, re.MULTILINE)

    def test_many_that_wait_are_decided_in_one_world(self) -> None:
        """The person who decides has a key for each question, however many there are."""
        many = ("network_firewall/alert_event", "config/s3_public_read_noncompliant")
        more = ("guardduty/backdoor_c_and_c_dns",)
        files = [EVENTS / f"{name}.json" for name in (*many, *more)]
        result = run("replay", *files, "--together", "--approve")

        assert 0 == result.exit_code, result.output
        assert "3 remediated" in result.output

    def test_what_does_not_wait_is_not_decided(self) -> None:
        """Where nobody is asked, nobody answers."""
        (remediation,) = replayed(BARE, decision="denied").remediations

        assert ("contained", {}) == (remediation["status"], remediation["decision"])

    def test_another_account_is_taken_for_the_events_own(self) -> None:
        """With --account a finding with an impossible account id is replayed in that account."""
        event = json.loads(json.dumps(STOLEN).replace("111122223333", "1234567891234"))

        assert "rejected" == replayed(event).decision
        told = replayed(event, account="444455556666")
        assert "remediated" == told.decision
        assert "444455556666" == told.findings[0]["account"]

    def test_together_an_event_twice_is_a_duplicate(self) -> None:
        """In one embedded AWS the second delivery of an event starts nothing."""
        with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
            first = replay_in(stage, EventFile("first", STOLEN), Options())
            second = replay_in(stage, EventFile("second", STOLEN), Options())

        assert ["remediated", "duplicate"] == [first.decision, second.decision]

    def test_what_is_isolated_already_is_left_as_it_is(self) -> None:
        """After the cool-down a repeat runs again, finds all in place, and changes nothing."""
        with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
            replay_in(stage, EventFile("first", MINER), Options())
            stage.desk.clock.sleep(8 * 3_600)
            again = replay_in(stage, EventFile("again", MINER), Options())

        assert "remediated" == again.decision
        moved = [c for c in again.changes if "interface-groups" in c["element"]]
        assert ["none", "none"] == [change["operation"] for change in moved]

    def test_what_no_longer_exists_is_not_applicable(self) -> None:
        """An instance that is gone leaves nothing to do: no failure, and the reason says so."""
        told = replayed(MINER, empty=True)

        assert "remediated" == told.decision
        assert "i-0a1b2c3d4e5f60718" in told.reason
        assert {"not_applicable", "done"} >= set(told.steps.values())
        assert [] == [c for c in told.changes if c["kind"] == "change"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("a.json", b"", "empty"),
            ("a.json", b"   \n", "empty"),
            ("a.json", b"{not json", "not JSON"),
            ("a.json", b'{"source": "aws.guardduty", "detail": {', "not JSON"),
            ("a.json", b"\xff\xfe\x00", "not UTF-8"),
            ("a.json", b"[" * 5_000, "not JSON"),
            ("a.json", b'{"source": "\\ud800"}', "surrogate"),
            ("a.json", b'{"\\ud800": 1}', "surrogate"),
            ("a.json", b"7", "JSON object"),
            ("a.json", b"{}", "no event of a known source"),
            ("a.jsonl", b'{"source": 1}\n\n', "no event of a known source"),
            ("a.json", b'{"awslogs": {"data": "H4sIAAAA"}}', "awslogs"),
        ],
    )
    def test_a_bad_file_is_rejected_by_name(
        self, tmp_path: Path, name: str, content: bytes, reason: str
    ) -> None:
        """What is no event is rejected with its reason; the chain of that decision is valid."""
        (tmp_path / name).write_bytes(content)

        result = run("replay", tmp_path / name, "--json")
        (told,) = json.loads(result.stdout)

        assert 0 == result.exit_code
        assert "rejected" == told["decision"]
        assert reason in told["reason"]
        assert {"records": 1, "chain": "valid"}.items() <= told["audit"].items() or told["audit"][
            "records"
        ] == 0

    def test_an_event_of_a_megabyte_is_decided(self) -> None:
        """A large event is decided; one larger than EventBridge carries is rejected."""
        large = changed(MINER, "detail.description", "x" * 230_000)
        huge = changed(MINER, "detail.description", "x" * 1_100_000)

        assert "rejected" == replayed(huge).decision
        assert replayed(large).decision in ("remediated", "rejected")

    @pytest.mark.parametrize("hostile", HOSTILE)
    @pytest.mark.parametrize(
        ("event", "path"),
        [
            (BARE, "detail.resource.instanceDetails.instanceId"),
            (STOLEN, "detail.resource.accessKeyDetails.userName"),
            (GROUP, "detail.resourceId"),
        ],
        ids=["instance", "user", "group"],
    )
    def test_syntax_in_an_id_reaches_nothing(self, event: Any, path: str, hostile: str) -> None:
        """An id with syntax in it is decided, and no call that writes is made for it."""
        with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
            told = replay_in(stage, EventFile("event", changed(event, path, hostile)), Options())
            sent = [
                c.operation for c in cloud.calls if (c.session_name or "").startswith("firebreak")
            ]

        assert told.decision in ("remediated", "rejected", "no_playbook")
        assert [] == [o for o in sent if not o.startswith(("Describe", "Get", "List"))]
        assert [] == [c for c in told.changes if c["kind"] == "change"]

    def test_what_a_finding_says_cannot_steer_a_terminal(self, tmp_path: Path) -> None:
        """Escape sequences of a finding are shown as text, never sent to the terminal."""
        event = changed(MINER, "detail.type", "CryptoCurrency:EC2/\x1b[2J\x1b]0;owned\x07")
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event), "utf-8")

        result = run("replay", path, "--plan")

        assert "\x1b[2J" not in result.output
        assert "\x07" not in result.output


def test_examples_may_expect_what_replay_decides() -> None:
    """The decisions that lint knows are those that a replay comes to without a person."""
    assert set(schema.DECISIONS) == set(ORDER) - {"denied"}


class TestCommand:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["replay", "/nowhere.json"], "no such file"),
            (["replay", str(EVENTS), "--account", "12"], "12-digit"),
            (["replay", str(EVENTS), "--playbooks", "/nowhere"], "does not exist"),
            (["replay", str(EVENTS), "--approve", "--deny"], "give one of them"),
            (["replay", str(EVENTS), "--plan", "--approve"], "give one of them"),
        ],
    )
    def test_a_wrong_command_line_is_one_clear_line(
        self, arguments: list[str], message: str
    ) -> None:
        """A wrong path, account or folder ends with a message and a status that is not 0."""
        result = run(*arguments)

        assert 0 != result.exit_code
        assert message in result.output + str(result.exception)

    def test_a_folder_gives_a_line_for_each_event(self) -> None:
        """Several events give one line each, in order, and a summary; the status is 0."""
        result = run("replay", EVENTS / "config")

        lines = [line for line in result.stdout.splitlines() if ".json" in line]
        assert len(list((EVENTS / "config").glob("*.json"))) == len(lines)
        assert "events:" in result.stdout
        assert 0 == result.exit_code

    def test_a_playbook_with_problems_is_not_replayed(self, tmp_path: Path) -> None:
        """Problems of the playbooks are listed, and no event is replayed."""
        (tmp_path / "bad.yaml").write_text("name: other\n", "utf-8")

        result = run("replay", EVENTS / "guardduty/low_severity.json", "--playbooks", tmp_path)

        assert 0 != result.exit_code
        assert "bad.yaml" in str(result.exception)

    def test_the_status_is_not_0_where_an_event_failed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failed event makes the command fail, so that a pipeline notices."""
        failed = Replayed("event", "failed", "why", (), (), {"records": 1, "chain": "valid"})
        monkeypatch.setattr(command, "replay", lambda *_: iter([failed]))

        result = run("replay", EVENTS / "guardduty/low_severity.json")

        assert 1 == result.exit_code
