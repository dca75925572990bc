"""Promises that every action keeps; a new action is covered by being there.

Each action's test module names SCENES: builders that make a state in an account and return the
action's parameters.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from chalicelib.actions import actions
from chalicelib.effect import OPEN, canonical, canonical_text
from chalicelib.permissions import iam_action
from firebreak.cloud import CallInfo, ProcessKilled
from tests.actions.drive import (
    FINDING,
    Bench,
    Run,
    admitted,
    applied,
    own,
    planned,
    run,
    snake,
    writes,
)
from tests.actions.dump import dump, masked
from tests.worlds import DESK

REMEDIATION = re.compile(r"0{20}[0-9a-f]{4}|[0-9a-f]{64}")  # each of two runs has its own
VOLATILE = {"ClientToken", "UpdateToken", "SecurityGroupRuleIds", "IpPermissions"}
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
    """Return the IAM actions that an action's own calls need; tags in a call need their own."""
    mine = [call for call in made if own(call)]
    found = {each for call in mine for each in iam_action(call.service, call.operation)}
    ec2 = {"ec2:CreateTags" for call in mine if call.params.get("TagSpecifications")}
    firewall = {
        "network-firewall:TagResource"
        for call in mine
        if call.service == "network-firewall" and call.params.get("Tags")
    }
    return found | ec2 | firewall


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
    assert [name for name, _ in planned_calls(plan)] == [name for name, _ in made_calls(made)]
    for (_, wanted), (_, sent) in zip(planned_calls(plan), made_calls(made), strict=True):
        assert fits(wanted, sent), (wanted, sent)


def planned_calls(plan: Run) -> list[tuple[str, Any]]:
    """Return the calls of a plan, in order: `service:operation` and parameters."""
    calls = []
    for item in plan.items:
        calls += [item["call"]] if item.get("call") else item.get("calls", [])
    return [(f"{call['service']}:{call['operation']}", call["params"]) for call in calls]


def made_calls(made: Run) -> list[tuple[str, Any]]:
    """Return the calls that were made and took effect, as a plan lists them."""
    done = [call for call in made.made if writes(call) and call.code == "ok"]
    return [(f"{call.service}:{snake(call.operation)}", canonical(call.params)) for call in done]


def fits(wanted: Any, sent: Any) -> bool:
    """Say whether what was sent is what was planned, where the plan could know it.

    It cannot know tokens, ids of what it would have created itself, and the remediation's own id.
    """
    if OPEN in canonical_text(wanted) and not isinstance(wanted, dict):
        return True
    if isinstance(wanted, dict) and isinstance(sent, dict):
        ours, theirs = set(wanted) - VOLATILE, set(sent) - VOLATILE
        return ours == theirs and all(fits(wanted[name], sent[name]) for name in ours)
    if isinstance(wanted, list) and isinstance(sent, list):
        return len(wanted) == len(sent) and all(map(fits, wanted, sent))
    return REMEDIATION.sub("", str(wanted)) == REMEDIATION.sub("", str(sent))


@pytest.mark.parametrize("name", list(actions()))
def test_an_action_calls_what_it_declares_and_nothing_else(name: str) -> None:
    """Over all its scenes and their undo, an action calls exactly the permissions it declares."""
    from firebreak.cloud import Cloud
    from firebreak.stage import staged
    from tests.actions.drive import ACCOUNT

    found: set[str] = set()
    for scene, build in scenes(name).items():
        with Cloud() as cloud, staged(cloud, {}, trusted=DESK) as stage:
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
    """Killed before and after each writing call, and retried, a step ends like one unbroken."""
    params = scenes(name)[scene](account)
    finding = finding_of(name, scene)
    before = dump(account)
    whole = applied(name, account, finding=finding, **params)
    contained, facts = masked(dump(account)), whole.facts
    whole.undo()
    writing = sum(1 for call in whole.made if writes(call))

    for kill in range(2 * writing):
        identity = admitted(name, params, finding, "apply")
        broken = _killed(bench, identity, kill)
        assert broken.status == whole.status
        assert contained == masked(dump(account))
        assert set(facts) == set(broken.facts)
        assert _effects(whole) == _effects(broken)
        broken.undo()
        assert canonical_text(before) == canonical_text(dump(account))


def _effects(made: Run) -> list[tuple[str, int]]:
    return sorted((e.key, e.n) for e in made.effects if e.kind == "change")


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
