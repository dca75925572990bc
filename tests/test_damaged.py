"""One stored thing that is damaged is named, and holds up and hides nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib import gates, halting, intake
from chalicelib import playbook as books
from chalicelib.effect import JSON
from chalicelib.errors import Corrupt
from chalicelib.store import HALT, listing, partition
from chalicelib.table import Item, encode
from firebreak import cli
from firebreak.stage import Stage
from tests.commands.test_promote import observe, written
from tests.commands.test_promote import run as promoting
from tests.desk import office, run
from tests.guarded import admitted, guarded, on_instance
from tests.scheduled import invoked
from tests.test_halting import BESIDE, halting_after, parameters, setting, start
from tests.worlds import playbook

LIMITED = {"limits": {"total": {"count": 1, "per": "1h"}}}
TRIPPED = {"name": "total", "count": 1, "per": 3_600, "tripped": {"at": "2026"}}
ASKING = {"test": playbook(guardrails={"mode": "approve"})}
TWO = {name: playbook(name) for name in ("first", "second")}


def put(stage: Stage, place: tuple[str, str], data: dict[str, Any]) -> None:
    """Write an item around Firebreak."""
    stage.desk.tables.put(Item(*place, data))


def tear(stage: Stage, place: tuple[str, str]) -> None:
    """Leave of an item what a careless hand at the console leaves: a key, and data that is none."""
    pk, sk = place
    raw = {**encode(Item(pk, sk, {})), "data": {"S": "{"}}
    client = stage.cloud.session().client("dynamodb")
    client.put_item(TableName=stage.desk.settings.remediations_table, Item=raw)


def limit(name: str) -> tuple[str, str]:
    """Return the key of a limit's item."""
    return "LIMIT", name


# --- intake ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"name": "total", "count": 1, "per": 3_600, "times": {"a": "soon"}},
        {"name": "total", "count": "1", "per": 3_600},
        {"name": "other", "count": 1, "per": 3_600},
        TRIPPED,
        None,
    ],
)
def test_under_a_limit_that_cannot_be_read_a_person_is_asked(
    tmp_path: Path, data: dict[str, JSON] | None
) -> None:
    """No finding waits for hours until its event is a dead letter; re-armed it is made anew."""
    with guarded(tmp_path, LIMITED) as stage:
        if data is None:
            tear(stage, limit("total"))
        else:
            put(stage, limit("total"), data)
        head = admitted(stage, on_instance(1))

        assert "approve" == head.mode
        assert "a limit cannot be read: item" in head.why
        assert "total" in head.why
        assert 0 == run("rearm", "total", "--reason", "mended").exit_code
        assert ["enforce", "approve"] == [
            admitted(stage, on_instance(number)).mode for number in (2, 3)
        ]
        (record,) = stage.desk.tables.records("CONTROL")
        assert "item" in str(record.what["tripped"])


def test_a_damaged_gate_stops_its_own_playbook_alone(tmp_path: Path) -> None:
    """The event is tried again for the one; the other playbook contains at once."""
    with guarded(tmp_path, {}, TWO) as stage:
        event = on_instance(1)
        ((_, finding), _) = intake.matched(stage.desk, stage.playbooks, event)[1]
        gate = intake.gate_of(stage.desk, stage.playbooks["first"], finding)
        assert gate is not None
        tear(stage, gates.place_of(gate.key))
        with pytest.raises(Corrupt, match="GATE"):
            intake.handle(stage.desk, stage.playbooks, event, "r")

        (entry,) = listing.entries(stage.desk.tables, listing.OPEN)
        assert "second" == entry.data["playbook"]


def test_a_damaged_playbook_of_a_repeat_stops_its_own_playbook_alone(tmp_path: Path) -> None:
    """What the head of an earlier remediation lacks is its own matter."""
    known = {**TWO, "second": playbook("second", match={"detail": {"description": ["again"]}})}
    with guarded(tmp_path, {}, known) as stage:
        first = admitted(stage, on_instance(1))
        at = partition(first.id), "META"
        (item,) = stage.desk.tables.get(at)
        assert item is not None
        broken = {**item.data, "playbook": {}, "phase": "plan", "started": False}
        stage.desk.tables.put(Item(*at, broken, version=item.version, phase="plan"))
        with pytest.raises(Corrupt):
            intake.handle(stage.desk, stage.playbooks, on_instance(1, description="again"), "r")

        heads = [e.data["playbook"] for e in listing.entries(stage.desk.tables, listing.OPEN)]
        assert "second" in heads


# --- at the desk ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["waiting", "status"])
@pytest.mark.parametrize("count", [1, 3])
def test_one_damaged_head_hides_no_other(tmp_path: Path, command: str, count: int) -> None:
    """All that can be read is shown; then the others are named, and the exit status tells."""
    with guarded(tmp_path, {}, ASKING) as stage:
        good = admitted(stage, on_instance(1))
        for number in range(count):
            identity = f"{number:024x}"
            put(stage, listing.place(listing.OPEN, identity), {})
            tear(stage, (partition(identity), "META"))
        tear(stage, listing.place(listing.OPEN, "torn"))
        result = run(command)

        assert (good.id if command == "waiting" else "1 waiting for approval") in result.output
        assert 1 == result.exit_code
        assert isinstance(result.exception, Corrupt)
        assert count == len(str(result.exception).splitlines())


