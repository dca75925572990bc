"""Several remediations on one element: who joins, who is refused, and when it comes back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.effect import Change, Effects
from chalicelib.errors import Busy, Refused, Transient
from chalicelib.runner import holding
from chalicelib.runner.holding import Wish
from chalicelib.store import Hold
from firebreak.cloud import CallInfo, ProcessKilled
from tests.runner.bench import (
    MADE,
    Bench,
    Fault,
    back,
    change,
    changed,
    commits,
    key_of,
    put,
    refused,
    register,
    running,
    writes,
    wrote,
)


def wish(wisher: str, want: Any, order: str = "equal", undo: Any = None) -> Wish:
    """Return a wish whose calls are as short as can be."""
    return Wish(wisher, "key", want, order, {"do": want}, undo or {"undo": want}, {"by": wisher})


# --- pure -----------------------------------------------------------------------------------------


def test_the_first_change_sets_the_baseline_and_the_way_back() -> None:
    """A hold begins with what was there, and locks the element for the change."""
    hold, act = holding.take(None, wish("r/s#0", "shut"), "open", 1_000.0, 1_300)

    assert act
    assert ("open", {"undo": "shut"}, {"by": "r/s#0"}) == (hold.baseline, hold.undo, hold.undo_by)
    assert ("r/s#0", 1_300) == (hold.lock, hold.locked_until)


def test_a_hold_made_anew_has_another_version_than_the_one_before() -> None:
    """A write on the version of a hold that was let go of can't be taken for one on the new."""
    first, _ = holding.take(None, wish("a", "shut"), "open", 1_000.0, 1_300)
    again, _ = holding.take(None, wish("b", "shut"), "open", 1_000.5, 1_300)

    assert again.version > first.version + 100


def test_a_satisfied_wish_joins_without_a_change() -> None:
    """What is as wanted already is held, unlocked, and not acted on."""
    first, _ = holding.take(None, wish("a", "shut"), "open", 0.0, 300)
    shut = holding.settled(first, "a", "shut")

    hold, act = holding.take(shut, wish("b", "shut"), "shut", 1.0, 300)

    assert not act
    assert {"a", "b"} == set(hold.wishes)
    assert ("open", {"undo": "shut"}, "") == (hold.baseline, hold.undo, hold.lock)


def test_the_first_who_acts_sets_the_baseline_not_the_first_who_looks() -> None:
    """Found as wanted, drifted, changed by the next: what the way back leads to is the drift."""
    looked, _ = holding.take(None, wish("a", "shut"), "shut", 0.0, 300)

    acted, act = holding.take(
        looked, wish("b", "shut", undo={"undo": "theirs"}), "theirs", 1.0, 300
    )

    assert act
    assert ("theirs", {"undo": "theirs"}) == (acted.baseline, acted.undo)


def test_what_others_left_standing_is_not_forgotten_by_who_joins() -> None:
    """An order is satisfied by more than was left: that stays drift, and is not Firebreak's."""
    first, _ = holding.take(None, wish("a", 5, "at_least"), 3, 0.0, 300)
    left = holding.settled(first, "a", 5)

    hold, act = holding.take(left, wish("b", 4, "at_least"), 9, 1.0, 300)

    assert not act
    assert 5 == hold.standing


def test_a_contradiction_is_refused_even_where_it_shows() -> None:
    """Two wishes of which neither fulfils the other cannot both be held."""
    first, _ = holding.take(None, wish("a", "shut"), "open", 0.0, 300)
    shut = holding.settled(first, "a", "shut")

    for live in ("shut", "ajar"):
        with pytest.raises(Refused, match="held_otherwise"):
            holding.take(shut, wish("b", "ajar"), live, 1.0, 300)


def test_a_lock_is_respected_until_it_runs_out() -> None:
    """Another's change is waited for, one's own is gone on with."""
    hold, _ = holding.take(None, wish("a", "shut"), "open", 0.0, 300)

    with pytest.raises(Busy):
        holding.take(hold, wish("b", "shut"), "open", 300.0, 600)
    assert holding.take(hold, wish("a", "shut"), "open", 10.0, 600)[1]
    assert "b" == holding.take(hold, wish("b", "shut"), "open", 301.0, 600)[0].lock


def test_who_took_over_is_not_unlocked_by_who_comes_late() -> None:
    """An outcome that comes after another took the element over leaves the other's lock alone."""
    first, _ = holding.take(None, wish("a", "shut"), "open", 0.0, 300)
    taken, _ = holding.take(first, wish("b", "shut"), "open", 301.0, 600)

    assert holding.settled(taken, "a", "shut") is None
    assert "b" == holding.without(taken, "a").lock
    assert "" == holding.without(taken, "b").lock


