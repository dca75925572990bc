"""A question is asked with the token of the attempt that is alive, and asked once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.errors import Busy
from firebreak.cloud import CallInfo
from tests.runner.bench import Bench, running


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench with throw-away actions."""
    with running() as made:
        yield made


@pytest.fixture
def identity(bench: Bench) -> str:
    """Give a remediation whose plan is sealed, and about which a person is to be asked."""
    made = bench.admit(
        {"action": "set_value", "with": {"name": "a", "want": "shut"}}, phase="plan", mode="approve"
    )
    bench.step(made, phase="plan")
    bench.ask(made, "seal")
    return made


def test_asked_twice_with_one_token_it_is_one_question(bench: Bench, identity: str) -> None:
    """A request that comes twice leaves one record."""
    for _ in range(2):
        bench.ask(identity, "ask", token="a")

    assert 1 == bench.kinds(identity).count("approval_asked")


def test_asked_again_the_last_token_counts(bench: Bench, identity: str) -> None:
    """A second attempt of the state has a token of its own, and its own time."""
    bench.ask(identity, "ask", token="a")
    first = bench.head(identity).waits_until
    bench.desk.clock.sleep(60)
    bench.ask(identity, "ask", token="b")

    assert "b" == bench.head(identity).token
    assert bench.head(identity).waits_until >= first + 60


def test_asked_about_by_two_at_once_the_second_tries_again(bench: Bench, identity: str) -> None:
    """Which of two attempts is alive is not known: the one that comes second is told to retry."""
    nested: list[str] = []

    def meanwhile(call: CallInfo) -> None:
        if call.operation == "Publish" and not nested:
            nested.append("b")
            bench.ask(identity, "ask", token="b")

    with bench.injecting(meanwhile), pytest.raises(Busy):
        bench.ask(identity, "ask", token="a")

    assert "b" == bench.head(identity).token
