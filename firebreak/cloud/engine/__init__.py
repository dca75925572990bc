"""Drive moto's Step Functions engine without sleeping or polling, and as strictly as AWS.

The engine starts two threads per state and waits in real time. Here a state runs in the thread
of its branch, waits and retry intervals only advance a logical clock, and every thread that can
still move is counted, so that waiting for an execution is joining it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from firebreak.cloud.engine import caches, definitions, errors, limits
from firebreak.cloud.engine.branches import Branches
from firebreak.cloud.engine.context import Context, Running
from firebreak.cloud.engine.executions import Executions
from firebreak.cloud.engine.strands import Activity
from firebreak.cloud.engine.tasks import ClientFor, Tasks
from firebreak.cloud.patching import Patch, as_method

__all__ = ["Engine", "Running"]


class Engine:
    """The Step Functions of one world."""

    def __init__(self, client_for: ClientFor) -> None:
        self.context = Context()
        self.executions = Executions(self.context)
        self.on_status: Callable[[Running], None] | None = None
        self._tasks = Tasks(self.context, client_for)
        self._branches = Branches(self.context)

    def patches(self) -> list[Patch]:
        """Return every replacement made in moto's Step Functions."""
        return [
            Patch(ExecutionWorker, "start", as_method(self._start)),
            *caches.patches(),
            *definitions.patches(),
            *errors.patches(),
            *limits.patches(),
            *self._tasks.patches(),
            *self._branches.patches(),
            *self.executions.patches(),
        ]

    def wait(self, arn: str, timeout: float | None) -> bool:
        """Wait until nothing of the execution moves: it has ended, or is parked."""
        return self.context.executions[arn].activity.wait_until_still(timeout)

    def _start(self, worker: Any) -> None:
        """Start an execution's one thread; its environment is there before anyone asks for it."""
        details = worker._evaluation_details
        program = worker._get_evaluation_entrypoint()
        worker.env = worker._get_evaluation_environment()
        worker.env.next_state_name = program.start_at.start_at_name
        running = Running(
            arn=details.execution_details.arn,
            account=details.aws_execution_details.account,
            region=details.aws_execution_details.region,
            activity=Activity(),
            worker=worker,
        )
        self.context.executions[running.arn] = running
        running.activity.resume()
        running.thread = threading.Thread(target=self._run, args=(running, program), daemon=True)
        running.thread.start()

    def _run(self, running: Running, program: Any) -> None:
        self.context.enter(running)
        try:
            _add_started_event(running.worker)
            self._tell(running)
            program.eval(running.worker.env)
            running.worker._execution_communication.terminated()
            self._tell(running)
        finally:
            running.activity.pause()

    def _tell(self, running: Running) -> None:
        if self.on_status is not None:
            self.on_status(running)


def _add_started_event(worker: Any) -> None:
    execution = worker._evaluation_details.execution_details
    worker.env.event_manager.add_event(
        context=worker.env.event_history_context,
        event_type=HistoryEventType.ExecutionStarted,
        event_details={
            "executionStartedEventDetails": {
                "input": to_json_str(execution.inpt),
                "inputDetails": {"truncated": False},
                "roleArn": execution.role_arn,
            }
        },
        update_source_event_id=False,
    )
