"""IAM: how large inline policies may be, and the managed policies AWS itself provides."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import EVERY, Corrections

CORRECTIONS = Corrections()

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_CHARACTERS = {"role": 10_240, "user": 2_048, "group": 5_120}
MAX_TRUST_CHARACTERS = 2_048
MAX_ATTACHED = 10
_COLLECTIONS = {"role": "roles", "user": "users", "group": "groups"}


def characters(document: str) -> int:
    """Return the size of a policy as IAM counts it: without white space."""
    return len(re.sub(r"\s", "", document))


def _entity(info: CallInfo) -> tuple[str, Any]:
    kind = next(each for each in _COLLECTIONS if each.capitalize() in info.operation)
    entities = getattr(iam_backends[info.account]["aws"], _COLLECTIONS[kind]).values()
    name = info.params.get(f"{kind.capitalize()}Name")
    return kind, next((each for each in entities if each.name == name), None)


@CORRECTIONS.refuses("PutRolePolicy", "PutUserPolicy", "PutGroupPolicy")
def size_of_inline_policies(info: CallInfo, principal: Principal) -> None:
    """Refuse an inline policy that, with the others, is longer than the quota."""
    kind, entity = _entity(info)
    if entity is None:
        return
    others = [
        text if isinstance(text, str) else json.dumps(text)
        for name, text in entity.policies.items()
        if name != info.params.get("PolicyName")
    ]
    total = sum(map(characters, [*others, str(info.params.get("PolicyDocument", ""))]))
    if total > MAX_CHARACTERS[kind]:
        message = f"Maximum policy size of {MAX_CHARACTERS[kind]} bytes exceeded for {kind}"
        raise Refusal("LimitExceeded", f"{message} {entity.name}", 409)


@CORRECTIONS.refuses("CreateRole", "UpdateAssumeRolePolicy")
def size_of_trust_policy(info: CallInfo, principal: Principal) -> None:
    """Refuse a trust policy that is longer than the quota."""
    document = info.params.get("AssumeRolePolicyDocument") or info.params.get("PolicyDocument", "")
    if characters(document) > MAX_TRUST_CHARACTERS:
        message = f"Cannot exceed quota for ACLSizePerRole: {MAX_TRUST_CHARACTERS}"
        raise Refusal("LimitExceeded", message, 409)


@CORRECTIONS.refuses("AttachRolePolicy", "AttachUserPolicy", "AttachGroupPolicy")
def attached_policies(info: CallInfo, principal: Principal) -> None:
    """Refuse an eleventh managed policy."""
    kind, entity = _entity(info)
    arn = info.params.get("PolicyArn")
    if entity is None or arn in entity.managed_policies:
        return
    if len(entity.managed_policies) >= MAX_ATTACHED:
        message = f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {MAX_ATTACHED}"
        raise Refusal("LimitExceeded", message, 409)


@CORRECTIONS.refuses(EVERY)
def provided_policies(info: CallInfo, principal: Principal) -> None:
    """Provide a policy of AWS when it is first named: loading all of them takes a while."""
    arn = str(info.params.get("PolicyArn", ""))
    prefix, _, name = arn.rpartition("/")
    if not prefix.startswith("arn:aws:iam::aws:policy"):
        return
    backend = iam_backends[info.account]["aws"]
    if arn not in backend.managed_policies and name in _provided():
        policy = AWSManagedPolicy.from_data(name, info.account, "us-east-1", _provided()[name])
        if policy.arn == arn:
            backend.managed_policies[arn] = policy


@cache
def _provided() -> dict[str, Any]:
    provided: dict[str, Any] = json.loads(aws_managed_policies_data)
    return provided
