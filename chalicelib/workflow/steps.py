"""One step: its task, the state it waits in, its items, its branch beside others."""

from __future__ import annotations

from typing import Any

from chalicelib.playbook import Parallel, Step
from chalicelib.playbook.values import CONTINUE
from chalicelib.workflow.states import (
    PARKED_SECONDS,
    REPLAN,
    STOPPED,
    WENT_ON,
    State,
    States,
    Ways,
    catch,
    join,
    joined,
    task,
    waiting,
)

AT_ONCE = 4  # items of a for_each that run side by side


def first(step: Step) -> str:
    """Return the name of the state that a step begins with."""
    return f"{step.name} items" if step.for_each else step.name


def step_states(step: Step, phase: str, prefix: str, ways: Ways) -> States:
    """Return the states of a step in a pass."""
    name, payload = prefix + step.name, _payload(step, phase)
    if step.for_each:
        return _for_each(step, phase, name, ways)
    return _run(name, payload, step, ways)


def _payload(step: Step, phase: str) -> dict[str, Any]:
    return {
        "do": "step",
        "remediation.$": "$.remediation",
        "pass": phase,
        "step": step.name,
    }


def _run(name: str, payload: dict[str, Any], step: Step, ways: Ways) -> States:
    """Return the step's task and, beside it, the state in which it waits.

    A plan only reads: it does not wait.
    """
    state = task(payload, ways.following)
    if ways.following:
        state["ResultPath"] = None
    else:
        state |= {"ResultSelector": {"status.$": "$.Payload.status"}, "OutputPath": "$.status"}
    state["Catch"] = [
        catch(["PlanChanged"], ways.replan),
        catch(["StepFailed"], ways.stopped),
        catch(["States.ALL"], _on_error(step, ways)),
    ]
    if payload["pass"] == "plan":  # noqa: S105  # no password
        return {name: state}
    state["Catch"].insert(0, catch(["Halted"], waits(name)))
    return {name: state, waits(name): parked(name, payload, ways.stopped)}


def _on_error(step: Step, ways: Ways) -> str:
    return ways.went_on if step.on_error == CONTINUE else ways.stopped


def waits(name: str) -> str:
    """Return the name of the state in which a state waits."""
    return f"{name} waits"


def parked(name: str, payload: dict[str, Any], stopped: str) -> State:
    """Return the state in which a state waits until it is woken, or for an hour."""
    return waiting(payload | {"do": "park"}, name, PARKED_SECONDS) | {
        "ResultPath": None,
        "Catch": [catch(["States.Timeout"], name), catch(["States.ALL"], stopped)],
    }


def _for_each(step: Step, phase: str, name: str, ways: Ways) -> States:
    """Return the states that count the items, run the step for each, and join."""
    items, each = f"{name} items", f"{name} each"
    count = _payload(step, phase) | {"do": "items"}
    return {
        items: task(count, each)
        | {
            "ResultSelector": {"indices.$": "$.Payload.indices"},
            "ResultPath": "$.items",
            "Catch": [
                catch(["PlanChanged"], ways.replan),
                catch(["States.ALL"], _on_error(step, ways)),
            ],
        },
        each: _map(step, phase, name)
        | {"Catch": [catch(["States.ALL"], _on_error(step, ways))], "Next": f"{each}?"},
        f"{each}?": joined(ways),
    }


def _map(step: Step, phase: str, name: str) -> State:
    return {
        "Type": "Map",
        "ItemsPath": "$.items.indices",
        "ItemSelector": {
            "remediation.$": "$.remediation",
            "index.$": "$$.Map.Item.Value",
        },
        "MaxConcurrency": 1 if phase == "plan" else AT_ONCE,
        "ItemProcessor": _processor(step, phase, name),
        "ResultSelector": join(),
        "ResultPath": "$.join",
    }


def _processor(step: Step, phase: str, name: str) -> dict[str, Any]:
    ways = _within(f"{name} item")
    payload = _payload(step, phase) | {"index.$": "$.index"}
    states = _run(name, payload, step, ways) | _ends(ways, passed_over=step.on_error == CONTINUE)
    return {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": name, "States": states}


# --- branches -------------------------------------------------------------------------------------


def parallel_states(parallel: Parallel, name: str, ways: Ways) -> States:
    """Return the states of steps that run side by side, and of their join."""
    return {
        name: {
            "Type": "Parallel",
            "Branches": [_branch(step) for step in parallel.steps],
            "ResultSelector": join(),
            "ResultPath": "$.join",
            "Catch": [catch(["States.ALL"], ways.stopped)],
            "Next": f"{name}?",
        },
        f"{name}?": joined(ways),
    }


def _branch(step: Step) -> dict[str, Any]:
    """Return a branch that runs one step and ends with its status, whatever happens."""
    ways = _within(step.name)
    passed_over = step.for_each is not None or step.on_error == CONTINUE
    states = step_states(step, "apply", "", ways) | _ends(ways, passed_over=passed_over)
    return {"StartAt": first(step), "States": states}


def _within(name: str) -> Ways:
    """Return the ways of a state whose branch ends with it."""
    return Ways("", f"{name} stopped", f"{name} planned again", f"{name} ended")


def _ends(ways: Ways, *, passed_over: bool) -> States:
    """Return the states that end a branch with a status of their own; each has a way to it."""
    ends = {ways.stopped: STOPPED, ways.replan: REPLAN}
    if passed_over:
        ends[ways.went_on] = WENT_ON
    return {name: {"Type": "Pass", "Result": status, "End": True} for name, status in ends.items()}
