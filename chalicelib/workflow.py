"""A playbook as a state machine: Amazon States Language, Standard workflow.

Every machine can plan, wait, apply and undo; the execution's input says where it begins:
`{"remediation": id, "pass": "apply" | "plan" | "undo"}`. States carry ids, statuses and indices.
A step that must wait raises Halted, and waits in a task-token state beside it. A step that failed
and must stop the playbook raises StepFailed; one that would do something else than the plan that
was shown raises PlanChanged. No branch of a Parallel or Map fails: it ends with a status, and one
Choice after the join decides.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.playbook import Parallel, Playbook, Step

State = dict[str, Any]
States = dict[str, State]

FUNCTION = "${run_step}"  # the function's ARN, put in when the machine is created
INVOKE = "arn:aws:states:::lambda:invoke"
INVOKE_AND_WAIT = f"{INVOKE}.waitForTaskToken"
FUNCTION_SECONDS = 300  # run_step's timeout; its tasks time out later
TASK_SECONDS = FUNCTION_SECONDS + 60
PARKED_SECONDS = 3_600  # after which a parked step looks again by itself
AT_ONCE = 4  # items of a for_each that run side by side

START, SEAL, PLANNED, ASK, ANSWERED = "Start", "Seal plan", "Planned?", "Ask", "Approved?"
UNDO, UNDOING, CLOSE, CLOSED, NOT_CONTAINED = "Undo", "Undone?", "Close", "Closed?", "Not contained"
STOPPED, REPLAN, WENT_ON = "stop", "replan", "ended"
FAILED_STATUSES = ("failed", "partly_rolled_back")

RETRY = (
    {
        "ErrorEquals": ["Busy", "Fenced"],
        "IntervalSeconds": 2,
        "BackoffRate": 1.5,
        "MaxAttempts": 20,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    },
    {
        "ErrorEquals": [
            "Transient",
            "Lambda.TooManyRequestsException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.Unknown",
            "Runtime.ExitError",
            "Sandbox.Timedout",
            "States.Timeout",
        ],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxAttempts": 6,
        "MaxDelaySeconds": 120,
        "JitterStrategy": "FULL",
    },
)


@dataclass(frozen=True, slots=True)
class Ways:
    """Name where a step's state goes from here."""

    following: str  # "" ends a branch
    stopped: str
    replan: str
    in_branch: bool = False


def compile(playbook: Playbook) -> dict[str, Any]:  # noqa: A001  # the field's word for it
    """Return the playbook's state machine; the same playbook gives the same machine."""
    plan = _sequence_names(playbook.steps, "Plan ")
    apply = _sequence_names(playbook.steps, "")
    states: States = {START: _start(plan[0], apply[0])}
    states |= _plan_pass(playbook)
    states |= _after_plan(playbook, apply[0])
    states |= _apply_pass(playbook, replan=plan[0])
    states |= _ending()
    return {
        "Comment": f"{playbook.title} (playbook {playbook.name}, version {playbook.version})",
        "StartAt": START,
        "States": states,
    }


def _start(plan: str, apply: str) -> State:
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.pass", "StringEquals": "plan", "Next": plan},
            {"Variable": "$.pass", "StringEquals": "undo", "Next": UNDO},
        ],
        "Default": apply,
    }


def _sequence_names(entries: Sequence[Step | Parallel], prefix: str) -> list[str]:
    """Return the name of the first state of each entry."""
    names, parallels = [], 0
    for entry in entries:
        if isinstance(entry, Parallel):
            parallels += 1
            flat = prefix + _first(entry.steps[0]) if prefix else f"Parallel {parallels}"
            names.append(flat)
        else:
            names.append(prefix + _first(entry))
    return names


def _first(step: Step) -> str:
    return f"{step.name} items" if step.for_each else step.name


# --- the plan pass: every step in order, one after the other --------------------------------------


def _plan_pass(playbook: Playbook) -> States:
    states: States = {}
    steps = playbook.all_steps()
    following = [f"Plan {_first(step)}" for step in steps[1:]] + [SEAL]
    for step, after in zip(steps, following, strict=True):
        ways = Ways(after, CLOSE, CLOSE)
        states |= _step(step, "plan", "Plan ", ways)
    return states