@given(st.permutations([3, 5, 8]), st.integers(0, 3))
def test_the_strongest_wish_is_the_strongest_in_any_order(levels: list[int], gone: int) -> None:
    """Of the wishes that are left the strongest fulfils all others."""
    hold = Hold("key")
    for level in levels:
        document = wish(str(level), level, "at_least").document()
        hold = replace(hold, wishes={**hold.wishes, str(level): document})
    for level in levels[:gone]:
        hold = holding.without(hold, str(level))

    best = holding.strongest(hold)

    assert (max(levels[gone:]) if gone < 3 else None) == (best and best["want"])


# --- through the door -----------------------------------------------------------------------------


def test_a_second_remediation_joins_and_the_last_restores(bench: Bench) -> None:
    """The first to let go leaves the element held; the last restores it to before them both."""
    bench.set("a", "before")
    first = bench.apply("set_value", name="a", want="shut")
    second = bench.apply("set_value", name="a", want="shut")
    assert ["PutParameter a shut"] == bench.written()

    assert {"a": "held"} == bench.undo(first)
    assert "shut" == bench.get("a")
    assert {"a": "restored"} == bench.undo(second)
    assert "before" == bench.get("a")


@pytest.mark.parametrize("order", list(itertools.permutations((4, 6, 8))))
def test_a_stronger_wish_is_applied_over_a_weaker(bench: Bench, order: tuple[int, ...]) -> None:
    """In any order the strongest is what stands, a weaker one joins, and the last restores."""
    bench.set("a", 3)
    made = {level: bench.apply("raise_level", name="a", want=level) for level in order}

    assert "8" == bench.get("a")
    assert len(bench.written()) == sum(
        level == max(order[: n + 1]) for n, level in enumerate(order)
    )
    fared = [bench.undo(made[level])["a"] for level in sorted(order, reverse=True)]
    assert ["held", "held", "restored"] == fared
    assert "3" == bench.get("a")


def test_a_contradiction_is_refused(bench: Bench) -> None:
    """Another value than the one held is refused by name; nothing is called, nothing is held."""
    bench.apply("set_value", name="a", want="shut")
    calls = len(bench.cloud.calls)

    second = bench.admit({"action": "set_value", "with": {"name": "a", "want": "ajar"}})

    assert "stopped" == bench.step(second)
    assert "refused" == bench.result(second).status
    assert bench.result(second).reason.startswith("held_otherwise: ")
    assert [] == bench.written(calls)
    assert {} == bench.undo(second)
    assert "shut" == bench.get("a")


def test_another_step_of_the_same_remediation_is_another_wish(bench: Bench) -> None:
    """Two steps of one playbook hold an element each for itself."""
    step = {"action": "set_value", "with": {"name": "a", "want": "shut"}}
    identity = bench.admit(step, step)
    bench.step(identity, "step")
    bench.step(identity, "step-1")

    assert {"a": "held"} == bench.undo(identity, step="step")
    assert {"a": "restored"} == bench.undo(identity)


def test_an_element_that_is_worked_on_is_busy_until_its_lock_runs_out(bench: Bench) -> None:
    """A second remediation waits for the first, then takes over what the first left half-way."""
    first = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    with bench.injecting(Fault(0, about=commits("intent"))), pytest.raises(ProcessKilled):
        bench.step(first)
    second = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})

    with pytest.raises(Busy):
        bench.step(second)
    assert [] == bench.written()

    bench.later()
    assert "done" == bench.step(second)
    assert "done" == bench.step(first)
    assert ["PutParameter a shut"] == bench.written()
    assert {"a": "held"} == bench.undo(first)
    assert {"a": "restored"} == bench.undo(second)
    assert bench.get("a") is None


def test_nothing_is_let_go_of_under_who_works_on_it(bench: Bench) -> None:
    """A roll-back waits for another remediation that is about to change the element."""
    first = bench.apply("raise_level", name="a", want=5)
    second = bench.admit({"action": "raise_level", "with": {"name": "a", "want": 8}})
    with bench.injecting(Fault(0, about=commits("intent"))), pytest.raises(ProcessKilled):
        bench.step(second)
    calls = len(bench.cloud.calls)

    with pytest.raises(Busy):
        bench.undo(first)
    assert [] == bench.written(calls)

    bench.later()
    assert not bench.ask(first, "undo")["more"]
    assert "done" == bench.step(second)
    assert {"a": "restored"} == bench.undo(second)
    assert bench.get("a") is None


