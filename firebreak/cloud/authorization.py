"""Refuse what the caller's policies do not allow, in each service's own words.

A request is allowed when the identity's policies allow it, its permissions boundary and the session
policy do too, and nothing denies it.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from chalicelib.permissions import iam_action
from firebreak.cloud import limits
from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.objects import keys_of, missing, parts_of
from firebreak.cloud.policy import Context, Decision, Request
from firebreak.cloud.resources import ANY, resources, transaction

# What anyone may call: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})

# Services that speak the query or REST-XML protocols say AccessDenied; the JSON ones say
# AccessDeniedException.
XML_SERVICES = frozenset(
    {
        "autoscaling",
        "cloudformation",
        "cloudwatch",
        "elb",
        "elbv2",
        "iam",
        "rds",
        "route53",
        "s3",
        "s3control",
        "ses",
        "sqs",
        "sts",
    }
)
_READS_OBJECT = frozenset({"GetObject", "HeadObject"})
_PASSES_ROLE = frozenset(
    {"AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation", "RunInstances"}
)


def check_authorized(info: CallInfo, principal: Principal) -> None:
    """Refuse a call that the principal's policies do not allow."""
    if principal.inactive:
        raise _unknown_key(info)
    if principal.policies is None:
        return
    context = request_context(info, principal)
    for (action, resource), part in product(asked_for(info), parts_of(info)):
        if action not in ALWAYS_ALLOWED:
            keys = {**context, **part, **keys_of(info, action, resource)}
            require(info, principal, Request(action, resource, keys))


def require(info: CallInfo, principal: Principal, request: Request) -> None:
    """Refuse a request that the principal's policies do not allow."""
    refused = limits.refusal(principal, request)
    if refused is not None:
        raise _denied(info, principal, request, *refused)


def asked_for(info: CallInfo) -> Iterator[tuple[str, str]]:
    """Yield every action and resource for which a call needs permission."""
    if (info.service, info.operation) == ("dynamodb", "TransactWriteItems"):
        yield from transaction(info)
        return
    for action in _actions(info):
        for resource in resources(info, action):
            yield action, resource
    if info.service == "s3" and missing(info):
        yield "s3:ListBucket", f"arn:aws:s3:::{info.params['Bucket']}"
    if info.service == "network-firewall" and info.params.get("Tags"):
        yield from (("network-firewall:TagResource", arn) for arn in resources(info, action))
    if info.service != "ec2":
        return
    for kind in [spec.get("ResourceType", "") for spec in info.params.get("TagSpecifications", ())]:
        account = "" if kind in ("snapshot", "image") else info.account
        yield "ec2:CreateTags", f"arn:aws:ec2:{info.region}:{account}:{kind}/{ANY}"
    if info.operation in _PASSES_ROLE and "IamInstanceProfile" in info.params:
        yield from (("iam:PassRole", arn) for arn in _profile_roles(info))


def _actions(info: CallInfo) -> tuple[str, ...]:
    """Return the IAM actions of a call: of some, parameters say which.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    """
    if info.service == "s3" and info.operation in _READS_OBJECT and "VersionId" in info.params:
        return ("s3:GetObjectVersion",)
    return iam_action(info.service, info.operation)


def _profile_roles(info: CallInfo) -> list[str]:
    from moto.iam.models import iam_backends

    wanted = set(info.params["IamInstanceProfile"].values())
    profiles = iam_backends[info.account]["aws"].instance_profiles.values()
    return [role.arn for p in profiles if wanted & {p.name, p.arn} for role in p.roles]


def request_context(info: CallInfo, principal: Principal) -> Context:
    """Return the condition keys of a request, in lower case."""
    context = {
        "aws:requestedregion": [info.region],
        "aws:principalarn": [principal.role_arn or principal.arn],
        "aws:principalaccount": [principal.account],
        "aws:securetransport": ["true"],
        "aws:currenttime": [dt.datetime.now(dt.UTC).isoformat()],
    }
    if principal.issued is not None:
        context["aws:tokenissuetime"] = [principal.issued.isoformat()]
    tags = dict(_request_tags(info.params))
    context |= {f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()}
    if tags:
        context["aws:tagkeys"] = list(tags)
    return context


def _request_tags(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    groups = [spec.get("Tags", ()) for spec in params.get("TagSpecifications", ())]
    for tag in [*params.get("Tags", ()), *(tag for group in groups for tag in group)]:
        if isinstance(tag, Mapping) and "Key" in tag:
            yield str(tag["Key"]), str(tag.get("Value", ""))


def _denied(
    info: CallInfo, principal: Principal, request: Request, kind: str, decision: Decision
) -> Refusal:
    article = "an" if kind.startswith("i") else "a"
    why = (
        f"with an explicit deny in {article} {kind}"
        if decision is Decision.EXPLICIT_DENY
        else f"because no {kind} allows the {request.action} action"
    )
    return denied(
        info.service,
        f"User: {principal.arn} is not authorized to perform: {request.action} "
        f"on resource: {request.resource} {why}",
    )


def denied(service: str, message: str) -> Refusal:
    """Return a refusal under the code the service uses for it."""
    if service == "ec2":
        text = f"You are not authorized to perform this operation. {message}"
        return Refusal("UnauthorizedOperation", text, 403)
    if service == "sns":
        return Refusal("AuthorizationError", message, 403)
    if service in XML_SERVICES:
        return Refusal("AccessDenied", message, 403)
    return Refusal("AccessDeniedException", message, 400)


def _unknown_key(info: CallInfo) -> Refusal:
    """Return the refusal of a key that is inactive: it is as if it did not exist."""
    if info.service == "ec2":
        return Refusal("AuthFailure", "AWS was not able to validate the credentials", 401)
    if info.service == "s3":
        return Refusal("InvalidAccessKeyId", "The AWS Access Key Id does not exist", 403)
    message = "The security token included in the request is invalid."
    if info.service in XML_SERVICES or info.service == "sns":
        return Refusal("InvalidClientTokenId", message, 403)
    return Refusal("UnrecognizedClientException", message, 400)
