"""The right to write: fenced by phase and lease; and with whose rights a step reads and acts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib import lifecycle
from chalicelib.actions import actions
from chalicelib.effect import Effects
from chalicelib.errors import Failed, Fenced
from chalicelib.runner import holding
from chalicelib.runner.holding import Wish
from chalicelib.runner.work import Lease, Work, action_of, hold_writes, maker
from chalicelib.store import Hold, hold_key, partition
from chalicelib.table import NOBODY, ConditionFailed, Item, Put
from tests.runner.bench import ACCOUNT, REGION, TEXT, Bench, change, refused, register


def working(bench: Bench, owner: str = "me") -> Work:
    """Return work of a remediation, under a lease of its own."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "x"}})
    until = int(bench.desk.clock.seconds()) + 300
    item = Item(partition(identity), "STEP#test", {}, owner=owner, expires=until)
    bench.desk.tables.put(item)
    return Work(
        bench.desk, bench.head(identity), {}, Lease("STEP#test", owner, until), {"by": "me"}
    )


def written(work: Work, sk: str) -> Item | None:
    """Return an item of the remediation."""
    (item,) = work.desk.tables.get((partition(work.remediation.id), sk))
    return item


def item(work: Work, sk: str = "THING", **more: Any) -> Put:
    """Return the write of an item of the remediation."""
    return Put(Item(partition(work.remediation.id), sk, {"x": 1}, **more))


# --- the fence ------------------------------------------------------------------------------------


def test_a_write_carries_its_record_and_its_number(bench: Bench) -> None:
    """What is written and what says so are one transaction; the record's number is known to it."""
    work = working(bench)
    numbers: list[int] = []

    def build(seq: int) -> list[Put]:
        numbers.append(seq)
        return [item(work)]

    record = work.commit("thing", {"what": "x"}, build)

    assert ([2], 2) == (numbers, record.seq)
    assert written(work, "THING")
    assert ["admitted", "thing"] == bench.kinds(work.remediation.id)


def test_another_phase_fences(bench: Bench) -> None:
    """Moved on, a remediation is not written to by whoever worked before."""
    work = working(bench)
    lifecycle.move(bench.desk, work.remediation.id, "moved", lambda h: replace(h, phase="undo"), {})

    with pytest.raises(Fenced):
        work.commit("thing", {}, lambda _seq: [item(work)])
    assert written(work, "THING") is None
    assert ["admitted", "moved"] == bench.kinds(work.remediation.id)


@pytest.mark.parametrize("owner", ["another", NOBODY])
def test_a_lost_lease_fences(bench: Bench, owner: str) -> None:
    """Whoever lost the lease, to another or to time, writes nothing."""
    work = working(bench)
    bench.desk.tables.put(Item(partition(work.remediation.id), "STEP#test", {}, owner=owner))

    with pytest.raises(Fenced):
        work.commit("thing", {}, lambda _seq: [item(work)])
    assert written(work, "THING") is None


def test_a_lease_that_ran_out_and_was_not_taken_still_holds(bench: Bench) -> None:
    """Nobody else works: what was begun may be recorded."""
    work = working(bench)
    bench.later()

    work.commit("thing", {}, lambda _seq: [item(work)])
    assert written(work, "THING")


def test_another_condition_is_told_from_the_fence(bench: Bench) -> None:
    """A condition of what is written is no fence: it is read again and tried again."""
    work = working(bench)
    work.commit("thing", {}, lambda _seq: [item(work)])
    again = replace(item(work), condition="attribute_not_exists(pk)")

    with pytest.raises(ConditionFailed, match="THING"):
        work.commit("thing", {}, lambda _seq: [again])


def test_no_transaction_names_an_item_twice(bench: Bench) -> None:
    """DynamoDB refuses two operations on one item: what is written needs no check beside it."""
    work = working(bench)
    lease = item(work, "STEP#test", owner=NOBODY)

    work.commit("ended", {}, lambda _seq: [lease])

    ended = written(work, "STEP#test")
    assert ended
    assert NOBODY == ended.owner


def test_ending_lets_go_of_ones_own_lease_alone(bench: Bench) -> None:
    """A lease that another took over is not ended by who had it before."""
    work = working(bench)
    work.end()
    ended = written(work, "STEP#test")
    assert ended
    assert NOBODY == ended.owner

    bench.desk.tables.put(Item(partition(work.remediation.id), "STEP#test", {}, owner="another"))
    work.end()
    theirs = written(work, "STEP#test")
    assert theirs
    assert "another" == theirs.owner


def test_ending_raises_nothing(bench: Bench) -> None:
    """A lease that cannot be let go of runs out by itself."""
    work = working(bench)

    def fail(call: Any) -> None:
        raise refused("InternalServerError", 500)(call)

    with bench.injecting(fail):
        work.end()
    theirs = written(work, "STEP#test")
    assert theirs
    assert "me" == theirs.owner


