"""Tell whether the values that fit can be chosen so that they come from the same array elements.

aws/event-ruler calls it array consistency: `{"a": {"b": [1], "c": [2]}}` asks for one element of
the array `a` with both. The fields are taken in the order of their paths, as in the engine, which
matters where one is to be absent: it is looked for only in the elements chosen before it.

What is kept between two fields is the set of choices that later fields can still depend on, so
the work grows with the event and not with the number of combinations. Keys with dots in them
("a.b" beside "a": {"b"}) can be made to defeat that; such an event is rejected, not searched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.errors import Rejected
from chalicelib.pattern.value import Place

_FREE_STEPS = 10_000
_STEPS_PER_VALUE = 2


@dataclass(frozen=True)
class Demand:
    """What one field needs: one of the places of values that fit, or none at `present` at all."""

    fits: frozenset[Place]
    present: frozenset[Place] = frozenset()
    may_be_absent: bool = False

    @property
    def hopeless(self) -> bool:
        """Tell whether no choice of elements can meet the demand."""
        return not self.fits and (not self.may_be_absent or () in self.present)

    @property
    def arrays(self) -> set[int]:
        """Name the arrays whose chosen element matters."""
        return {array for places in (self.fits, self.present) for p in places for array, _ in p}


@dataclass
class _Choices:
    """Places by the element of each array they lie in, from the outermost array inwards."""

    ends_here: bool = False
    inner: dict[int, dict[int, _Choices]] = field(default_factory=dict)

    @classmethod
    def of(cls, places: Iterable[Place]) -> _Choices:
        root = cls()
        for place in places:
            node = root
            for array, index in place:
                node = node.inner.setdefault(array, {}).setdefault(index, cls())
            node.ends_here = True
        return root

    def agreeing(self, chosen: Mapping[int, int]) -> Iterator[Place]:
        """Give the places that contradict no element chosen so far."""
        tasks: list[tuple[_Choices, Place]] = [(self, ())]
        while tasks:
            node, place = tasks.pop()
            if node.ends_here:
                yield place
            for array, elements in node.inner.items():
                if array not in chosen:
                    tasks += [(then, (*place, (array, i))) for i, then in elements.items()]
                elif chosen[array] in elements:
                    tasks.append((elements[chosen[array]], (*place, (array, chosen[array]))))


def consistent(demands: Sequence[Demand]) -> bool:
    """Tell whether elements can be chosen that meet every demand."""
    shared = _shared_arrays(demands)
    demands = [_only(shared, demand) for demand in demands]
    if any(demand.hopeless for demand in demands):
        return False
    if not shared:
        return True
    values = sum(len(demand.fits) + len(demand.present) for demand in demands)
    steps = _FREE_STEPS + _STEPS_PER_VALUE * len(demands) * values
    states: set[Place] = {()}
    for demand, later in zip(demands, _later_arrays(demands), strict=True):
        before, states = states, set()
        for state in _after(before, demand, later):
            states.add(state)
            steps -= 1
            if steps < 0:
                raise Rejected("", "its keys with dots and its arrays combine in too many ways")
    return bool(states)


def _after(states: Iterable[Place], demand: Demand, later: set[int]) -> Iterator[Place]:
    """Give the choices with which the demand is met, cut to the arrays that matter later."""
    fits, present = _Choices.of(demand.fits), _Choices.of(demand.present)
    for state in states:
        chosen = dict(state)
        for place in fits.agreeing(chosen):
            yield _cut(chosen | dict(place), later)
        if demand.may_be_absent and next(present.agreeing(chosen), None) is None:
            yield _cut(chosen, later)


def _cut(chosen: Mapping[int, int], arrays: set[int]) -> Place:
    return tuple(sorted((array, index) for array, index in chosen.items() if array in arrays))


def _shared_arrays(demands: Sequence[Demand]) -> set[int]:
    counts = Counter(array for demand in demands for array in demand.arrays)
    return {array for array, number in counts.items() if number > 1}


def _only(arrays: set[int], demand: Demand) -> Demand:
    """Forget the arrays that no other field depends on: any of their elements will do."""

    def cut(places: frozenset[Place]) -> frozenset[Place]:
        return frozenset(_cut(dict(place), arrays) for place in places)

    return Demand(cut(demand.fits), cut(demand.present), demand.may_be_absent)


def _later_arrays(demands: Sequence[Demand]) -> list[set[int]]:
    """List for each demand the arrays that those after it depend on."""
    later: list[set[int]] = [set()]
    for demand in reversed(demands[1:]):
        later.append(later[-1] | demand.arrays)
    return later[::-1]
