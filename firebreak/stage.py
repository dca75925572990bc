"""A stage of Firebreak put into the embedded AWS: its tables, topic, roles, functions, machines."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from chalicelib import wiring, workflow
from chalicelib.clock import Clock
from chalicelib.effect import canonical_text
from chalicelib.playbook import Playbook
from chalicelib.runner.work import Desk
from chalicelib.settings import (
    API,
    FUNCTIONS,
    Settings,
    defaults,
    from_environment,
    function_name,
    machine_role,
)
from firebreak import audit_store, retry_queue, roles, tables
from firebreak.audit_store import Fed
from firebreak.cloud import Cloud
from firebreak.cloud.queues import Mapped

STAGE = "replay"
Followers = list[Callable[[str, Any, Any], None]]  # of a function's name, event and answer
SLOW = ("run_step", "on_execution_ended", "sweep", "reconcile")  # closing may wait


@dataclass(frozen=True, slots=True)
class CloudClock(Clock):
    """Tell the time of an embedded AWS, where waiting takes none but counts."""

    cloud: Cloud
    slept: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        """Return seconds since 1970, with all that was waited."""
        waited = sum(seconds for _, seconds in self.cloud.waited)
        return Clock.seconds(self) + waited + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold a stage in an embedded AWS: its settings, playbooks and desk."""

    cloud: Cloud
    settings: Settings
    playbooks: Mapping[str, Playbook]
    desk: Desk
    answers: list[tuple[str, Any]]
    function_arn: str
    followers: Followers
    members: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    apis: list[str] = field(default_factory=list)
    trusted: tuple[str, ...] = ()

    def provide_machines(self, names: Iterable[str]) -> None:
        """Make the state machines of playbooks that are not there yet."""
        for name in set(names) - self.machines:
            self.machines.add(name)
            definition = definition_of(self.playbooks[name], self.function_arn)
            self.cloud.create_state_machine(
                f"firebreak-{self.settings.stage}-{name}",
                definition,
                machine_role(self.settings.stage),
            )

    def provide_queues(self) -> Mapped:
        """Make the queues of events that functions fail on; return what reads the retry queue."""
        return retry_queue.provide(self.cloud, self.settings, self.desk.clock.seconds)

    def provide_audit_store(self) -> Fed:
        """Make what keeps the audit trail outside; return what hands the table's stream over."""
        return audit_store.provide(self.cloud, self.settings)

    def api_url(self) -> str:
        """Return the URL of the stage's API, which is made when it is first asked for."""
        import app

        if not self.apis:
            name = function_name(self.settings.stage, API)
            handler = _noting(API, app.api_handler, self.followers)
            role = roles.of_function(self.settings, API)
            self.cloud.add_function(name, handler, role.policy, role_name=role.name, timeout=29)
            self.apis.append(self.cloud.add_api(app.app.app_name, app.app, name))
        return self.apis[0]

    def admit_account(self, account: str) -> None:
        """Make the role that Firebreak assumes in an account."""
        if account in self.members:
            return
        self.members.add(account)
        roles.make_member(self.cloud, self.settings, account, self.trusted)


@contextlib.contextmanager
def staged(
    cloud: Cloud,
    playbooks: Mapping[str, Playbook],
    environment: Mapping[str, str] | None = None,
    *,
    machines: bool = True,
    trusted: tuple[str, ...] = (),
) -> Iterator[Stage]:
    """Put a stage with these playbooks into an embedded AWS for the length of a `with`.

    machines: make every playbook's state machine now; else `provide_machines` makes those needed.
    trusted: ARNs of those at a desk who may assume the role in an account, beside the functions.
    """
    variables = defaults(STAGE, cloud.home_account, cloud.region)
    variables |= {"FIREBREAK_APPLY_SAMPLES": "true", **(environment or {})}
    saved = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        settings = from_environment()
        desk = wiring.desk(settings, CloudClock(cloud))
        with _wired(desk, playbooks):
            answers: list[tuple[str, Any]] = []
            followers: Followers = []
            followers.append(lambda name, _event, answer: answers.append((name, answer)))
            function_arn = _make(cloud, settings, followers)
            stage = Stage(
                cloud,
                settings,
                playbooks,
                desk,
                answers,
                function_arn,
                followers,
                trusted=trusted,
            )
            stage.admit_account(cloud.home_account)
            stage.provide_machines(playbooks if machines else ())
            yield stage
    finally:
        _restore(saved)


def _restore(saved: Mapping[str, str | None]) -> None:
    for name, value in saved.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextlib.contextmanager
def _wired(desk: Desk, playbooks: Mapping[str, Playbook]) -> Iterator[None]:
    """Let the functions of this process work with this desk and these playbooks."""
    ours, known = wiring.ours, wiring.playbooks
    wiring.ours, wiring.playbooks = lambda: desk, lambda: playbooks  # type: ignore[assignment]  # put back below
    try:
        yield
    finally:
        wiring.ours, wiring.playbooks = ours, known


def _make(cloud: Cloud, settings: Settings, followers: Followers) -> str:
    """Make tables, topic, functions and rules; return the ARN of the machines' function."""
    session = cloud.session()
    _make_tables(session.client("dynamodb"), settings)
    session.client("sns").create_topic(Name=settings.topic_arn.rpartition(":")[2])
    arns = _make_functions(cloud, settings, followers)
    roles.make_machines(cloud, settings, arns["run_step"])
    return arns["run_step"]


def definition_of(playbook: Playbook, function_arn: str) -> dict[str, Any]:
    """Return a playbook's machine with the function's ARN in it."""
    text = json.dumps(_compiled(canonical_text(workflow.compile(playbook))))
    definition: dict[str, Any] = json.loads(text.replace(workflow.FUNCTION, function_arn))
    return definition


@cache
def _compiled(text: str) -> dict[str, Any]:
    compiled: dict[str, Any] = json.loads(text)
    return compiled


def _make_tables(client: Any, settings: Settings) -> None:
    for table, keys in (
        (settings.remediations_table, tables.REMEDIATIONS),
        (settings.audit_table, tables.AUDIT),
    ):
        client.create_table(TableName=table, **tables.shape(keys))


def _make_functions(cloud: Cloud, settings: Settings, followers: Followers) -> dict[str, str]:
    import app

    arns = {}
    for name in FUNCTIONS:
        if name == API:
            continue  # made with its API
        timeout = workflow.FUNCTION_SECONDS if name in SLOW else 60
        handler = _noting(name, getattr(app, name), followers)
        role = roles.of_function(settings, name)
        arns[name] = cloud.add_function(
            name, handler, role.policy, role_name=role.name, timeout=timeout
        )
    cloud.add_rule("on_event", app.EVENTS, "on_event")
    cloud.add_rule("on_execution_ended", app.ENDED, "on_execution_ended")
    return arns


def _noting(
    name: str, handler: Callable[[Any, Any], Any], followers: Followers
) -> Callable[[Any, Any], Any]:
    """Return a function's handler that also tells what it answered to whoever follows."""

    def noted(event: Any, context: Any) -> Any:
        answer = handler(event, context)
        for follower in followers:
            follower(name, event, answer)
        return answer

    return noted