def test_limits_shows_what_can_be_read(tmp_path: Path) -> None:
    """A limit that is damaged is named after the others."""
    with guarded(tmp_path, LIMITED) as stage:
        admitted(stage, on_instance(1))
        tear(stage, limit("account/1"))
        for arguments in (("limits",), ("limits", "--json")):
            result = run(*arguments)

            assert "total" in result.output
            assert isinstance(result.exception, Corrupt)
            assert "account/1" in str(result.exception)


def test_a_kill_switch_that_cannot_be_read_is_on_and_can_be_turned() -> None:
    """It stops every step, so that is what is shown; turned off it is written anew, on record."""
    with office({}) as stage:
        tear(stage, HALT)
        shown = run("status")
        assert 0 == shown.exit_code
        assert "halted since ? by ?: item" in shown.output
        assert "already halted" in run("halt").output
        assert 0 == run("resume").exit_code
        assert not halting.is_halted(stage.desk)
        assert "not halted" in run("status").output
        assert ["resumed"] == [record.kind for record in stage.desk.tables.records("CONTROL")]


def test_an_entry_that_is_no_wait_holds_up_no_step() -> None:
    """Every other step is woken; the entry is named."""
    with parameters(setting("a"), BESIDE, setting("d")) as stage:
        start(stage, halting_after(stage, "a"))
        tear(stage, listing.place(listing.PARKED, "0#torn#00000"))
        assert "torn waits since ?" in run("status").output
        waits = len(listing.entries(stage.desk.tables, listing.PARKED)) - 1
        result = run("resume")

        assert waits > 0
        assert isinstance(result.exception, Corrupt)
        assert f"torn#00000: no wait can be read there; {waits} others" in str(result.exception)
        assert not halting.is_halted(stage.desk)


def test_promote_counts_what_can_be_read(tmp_path: Path) -> None:
    """A damaged head of whichever playbook is named; the others are evidence."""
    folder = written(tmp_path)
    with guarded(tmp_path, {}, books.load(folder)) as stage:
        observe(stage, 1)
        put(stage, (partition("f" * 24), "META"), {"id": 1})
        shown = promoting("playbook", "promote", "keep", "--folder", folder).output

        assert "1 remediations were planned" in shown
        assert f"could not be read  item REMEDIATION#{'f' * 24}" in shown


# --- scheduled work -------------------------------------------------------------------------------


def test_a_kept_message_that_is_damaged_holds_up_no_other() -> None:
    """The sweep sends the others and names it."""
    with office({}) as stage:
        tear(stage, listing.place(listing.UNTOLD, "0"))
        message = {"subject": "a subject", "text": "a text"}
        put(stage, listing.place(listing.UNTOLD, "1"), message)
        answer = invoked(stage, "sweep")

        assert 1 == answer["told_late"]
        assert ["message 0"] == [each.partition(":")[0] for each in answer["failed"]]


def test_a_due_entry_that_is_damaged_holds_up_no_other() -> None:
    """The sweep does the others and names it."""
    with office({}) as stage:
        tear(stage, listing.place(listing.DUE, f"{0:012d}#review#torn"))
        put(stage, listing.place(listing.DUE, f"{1:012d}#review#other"), {"at": 1})
        failed = invoked(stage, "sweep")["failed"]

        assert ["torn", "other"] == [each.partition(":")[0].rpartition("#")[2] for each in failed]


def test_an_error_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """What an error repeats of others' text hides nothing, and its lines stay."""
    monkeypatch.setattr("sys.argv", ["firebreak", "limits"])

    def torn(_stage: str) -> None:
        raise Corrupt("a\x1b[2Jb\u202e\nsecond")

    monkeypatch.setattr("firebreak.commands.limits.connect", torn)
    with pytest.raises(SystemExit):
        cli.main()

    assert "firebreak: a\\x1b[2Jb\\u202e\nsecond\n" == capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["status"], ["dlq", "list"]])
def test_a_stage_that_is_not_there_is_asked_about(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: list[str]
) -> None:
    """Where AWS has no such table or queue, the line says what to look at."""
    monkeypatch.setattr("sys.argv", ["firebreak", *arguments, "--stage", "other"])
    with office({}), pytest.raises(SystemExit) as ended:
        cli.main()

    told = capsys.readouterr().err
    assert (1, 1) == (ended.value.code, told.count("\n"))
    assert "is there such a stage in this account and region?" in told


@pytest.mark.parametrize("command", ["rollback", "keep"])
@pytest.mark.parametrize(
    "part", [{"playbook": {}}, {"due": {"review": "soon"}}, {"undo": {"number": "two"}}]
)
def test_a_head_with_a_damaged_part_is_one_clear_line(
    tmp_path: Path, command: str, part: dict[str, Any]
) -> None:
    """What is nested in a head is looked at too: the item and the part are named."""
    with guarded(tmp_path, {}, ASKING) as stage:
        first = admitted(stage, on_instance(1))
        at = partition(first.id), "META"
        (item,) = stage.desk.tables.get(at)
        assert item is not None
        stage.desk.tables.put(replace(item, data={**item.data, **part}))
        result = run(command, first.id)

        assert 0 != result.exit_code
        assert "META" in str(result.exception)
        assert "cannot be right" in str(result.exception)
