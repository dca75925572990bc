"""The embedded AWS: one world at a time, started empty and left without a trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import boto3
from moto.core.botocore_stubber import BotocoreStubber

from firebreak.cloud import backends, dispatch, speed
from firebreak.cloud.authorization import check_authorized
from firebreak.cloud.calls import CallInfo, Calls
from firebreak.cloud.functions import FailedDelivery, Functions
from firebreak.cloud.gateway import Gateway
from firebreak.cloud.identity import Document, Identities
from firebreak.cloud.lambdas import Handler
from firebreak.cloud.mappings import Mappings
from firebreak.cloud.patching import Patch, Patches
from firebreak.cloud.process import taken_over
from firebreak.cloud.queues import Mapped, time_patches
from firebreak.cloud.roles import Denied, Roles
from firebreak.cloud.rules import Rules
from firebreak.cloud.serving.hosts import Hosts
from firebreak.cloud.sessions import credentials, engine_client, session
from firebreak.cloud.strict import Strictness
from firebreak.cloud.strict.events import MAX_ENTRY_BYTES
from firebreak.cloud.subscriptions import Subscriptions
from firebreak.cloud.targets import Event


class Cloud:
    """An AWS in this process: accounts, functions, rules and state machines, for one `with`."""

    def __init__(self, home_account: str = "111122223333", region: str = "us-east-1") -> None:
        self.home_account = home_account
        self.region = region

    # --- life ---

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(taken_over(credentials(self.home_account, self.region)))
            self._assemble()
            stack.callback(self._applied.undo)
            self._applied.apply(self._patches())
            stack.callback(self._engine.executions.stop_all)
            self._leave = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave.close()

    def _assemble(self) -> None:
        from firebreak.cloud.engine import Engine

        self._applied = Patches()
        self._engine = Engine(engine_client)
        self.identities = Identities(self.home_account, self._engine.context.role)
        self.gate = Calls(self.identities)
        self.roles = Roles(self.identities)
        self._functions = Functions(self.home_account, self.region, self.roles)
        self._mappings = Mappings(self._functions, self.roles, self.gate.lock)
        self._subscriptions = Subscriptions(self._functions, self.roles)
        self.gateway = Gateway(self.identities, self._functions.invoke)
        self._rules = Rules(self._functions, self.roles)
        strictness = Strictness(self._applied.apply)
        self.gate.before += [check_authorized, strictness.check]
        self.gate.after += [strictness.follow_up, self._note_session]
        self.gate.unlocked_after.append(self._rules.deliver_pending)
        self.gate.unlocked_after.append(self._subscriptions.deliver_pending)
        self._engine.on_status = self._tell_status

    @contextmanager
    def hosted(self) -> Iterator[Hosts]:
        """Run functions that were uploaded, in processes of their own, while the block runs."""
        hosts = Hosts(self.roles)
        self._functions.hosted = hosts.invoke
        try:
            yield hosts
        finally:
            self._functions.hosted = None
            hosts.close()

    def _patches(self) -> list[Patch]:
        """Return everything that is replaced in moto and botocore while this world exists.

        What is corrected inside one service's model (`strict`) is added when it is first called.
        """
        from moto.iam import models as iam_models

        return [
            Patch(BotocoreStubber, "process_request", dispatch.process_request),
            Patch(iam_models, "get_account_id_from", self.identities.account_of),
            *speed.patches(),
            *self.gate.patches(),
            *self._functions.patches(),
            *self._rules.patches(),
            *self._mappings.patches(),
            *self._subscriptions.patches(),
            *self._engine.patches(),
            *self.gateway.patches(),
            *backends.patches(),
        ]

    def _note_session(self, info: CallInfo, response: Any) -> None:
        if (info.service, info.operation) == ("sts", "AssumeRole"):
            self.identities.note_session(response["Credentials"]["AccessKeyId"])

    def _tell_status(self, running: Any) -> None:
        self.emit(self._engine.executions.status_event(running), running.account, running.region)

    # --- sessions ---

    def session(self, account: str | None = None, region: str | None = None) -> boto3.Session:
        """Return an administrator's session in an account (the home account by default)."""
        return session(account or self.home_account, region or self.region)

    # --- functions and rules ---

    def add_function(
        self,
        name: str,
        handler: Handler,
        role_policy: Document | None = None,
        *,
        role_name: str | None = None,
        timeout: int = 60,
        memory: int = 256,
    ) -> str:
        """Create a Lambda function of the home account that runs `handler`; return its ARN.

        With a `role_policy`, the calls the handler makes with its default credentials are
        limited to it, as the function's role would limit them.
        """
        return self._functions.add(name, handler, role_policy, role_name, timeout, memory)

    def add_api(self, name: str, app: Any, function_name: str) -> str:
        """Put a REST API in front of a Chalice app's function; return its URL.

        Its requests must be signed by a caller who may invoke it.
        """
        return self.gateway.add(self.session(), name, app, function_name)

    def add_rule(
        self,
        name: str,
        pattern: Mapping[str, Any],
        function_name: str,
        state: str = "ENABLED",
        *,
        dead_letter_arn: str | None = None,
    ) -> str:
        """Put a rule on the home account's default bus, with a function as target."""
        arn = f"arn:aws:lambda:{self.region}:{self.home_account}:function:{function_name}"
        client = self.session().client("events")
        return self._rules.add(client, name, pattern, arn, state, dead_letter_arn)

    def map_queue(
        self, queue: str, function_name: str, now: Callable[[], float] | None = None
    ) -> Mapped:
        """Return what hands the messages of a queue of the home account to a function.

        now: the clock that the queues go by from here on, seconds since 1970.
        """
        if now is not None:
            self._applied.apply(time_patches(now))
        place = f"{self.region}:{self.home_account}"
        return Mapped(
            f"arn:aws:sqs:{place}:{queue}",
            f"arn:aws:lambda:{place}:function:{function_name}",
            self._functions.invoke,
            self.gate.lock,
        )

    def poll(self) -> int:
        """Let every event source mapping hand over one batch; return how many records it were.

        Each reads in its function's role, which must be allowed to.
        """
        return self._mappings.poll()

    def emit(
        self, event: Event, account: str | None = None, region: str | None = None
    ) -> list[Any]:
        """Deliver an event as AWS itself does, on a default bus; return what handlers returned.

        A handler that failed (after its retries) returns its error report.
        """
        text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > MAX_ENTRY_BYTES:
            raise ValueError(f"EventBridge carries events of up to {MAX_ENTRY_BYTES} bytes")
        from moto.events.models import events_backends

        backend = events_backends[account or self.home_account][region or self.region]
        return [result.value for result in self._rules.deliver(backend, "default", event)]

    def run_schedules(self, part: str = "") -> list[Any]:
        """Let every schedule whose rule's name holds `part` come due once; return the answers."""
        return [result.value for result in self._rules.run_schedules(part)]

    def add_finding(
        self, finding: Mapping[str, Any], account: str | None = None, region: str | None = None
    ) -> str:
        """Keep a GuardDuty finding (the detail of its event); return the id of its detector."""
        from firebreak.cloud.backends import guardduty

        return guardduty.add_finding(account or self.home_account, region or self.region, finding)

    @property
    def failed_deliveries(self) -> list[FailedDelivery]:
        """Return the events that were not processed, after every retry."""
        return self._functions.failed_deliveries

    @property
    def denied(self) -> list[Denied]:
        """Return what AWS's services were refused when they acted in a role."""
        return self.roles.denied

    # --- state machines ---

    def create_state_machine(
        self, name: str, definition: Mapping[str, Any], role_name: str = "states"
    ) -> str:
        """Create a Standard state machine in the home account; return its ARN.

        It calls as its role, where there is one of that name; else as an administrator.
        """
        client = self.session().client("stepfunctions")
        created = client.create_state_machine(
            name=name,
            definition=json.dumps(definition),
            roleArn=f"arn:aws:iam::{self.home_account}:role/{role_name}",
            type="STANDARD",
        )
        return str(created["stateMachineArn"])

    def wait(self, execution_arn: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until an execution has ended, or only waits for tokens; return its description."""
        if not self._engine.wait(execution_arn, timeout):
            raise TimeoutError(f"{execution_arn} still moves after {timeout} s")
        client = self.session(region=execution_arn.split(":")[3]).client("stepfunctions")
        return dict(client.describe_execution(executionArn=execution_arn))

    def expire_tasks(self) -> int:
        """Let every waiting task that has a TimeoutSeconds time out; return how many did."""
        return self._engine.executions.expire_tasks()

    def time_out(self, execution_arn: str) -> None:
        """Let the TimeoutSeconds of a whole execution run out."""
        self._engine.executions.time_out(execution_arn)

    @property
    def waited(self) -> list[tuple[str, float]]:
        """Return the (state, seconds) that waits, retry intervals and timeouts would have taken."""
        return self._engine.context.waited

    @property
    def executions(self) -> list[str]:
        """Return the ARNs of every execution started, in order."""
        return list(self._engine.context.executions)

    # --- calls ---

    @property
    def calls(self) -> list[CallInfo]:
        """Return every AWS API call made so far."""
        return self.gate.recorded

    @contextmanager
    def recording(self) -> Iterator[list[CallInfo]]:
        """Give a list that holds, when the block has ended, the calls made in it."""
        first = len(self.gate.recorded)
        made: list[CallInfo] = []
        try:
            yield made
        finally:
            made += self.gate.recorded[first:]

    @property
    def inject(self) -> Callable[[CallInfo], None] | None:
        """The hook consulted before and after each call takes effect; it may raise."""
        return self.gate.inject

    @inject.setter
    def inject(self, hook: Callable[[CallInfo], None] | None) -> None:
        self.gate.inject = hook
