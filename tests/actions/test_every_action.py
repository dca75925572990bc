"""Promises that every action keeps; a new action is covered by being there.

Each action's test module names SCENES: builders that make a state in an account and return the
action's parameters.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib.actions import actions
from chalicelib.effect import canonical_text
from chalicelib.permissions import iam_action
from firebreak.cloud import CallInfo, ProcessKilled
from tests.actions.drive import (
    FINDING,
    SUPPORT,
    Bench,
    Run,
    admitted,
    applied,
    planned,
    run,
    writes,
)
from tests.actions.dump import dump

Scene = Callable[[boto3.Session], dict[str, Any]]


def scenes(name: str) -> dict[str, Scene]:
    """Return an action's scenes by name; an action without a test has none, and fails below."""
    if importlib.util.find_spec(f"tests.actions.test_{name}") is None:
        return {}
    return dict(importlib.import_module(f"tests.actions.test_{name}").SCENES)


@pytest.mark.parametrize("name", list(actions()))
def test_an_action_has_scenes(name: str) -> None:
    """Every action's test module builds at least one state to act on."""
    assert scenes(name)


def every() -> list[Any]:
    """Return each (action, scene) as a test case."""
    return [
        pytest.param(name, scene, id=f"{name}-{scene}")
        for name in actions()
        for scene in scenes(name)
    ]


def finding_of(name: str, scene: str) -> Any:
    """Return the finding that a scene is about, where it says so."""
    module = importlib.import_module(f"tests.actions.test_{name}")
    return getattr(module, "FINDINGS", {}).get(scene, FINDING)


def called(made: tuple[CallInfo, ...]) -> set[str]:
    """Return the IAM actions that an action's own calls need."""
    return {
        permission
        for call in made
        if call.service not in SUPPORT and call.phase == "after"
        for permission in iam_action(call.service, call.operation)
    }


@pytest.mark.parametrize(("name", "scene"), every())
def test_undo_after_do_is_the_identity(account: boto3.Session, name: str, scene: str) -> None:
    """What an action changed and undo took back leaves the account as it was."""
    params = scenes(name)[scene](account)
    before = dump(account)

    applied_run = applied(name, account, finding=finding_of(name, scene), **params)
    results = applied_run.undo()

    assert canonical_text(before) == canonical_text(dump(account))
    assert {row["result"] for row in results} <= {"restored", "already_back", "kept", "gone"}


@pytest.mark.parametrize(("name", "scene"), every())
def test_a_plan_is_the_calls_that_are_made(account: boto3.Session, name: str, scene: str) -> None:
    """The calls a plan lists are the calls that apply makes, and a plan makes none."""
    params = scenes(name)[scene](account)
    finding = finding_of(name, scene)

    plan = planned(name, account, finding=finding, **params)
    made = applied(name, account, finding=finding, **params)

    assert [] == plan.calls
    assert plan_calls(plan) == apply_calls(made)


def plan_calls(plan: Run) -> list[str]:
    """Return the planned calls by service, operation and what is certain of their parameters."""
    calls = []
    for item in plan.items:
        calls += [item["call"]] if item.get("call") else item.get("calls", [])
    return sorted(f"{call['service']}:{call['operation']}" for call in calls)


def apply_calls(made: Run) -> list[str]:
    """Return the calls that were made and took effect, as a plan lists them."""
    return sorted(
        f"{call.service}:{_method(call)}"
        for call in made.made
        if writes(call) and call.code == "ok"
    )


def _method(call: CallInfo) -> str:
    from tests.actions.drive import snake

    return snake(call.operation)


@pytest.mark.parametrize("name", list(actions()))
def test_an_action_calls_what_it_declares_and_nothing_else(name: str) -> None:
    """Over all its scenes and their undo, an action calls exactly the permissions it declares."""
    from firebreak.cloud import Cloud
    from firebreak.stage import staged
    from tests.actions.drive import ACCOUNT

    found: set[str] = set()
    for scene, build in scenes(name).items():
        with Cloud() as cloud, staged(cloud, {}) as stage:
            stage.admit_account(ACCOUNT)
            Bench.stage = stage
            params = build(cloud.session(ACCOUNT))
            begin = len(cloud.calls)
            applied_run = applied(
                name, cloud.session(ACCOUNT), finding=finding_of(name, scene), **params
            )
            applied_run.undo()
            found |= called(tuple(cloud.calls[begin:]))

    assert set(actions()[name].permissions) == found


@pytest.mark.parametrize(("name", "scene"), every())
def test_a_killed_step_ends_like_an_unbroken_one(
    bench: Any, account: boto3.Session, name: str, scene: str
) -> None:
    """Killed before and after every call that writes, and retried, a step ends like one unbroken."""
    params = scenes(name)[scene](account)
    finding = finding_of(name, scene)
    before = dump(account)
    whole = applied(name, account, finding=finding, **params)
    contained, facts = canonical_text(dump(account)), whole.facts
    whole.undo()
    writing = sum(1 for call in whole.made if writes(call))

    for kill in range(2 * writing):
        identity = admitted(name, params, finding, "apply")
        broken = _killed(bench, identity, kill)
        assert broken.status == whole.status
        assert contained == canonical_text(dump(account))
        assert set(facts) == set(broken.facts)
        assert _effects(whole) == _effects(broken)
        broken.undo()
        assert canonical_text(before) == canonical_text(dump(account))


def _effects(made: Run) -> list[tuple[str, int, str]]:
    return sorted(
        (e.key, e.n, e.state) for e in made.effects if e.kind == "change" and e.state != "undone"
    )


def _killed(bench: Any, identity: str, kill: int) -> Run:
    """Run a step that dies at the kill-th moment around a write, then run it again."""
    seen = 0

    def die(call: CallInfo) -> None:
        nonlocal seen
        if not writes(call):
            return
        seen += 1
        if seen == kill + 1:
            raise ProcessKilled

    bench.cloud.inject = die
    try:
        run(identity, "apply")
    except ProcessKilled:
        pass
    finally:
        bench.cloud.inject = None
    bench.desk.clock.sleep(3_600)
    return run(identity, "apply")
