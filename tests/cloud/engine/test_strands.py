"""Tests of the counting of what moves in an execution."""

from __future__ import annotations

import threading

from firebreak.cloud.engine.strands import Activity, Fork, Parking, Stopped


def in_strand(activity: Activity, routine: object) -> threading.Thread:
    """Run a routine as a strand of the activity."""

    def run() -> None:
        try:
            routine()  # type: ignore[operator]  # any callable
        finally:
            activity.pause()

    activity.resume()
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_activity_is_still_when_its_strand_has_ended() -> None:
    """Waiting returns once the last strand has ended."""
    activity = Activity()
    in_strand(activity, lambda: None).join()
    assert activity.wait_until_still(timeout=5)


def test_activity_is_still_while_its_only_strand_is_parked() -> None:
    """A parked strand does not move; released, it ends with the value handed in."""
    activity = Activity()
    parking = Parking(activity)
    values: list[object] = []
    thread = in_strand(activity, lambda: values.append(parking.wait()))
    assert activity.wait_until_still(timeout=5)
    assert values == []
    assert parking.release("value")
    thread.join()
    assert values == ["value"]


def test_parking_takes_the_first_value_only() -> None:
    """A second release is refused, so an outcome cannot be overwritten."""
    parking = Parking(Activity())
    assert parking.release(1)
    assert not parking.release(2)


def test_release_before_wait_does_not_lose_the_count() -> None:
    """An outcome that comes before the wait begins leaves the count where it was."""
    activity = Activity()
    parking = Parking(activity)
    parking.release("early")
    in_strand(activity, parking.wait).join()
    assert activity.wait_until_still(timeout=5)


def test_value_nobody_waits_for_does_not_count() -> None:
    """An outcome for a strand that never waits leaves nothing moving."""
    activity = Activity()
    parking = Parking(activity)
    in_strand(activity, lambda: parking.release("unheard")).join()
    assert activity.wait_until_still(timeout=5)


def test_fork_joins_every_branch() -> None:
    """The forking strand goes on when all branches have ended."""
    activity = Activity()
    done: list[int] = []

    def branch(number: int) -> bool:
        done.append(number)
        return True

    def parent() -> None:
        Fork(activity, [lambda n=n: branch(n) for n in range(8)]).join()
        done.append(-1)

    in_strand(activity, parent).join()
    assert (sorted(done[:-1]), done[-1]) == (list(range(8)), -1)
    assert activity.wait_until_still(timeout=5)


def test_fork_goes_on_at_the_first_failure() -> None:
    """A failed branch lets the parent go on while another branch is still parked."""
    activity = Activity()
    parking = Parking(activity)
    went_on = threading.Event()

    def parked() -> bool:
        parking.wait()
        return True

    def parent() -> None:
        Fork(activity, [parked, lambda: False]).join()
        went_on.set()

    thread = in_strand(activity, parent)
    assert went_on.wait(timeout=5)
    thread.join()
    parking.release(None)
    assert activity.wait_until_still(timeout=5)


def test_stopped_branch_is_no_failure() -> None:
    """A branch that is unwound because the execution was stopped just ends."""
    activity = Activity()

    def stopped() -> bool:
        raise Stopped

    in_strand(activity, lambda: Fork(activity, [stopped]).join()).join()
    assert activity.wait_until_still(timeout=5)
