"""Evaluate states in the thread of their branch; waiting is for tokens only, time is logical."""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser import models as parser_models
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackPoolManager

from firebreak.cloud.calls import ProcessKilled
from firebreak.cloud.engine.context import Context
from firebreak.cloud.engine.strands import Stopped
from firebreak.cloud.patching import Patch, as_method

# The originals, taken before any world replaces them.
_EVAL_RETRIER = retrier_decl.RetrierDecl._eval_body
_ADD_TOKEN = CallbackPoolManager.add

ClientFor = Callable[[str, str, str], Any]


class Tasks:
    """How one engine evaluates states, waits and calls services."""

    def __init__(self, context: Context, client_for: ClientFor) -> None:
        self._context = context
        self._client_for = client_for
        self._local = threading.local()

    def patches(self) -> list[Patch]:
        """Return the replaced evaluation, waits, retry intervals, tokens and clients."""
        tasks = callback.StateTaskServiceCallback
        return [
            Patch(ExecutionState, "_evaluate_with_timeout", as_method(self.evaluate)),
            Patch(tasks, "_eval_wait_for_task_token", as_method(self.park)),
            Patch(CallbackPoolManager, "add", as_method(self.add_token)),
            Patch(WaitFunction, "_wait_interval", as_method(self.wait_interval)),
            Patch(retrier_decl.RetrierDecl, "_eval_body", as_method(self.eval_retrier)),
            Patch(retrier_decl, "time", self),
            *(Patch(module, "boto_client_for", self.client) for module in _client_modules()),
        ]

    def client(self, region: str, service: str, state_credentials: object = None) -> Any:  # noqa: ARG002 - as the engine calls it
        """Return a client of the account the calling execution is in."""
        return self._client_for(self._context.running().account, region, service)

    # --- evaluation ---

    def evaluate(self, state: Any, env: Any) -> None:
        """Evaluate a state once in the calling thread: no time passes, so none runs out."""
        _renew_token(state, env)
        frame = env.open_frame()
        frame.states.reset(input_value=env.states.get_input())
        frame.stack = copy.deepcopy(env.stack)
        try:
            state._eval_execution(frame)
        except (Exception, ProcessKilled) as error:  # noqa: BLE001 - it is raised again
            self._close(env, frame)
            if not env.is_running():
                raise Stopped from None
            raise (_service_error() if isinstance(error, ProcessKilled) else error) from None
        self._close(env, frame)
        if not env.is_running():
            raise Stopped
        _take_output(state, env, frame.stack.pop())

    def _close(self, env: Any, frame: Any) -> None:
        """Close a frame; whatever still waits inside it has nothing left to wait for."""
        frame.set_ended()
        env.close_frame(frame)
        self._context.tokens.wake_dead(self._context.running().activity)

    # --- time ---

    def wait_interval(self, function: object, env: Any, wait_seconds: float) -> None:  # noqa: ARG002 - as the engine calls it
        """Let a Wait state's time pass at once."""
        self._context.pass_time(env.next_state_name, wait_seconds)

    def eval_retrier(self, retrier: Any, env: Any) -> None:
        """Evaluate a retrier, remembering whose retry interval it is."""
        self._local.state = env.next_state_name
        _EVAL_RETRIER(retrier, env)

    def sleep(self, seconds: float) -> None:
        """Let a retry interval pass at once: this object stands where the retrier finds `time`."""
        self._context.pass_time(self._local.state, seconds)

    # --- task tokens ---

    def add_token(self, pool: Any, callback_id: str) -> Any:
        """Make the endpoint of a task token, and the place where its task will wait."""
        endpoint = _ADD_TOKEN(pool, callback_id)
        self._context.tokens.add(callback_id, self._context.running().activity)
        return endpoint

    def park(
        self,
        state: Any,
        env: Any,
        timeout_seconds: int,
        callback_endpoint: Any,
        heartbeat_endpoint: object,  # noqa: ARG002 - as the engine calls it
    ) -> Any:
        """Wait for a task token's outcome; time alone never ends the wait."""
        token = self._context.tokens.get(callback_endpoint.callback_id)
        token.env = env
        token.state = env.next_state_name
        token.timeout = None if state.timeout.is_default_value() else float(timeout_seconds)
        if not env.is_running():
            raise Stopped
        return token.wait()


def _take_output(state: Any, env: Any, output: Any) -> None:
    env.stack.append(output)
    if not state._is_language_query_jsonpath():
        env.states.set_result(output)
    if state.assign_decl:
        state.assign_decl.eval(env=env)
    if state.result_selector:
        state.result_selector.eval(env=env)
    if state.result_path:
        state.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _renew_token(state: Any, env: Any) -> None:
    """Give every attempt of a task a token of its own, as AWS does."""
    if isinstance(state, callback.StateTaskServiceCallback) and state.resource.condition:
        token = env.states.context_object.update_task_token()
        env.callback_pool_manager.add(token)


def _service_error() -> ClientError:
    """Return what the engine sees when a test kills the process at one of its own calls."""
    response: Any = {
        "Error": {"Code": "ServiceException", "Message": "the service failed"},
        "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "killed"},
    }
    return ClientError(response, "Invoke")


@cache
def _client_modules() -> tuple[Any, ...]:
    """Return the engine's modules that make clients; all are imported with the engine."""
    prefix = parser_models.__name__.rpartition(".")[0]
    modules = [module for name, module in sys.modules.items() if name.startswith(prefix)]
    return tuple(module for module in modules if hasattr(module, "boto_client_for"))
