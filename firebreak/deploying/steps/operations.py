"""What is attached to the functions: mappings, failure destinations, alarms, dashboard.

A failure destination goes with its function, which CloudFormation does not see: one that is missing
or leads elsewhere is put right beside the stack, as the stack has it.
"""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.grants import Grant
from chalicelib.settings import function_name
from firebreak.deploying import existing
from firebreak.deploying.of_template import OfTemplate
from firebreak.deploying.run import Deployment, Difference
from firebreak.templates.operations import failure_queues

ORDER = 50
_STACK = OfTemplate("operations")
PERMISSIONS = (
    *_STACK.permissions,
    Grant(
        "PutFailureDestinationsRight",
        ("lambda:GetFunctionEventInvokeConfig", "lambda:PutFunctionEventInvokeConfig"),
        ("arn:{partition}:lambda:{region}:{account}:function:firebreak-{stage}-*",),
    ),
)
standing, remove = _STACK.standing, _STACK.remove


def plan(run: Deployment) -> list[Difference]:
    """Return what the stack would change, and which failure destinations would be put right."""
    changes = _STACK.plan(run)
    if any(each.kind == "create" and each.name.startswith("stack ") for each in changes):
        return changes
    return [*changes, *(_difference(name) for name, _ in _lost(run))]


def apply(run: Deployment) -> list[Difference]:
    """Bring the stack in line, and the failure destinations that it does not see."""
    changes, client = _STACK.apply(run), run.client("lambda")
    lost = list(_lost(run))
    for name, queue in lost:
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": queue}}
        )
    return [*changes, *(_difference(name) for name, _ in lost)]


def _lost(run: Deployment) -> Iterator[tuple[str, str]]:
    """Yield the functions whose failures go nowhere or elsewhere, and the queue that is right."""
    client = run.client("lambda")
    for function, queue in failure_queues(run.stage).items():
        name, arn = function_name(run.stage, function), run.arn("sqs", queue)
        said = existing.found(
            lambda name=name: client.get_function_event_invoke_config(FunctionName=name)  # type: ignore[misc]  # bound per turn
        )
        led = (said or {}).get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if led != arn:
            yield name, arn


def _difference(name: str) -> Difference:
    return Difference("update", f"function {name}", "failure destination")