# --- holds ----------------------------------------------------------------------------------------


def held(wisher: str, before: Hold | None, now: float = 1_000.0) -> Hold:
    """Return a hold with one more wish."""
    wish = Wish(wisher, "key", "shut", "equal", None, {"undo": 1}, {})
    return holding.take(before, wish, "shut" if before else "open", now, 0)[0]


def test_a_new_hold_is_written_only_where_there_is_none(bench: Bench) -> None:
    """Two who would be the first: the second reads again."""
    work = working(bench)
    work.commit("one", {}, lambda _seq: hold_writes(None, held("a", None)))

    with pytest.raises(ConditionFailed):
        work.commit("two", {}, lambda _seq: hold_writes(None, held("b", None)))
    stored = work.hold("key")
    assert stored
    assert ["a"] == list(stored.wishes)


def test_a_hold_is_written_on_the_version_that_was_read(bench: Bench) -> None:
    """Two who join at once: the second reads again, and no wish is lost."""
    work = working(bench)
    work.commit("one", {}, lambda _seq: hold_writes(None, held("a", None)))
    read = work.hold("key")
    work.commit("two", {}, lambda _seq: hold_writes(read, held("b", read)))

    with pytest.raises(ConditionFailed):
        work.commit("three", {}, lambda _seq: hold_writes(read, held("c", read)))
    stored = work.hold("key")
    assert stored
    assert ["a", "b"] == sorted(stored.wishes)


def test_a_hold_that_was_let_go_of_is_not_written_back(bench: Bench) -> None:
    """Nor is one that another made anew taken for it: their versions differ."""
    work = working(bench)
    work.commit("one", {}, lambda _seq: hold_writes(None, held("a", None)))
    read = work.hold("key")
    assert read
    work.commit("two", {}, lambda _seq: hold_writes(read, holding.without(read, "a")))
    assert work.hold("key") is None

    with pytest.raises(ConditionFailed):
        work.commit("three", {}, lambda _seq: hold_writes(read, held("b", read)))
    work.commit("four", {}, lambda _seq: hold_writes(None, held("c", None, 2_000.0)))
    with pytest.raises(ConditionFailed):
        work.commit("five", {}, lambda _seq: hold_writes(read, held("b", read)))
    stored = work.hold("key")
    assert stored
    assert ["c"] == list(stored.wishes)


def test_what_nobody_held_and_nobody_holds_is_not_written() -> None:
    """No hold, no write; a hold whose last wish goes is removed."""
    hold = held("a", None)

    assert [] == hold_writes(None, holding.without(hold, "a"))
    assert [] == hold_writes(hold, None)
    (removal,) = hold_writes(hold, holding.without(hold, "a"))
    assert hold_key("key") == (removal.pk, removal.sk)  # type: ignore[union-attr]


# --- readers --------------------------------------------------------------------------------------


def test_a_step_acts_in_the_resources_account_with_what_its_action_declares(bench: Bench) -> None:
    """The session is of the member role, narrowed, and named for remediation and step."""
    work = working(bench)
    reader = work.reader(actions()["set_value"], {"name": "a"}, ACCOUNT, REGION, "step")
    statement = json.loads(reader.place.policy)["Statement"][0]

    assert (ACCOUNT, REGION) == (reader.account, reader.region)
    assert {"ssm:GetParameter", "ssm:PutParameter"} <= set(statement["Action"])
    assert f"firebreak-{work.remediation.id}-step" == reader.place.name


def test_an_action_at_home_acts_with_the_functions_own_role(bench: Bench) -> None:
    """No role is assumed for what is done in the security account."""

    def at_home(aws: Any, name: str) -> Effects:
        """Set a parameter at home."""
        yield change(aws, name, "x")
        return {}

    register(at_home, {"name": TEXT}, at="home")
    identity = bench.apply("at_home", name="a")

    assert "done" == bench.result(identity).status
    home = bench.cloud.session().client("ssm")
    assert "x" == home.get_parameter(Name="a")["Parameter"]["Value"]
    assert bench.desk.settings.home_account == bench.effects(identity)[0].account


def test_a_record_says_by_whom_it_was_made(bench: Bench) -> None:
    """What an effect's session is opened with again: action, parameters, account, region."""
    identity = bench.apply("set_value", name="a", want="x")
    (effect,) = bench.effects(identity)

    assert {
        "action": "set_value",
        "params": {"name": "a", "want": "x"},
        "account": ACCOUNT,
        "region": REGION,
    } == maker(effect)


def test_an_action_of_another_version_fails_by_name() -> None:
    """A record of an action that is no more ends its step, not the process."""
    with pytest.raises(Failed, match="not known to this version"):
        action_of("no_such_action")
