"""What the states of every machine are made of: a task, a retry, a catch, a join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

State = dict[str, Any]
States = dict[str, State]

FUNCTION = "${run_step}"  # the function's ARN, put in when the machine is created
INVOKE = "arn:aws:states:::lambda:invoke"
INVOKE_AND_WAIT = f"{INVOKE}.waitForTaskToken"
FUNCTION_SECONDS = 300  # run_step's timeout; its tasks time out later
TASK_SECONDS = FUNCTION_SECONDS + 60
PARKED_SECONDS = 3_600  # after which a parked step looks again by itself

START, UNDO, CLOSE = "Start", "Undo", "Close"
STOPPED, REPLAN, WENT_ON = "stop", "replan", "ended"  # how a branch ends besides its step's status

# Busy must outlast the lease of a worker that was killed: 330 s. With full jitter, forty attempts
# take 1,000 s on average and less than 700 s once in a thousand times.
RETRY = (
    {
        "ErrorEquals": ["Busy", "Fenced"],
        "IntervalSeconds": 2,
        "BackoffRate": 1.5,
        "MaxAttempts": 40,
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
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.ResourceConflictException",
            "Lambda.ResourceNotReadyException",
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
    """Name where a step's state goes from here; without `following` it ends a branch.

    went_on: where an error goes that is passed over.
    """

    following: str
    stopped: str
    replan: str
    went_on: str


def task(payload: Mapping[str, Any], following: str) -> State:
    """Return a state that invokes the function, and goes on or, without `following`, ends."""
    state: State = {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": FUNCTION, "Payload": dict(payload)},
        "TimeoutSeconds": TASK_SECONDS,
        "Retry": [dict(retry) for retry in RETRY],
    }
    return state | ({"Next": following} if following else {"End": True})


def waiting(payload: Mapping[str, Any], following: str, seconds: int) -> State:
    """Return a state that hands its task token to the function, and waits so long for an answer.

    A wait that runs out is not tried again: nobody answered, which is an answer.
    """
    retries = [
        {**retry, "ErrorEquals": [e for e in _errors(retry) if e != "States.Timeout"]}
        for retry in RETRY
    ]
    asked = {**payload, "token.$": "$$.Task.Token"}
    return task(asked, following) | {
        "Resource": INVOKE_AND_WAIT,
        "TimeoutSeconds": seconds,
        "Retry": retries,
    }


def _errors(retry: Mapping[str, Any]) -> list[str]:
    return list(retry["ErrorEquals"])


def catch(errors: list[str], following: str) -> dict[str, Any]:
    """Return a catch that goes on without the error, which the history and the audit tell of."""
    return {"ErrorEquals": errors, "ResultPath": None, "Next": following}


def choice(variable: str, texts: Mapping[str, str], default: str) -> State:
    """Return a state that goes where a text leads."""
    choices = [
        {"Variable": variable, "StringEquals": text, "Next": name} for text, name in texts.items()
    ]
    return {"Type": "Choice", "Choices": choices, "Default": default}


def join() -> dict[str, str]:
    """Return what is made of the statuses that the branches of a Parallel or Map end with."""
    return {
        "stop.$": f"States.ArrayContains($, '{STOPPED}')",
        "replan.$": f"States.ArrayContains($, '{REPLAN}')",
    }


def joined(ways: Ways) -> State:
    """Return the choice after a join."""
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.join.stop", "BooleanEquals": True, "Next": ways.stopped},
            {"Variable": "$.join.replan", "BooleanEquals": True, "Next": ways.replan},
        ],
        "Default": ways.following or ways.went_on,
    }
