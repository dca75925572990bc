"""The embedded AWS: one world at a time, started empty and left without a trace."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader
from moto.core import models as moto_models
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.config import default_user_config
from moto.core.model_instances import reset_model_data

from firebreak.cloud import backends, dispatch, rules, strict
from firebreak.cloud.authorization import check_authorized
from firebreak.cloud.calls import CallInfo, Calls
from firebreak.cloud.identity import (
    SECRET,
    Document,
    Identities,
    Principal,
    administrator_key,
)
from firebreak.cloud.lambdas import FailedDelivery, Functions, Handler
from firebreak.cloud.patching import Patch, Patches
from firebreak.cloud.rules import Event, Rules
from firebreak.cloud.strict.events import MAX_ENTRY_BYTES as MAX_EVENT_BYTES


class Cloud:
    """An AWS in this process: accounts, functions, rules and state machines, for one `with`."""

    _one_at_a_time = threading.Lock()

    def __init__(self, home_account: str = "111122223333", region: str = "us-east-1") -> None:
        self.home_account = home_account
        self.region = region

    # --- life ---

    def __enter__(self) -> Cloud:
        if not Cloud._one_at_a_time.acquire(blocking=False):
            raise RuntimeError("an embedded AWS is active already; there can be one at a time")
        try:
            self._assemble()
            self._start()
        except BaseException:
            Cloud._one_at_a_time.release()
            raise
        return self

    def _assemble(self) -> None:
        from firebreak.cloud.engine import Engine

        self._identities = Identities(self.home_account)
        self._calls = Calls(self._identities)
        self._functions = Functions(self.home_account, self.region)
        self._rules = Rules(self._functions)
        self._engine = Engine(self._engine_client)
        self._sessions: dict[tuple[str, str], boto3.Session] = {}
        self._engine_clients: dict[tuple[str, str, str], Any] = {}
        self._connect()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._engine.executions.stop_all()
        finally:
            self._stop()
            Cloud._one_at_a_time.release()

    def _connect(self) -> None:
        self._calls.before += [check_authorized, strict.check]
        self._calls.after.append(self._note_session)
        self._calls.unlocked_after.append(self._rules.deliver_pending)
        self._functions.on_failure = _send_to_destination
        self._engine.on_status = self._tell_status

    def _note_session(self, info: CallInfo, principal: Principal, response: Any) -> Any:
        if (info.service, info.operation) == ("sts", "AssumeRole"):
            self._identities.note_session(response["Credentials"]["AccessKeyId"])
        return response

    def _patches(self) -> list[Patch]:
        """Return everything that is replaced in moto and botocore while this world exists."""
        from moto.iam import models as iam_models

        return [
            Patch(BotocoreStubber, "process_request", dispatch.process_request),
            Patch(iam_models, "get_account_id_from", self._identities.account_of),
            *self._calls.patches(),
            *self._functions.patches(),
            *self._rules.patches(),
            *self._engine.patches(),
            *backends.patches(),
        ]

    def _start(self) -> None:
        _forget_everything()
        self._saved_environment = dict(os.environ)
        os.environ.update(self._environment())
        for name in _UNWANTED_ENVIRONMENT:
            os.environ.pop(name, None)
        self._saved_session = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = None
        self._applied = Patches()
        self._applied.apply(self._patches())
        self._saved_level = logging.getLogger("moto").level
        logging.getLogger("moto").setLevel(logging.CRITICAL + 1)
        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        moto_models.botocore_stubber.enabled = True
        moto_models.MockAWS._nested_count += 1

    def _stop(self) -> None:
        moto_models.MockAWS._nested_count -= 1
        moto_models.botocore_stubber.enabled = False
        default_user_config.pop("stepfunctions", None)
        logging.getLogger("moto").setLevel(self._saved_level)
        self._applied.undo()
        boto3.DEFAULT_SESSION = self._saved_session
        os.environ.clear()
        os.environ.update(self._saved_environment)
        _forget_everything()

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": administrator_key(self.home_account),
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        }

    # --- sessions ---

    def session(self, account: str | None = None, region: str | None = None) -> boto3.Session:
        """Return an administrator's session in an account (the home account by default)."""
        key = (account or self.home_account, region or self.region)
        if key not in self._sessions:
            self._sessions[key] = _session(*key)
        return self._sessions[key]

    def _engine_client(self, account: str, region: str, service: str) -> Any:
        key = (account, region, service)
        if key not in self._engine_clients:
            config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
            session: Any = self.session(account, region)
            self._engine_clients[key] = session.client(service, config=config)
        return self._engine_clients[key]

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

    def emit(
        self, event: Event, account: str | None = None, region: str | None = None
    ) -> list[Any]:
        """Deliver an event as AWS itself does, on a default bus; return what handlers returned.

        A handler that failed (after its retries) returns its error report.
        """
        if len(json.dumps(event).encode()) > MAX_EVENT_BYTES:
            raise ValueError(f"EventBridge carries events of up to {MAX_EVENT_BYTES} bytes")
        from moto.events.models import events_backends

        backend = events_backends[account or self.home_account][region or self.region]
        return [result.value for result in self._rules.deliver(backend, "default", event)]

    @property
    def failed_deliveries(self) -> list[FailedDelivery]:
        """Return the events that were not processed, after every retry."""
        return self._functions.failed_deliveries

    # --- state machines ---

    def create_state_machine(self, name: str, definition: Mapping[str, Any]) -> str:
        """Create a Standard state machine in the home account; return its ARN."""
        created = (
            self.session()
            .client("stepfunctions")
            .create_state_machine(
                name=name,
                definition=json.dumps(definition),
                roleArn=f"arn:aws:iam::{self.home_account}:role/states",
                type="STANDARD",
            )
        )
        return str(created["stateMachineArn"])

    def wait(self, execution_arn: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until an execution has ended, or every branch left waits for a token; describe it."""
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

    def _tell_status(self, running: Any) -> None:
        self.emit(self._engine.executions.status_event(running), running.account, running.region)

    # --- calls ---

    @property
    def calls(self) -> list[CallInfo]:
        """Return every AWS API call made so far."""
        return self._calls.recorded

    @property
    def inject(self) -> Callable[[CallInfo], None] | None:
        """The hook consulted before and after each call takes effect; it may raise."""
        return self._calls.inject

    @inject.setter
    def inject(self, hook: Callable[[CallInfo], None] | None) -> None:
        self._calls.inject = hook


_UNWANTED_ENVIRONMENT = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "MOTO_ACCOUNT_ID")


@cache
def _loader() -> Loader:
    """Share the parsed service models between all sessions of the process."""
    return botocore.session.get_session().get_component("data_loader")  # type: ignore[no-any-return]


def _session(account: str, region: str) -> boto3.Session:
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader())
    return boto3.Session(
        aws_access_key_id=administrator_key(account),
        aws_secret_access_key=SECRET,
        region_name=region,
        botocore_session=core,
    )


def _forget_everything() -> None:
    """Drop every backend; they are made anew when first asked for, so none is reset for nothing.

    Only those that hold more than their own attributes (S3: open files) are reset.
    """
    registries: list[Any] = BackendDict._instances  # type: ignore[misc]  # moto's own registry
    for registry in registries:
        for _, _, backend in registry.iter_backends():
            if type(backend).reset is not BaseBackend.reset:
                backend.reset()
        for name in ("bucket_accounts", "master_accounts"):
            getattr(registry, name, {}).clear()
        registry.clear()
    registries.clear()
    reset_model_data()


def _send_to_destination(config: Mapping[str, Any], failure: FailedDelivery) -> None:
    destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
    if ":sqs:" in destination:
        rules.send_to_queue(destination, _failure_record(failure))


def _failure_record(failure: FailedDelivery) -> dict[str, Any]:
    """Return what Lambda tells a failure destination."""
    return {
        "version": "1.0",
        "requestContext": {
            "functionArn": f"{failure.target}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": failure.attempts,
        },
        "requestPayload": failure.event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": failure.error,
    }
