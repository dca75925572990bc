"""How large payloads and how long histories may be.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task
from moto.stepfunctions.parser.asl.component.state.exec.state_task import (
    state_task_lambda as lambda_module,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service as service_module,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from firebreak.cloud.patching import Patch

MAX_PAYLOAD_BYTES = 262_144
MAX_HISTORY_EVENTS = 25_000

_ADD_EVENT = EventManager.add_event  # the original, taken before any world replaces it
_CLOSING = frozenset(
    {
        HistoryEventType.ExecutionAborted,
        HistoryEventType.ExecutionFailed,
        HistoryEventType.ExecutionSucceeded,
        HistoryEventType.ExecutionTimedOut,
    }
)


class HistoryFull(Exception):
    """The execution reached the maximum number of history events (25000)."""


def patches() -> list[Patch]:
    """Return the corrected limits."""
    modules = (state_module, service_module, lambda_module)
    tasks = (state_task.StateTask, lambda_module.StateTaskLambda)
    return [
        *(Patch(module, "is_within_size_quota", is_within_size_quota) for module in modules),
        *(Patch(task, "_eval_parameters", _checked(task._eval_parameters)) for task in tasks),
        Patch(EventManager, "add_event", _add_event),
    ]


def is_within_size_quota(value: Any) -> bool:
    """Say whether a value, as compact JSON in UTF-8, may pass between states."""
    text = value if isinstance(value, str) else to_json_str(value, separators=(",", ":"))
    return len(text.encode()) <= MAX_PAYLOAD_BYTES


def payload_size(value: object) -> int:
    """Return the size of a value as Step Functions counts it."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _checked(eval_parameters: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Check the size of a state's input after its Parameters were filled in."""

    def checked(state: Any, env: Any) -> Any:
        parameters = eval_parameters(state, env)
        state._verify_size_quota(env=env, value=parameters)
        return parameters

    return checked


def _add_event(manager: Any, *args: Any, **kwargs: Any) -> Any:
    kind = kwargs.get("event_type")
    if manager._event_id_gen._next_id >= MAX_HISTORY_EVENTS and kind not in _CLOSING:
        raise HistoryFull(HistoryFull.__doc__)
    return _ADD_EVENT(manager, *args, **kwargs)
