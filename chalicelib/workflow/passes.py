"""The passes of a machine: planning, asking, applying, taking back, closing."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.playbook import Parallel, Playbook, Step
from chalicelib.playbook.values import ROLL_BACK
from chalicelib.workflow.states import (
    CLOSE,
    START,
    UNDO,
    States,
    Ways,
    catch,
    choice,
    task,
    waiting,
)
from chalicelib.workflow.steps import first, parallel_states, parked, step_states, waits

SEAL, PLANNED, ASK, ANSWERED = "Seal plan", "Planned?", "Ask", "Approved?"
UNDOING, CLOSED, NOT_CONTAINED, DONE = "Undone?", "Closed?", "Not contained", "Done"
FAILED_STATUSES = ("failed", "partly_rolled_back")
ANSWER_SECONDS = 3_600  # longer than a person has: what is decided at the last moment still counts
REMEDIATION = {"remediation.$": "$.remediation"}


def names(entries: Sequence[Step | Parallel], prefix: str) -> list[str]:
    """Return the name of the first state of each entry; the plan pass has no parallels."""
    found, parallels = [], 0
    for entry in entries:
        if isinstance(entry, Step):
            found.append(prefix + first(entry))
            continue
        parallels += 1
        found.append(prefix + first(entry.steps[0]) if prefix else f"Parallel {parallels}")
    return found


def start(plan: str, apply: str) -> States:
    """Return the state that begins with the pass the input asks for."""
    return {START: choice("$.pass", {"plan": plan, "undo": UNDO}, apply)}


def planning(playbook: Playbook) -> States:
    """Return the plan pass: every step in order, one after the other."""
    states: States = {}
    steps = playbook.all_steps()
    following = [f"Plan {first(step)}" for step in steps[1:]] + [SEAL]
    for step, after in zip(steps, following, strict=True):
        states |= step_states(step, "plan", "Plan ", Ways(after, CLOSE, CLOSE, after))
    return states


def approval(playbook: Playbook, apply: str) -> States:
    """Return the states that seal a plan and ask a person, where one has to be asked."""
    sealed = {
        "ResultSelector": {"next.$": "$.Payload.next"},
        "ResultPath": "$.sealed",
        "Catch": [catch(["States.ALL"], CLOSE)],
    }
    asked = {"ResultPath": "$.answer", "Catch": [catch(["States.ALL"], CLOSE)]}
    within = playbook.guardrails.approve_within + ANSWER_SECONDS
    approved = [
        {"Variable": "$.answer.decision", "IsPresent": True},
        {"Variable": "$.answer.decision", "StringEquals": "approved"},
    ]
    return {
        SEAL: task({"do": "seal", **REMEDIATION}, PLANNED) | sealed,
        PLANNED: choice("$.sealed.next", {"ask": ASK, "apply": apply}, CLOSE),
        ASK: waiting({"do": "ask", **REMEDIATION}, ANSWERED, within) | asked,
        ANSWERED: {
            "Type": "Choice",
            "Choices": [{"And": approved, "Next": apply}],
            "Default": CLOSE,
        },
    }


def applying(playbook: Playbook, replan: str) -> States:
    """Return the apply pass."""
    stopped = UNDO if playbook.on_failure == ROLL_BACK else CLOSE
    begins = names(playbook.steps, "")
    states: States = {}
    for entry, name, after in zip(playbook.steps, begins, [*begins[1:], CLOSE], strict=True):
        ways = Ways(after, stopped, replan, after)
        if isinstance(entry, Parallel):
            states |= parallel_states(entry, name, ways)
        else:
            states |= step_states(entry, "apply", "", ways)
    return states


def ending() -> States:
    """Return the states that take back and close.

    What nobody asked for waits under the kill switch. What a person takes back while its steps wait
    comes to Close, and goes on to the undo pass.
    """
    more = {
        "ResultSelector": {"more.$": "$.Payload.more"},
        "ResultPath": "$.undo",
        "Catch": [catch(["Halted"], waits(UNDO)), catch(["States.ALL"], CLOSE)],
    }
    nameless = {"pass": "undo", "step": "", **REMEDIATION}
    status = {"ResultSelector": {"status.$": "$.Payload.status"}, "ResultPath": "$.closed"}
    return {
        UNDO: task({"do": "undo", **REMEDIATION}, UNDOING) | more,
        waits(UNDO): parked(UNDO, nameless, CLOSE),
        UNDOING: {
            "Type": "Choice",
            "Choices": [{"Variable": "$.undo.more", "BooleanEquals": True, "Next": UNDO}],
            "Default": CLOSE,
        },
        CLOSE: task({"do": "close", **REMEDIATION}, CLOSED) | status,
        CLOSED: choice(
            "$.closed.status", {"undo": UNDO, **dict.fromkeys(FAILED_STATUSES, NOT_CONTAINED)}, DONE
        ),
        NOT_CONTAINED: {
            "Type": "Fail",
            "Error": "RemediationFailed",
            "Cause": "The audit trail says at which step and why.",
        },
        DONE: {"Type": "Succeed"},
    }