def test_an_intent_that_lost_its_lock_waits_for_who_took_over(bench: Bench) -> None:
    """A retry makes no call while another remediation, which took over, works on the element."""
    step = {"action": "raise_level", "with": {"name": "a", "want": 5}}
    first = bench.admit(step)
    with bench.injecting(Fault(0, about=commits("intent"))), pytest.raises(ProcessKilled):
        bench.step(first)
    bench.later()
    second = bench.admit({"action": "raise_level", "with": {"name": "a", "want": 8}})
    with bench.injecting(Fault(0, about=commits("intent"))), pytest.raises(ProcessKilled):
        bench.step(second)

    with pytest.raises(Busy):
        bench.step(first)
    assert [] == bench.written()

    bench.later()
    assert ["done", "done"] == [bench.step(second), bench.step(first)]
    assert ["PutParameter a 8"] == bench.written()
    assert {"a": "held"} == bench.undo(second)
    assert {"a": "restored"} == bench.undo(first)
    assert bench.get("a") is None


def test_letting_go_puts_what_is_left_in_place_again(bench: Bench) -> None:
    """Drifted while two held it, an element is put back to the strongest wish that remains."""
    bench.set("a", "before")
    first = bench.apply("set_value", name="a", want="shut")
    second = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")

    assert {"a": "held"} == bench.undo(second)
    assert "shut" == bench.get("a")
    assert ["undo_intent", "undo_outcome", "undo_results"] == bench.kinds(second)[-3:]
    assert {"a": "restored"} == bench.undo(first)
    assert "before" == bench.get("a")


def test_killed_while_letting_go_nothing_is_called_twice() -> None:
    """Killed after any write of putting a remaining wish in place, a retry ends the same."""
    for kill in itertools.count():
        with running() as bench:
            first = bench.apply("set_value", name="a", want="shut")
            second = bench.apply("set_value", name="a", want="shut")
            bench.set("a", "theirs")
            fault = Fault(
                kill,
                about=changed,
                watched=lambda: bench.foreseen(second),  # noqa: B023
            )
            try:
                with bench.injecting(fault):
                    bench.undo(second)
                break
            except ProcessKilled:
                bench.later()
            fault.at = -1
            with bench.injecting(fault):
                bench.ask(second, "undo")

            assert ["held"] == [row["result"] for row in bench.rows(second)]
            assert ({1}, []) == (set(fault.effective.values()), fault.unforeseen)
            assert {"a": "restored"} == bench.undo(first)
            assert bench.get("a") is None
    assert kill > 3


def test_a_remaining_wish_that_cannot_be_put_in_place_is_told(bench: Bench) -> None:
    """Refused, the wish of the others stays a wish; the one that would let go has failed to."""
    first = bench.apply("set_value", name="a", want="shut")
    second = bench.apply("set_value", name="a", want="shut")
    bench.set("a", "theirs")

    with bench.injecting(Fault(0, refused("AccessDeniedException"), about=writes)):
        assert {"a": "failed"} == bench.undo(second)

    assert {"a": "held"} == bench.undo(second)
    assert {"a": "restored"} == bench.undo(first)


def test_a_remaining_wish_is_called_with_the_rights_it_came_with(bench: Bench) -> None:
    """What another action wanted is put in place by that action's session, not by one's own."""

    def only_look(aws: Any, name: str, want: Any) -> Effects:
        """Want a parameter as it is."""
        yield change(aws, name, want)
        return {}

    first = bench.apply("set_value", name="a", want="shut")
    from chalicelib.actions import action, actions

    params = {"name": {"type": "string"}, "want": {"type": "string"}}
    action(params=params, permissions=("ssm:GetParameter",))(only_look)
    actions.cache_clear()
    second = bench.apply("only_look", name="a", want="shut")
    bench.set("a", "theirs")

    assert {"a": "held"} == bench.undo(second)
    assert "shut" == bench.get("a")
    assert {"a": "restored"} == bench.undo(first)


def once(bench: Bench, identity: str, operation: str, then: Callable[[], object]) -> Any:
    """Return a hook that does something right after the first such call of a remediation."""
    waiting = True

    def hook(call: CallInfo) -> None:
        nonlocal waiting
        ours = identity in (call.session_name or "") and call.operation == operation
        if waiting and ours and call.phase == "after":
            waiting = False
            then()

    return hook


