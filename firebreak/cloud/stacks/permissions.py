"""CloudFormation acts with the permissions of its caller, or of the role it is handed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace

from firebreak.cloud.arns import strings
from firebreak.cloud.authorization import request_context, require
from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Limits, Principal, role_limits
from firebreak.cloud.policy import Request
from firebreak.cloud.resources import ANY
from firebreak.cloud.stacks.errors import ResourceFailed
from firebreak.cloud.stacks.kinds import At, Properties, kinds, pairs
from firebreak.iam import handlers
from firebreak.reference import resource_types

Caller = tuple[CallInfo, Principal]

SERVICE = "cloudformation.amazonaws.com"
calling: ContextVar[Caller | None] = ContextVar("calling", default=None)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_VIA = {
    "aws:calledvia": [SERVICE],
    "aws:calledviafirst": [SERVICE],
    "aws:calledvialast": [SERVICE],
    "aws:viaawsservice": ["true"],
}


@dataclass(frozen=True, slots=True)
class Permits:
    """Whose permissions an operation on a stack uses."""

    at: At
    caller: Caller | None
    tagged: bool = False

    def check(self, kind: str, operation: str, properties: Properties, old: Properties) -> None:
        """Raise ResourceFailed where a handler would be refused."""
        if self.caller is None or self.caller[1].policies is None:
            return
        info, principal = self.caller
        now = properties or old
        context = {**request_context(info, principal), **_VIA, **_said(self.at, kind, now)}
        both = {"new": properties, "old": old}
        needed = handlers.permissions(kind, both, tagged=self.tagged)[operation]
        for action in sorted(needed, key=lambda each: (":Create" not in each, each)):
            for resource in resources(self.at, kind, action, now):
                try:
                    require(info, principal, Request(action, resource, context))
                except Refusal as refusal:
                    reason = f'Resource handler returned message: "{refusal.message}" '
                    raise ResourceFailed(f"{reason}(HandlerErrorCode: AccessDenied)") from None


def _said(at: At, kind: str, properties: Properties) -> dict[str, list[str]]:
    """Return the condition keys that a resource's own properties give to its handler's calls.

    What a service needs of a key it asks of KMS itself, with the caller's permissions.
    """
    service = kind.split("::")[1].lower()
    keys = {"iam:passedtoservice": [f"{service}.amazonaws.com"]}
    if service != "kms":
        keys["kms:viaservice"] = [f"{service}.{at.region}.amazonaws.com"]
    if "PermissionsBoundary" in properties:
        keys["iam:permissionsboundary"] = [str(properties["PermissionsBoundary"])]
    tags = pairs(properties.get("Tags"))
    return {
        **keys,
        **{f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()},
        **({"aws:tagkeys": list(tags)} if tags else {}),
    }


def permits(at: At, role: str | None, *, tagged: bool) -> Permits:
    """Return what the current call is permitted, or the role that it hands over."""
    caller = calling.get()
    if caller is None or role is None:
        return Permits(at, caller, tagged)
    info, principal = caller
    session = f"assumed-role/{role.rsplit('/', 1)[-1]}/AWSCloudFormation"
    limits = role_limits(at.account, role) or Limits(())
    acting = replace(
        principal,
        arn=f"arn:{at.partition}:sts::{at.account}:{session}",
        role_arn=role,
        policies=limits.policies,
        boundary=limits.boundary,
        session_policy=None,
    )
    return Permits(at, (info, acting), tagged)


def resources(at: At, kind: str, action: str, properties: Properties) -> tuple[str, ...]:
    """Return the ARNs on which an action of a handler is asked for; `*` where none is known."""
    prefix, _, name = action.partition(":")
    if not resource_types(prefix, name):
        return (ANY,)
    found = tuple(dict.fromkeys(_of_service(at, kind, action, properties)))
    return found or (ANY,)


def _of_service(at: At, kind: str, action: str, properties: Properties) -> Iterator[str]:
    prefix = action.split(":", 1)[0]
    own = _own(at, kind, properties)
    if own.split(":")[2:3] == [prefix]:
        yield own
        return
    for text in strings(properties):
        of_role = ":role/" in text or action != "iam:PassRole"
        if text.startswith(f"arn:{at.partition}:{prefix}:") and of_role:
            yield text
        elif text.startswith("https://") and prefix == "sqs":
            yield f"arn:{at.partition}:sqs:{at.region}:{':'.join(text.split('/')[-2:])}"


def _own(at: At, kind: str, properties: Properties) -> str:
    """Return the ARN of a resource; "" where it has none before it exists."""
    form = kinds()[kind].arn
    if form.endswith("function:{FunctionName}") and str(properties["FunctionName"])[:4] == "arn:":
        return str(properties["FunctionName"])
    properties = {"EventBusName": "default", "Path": "/", **properties}
    place = {"partition": at.partition, "region": at.region, "account": at.account}
    return form.format_map({**place, **properties})
