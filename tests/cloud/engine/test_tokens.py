"""Tests of task tokens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from firebreak.cloud.engine.strands import Activity, Stopped
from firebreak.cloud.engine.tokens import Tokens


def test_token_waits_from_the_moment_its_task_does() -> None:
    """A token that was handed out does not wait; with its task's environment it does."""
    tokens = Tokens()
    tokens.add("t", Activity())
    assert tokens.waiting() == []
    tokens.get("t").env = SimpleNamespace(is_running=lambda: True)
    assert [each.value for each in tokens.waiting()] == ["t"]
    assert tokens.get("t").resolve("outcome")
    assert tokens.waiting() == []
    assert not tokens.get("t").resolve("another")


def test_unknown_token_is_none() -> None:
    """A token nobody was given is not found."""
    assert Tokens().find("t") is None


def test_tasks_of_a_dead_branch_are_unwound() -> None:
    """What waits in a branch that has ended is woken without an outcome."""
    tokens, activity = Tokens(), Activity()
    for name, running in (("dead", False), ("alive", True)):
        tokens.add(name, activity)
        tokens.get(name).env = SimpleNamespace(is_running=lambda running=running: running)
    tokens.wake_dead(activity)
    assert [each.value for each in tokens.waiting()] == ["alive"]
    with pytest.raises(Stopped):
        tokens.get("dead").wait()
