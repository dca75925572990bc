"""Two and three remediations on shared elements, in thousands of orders of their calls."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interleavings import synthetic
from tests.interleavings.scheduler import Switch
from tests.interleavings.synthetic import LEVEL, LIST, VALUE, Part, Wanted, play
from tests.runner.bench import Bench

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
EXAMPLES = int(os.environ.get("FIREBREAK_INTERLEAVINGS", "100"))
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SWITCHES = st.lists(
    st.builds(Switch, st.integers(0, 30), st.integers(0, 3), st.booleans()), max_size=10
)
STAYS = st.sampled_from([0.0, 60.0, 600.0])
VALUES = st.builds(Wanted, st.just("set_value"), st.just("shut"))
CONTRARY = st.builds(Wanted, st.just("set_value"), st.sampled_from(["shut", "ajar"]))
LEVELS = st.builds(Wanted, st.just("raise_level"), st.sampled_from([5, 7, 9]))
ENTRIES = st.builds(Wanted, st.just("enter"), st.sampled_from(["x", "y", "z"]))


def parts(wanted: st.SearchStrategy[Wanted]) -> st.SearchStrategy[list[Part]]:
    """Return two or three remediations that want such."""
    return st.lists(st.builds(Part, wanted, STAYS), min_size=2, max_size=3)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Give a bench for all schedules of the module; each begins with it empty."""
    with synthetic.bench() as made:
        yield made


@MANY
@given(parts(VALUES), SWITCHES)
def test_one_value(bench: Bench, wanted: list[Part], switches: list[Switch]) -> None:
    """Shut while anybody holds it, and as before when the last has let go, restored once."""
    play(bench, wanted, switches)


@MANY
@given(parts(CONTRARY), SWITCHES)
def test_contrary_values(bench: Bench, wanted: list[Part], switches: list[Switch]) -> None:
    """Of two that contradict each other one is refused, and neither takes the other back."""
    play(bench, wanted, switches)


@MANY
@given(parts(LEVELS), SWITCHES)
def test_levels(bench: Bench, wanted: list[Part], switches: list[Switch]) -> None:
    """At least as high as the highest that is held, and as before when none is."""
    play(bench, wanted, switches)


@MANY
@given(parts(ENTRIES), SWITCHES, st.sampled_from(["", LIST]))
def test_a_list(bench: Bench, wanted: list[Part], switches: list[Switch], intruded: str) -> None:
    """Every entry is there while it is held; nobody's is lost, somebody else's neither."""
    play(bench, wanted, switches, intruded)


@MANY
@given(parts(VALUES | LEVELS), SWITCHES, st.sampled_from([VALUE, LEVEL]))
def test_somebody_else(
    bench: Bench, wanted: list[Part], switches: list[Switch], intruded: str
) -> None:
    """What somebody else sets meanwhile is not put back by who saw it, and leaves no lock."""
    play(bench, wanted, switches, intruded)
