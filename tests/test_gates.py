from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import gates
from chalicelib.audit import Entry
from chalicelib.errors import Corrupt
from chalicelib.gates import AJAR, OPEN, RELEASED, SHUT, Gate
from chalicelib.playbook import document
from chalicelib.table import Check, ConditionFailed, Item, Operation
from firebreak.stage import Stage
from tests.worlds import head, playbook, world

KEY = gates.gate_key("test", "1" * 12, "us-east-1", "instance/i-1", {})
HEAD = head(gate=KEY, playbook=document(playbook(guardrails={"cooldown": "2h"})))


@pytest.fixture
def stage(database: str) -> Iterator[Stage]:
    """Give a stage without playbooks, in each of the databases."""
    with world() as made:
        yield made


def write(stage: Stage, *operations: Operation) -> None:
    stage.desk.tables.commit(Entry("c", "k", {}, {}), lambda _seq: operations)


def closed(stage: Stage, **parts: Any) -> Gate:
    """Close a remediation that went through the gate; return the gate as it is then."""
    tables = stage.desk.tables
    write(stage, gates.put(gates.opened(gates.get(tables, KEY), HEAD.id)))
    write(stage, *gates.closing(stage.desk, replace(HEAD, **parts)))
    return gates.get(tables, KEY)


def test_nobody_went_through_a_new_gate(stage: Stage) -> None:
    """A gate that is not stored is ajar, and its first remediation is the first generation."""
    gate = gates.get(stage.desk.tables, KEY)
    opened = gates.opened(gate, "r")

    assert gate == Gate(KEY)
    assert not gate.turns_away(0)
    assert (OPEN, "r", 1, 0) == (opened.state, opened.remediation, opened.generation, opened.count)


def test_only_one_goes_through(stage: Stage) -> None:
    """Of two that read the same gate the second has to read it again."""
    tables = stage.desk.tables
    for generation in (1, 2):
        first, second = gates.get(tables, KEY), gates.get(tables, KEY)
        write(stage, gates.put(gates.opened(first, "first")))
        with pytest.raises(ConditionFailed):
            write(stage, gates.put(gates.opened(second, "second")))

        assert ("first", generation) == (
            (gate := gates.get(tables, KEY)).remediation,
            gate.generation,
        )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("contained", SHUT),
        ("partly_contained", AJAR),
        ("failed", AJAR),
        ("not_applicable", AJAR),
        ("planned", AJAR),
        ("denied", AJAR),
        ("expired", AJAR),
        ("rolled_back", RELEASED),
        ("partly_rolled_back", RELEASED),
    ],
)
def test_how_a_remediation_ends_decides_about_its_gate(
    stage: Stage, status: str, state: str
) -> None:
    """Only what is contained keeps repeats out; what a person took back is remembered."""
    gate = closed(stage, status=status)

    assert state == gate.state
    assert (state == SHUT) == gate.turns_away(stage.desk.clock.seconds())


def test_a_shut_gate_opens_after_the_cool_down(stage: Stage) -> None:
    """Repeats are kept out for as long as the playbook says, to the second."""
    gate = closed(stage, status="contained")
    left = gate.expires - stage.desk.clock.seconds()

    assert 7_100 < left <= 7_200
    assert gate.turns_away(gate.expires - 1)
    assert not gate.turns_away(gate.expires)


def test_an_open_gate_never_expires() -> None:
    """While a remediation is under way no time lets another one in."""
    assert Gate(KEY, OPEN, expires=1).turns_away(10**12)


def test_a_worse_finding_is_not_turned_away() -> None:
    """Only what is no worse than what went through last is a repeat."""
    for gate in (Gate(KEY, OPEN, severity=5.0), Gate(KEY, SHUT, expires=10**12, severity=5.0)):
        assert [True, True, False] == [gate.turns_away(0, each) for each in (4.9, 5.0, 5.1)]


@pytest.mark.parametrize(
    ("gate", "asks"),
    [
        (Gate(KEY, RELEASED), True),
        (Gate(KEY, OPEN, released=True), True),
        (Gate(KEY, OPEN), False),
        (Gate(KEY, SHUT, released=True), False),
        (Gate(KEY, AJAR), False),
    ],
)
def test_a_gate_asks_until_a_person_agreed(gate: Gate, *, asks: bool) -> None:
    """After a no, all that goes through asks; so does what overtakes it while it is open."""
    assert asks == gate.asks == gates.opened(gate, "r").released


def test_an_older_remediation_leaves_the_gate_alone(stage: Stage) -> None:
    """Closing what another one has followed changes nothing, and holds only while that is so."""
    tables = stage.desk.tables
    assert [] == gates.closing(stage.desk, HEAD)
    write(stage, gates.put(gates.opened(gates.get(tables, KEY), "newer")))
    (check,) = gates.closing(stage.desk, replace(HEAD, status="rolled_back"))
    assert isinstance(check, Check)
    write(stage, gates.put(gates.get(tables, KEY)))
    with pytest.raises(ConditionFailed):
        write(stage, check)

    assert ("newer", OPEN) == ((gate := gates.get(tables, KEY)).remediation, gate.state)


def test_a_key_is_what_makes_events_the_same_work() -> None:
    """Playbook, account, region, target and indicators tell gates apart; their order does not."""
    parts: dict[str, Any] = {"playbook": "p", "account": "1", "region": "r", "target": "t"}
    parts["indicators"] = {"$.a": [1], "$.b": None}
    key = gates.gate_key(**parts)
    others = [gates.gate_key(**{**parts, name: "other"}) for name in parts]
    turned = {"$.b": None, "$.a": [1]}

    assert 6 == len({key, *others})
    assert key == gates.gate_key(**{**parts, "indicators": turned})
    assert 7 == len({gates.remediation_id(each, 1) for each in (key, *others, "")})
    assert gates.remediation_id(key, 1) != gates.remediation_id(key, 2)


def test_a_long_key_is_bounded_and_still_its_own() -> None:
    """Thousands of indicators make a key that fits an item, and each of them counts."""
    many = [f"203.0.113.{n}/32" for n in range(20_000)]
    key = gates.gate_key("p", "1", "r", "t", {"$.a": many})

    assert len(key) < 1_100
    assert key != gates.gate_key("p", "1", "r", "t", {"$.a": many[:-1]})
    assert key == gates.gate_key("p", "1", "r", "t", {"$.a": list(many)})


@pytest.mark.parametrize("data", [{}, {"key": KEY, "state": 1}, {"key": KEY, "generation": "1"}])
def test_an_altered_gate_is_corrupt(stage: Stage, data: dict[str, Any]) -> None:
    """A gate that is not what Firebreak wrote lets nobody through."""
    stage.desk.tables.put(Item(*gates.place_of(KEY), data))
    with pytest.raises(Corrupt):
        gates.get(stage.desk.tables, KEY)
