"""Step Functions: published versions of a state machine, and what deleting one does.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult

from firebreak.cloud import asl
from firebreak.cloud.engine.strands import Stopped
from firebreak.cloud.patching import Patch, as_method
from firebreak.cloud.sessions import engine_client

MAX_VERSIONS = 1000
PAGE = 100


class ConflictException(AWSError):
    """The state machine has changed since, or is in use."""

    TYPE = "ConflictException"


class StateMachineDeleting(AWSError):
    """The state machine is being deleted."""

    TYPE = "StateMachineDeleting"


class ServiceQuotaExceeded(AWSError):
    """There are as many versions as there can be."""

    TYPE = "ServiceQuotaExceededException"


def patches() -> list[Patch]:
    """Return the operations on versions, and the model that knows revisions."""
    from moto.stepfunctions.models import StateMachine
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    operations: dict[str, Callable[[Any], ActionResult]] = {
        "delete_state_machine_version": delete_version,
        "list_state_machine_versions": list_versions,
        "list_state_machines": _listed(StepFunctionResponse.list_state_machines),
        "publish_state_machine_version": publish_version,
        "update_state_machine": _updated(StepFunctionResponse.update_state_machine),
        "validate_state_machine_definition": validate_definition,
        "_describe_state_machine": _described(StepFunctionResponse._describe_state_machine),
    }
    backend = StepFunctionsParserBackend
    return [
        *(Patch(StepFunctionResponse, name, as_method(each)) for name, each in operations.items()),
        Patch(StateMachine, "publish", _publish(StateMachine.publish)),
        Patch(StateMachine, "update", _revised(StateMachine.update)),
        Patch(backend, "start_execution", _started(backend.start_execution)),
        Patch(backend, "create_state_machine", _created(backend.create_state_machine)),
        Patch(backend, "delete_state_machine", _delete),
        Patch(CommonStateField, "_eval_body", _next_state(CommonStateField._eval_body)),
    ]


# --- revisions and versions ---


def _revised(update: Callable[..., None]) -> Callable[..., None]:
    """Give a state machine a new revision whenever it is updated."""

    def revised(machine: Any, **changes: Any) -> None:
        if _is_deleting(machine):
            raise StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
        update(machine, **changes)
        machine.revision = str(uuid.uuid4())

    return revised


def _publish(publish: Callable[..., None]) -> Callable[..., None]:
    """Publish a revision once: the second time its version is the answer."""

    def published(machine: Any, description: str | None) -> None:
        revision = vars(machine).get("revision")
        found = [each for each in machine.versions.values() if each.revision == revision]
        if found:
            machine.latest_version = found[-1]
            return
        if len(machine.versions) >= MAX_VERSIONS:
            raise ServiceQuotaExceeded(f"There are {MAX_VERSIONS} versions of '{machine.arn}'")
        publish(machine, description)
        machine.latest_version.revision = revision

    return published


def publish_version(response: Any) -> ActionResult:
    """Publish the current revision as a version.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_PublishStateMachineVersion.html
    """
    machine = response.stepfunction_backend.describe_state_machine(
        response._get_param("stateMachineArn")
    )
    if _is_deleting(machine):
        raise StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
    wanted = response._get_param("revisionId")
    if wanted is not None and wanted != vars(machine).get("revision", "INITIAL"):
        raise ConflictException(f"The revision of '{machine.arn}' is not {wanted}")
    machine.publish(response._get_param("description"))
    version = machine.latest_version
    told = {"creationDate": version.creation_date, "stateMachineVersionArn": version.arn}
    return ActionResult(told)


def list_versions(response: Any) -> ActionResult:
    """List the versions of a state machine, the newest first.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineVersions.html
    """
    machine = response.stepfunction_backend.describe_state_machine(
        response._get_param("stateMachineArn")
    )
    start = int(response._get_param("nextToken") or 0)
    end = start + int(response._get_param("maxResults") or PAGE)
    newest = [machine.versions[number] for number in sorted(machine.versions, reverse=True)]
    told = [
        {"creationDate": each.creation_date, "stateMachineVersionArn": each.arn}
        for each in newest[start:end]
    ]
    more = {"nextToken": str(end)} if end < len(newest) else {}
    return ActionResult({"stateMachineVersions": told, **more})


def delete_version(response: Any) -> ActionResult:
    """Delete a version; what runs on it goes on.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineVersion.html
    """
    source, _, number = response._get_param("stateMachineVersionArn").rpartition(":")
    machine = response.stepfunction_backend.describe_state_machine(source)
    version = machine.versions.get(int(number))
    for alias in machine.aliases.values():
        arns = [each["stateMachineVersionArn"] for each in alias.routing_configuration]
        if version is not None and version.arn in arns:
            raise ConflictException(f"Version is in use by the alias '{alias.arn}'")
    machine.versions.pop(int(number), None)
    return EmptyResult()


def validate_definition(response: Any) -> ActionResult:
    """Say what is wrong with a definition.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html
    """
    try:
        problems = asl.validate(json.loads(response._get_param("definition")))
        code = "SCHEMA_VALIDATION_FAILED"
    except ValueError as error:
        problems, code = [str(error)], "INVALID_JSON_DESCRIPTION"
    told = [{"severity": "ERROR", "code": code, "message": each} for each in problems]
    return ActionResult(
        {"result": "FAIL" if told else "OK", "diagnostics": told, "truncated": False}
    )


def _updated(update: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    """Tell the revision that an update made."""

    def updated(response: Any) -> ActionResult:
        told: dict[str, Any] = update(response).result  # type: ignore[assignment]
        machine = response.stepfunction_backend.describe_state_machine(
            response._get_param("stateMachineArn")
        )
        return ActionResult({**told, "revisionId": machine.revision})

    return updated


def _described(describe: Callable[..., ActionResult]) -> Callable[..., ActionResult]:
    """Tell the revision and the state of a state machine too."""

    def described(response: Any, arn: str) -> ActionResult:
        told: dict[str, Any] = describe(response, arn).result  # type: ignore[assignment]
        machine = response.stepfunction_backend.describe_state_machine(arn)
        told["status"] = "DELETING" if _is_deleting(machine) else "ACTIVE"
        revision = vars(machine).get("revision")
        return ActionResult({**told, **({"revisionId": revision} if revision else {})})

    return described


# --- executions ---


def _started(start: Callable[..., Any]) -> Callable[..., Any]:
    """Start an execution of a version as one of its machine, with the version's definition.

    https://docs.aws.amazon.com/step-functions/latest/dg/execute-state-machine-version.html
    """

    def started(backend: Any, state_machine_arn: str, *args: Any, **kwargs: Any) -> Any:
        found = backend.describe_state_machine(state_machine_arn)
        source = vars(found).get("source_arn")
        machine = backend.describe_state_machine(source) if source else found
        if _is_deleting(machine):
            raise StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
        if source is None:
            return start(backend, state_machine_arn, *args, **kwargs)
        now = machine.definition, machine.roleArn
        machine.definition, machine.roleArn = found.definition, found.roleArn
        try:
            execution = start(backend, machine.arn, *args, **kwargs)
        finally:
            machine.definition, machine.roleArn = now
        execution.version_arn = found.arn
        return execution

    return started


# --- deletion ---


def _is_deleting(machine: Any) -> bool:
    return bool(vars(machine).get("deleting"))


def _delete(backend: Any, arn: str) -> None:
    """Begin to delete a state machine: it is gone when nothing of it runs any more.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
    """
    backend._validate_machine_arn(arn)
    for machine in [each for each in backend.state_machines if each.arn == arn]:
        machine.deleting = True
    _forget_ended(backend)


def _forget_ended(backend: Any) -> None:
    for machine in [each for each in backend.state_machines if _is_deleting(each)]:
        if not any(execution.status == "RUNNING" for execution in machine.executions):
            backend.state_machines.remove(machine)


def _listed(list_machines: Callable[[Any], ActionResult]) -> Callable[[Any], ActionResult]:
    """List the state machines that are still there."""

    def listed(response: Any) -> ActionResult:
        _forget_ended(response.stepfunction_backend)
        return list_machines(response)

    return listed


def _created(create: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a name whose state machine is still being deleted."""

    def created(backend: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        _forget_ended(backend)
        for machine in backend.state_machines:
            if machine.name == name and _is_deleting(machine):
                raise StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
        return create(backend, name, *args, **kwargs)

    return created


def _next_state(evaluate: Callable[..., None]) -> Callable[..., None]:
    """End an execution at its next state where its machine is being deleted, as AWS does."""

    def next_state(state: Any, env: Any) -> None:
        data = env.states.context_object.context_object_data
        machine, execution = data["StateMachine"]["Id"], data["Execution"]["Id"]
        if _deleting(machine):
            _, _, _, region, account, *_ = execution.split(":")
            client = engine_client(account, region, "stepfunctions")
            client.stop_execution(executionArn=execution)
            raise Stopped
        evaluate(state, env)

    return next_state


def _deleting(arn: str) -> bool:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    _, _, _, region, account, *_ = arn.split(":")
    machines = stepfunctions_parser_backends[account][region].state_machines
    return any(_is_deleting(each) for each in list(machines) if arn.startswith(each.arn))