def _after_plan(playbook: Playbook, apply: str) -> States:
    decided = {"do": "ask", "remediation.$": "$.remediation", "token.$": "$$.Task.Token"}
    return {
        SEAL: _task({"do": "seal", "remediation.$": "$.remediation"}, PLANNED)
        | {"ResultSelector": {"next.$": "$.Payload.next"}, "ResultPath": "$.sealed"},
        PLANNED: {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.sealed.next", "StringEquals": "ask", "Next": ASK},
                {"Variable": "$.sealed.next", "StringEquals": "apply", "Next": apply},
            ],
            "Default": CLOSE,
        },
        ASK: _task(decided, ANSWERED, wait=True)
        | {
            "TimeoutSeconds": playbook.guardrails.approve_within,
            "ResultPath": "$.answer",
            "Retry": [RETRY[0], _without_timeout(RETRY[1])],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": CLOSE}],
        },
        ANSWERED: {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.answer.decision", "IsPresent": True},
                        {"Variable": "$.answer.decision", "StringEquals": "approved"},
                    ],
                    "Next": apply,
                }
            ],
            "Default": CLOSE,
        },
    }


def _without_timeout(retry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a retry that lets a wait run out: nobody answered, which is an answer."""
    return {**retry, "ErrorEquals": [e for e in retry["ErrorEquals"] if e != "States.Timeout"]}


# --- the apply pass -------------------------------------------------------------------------------


def _apply_pass(playbook: Playbook, replan: str) -> States:
    stopped = UNDO if playbook.on_failure == "roll_back" else CLOSE
    names = _sequence_names(playbook.steps, "")
    states: States = {}
    for entry, name, after in zip(playbook.steps, names, [*names[1:], CLOSE], strict=True):
        ways = Ways(after, stopped, replan)
        if isinstance(entry, Parallel):
            states |= _parallel(entry, name, ways)
        else:
            states |= _step(entry, "apply", "", ways)
    return states


def _parallel(parallel: Parallel, name: str, ways: Ways) -> States:
    return {
        name: {
            "Type": "Parallel",
            "Branches": [_branch(step) for step in parallel.steps],
            "ResultSelector": _join("$[*].status"),
            "ResultPath": "$.join",
            "Catch": [_catch(["States.ALL"], ways.stopped)],
            "Next": f"{name}?",
        },
        f"{name}?": _joined(ways),
    }


def _branch(step: Step) -> dict[str, Any]:
    """Return a branch that runs one step and ends with its status, whatever happens."""
    stopped, replan = f"{step.name} stopped", f"{step.name} planned again"
    states = _step(step, "apply", "", Ways("", stopped, replan, in_branch=True))
    states |= {
        stopped: {"Type": "Pass", "Result": {"status": STOPPED}, "End": True},
        replan: {"Type": "Pass", "Result": {"status": REPLAN}, "End": True},
    }
    if step.for_each or step.on_error == "continue":
        ended = {"Type": "Pass", "Result": {"status": WENT_ON}, "End": True}
        states[f"{step.name} ended"] = ended
    return {"StartAt": _first(step), "States": states}


def _join(statuses: str) -> dict[str, str]:
    return {
        "stop.$": f"States.ArrayContains({statuses}, '{STOPPED}')",
        "replan.$": f"States.ArrayContains({statuses}, '{REPLAN}')",
    }


def _joined(ways: Ways) -> State:
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.join.stop", "BooleanEquals": True, "Next": ways.stopped},
            {"Variable": "$.join.replan", "BooleanEquals": True, "Next": ways.replan},
        ],
        "Default": ways.following,
    }


# --- one step -------------------------------------------------------------------------------------


def _step(step: Step, phase: str, prefix: str, ways: Ways) -> States:
    if step.for_each:
        return _for_each(step, phase, prefix, ways)
    payload = _payload(step, phase)
    return _run(prefix + step.name, payload, step, ways)


def _payload(step: Step, phase: str) -> dict[str, Any]:
    return {
        "do": "step",
        "remediation.$": "$.remediation",
        "pass": phase,
        "step": step.name,
    }


def _run(name: str, payload: dict[str, Any], step: Step, ways: Ways) -> States:
    """Return the step's task and, beside it, the state in which it waits."""
    parked = f"{name} waits"
    went_on = _went_on(step, ways)
    task = _task(payload, ways.following)
    if ways.in_branch:
        task |= {"ResultSelector": {"status.$": "$.Payload.status"}, "ResultPath": "$"}
    else:
        task["ResultPath"] = None
    task["Catch"] = [
        _catch(["Halted"], parked),
        _catch(["PlanChanged"], ways.replan),
        _catch(["StepFailed"], ways.stopped),
        _catch(["States.ALL"], went_on if step.on_error == "continue" else ways.stopped),
    ]
    waits = {"do": "park", "token.$": "$$.Task.Token"} | {
        key: value for key, value in payload.items() if key != "do"
    }
    park = _task(waits, name, wait=True) | {
        "TimeoutSeconds": PARKED_SECONDS,
        "ResultPath": None,
        "Retry": [RETRY[0], _without_timeout(RETRY[1])],
        "Catch": [_catch(["States.Timeout"], name), _catch(["States.ALL"], ways.stopped)],
    }
    return {name: task, parked: park}


def _went_on(step: Step, ways: Ways) -> str:
    return ways.following or f"{step.name} ended"


def _for_each(step: Step, phase: str, prefix: str, ways: Ways) -> States:
    """Return the states that count the items, run the step for each, and join."""
    items, each = f"{prefix}{step.name} items", f"{prefix}{step.name} each"
    went_on = _went_on(step, ways)
    on_error = went_on if step.on_error == "continue" else ways.stopped
    count = _task(_payload(step, phase) | {"do": "items"}, each)
    count |= {
        "ResultSelector": {"indices.$": "$.Payload.indices"},
        "ResultPath": "$.items",
        "Catch": [_catch(["PlanChanged"], ways.replan), _catch(["States.ALL"], on_error)],
    }
    return {
        items: count,
        each: {
            "Type": "Map",
            "ItemsPath": "$.items.indices",
            "ItemSelector": {
                "remediation.$": "$.remediation",
                "index.$": "$$.Map.Item.Value",
            },
            "MaxConcurrency": 1 if phase == "plan" else AT_ONCE,
            "ItemProcessor": _processor(step, phase, prefix),
            "ResultSelector": _join("$[*].status"),
            "ResultPath": "$.join",
            "Catch": [_catch(["States.ALL"], on_error)],
            "Next": f"{each}?",
        },
        f"{each}?": _joined(Ways(went_on, ways.stopped, ways.replan)),
    }


def _processor(step: Step, phase: str, prefix: str) -> dict[str, Any]:
    name = f"{prefix}{step.name}"
    payload = _payload(step, phase) | {"index.$": "$.index"}
    stopped, replan, ended = (f"{name} item {end}" for end in ("stopped", "planned again", "ended"))
    ways = Ways("", stopped, replan, in_branch=True)
    states = _run(name, payload, step, ways)
    for catch in states[name]["Catch"]:
        if catch["Next"] == f"{step.name} ended":
            catch["Next"] = ended
    finals = {stopped: STOPPED, replan: REPLAN} | (
        {ended: WENT_ON} if step.on_error == "continue" else {}
    )
    for final, status in finals.items():
        states[final] = {"Type": "Pass", "Result": {"status": status}, "End": True}
    return {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": name, "States": states}


# --- taking back and closing ----------------------------------------------------------------------


def _ending() -> States:
    return {
        UNDO: _task({"do": "undo", "remediation.$": "$.remediation"}, UNDOING)
        | {
            "ResultSelector": {"more.$": "$.Payload.more"},
            "ResultPath": "$.undo",
            "Catch": [_catch(["States.ALL"], CLOSE)],
        },
        UNDOING: {
            "Type": "Choice",
            "Choices": [{"Variable": "$.undo.more", "BooleanEquals": True, "Next": UNDO}],
            "Default": CLOSE,
        },
        CLOSE: _task({"do": "close", "remediation.$": "$.remediation"}, CLOSED)
        | {"ResultSelector": {"status.$": "$.Payload.status"}, "ResultPath": "$.closed"},
        CLOSED: {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.closed.status", "StringEquals": status, "Next": NOT_CONTAINED}
                for status in FAILED_STATUSES
            ],
            "Default": "Done",
        },
        NOT_CONTAINED: {
            "Type": "Fail",
            "Error": "RemediationFailed",
            "Cause": "The audit trail says at which step and why.",
        },
        "Done": {"Type": "Succeed"},
    }


def _task(payload: Mapping[str, Any], following: str, *, wait: bool = False) -> State:
    state: State = {
        "Type": "Task",
        "Resource": INVOKE_AND_WAIT if wait else INVOKE,
        "Parameters": {"FunctionName": FUNCTION, "Payload": dict(payload)},
        "TimeoutSeconds": TASK_SECONDS,
        "Retry": [dict(retry) for retry in RETRY],
    }
    return state | ({"Next": following} if following else {"End": True})


def _catch(errors: list[str], following: str) -> dict[str, Any]:
    return {"ErrorEquals": errors, "ResultPath": "$.error", "Next": following}
