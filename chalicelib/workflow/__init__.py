"""A playbook as a state machine: Amazon States Language, Standard workflow.

Every machine can plan, wait, apply and undo; the execution's input says where it begins:
`{"remediation": id, "pass": "apply" | "plan" | "undo"}`. States carry ids, statuses and indices.
A step that must wait raises Halted, and waits in a task-token state beside it. A step that failed
and must stop the playbook raises StepFailed; one that would do something else than the plan that
was shown raises PlanChanged. No branch of a Parallel or Map fails: it ends with a status, and one
Choice after the join decides.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html

    states   a task, a retry, a catch, a join
    steps    one step: its task, where it waits, its items, its branch
    passes   the plan pass, the approval, the apply pass, taking back and closing
"""

from __future__ import annotations

from typing import Any

from chalicelib.playbook import Playbook
from chalicelib.workflow import passes
from chalicelib.workflow.states import (
    FUNCTION,
    FUNCTION_SECONDS,
    PARKED_SECONDS,
    START,
    TASK_SECONDS,
)

__all__ = ["FUNCTION", "FUNCTION_SECONDS", "PARKED_SECONDS", "TASK_SECONDS", "compile"]


def compile(playbook: Playbook) -> dict[str, Any]:  # noqa: A001  # the field's word for it
    """Return the playbook's state machine; the same playbook gives the same machine."""
    plan, apply = passes.names(playbook.steps, "Plan ")[0], passes.names(playbook.steps, "")[0]
    return {
        "Comment": f"{playbook.title} (playbook {playbook.name}, version {playbook.version})",
        "StartAt": START,
        "States": {
            **passes.start(plan, apply),
            **passes.planning(playbook),
            **passes.approval(playbook, apply),
            **passes.applying(playbook, replan=plan),
            **passes.ending(),
        },
    }
