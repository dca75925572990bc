"""What becomes of an element that is taken back, decided from what is known of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.effect import JSON, canonical_text, satisfies
from chalicelib.runner import holding
from chalicelib.runner.releasing import ALREADY_BACK, CONFLICT, HELD, RESTORED, TakenBack
from chalicelib.runner.work import Work
from chalicelib.store import Effect, Hold


@dataclass(frozen=True)
class Case:
    """Hold one element to be taken back: the step's effects on it, its hold, what it is now.

    stored: the hold as it was read, None where there is none; hold: the same with what is known
    from the effects alone.
    """

    work: Work
    group: Sequence[Effect]
    stored: Hold | None
    hold: Hold
    live: JSON

    @property
    def last(self) -> Effect:
        """Return the effect that the element was left with."""
        return self.group[-1]

    @property
    def wisher(self) -> str:
        """Return under which name the step wishes on the hold."""
        return self.work.wisher(self.last.step, self.last.index)

    def result(self, result: str, reason: str = "") -> TakenBack:
        """Return how it ended, with all three values."""
        last, hold = self.last, self.hold
        return TakenBack(
            last.step,
            last.index,
            last.key,
            result,
            before=hold.baseline,
            left=hold.standing,
            live=self.live,
            reason=reason,
        )


@dataclass(frozen=True, slots=True)
class Way:
    """Name a call to make on an element, by whom, what is to show then, and when that is so."""

    do: Mapping[str, JSON]
    by: Mapping[str, JSON]
    to: JSON
    reached: Callable[[JSON], bool]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say how an element is to end, and by which call; none where it ends as it is."""

    result: TakenBack
    way: Way | None = None

    @property
    def lets_go(self) -> bool:
        """Say whether the step's wish ends with it: a conflict is left to a person."""
        return self.result.result != CONFLICT


def judge(case: Case, now: float, *, force: bool) -> Verdict:
    """Return what becomes of an element. Raise Busy while another works on it.

    now: seconds since 1970. force: whoever changed it since.
    """
    hold = case.hold
    holding.locked(hold, case.wisher, now)
    rest = holding.strongest(holding.without(hold, case.wisher))
    if rest is not None:
        return _handed_over(case, rest)
    if same(case.live, hold.baseline):
        put_back = any(effect.state == "undoing" for effect in case.group)
        return Verdict(case.result(RESTORED if put_back else ALREADY_BACK))
    if hold.undo is None:
        return Verdict(case.result(ALREADY_BACK, "nothing was changed"))
    if not force and not _ours(case):
        return Verdict(case.result(CONFLICT, "changed by somebody else since"))
    baseline = hold.baseline
    way = Way(hold.undo, hold.undo_by, baseline, lambda live: same(live, baseline))
    return Verdict(case.result(RESTORED), way)


def _handed_over(case: Case, rest: Mapping[str, JSON]) -> Verdict:
    """Let go of what others still hold; what they want is put in place again where it is not."""

    def reached(live: JSON) -> bool:
        return satisfies(str(rest["order"]), live, rest["want"])

    if reached(case.live):
        return Verdict(case.result(HELD))
    return Verdict(case.result(HELD), Way(rest["do"], rest["by"], rest["want"], reached))


def _ours(case: Case) -> bool:
    """Say whether live state is what Firebreak left, or was making when it was cut off."""
    wanted = [
        each.want for each in case.group if each.state in ("intent", "undoing") or not each.verified
    ]
    return any(same(case.live, each) for each in (case.hold.standing, *wanted))


def same(one: JSON, other: JSON) -> bool:
    """Say whether two values mean the same."""
    return canonical_text(one) == canonical_text(other)