def test_a_hold_let_go_of_meanwhile_is_not_written_back(bench: Bench) -> None:
    """Who would join a hold whose last holder just let go reads again, and acts."""

    def set_blindly(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter whose former state is known without a look."""
        yield Change(MADE.value(name=name), want=want, do=put(name, want), undo=back(name, None))
        return {}

    register(set_blindly)
    first = bench.apply("set_blindly", name="a", want="shut")
    second = bench.admit({"action": "set_blindly", "with": {"name": "a", "want": "shut"}})

    with bench.injecting(once(bench, second, "GetParameter", lambda: bench.undo(first))):
        assert "done" == bench.step(second)

    hold = bench.hold("a")
    assert hold
    assert [f"{second}/step#0"] == list(hold.wishes)
    calls = ["PutParameter a shut", "DeleteParameter a", "PutParameter a shut"]
    assert calls == bench.written()
    assert {"a": "restored"} == bench.undo(second)
    assert bench.get("a") is None


def test_a_way_back_to_what_is_no_longer_there_is_not_recorded(bench: Bench) -> None:
    """Changed between the action's look and the intent, an element is looked at again."""
    bench.set("a", "open")
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    hook = once(bench, identity, "GetParameter", lambda: bench.set("a", "theirs"))

    with bench.injecting(hook), pytest.raises(Transient, match="changed since"):
        bench.step(identity)
    assert [] == bench.effects(identity)

    assert "done" == bench.step(identity)
    assert {"a": "restored"} == bench.undo(identity)
    assert "theirs" == bench.get("a")


def orders(begun: int = 0, held: tuple[int, ...] = (), past: str = "") -> Iterator[str]:
    """Yield every order in which three remediations, alike but for their number, come and go."""
    if begun == 3 and not held:
        yield past.strip()
    if begun < 3:
        yield from orders(begun + 1, (*held, begun), f"{past} +{begun}")
    for each in held:
        yield from orders(begun, tuple(n for n in held if n != each), f"{past} -{each}")


@pytest.mark.parametrize("order", list(orders()))
def test_in_any_order_the_last_to_let_go_restores(bench: Bench, order: str) -> None:
    """Held by any, an element is as the strongest wants it; held by none, it is as before."""
    bench.set("a", "before")
    bench.set("b", 1)
    levels, made = (5, 9, 7), dict[int, list[str]]()
    for come, number in ((word[0] == "+", int(word[1])) for word in order.split()):
        if come:
            first = bench.apply("set_value", name="a", want="shut")
            made[number] = [first, bench.apply("raise_level", name="b", want=levels[number])]
        else:
            fared = [fare for one in made.pop(number) for fare in bench.undo(one).values()]
            assert ["held" if made else "restored"] * 2 == fared

        assert ("shut" if made else "before") == bench.get("a")
        least = max((levels[number] for number in made), default=1)
        assert int(str(bench.get("b"))) >= least
        assert made or bench.get("b") == "1"
    assert (bench.hold("a"), bench.hold("b", "level")) == (None, None)


def test_a_lost_first_change_does_not_make_its_joiner_a_stranger(bench: Bench) -> None:
    """Cut off after its call, then let go of first: who joined takes back what was left."""
    first = bench.admit({"action": "set_value", "with": {"name": "a", "want": "shut"}})
    with bench.injecting(Fault(0, about=wrote)), pytest.raises(ProcessKilled):
        bench.step(first)
    bench.later()
    second = bench.apply("set_value", name="a", want="shut")

    assert {"a": "held"} == bench.undo(first)
    assert {"a": "restored"} == bench.undo(second)
    assert bench.get("a") is None


def test_a_failed_wish_leaves_the_waypoint_held(bench: Bench) -> None:
    """Between a refused end and its sweep, the hold says what stands there, not what was wanted."""

    def in_two(aws: Any, name: str, want: Any) -> Effects:
        """Set a parameter to one value, then to another."""
        probe, undo = MADE.value(name=name), back(name, None)
        yield Change(probe, want="half", do=put(name, "half"), undo=undo)
        yield Change(probe, want=want, do=put(name, want), undo=undo)
        return {}

    register(in_two)
    identity = bench.admit({"action": "in_two", "with": {"name": "a", "want": "shut"}})
    denied = Fault(1, refused("AccessDeniedException"), about=_before_writing)
    with bench.injecting(denied):
        bench.step(identity)

    hold = bench.hold("a")
    assert hold
    assert ["half"] == [each["want"] for each in hold.wishes.values()]
    assert {"a": "restored"} == bench.undo(identity)
    assert key_of("a") == hold.key


def _before_writing(call: Any) -> bool:
    return call.phase == "before" and writes(call)
