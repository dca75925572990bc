"""The policies of whoever deploys and destroys a stage, derived from what that calls.

Three things call AWS with the deployer's own permissions: the steps' own code and Chalice, whose
calls each step declares, and CloudFormation's handlers, whose calls the templates' resource types
declare. Each is allowed on what the stage's names begin with, where the service can be told so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from chalicelib.actions import Condition
from chalicelib.grants import Grant
from firebreak import templates
from firebreak.deploying.steps import steps
from firebreak.iam.documents import (
    MANAGED_LIMIT,
    Document,
    Statement,
    document,
    filled,
    size,
    statement,
)
from firebreak.iam.handlers import handler_permissions
from firebreak.iam.place import Place
from firebreak.reference import resource_types
from firebreak.templates import Wanted

STACKS = ("data", "foundation", "operations")
ANY = ("*",)
# What a table's handler needs of a key DynamoDB asks of KMS, on its caller's behalf. A key's ARN
# tells no stage's from another's, so without this the deployer could decrypt by every key.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
OF_TABLES = ("kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:RevokeGrant")
BY_DYNAMODB: Condition = {"StringLike": {"kms:ViaService": "dynamodb.{region}.amazonaws.com*"}}


def _arn(service: str, rest: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{rest}"


# What a stage has of each service, by the names that are derived. A key's ARN says nothing: it has
# its alias only after it was made, so keys are narrowed by account and region alone.
OWN: Mapping[str, tuple[str, ...]] = {
    "cloudwatch": (
        _arn("cloudwatch", "alarm:firebreak-{stage}-*"),
        "arn:{partition}:cloudwatch::{account}:dashboard/firebreak-{stage}*",
    ),
    "dynamodb": (_arn("dynamodb", "table/firebreak-{stage}-*"),),
    "events": (_arn("events", "event-bus/default"), _arn("events", "rule/firebreak-{stage}-*")),
    "iam": ("arn:{partition}:iam::{account}:role/firebreak-{stage}-*",),
    "kinesis": (_arn("kinesis", "stream/firebreak-{stage}-*"),),
    "kms": (_arn("kms", "key/*"), _arn("kms", "alias/firebreak-{stage}*")),
    "lambda": (
        _arn("lambda", "function:firebreak-{stage}"),
        _arn("lambda", "function:firebreak-{stage}-*"),
        _arn("lambda", "event-source-mapping:*"),
    ),
    "logs": (
        _arn("logs", "log-group:/aws/lambda/firebreak-{stage}"),
        _arn("logs", "log-group:/aws/lambda/firebreak-{stage}:*"),
        _arn("logs", "log-group:/aws/lambda/firebreak-{stage}-*"),
    ),
    "s3": ("arn:{partition}:s3:::firebreak-{stage}-*-{account}-{region}",),
    "sns": (_arn("sns", "firebreak-{stage}-*"),),
    "sqs": (_arn("sqs", "firebreak-{stage}-*"),),
}
Key = tuple[tuple[str, ...], str]  # ARNs or actions, and the text of a condition


def deployer_policies(place: Place, wanted: Wanted) -> list[Document]:
    """Return the policies of a stage's deployer, each as long as IAM takes a managed one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    packed: list[list[Statement]] = [[]]
    for each in _statements([*_declared(), *_handlers(wanted)], place):
        if packed[-1] and size(document([*packed[-1], each])) > MANAGED_LIMIT:
            packed.append([])
        packed[-1].append(each)
    return [document(statements) for statements in packed]


def text(policies: Iterable[Document]) -> str:
    """Return the policies as they are printed and kept in a file: a list of documents."""
    return json.dumps(list(policies), indent=2) + "\n"


def _declared() -> Iterator[Grant]:
    """Yield what the steps' own calls need."""
    for step in steps():
        yield from step.PERMISSIONS


def _handlers(wanted: Wanted) -> Iterator[Grant]:
    """Yield what CloudFormation calls for the resources of a stage's stacks."""
    needed = {
        action
        for name in STACKS
        for operations in handler_permissions(templates.build(name, wanted)).values()
        for actions in operations.values()
        for action in actions
    }
    for action in sorted(needed):
        service, _, name = action.partition(":")
        own = OWN[service] if resource_types(service, name) else ANY
        yield Grant("", (action,), own, BY_DYNAMODB if action in OF_TABLES else {})


def _statements(grants: Iterable[Grant], place: Place) -> Iterator[Statement]:
    """Yield a statement for all that is allowed on the same resources, in a fixed order."""
    actions: dict[Key, set[str]] = {}
    for grant in grants:
        key = (tuple(sorted(grant.resources)), json.dumps(grant.condition, sort_keys=True))
        actions.setdefault(key, set()).update(grant.actions)
    resources: dict[Key, set[str]] = {}
    for (arns, condition), allowed in sorted(actions.items()):
        resources.setdefault((tuple(sorted(allowed)), condition), set()).update(arns)
    for (names, condition), where in resources.items():
        said: Condition = filled(json.loads(condition), place.filled)
        yield statement("", names, map(place.filled, where), said)
