"""Functions that were deployed, run in this process with their roles' own permissions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import app
from chalicelib import playbook, settings, wiring
from chalicelib.runner.work import Desk
from firebreak import templates
from firebreak.cloud.lambdas import Function, Result
from firebreak.stage import CloudClock
from tests.deploying.clones import Clone
from tests.worlds import HOME


@contextmanager
def running(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Run the stage's functions while the block runs; give the stage's desk."""
    known = settings.from_environment(settings.defaults("dev", HOME, "us-east-1"))
    desk = wiring.desk(known, CloudClock(clone.cloud))
    monkeypatch.setattr(wiring, "ours", lambda: desk)
    monkeypatch.setattr(wiring, "playbooks", lambda: playbook.load(clone.playbooks))
    clone.cloud._functions.hosted = _hosted
    try:
        yield desk
    finally:
        clone.cloud._functions.hosted = None


def _hosted(uploaded: Any, event: Any) -> Result:
    handler = getattr(app, uploaded.handler.removeprefix("app."))
    place = (uploaded.function_name, uploaded.function_arn, uploaded.role)
    function = Function(*place, handler, limited=True, timeout=300, memory=512)
    return function.invoke(event)


def join_member(clone: Clone) -> None:
    """Give the security account the role that Firebreak assumes, as a member has it."""
    wanted = templates.wanted("dev")
    given = {"HomeAccount": HOME, "HomeRegion": "us-east-1"}
    clone.client("cloudformation").create_stack(
        StackName="firebreak-dev-member",
        TemplateBody=templates.text(templates.build("member", wanted)),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
        ],
    )
