"""Tests of validating state machine definitions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from firebreak.cloud.asl import validate

TASK: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {
        "FunctionName": "f",
        "Payload": {"id.$": "$.id", "at.$": "$$.State.EnteredTime", "n.$": "States.Array($.a)"},
    },
    "ResultPath": "$.result",
    "TimeoutSeconds": 60,
    "Retry": [
        {"ErrorEquals": ["Busy", "States.Timeout"], "IntervalSeconds": 2, "JitterStrategy": "FULL"},
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 0},
    ],
    "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Which"}],
    "Next": "Which",
}
EVERY_TYPE: dict[str, Any] = {
    "Comment": "every type of state",
    "StartAt": "Work",
    "TimeoutSeconds": 3600,
    "States": {
        "Work": TASK,
        "Which": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.n", "NumericEquals": 1, "Next": "Pause"},
                {
                    "And": [
                        {"Variable": "$.a", "IsPresent": True},
                        {"Not": {"Variable": "$.a", "StringEqualsPath": "$.b"}},
                    ],
                    "Next": "Both",
                },
            ],
            "Default": "No",
        },
        "Pause": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Each"},
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Left", "States": {"Left": {"Type": "Pass", "End": True}}},
                {"StartAt": "Right", "States": {"Right": {"Type": "Succeed"}}},
            ],
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items[0]['all']",
            "ItemSelector": {"item.$": "$$.Map.Item.Value"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "One",
                "States": {"One": {"Type": "Pass", "Result": 1, "ResultPath": None, "End": True}},
            },
            "End": True,
        },
        "No": {"Type": "Fail", "Error": "No", "Cause": "because"},
    },
}


def test_every_type_of_state_is_valid() -> None:
    """A definition that uses each type of state has no problem."""
    assert validate(EVERY_TYPE) == []


def changed(place: str, value: Any) -> dict[str, Any]:
    """Return the definition with the field at a place replaced, or removed (`...`)."""
    definition = copy.deepcopy(EVERY_TYPE)
    target: Any = definition
    *parents, last = place.split("/")
    for each in parents:
        target = target[int(each) if each.isdigit() else each]
    if value is ...:
        del target[last]
    else:
        target[int(last) if last.isdigit() else last] = value
    return definition


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("StartAt", "Nowhere", "/StartAt: there is no state 'Nowhere' here"),
        ("States/Work/Next", "Nowhere", "/States/Work/Next: there is no state 'Nowhere' here"),
        ("States/Which/Default", "Left", "/States/Which/Default: there is no state 'Left' here"),
        ("States/Work/Catch/0/Next", "X", "/States/Work/Catch/0/Next: there is no state 'X' here"),
        ("States/Work/Next", ..., "/States/Work: must have exactly one of Next, End"),
        ("States/Work/End", True, "/States/Work: must have exactly one of Next, End"),
        ("States/Each/End", False, "/States/Each/End: can only be true"),
        ("States/Work/Type", "Job", "/States/Work/Type: 'Job' is none of"),
        ("States/Lost", {"Type": "Succeed"}, "/States/Lost: this state cannot be reached"),
        ("States/Both/Branches/0/States/Left/Next", "Right", "there is no state 'Right' here"),
        ("States/Both/Branches/0/StartAt", "Right", "/Branches/0/StartAt: there is no state"),
        ("States/Both/Branches", [], "/States/Both/Branches: must be a non-empty array"),
        ("States/Both/Branches/0/Next", "Each", "Branches/0/Next: this field is not supported"),
        ("States/Work/Resource", "f", "/States/Work/Resource: a Task names its resource by ARN"),
        (
            "States/Work/ResultPath",
            "$.a[*]",
            "/States/Work/ResultPath: '$.a[*]' is not a reference",
        ),
        ("States/Work/ResultPath", "$$.a", "/States/Work/ResultPath: '$$.a' is not a reference"),
        ("States/Work/InputPath", "a.b", "/States/Work/InputPath: 'a.b' is not a JSONPath"),
        ("States/Work/OutputPath", "$.a[", "/States/Work/OutputPath: '$.a[' is not a JSONPath"),
        ("States/Work/Parameters/x.$", "a", "/Parameters/x.$: 'a' is not a JSONPath"),
        ("States/Work/Parameters/x.$", "States.Sum(1)", "is not an intrinsic function"),
        ("States/Work/Parameters/FunctionName.$", "$.f", "the same field is there without"),
        ("States/Work/Parameter", {}, "/States/Work/Parameter: this field is not supported here"),
        ("States/Work/TimeoutSeconds", 0, "/TimeoutSeconds: must be a whole number"),
        ("States/Work/HeartbeatSeconds", 60, "/HeartbeatSeconds: must be less than TimeoutSeconds"),
        ("States/Work/TimeoutSecondsPath", "$.t", "must have at most one of TimeoutSeconds"),
        ("States/Work/Retry/0/ErrorEquals", [], "/ErrorEquals: must be a non-empty array"),
        ("States/Work/Retry/0/ErrorEquals", ["States.ALL"], "States.ALL must be alone, and in the"),
        ("States/Work/Retry/1/ErrorEquals", ["A", "States.ALL"], "States.ALL must be alone"),
        ("States/Work/Retry/0/ErrorEquals", ["States.Tiemout"], "is no error name"),
        ("States/Work/Retry/0/BackoffRate", 0.5, "/BackoffRate: must be a number of at least 1.0"),
        ("States/Work/Retry/0/IntervalSeconds", 0, "/IntervalSeconds: must be a whole number"),
        ("States/Work/Retry/0/MaxAttempts", -1, "/MaxAttempts: must be a whole number"),
        ("States/Work/Retry/0/MaxDelaySeconds", 2, "/MaxDelaySeconds: must be more than"),
        ("States/Work/Retry/0/JitterStrategy", "SOME", "/JitterStrategy: must be FULL or NONE"),
        ("States/Work/Retry/0/Next", "Which", "/Retry/0/Next: this field is not supported here"),
        ("States/Work/Catch/0/ResultPath", "x", "/Catch/0/ResultPath: 'x' is not a reference"),
        ("States/Work/Catch/0/Next", ..., "/Catch/0/Next: a catcher names the next state"),
        ("States/Which/Choices", [], "/States/Which/Choices: must be a non-empty array"),
        ("States/Which/Choices/0/Next", ..., "/Choices/0/Next: a choice rule names the next state"),
        ("States/Which/Choices/0/NumericIs", 1, "must have one comparison operator"),
        ("States/Which/Choices/0/Variable", ..., "must have exactly one of Variable, And, Or, Not"),
        ("States/Which/Choices/1/And", [], "/And: must be a non-empty array"),
        ("States/Which/Next", "No", "/States/Which/Next: this field is not supported here"),
        ("States/Pause/Seconds", 5, "must have exactly one of Seconds, SecondsPath"),
        ("States/Each/Iterator", {}, "must have exactly one of ItemProcessor, Iterator"),
        ("States/Each/MaxConcurrency", -1, "/MaxConcurrency: must be a whole number"),
        ("States/No/ErrorPath", "$.e", "/States/No: must have at most one of Error, ErrorPath"),
        ("States/" + "x" * 81, {"Type": "Succeed"}, "a state's name has at most 80 characters"),
        ("States/Left", {"Type": "Succeed"}, "a state's name is used once in the whole"),
        ("TimeoutSeconds", 0, "/TimeoutSeconds: must be a whole number"),
        ("Version", "2.0", "/Version: the only version is '1.0'"),
        ("Start", "Work", "/Start: this field is not supported here"),
        ("States", {}, "/States: must be an object with at least one state"),
    ],
)
def test_problems_are_reported_with_their_place(place: str, value: Any, problem: str) -> None:
    """One change of a valid definition gives the problem AWS would have with it."""
    assert any(problem in each for each in validate(changed(place, value)))


def test_every_problem_is_reported() -> None:
    """Validation does not stop at the first problem."""
    definition = changed("States/Work/Type", "Job")
    definition["StartAt"] = "Nowhere"
    assert len(validate(definition)) >= 2


def test_endless_loop_has_no_terminal_state() -> None:
    """A machine that can never end is refused."""
    again = {"Type": "Pass", "Next": "Again"}
    problems = validate({"StartAt": "Again", "States": {"Again": again}})
    assert problems == [": no terminal state (End, Succeed or Fail) can be reached"]


def test_definition_has_a_megabyte() -> None:
    """A definition over 1 MB is refused."""
    definition = {**EVERY_TYPE, "Comment": "x" * 1_048_576}
    assert validate(definition) == ["a definition has at most 1048576 bytes"]


def test_definition_is_an_object() -> None:
    """Anything else is refused without an exception."""
    assert validate([]) == ["a definition is an object"]
    assert validate({"StartAt": "A", "States": {"A": None}}) != []
