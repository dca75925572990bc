"""Stand in the way of every AWS API call made in the process: record, refuse, inject."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from firebreak.cloud.identity import Identities, Invocation, Principal, current_invocation
from firebreak.cloud.patching import Patch

# A function must be able to make calls of its own, also from threads, while it is invoked.
UNLOCKED = frozenset({("lambda", "Invoke"), ("lambda", "InvokeAsync")})


class ProcessKilled(BaseException):
    """The process ends here and now, as when Lambda kills a function; nothing may catch it."""

    error_type = "Runtime.ExitError"

    def message(self, request_id: str) -> str:
        """Return what the Lambda service reports of the death."""
        return f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"


class ProcessTimedOut(ProcessKilled):
    """The function ran longer than its timeout, and Lambda killed it."""

    error_type = "Sandbox.Timedout"

    def message(self, request_id: str) -> str:
        """Return what the Lambda service reports of a timeout."""
        return f"RequestId: {request_id} Error: Task timed out"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks of AWS, by whatever way it comes."""

    service: str
    operation: str
    params: Mapping[str, Any]
    region: str
    invocation: Invocation | None = None


@dataclass(frozen=True)
class CallInfo:
    """One AWS API call: what was asked, by whom, and how it ended.

    `phase` is `before` the call takes effect, or `after`; `code` is `ok`, the error's code, or
    empty while the call is under way; `function` and `request_id` name the Lambda invocation it
    was made in.
    """

    sequence: int
    service: str
    operation: str
    params: Mapping[str, Any]
    region: str
    account: str
    caller: str
    session_name: str | None
    function: str | None
    request_id: str | None
    phase: str = "before"
    code: str = ""


class Refusal(Exception):
    """The embedded AWS refuses a call; the caller sees the service's own error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


Check = Callable[[CallInfo, Principal], None]
FollowUp = Callable[[CallInfo, Any], None]


class Calls:
    """The gate every call passes; `before` checks may refuse it, `after` hooks follow it up."""

    def __init__(self, identities: Identities) -> None:
        self.recorded: list[CallInfo] = []
        self.inject: Callable[[CallInfo], None] | None = None
        self.before: list[Check] = []
        self.after: list[FollowUp] = []
        self.unlocked_after: list[Callable[[], None]] = []
        self.lock = threading.RLock()
        self._identities = identities
        self._make_api_call = vars(BaseClient)["_make_api_call"]

    def patches(self) -> list[Patch]:
        """Return the patch that leads every client's calls here."""
        gate = self

        def make_api_call(client: BaseClient, operation_name: str, api_params: Any) -> Any:
            return gate.call(client, operation_name, api_params)

        return [Patch(BaseClient, "_make_api_call", make_api_call)]

    def call(self, client: BaseClient, operation: str, params: Mapping[str, Any]) -> Any:
        """Carry out a call of a client in this process; it is refused as the service would."""
        asked = Asked(
            client.meta.service_model.service_name,
            operation,
            params,
            client.meta.region_name,
            current_invocation.get(),
        )
        try:
            return self.carry_out(
                asked,
                self._identities.of_client(client),
                lambda: self._make_api_call(client, operation, params),
            )
        except Refusal as refusal:
            raise _client_error(client, operation, refusal) from None

    def carry_out(self, asked: Asked, principal: Principal, effect: Callable[[], Any]) -> Any:
        """Carry out one call: inject, check and effect under the lock, inject, follow up.

        effect: what does it, and returns its response as botocore parses it; raises ClientError
        where the service answers with an error.
        """
        info = self._record(asked, principal)
        try:
            self._consult(info)
            with self._lock_for(info):
                response = self._effect(info, principal, effect)
            for follow_up in self.unlocked_after:
                follow_up()
            self._consult(replace(info, phase="after"))
        except ClientError as error:
            self._note(info, error.response["Error"]["Code"])
            raise
        except Refusal as refusal:
            self._note(info, refusal.code)
            raise
        except BaseException as error:
            self._note(info, type(error).__name__)
            raise
        self._note(info, "ok")
        return response

    def _effect(self, info: CallInfo, principal: Principal, effect: Callable[[], Any]) -> Any:
        for check in self.before:
            check(info, principal)
        response = effect()
        for follow_up in self.after:
            follow_up(info, response)
        return response

    def _lock_for(self, info: CallInfo) -> AbstractContextManager[object]:
        unlocked = (info.service, info.operation) in UNLOCKED
        return nullcontext() if unlocked else self.lock

    def _consult(self, info: CallInfo) -> None:
        if self.inject is not None:
            self.inject(info)

    def _record(self, asked: Asked, principal: Principal) -> CallInfo:
        invocation = asked.invocation
        with self.lock:
            info = CallInfo(
                sequence=len(self.recorded),
                service=asked.service,
                operation=asked.operation,
                params=asked.params,
                region=asked.region,
                account=principal.account,
                caller=principal.arn,
                session_name=principal.session_name,
                function=invocation.function if invocation else None,
                request_id=invocation.request_id if invocation else None,
            )
            self.recorded.append(info)
        return info

    def _note(self, info: CallInfo, code: str) -> None:
        self.recorded[info.sequence] = replace(info, phase="after", code=code)


def _client_error(client: BaseClient, operation: str, refusal: Refusal) -> ClientError:
    response: Any = {
        "Error": {"Code": refusal.code, "Message": refusal.message},
        "ResponseMetadata": {
            "RequestId": "refused",
            "HTTPStatusCode": refusal.status,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
        },
    }
    error_class: Any = client.exceptions.from_code(refusal.code)
    error: ClientError = error_class(response, operation)
    return error
