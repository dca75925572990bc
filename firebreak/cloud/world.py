"""The embedded AWS: one world at a time, started empty and left without a trace."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import boto3
from moto.core.botocore_stubber import BotocoreStubber

from firebreak.cloud import backends, dispatch
from firebreak.cloud.authorization import check_authorized
from firebreak.cloud.calls import CallInfo, Calls
from firebreak.cloud.functions import Functions
from firebreak.cloud.identity import Identities
from firebreak.cloud.patching import Patch, Patches
from firebreak.cloud.process import taken_over
from firebreak.cloud.rules import Rules
from firebreak.cloud.sessions import Sessions, credentials
from firebreak.cloud.strict import Strictness


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
        self._sessions = Sessions()
        self._identities = Identities(self.home_account)
        self._calls = Calls(self._identities)
        self._functions = Functions(self.home_account, self.region)
        self._rules = Rules(self._functions)
        self._engine = Engine(self._sessions.engine_client)
        strictness = Strictness(self._applied.apply)
        self._calls.before += [check_authorized, strictness.check]
        self._calls.after += [strictness.follow_up, self._note_session]
        self._calls.unlocked_after.append(self._rules.deliver_pending)
        self._engine.on_status = self._tell_status

    def _patches(self) -> list[Patch]:
        """Return everything that is replaced in moto and botocore while this world exists.

        What is corrected inside one service's model (`strict`) is added when it is first called.
        """
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

    def _note_session(self, info: CallInfo, response: Any) -> None:
        if (info.service, info.operation) == ("sts", "AssumeRole"):
            self._identities.note_session(response["Credentials"]["AccessKeyId"])

    def _tell_status(self, running: Any) -> None:
        self.emit(self._engine.executions.status_event(running), running.account, running.region)

    # --- sessions ---

    def session(self, account: str | None = None, region: str | None = None) -> boto3.Session:
        """Return an administrator's session in an account (the home account by default)."""
        return self._sessions.get(account or self.home_account, region or self.region)
