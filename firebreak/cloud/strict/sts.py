"""STS: who may assume which role, and what a session may be given."""

from __future__ import annotations

import json
import re
from typing import Any

from firebreak.cloud.admission import organization_of
from firebreak.cloud.authorization import denied, request_context
from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.policy import Context, Request, applies, names
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/[\w+=,.@/-]{1,576}")
SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
MAX_POLICY_CHARACTERS = 2048
MAX_CHAINED_SECONDS = 3600


@CORRECTIONS.refuses("AssumeRole")
def parameters(info: CallInfo, principal: Principal) -> None:
    """Refuse malformed ARNs, session names, durations and session policies.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    arn, name = str(info.params.get("RoleArn")), str(info.params.get("RoleSessionName"))
    if not ROLE_ARN.fullmatch(arn):
        raise Refusal("ValidationError", f"{arn} is invalid")
    if not SESSION_NAME.fullmatch(name):
        raise _invalid("roleSessionName", name)
    seconds = int(info.params.get("DurationSeconds", 3600))
    if seconds < 900:
        raise _invalid("durationSeconds", str(seconds))
    if principal.role_arn is not None and seconds > MAX_CHAINED_SECONDS:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed"
        raise Refusal("ValidationError", f"{message} by role chaining")
    _check_session_policy(info.params.get("Policy"))


def _check_session_policy(policy: str | None) -> None:
    if policy is None:
        return
    if len(policy) > MAX_POLICY_CHARACTERS:
        raise _invalid("policy", policy)
    try:
        document = json.loads(policy)
    except ValueError:
        raise Refusal("MalformedPolicyDocument", "This policy contains invalid Json") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise Refusal("MalformedPolicyDocument", "Syntax errors in policy.")


def _invalid(name: str, value: str) -> Refusal:
    message = (
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint"
    )
    return Refusal("ValidationError", message)


@CORRECTIONS.refuses("AssumeRole")
def trust(info: CallInfo, principal: Principal) -> None:
    """Refuse a role that does not exist, or whose trust policy does not admit the caller.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-user_externalid.html
    """
    arn = str(info.params["RoleArn"])
    role = _role(arn)
    message = (
        f"User: {principal.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    )
    if role is None or not _admits(role, info, principal):
        raise denied("sts", message)
    if int(info.params.get("DurationSeconds", 3600)) > int(role.max_session_duration or 3600):
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise Refusal("ValidationError", text)


def _role(arn: str) -> Any:
    from moto.iam.models import iam_backends

    roles = iam_backends[arn.split(":")[4]]["aws"].roles.values()
    return next((role for role in roles if role.arn == arn), None)


def _admits(role: Any, info: CallInfo, principal: Principal) -> bool:
    document = json.loads(role.assume_role_policy_document)
    request = Request("sts:AssumeRole", role.arn, _context(info, principal))
    statements = document["Statement"]
    effects = {
        statement["Effect"]
        for statement in (statements if isinstance(statements, list) else [statements])
        if names(statement, principal.account, principal.arn, principal.role_arn)
        and applies(statement, request)
    }
    return effects == {"Allow"}


def _context(info: CallInfo, principal: Principal) -> Context:
    context = dict(request_context(info, principal))
    context["sts:rolesessionname"] = [str(info.params.get("RoleSessionName"))]
    if "ExternalId" in info.params:
        context["sts:externalid"] = [info.params["ExternalId"]]
    organization = organization_of(principal.account)
    if organization is not None:
        context["aws:principalorgid"] = [organization]
    return context
