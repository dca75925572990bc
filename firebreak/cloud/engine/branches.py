"""Run the branches of Parallel and the items of Map as strands, joined without polling."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    inline_iteration_component as inline_map,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError

from firebreak.cloud.engine.context import Context, Running
from firebreak.cloud.engine.strands import Fork, Stopped
from firebreak.cloud.patching import Patch, as_method

# https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
INLINE_MAP_CONCURRENCY = 40

_SET_ERROR = Environment.set_error  # the original, taken before any world replaces it


class Branches:
    """How one engine runs what runs side by side."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def patches(self) -> list[Patch]:
        """Return the replaced ways to run programs, branches and items."""
        items = inline_map.InlineIterationComponent
        return [
            Patch(Program, "eval", eval_program),
            Patch(Environment, "set_error", set_error),
            Patch(branches_decl.BranchesDecl, "_eval_body", as_method(self.eval_branches)),
            Patch(items, "_eval_body", as_method(self.eval_items)),
        ]

    def eval_branches(self, decl: Any, env: Any) -> None:
        """Run the branches of a Parallel state; the first failure fails them all."""
        frames = _frames(env, len(decl.programs))
        pairs = zip(decl.programs, frames, strict=True)
        running = self._context.running()
        self._fork(env, [partial(self._branch, running, *pair) for pair in pairs])
        error = next(filter(None, map(error_of, frames)), None)
        if error is not None:
            self._abandon(env, frames)
            raise _failure(env, error)
        for frame in frames:
            env.close_frame(frame)
        env.stack.append([frame.states.get_input() for frame in frames])

    def _branch(self, running: Running, program: Any, frame: Any) -> bool:
        self._context.enter(running)
        program.eval(frame)
        return error_of(frame) is None

    def eval_items(self, component: Any, env: Any) -> None:
        """Run the iterations of an inline Map, at most forty at a time as AWS does."""
        asked = env.stack.pop()
        program = component._get_iteration_program()
        pool = JobPool(job_program=program, job_inputs=asked.input_items)
        strands = min(len(asked.input_items), asked.max_concurrency or INLINE_MAP_CONCURRENCY)
        workers = [component._create_worker(env, asked, pool) for _ in range(strands)]
        running = self._context.running()
        self._fork(env, [partial(self._iterate, running, worker, pool) for worker in workers])
        error = pool.get_worker_exception()
        if error is not None:
            self._abandon(env, list(env._frames))
            raise error
        env.stack.append([job.job_output for job in pool.get_closed_jobs()])

    def _iterate(self, running: Running, worker: Any, pool: Any) -> bool:
        self._context.enter(running)
        worker.eval()
        return pool.get_worker_exception() is None

    def _fork(self, env: Any, branches: list[Callable[[], bool]]) -> None:
        Fork(self._context.running().activity, branches).join()
        if not env.is_running():
            raise Stopped

    def _abandon(self, env: Any, frames: list[Any]) -> None:
        """Stop what still runs beside a failure, and wake what waits there."""
        for frame in frames:
            frame.set_stop(stop_date=dt.datetime.now(tz=dt.UTC), cause=None, error=None)
            env.close_frame(frame)
        self._context.tokens.wake_dead(self._context.running().activity)


def eval_program(program: Any, env: Any) -> None:
    """Run a program in the calling thread; one that was stopped only says so in the history."""
    try:
        _go_to_start(program, env)
        EvalComponent.eval(program, env)
    except Stopped:
        if env.is_frame():
            raise
        program._eval_body(env)


def _go_to_start(program: Any, env: Any) -> None:
    try:
        env.next_state_name = program.start_at.start_at_name
    except RuntimeError:  # what has ended goes nowhere
        raise Stopped from None


def set_error(env: Any, error: Any) -> None:
    """Fail a program that runs; one that was stopped stays stopped, whatever it stumbles over."""
    if env.is_running():
        _SET_ERROR(env, error)


def error_of(env: Any) -> Mapping[str, Any] | None:
    """Return the error a program ended with, if it did."""
    state = env.program_state()
    if not isinstance(state, ProgramError):
        return None
    error: Any = state.error
    return error or {"error": None}


def _frames(env: Any, number: int) -> list[Any]:
    given = env.stack.pop()
    frames = [env.open_inner_frame() for _ in range(number)]
    for frame in frames:
        frame.states.reset(input_value=copy.deepcopy(given))
    return frames


def _failure(env: Any, error: Mapping[str, Any]) -> FailureEventException:
    told = {key: error[key] for key in ("error", "cause") if error.get(key) is not None}
    details: Any = {"executionFailedEventDetails": told}
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=CustomErrorName(error_name=error.get("error")),
            event_type=HistoryEventType.ExecutionFailed,
            event_details=details,
        )
    )
