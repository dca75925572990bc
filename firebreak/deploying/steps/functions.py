"""The functions, their roles, rules and API: by Chalice, where anything of them is different.

Chalice writes everything anew at each deployment; so it is run only where there is a difference,
and what it leaves alone (log format, a handler's name) is put right afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.errors import Failed
from chalicelib.grants import Grant
from firebreak.deploying import adopting, chalice_run, existing, noting, records, roles
from firebreak.deploying.application import read
from firebreak.deploying.records import Stored, Taken
from firebreak.deploying.run import Deployment, Difference, Run
from firebreak.deploying.steps import targets
from firebreak.packaging.chalice_config import config_of

ORDER = 30
ROLES = "arn:{partition}:iam::{account}:role/firebreak-{stage}-*"
APIS = "arn:{partition}:apigateway:{region}::"
STATE = "arn:{partition}:s3:::firebreak-{stage}-state-{account}-{region}"
CHALICE = (
    Grant(
        "DeployFunctions",
        (
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:GetFunction",
            "lambda:GetFunctionConcurrency",
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:ListTags",
            "lambda:PutFunctionConcurrency",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ),
        (
            "arn:{partition}:lambda:{region}:{account}:function:firebreak-{stage}",
            "arn:{partition}:lambda:{region}:{account}:function:firebreak-{stage}-*",
        ),
    ),
    Grant(
        "MakeRoles",
        (
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
        ),
        (ROLES,),
    ),
    Grant(
        "PassRolesToFunctions",
        ("iam:PassRole",),
        (ROLES,),
        {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
    ),
    Grant(
        "MakeRules",
        (
            "events:DeleteRule",
            "events:DescribeRule",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
        ),
        ("arn:{partition}:events:{region}:{account}:rule/firebreak-{stage}-*",),
    ),
    Grant(
        "MakeApi",
        tuple(f"apigateway:{verb}" for verb in ("DELETE", "GET", "PATCH", "POST", "PUT")),
        (f"{APIS}/restapis", f"{APIS}/restapis/*"),
    ),
)
PERMISSIONS = (
    *CHALICE,
    Grant("KeepRecords", ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), (f"{STATE}/*",)),
    Grant("FindRecords", ("s3:ListBucket",), (STATE,)),
    Grant("LookAtQuotas", ("lambda:GetAccountSettings",)),
)
API_DIGEST = "firebreak_api"  # of the definition that was deployed, beside Chalice's own entries


def plan(run: Deployment) -> list[Difference]:
    """Return what Chalice would change, and what is put right after it.

    The project is given the stage's record, so that `chalice deploy` in it knows the API.
    """
    stored = records.deployed(run)
    if stored.etag:
        records.put_local(run.project, run.stage, records.entries(run, stored))
    return [*_chalices(run, stored), *_finishing(run)]


def apply(run: Deployment) -> list[Difference]:
    """Run Chalice where anything is different; store its record; put right what it leaves alone.

    The audit trail is told beforehand: of a run that dies half-way it says what was begun.
    """
    stored = records.deployed(run)
    changed = _chalices(run, stored)
    if changed:
        noting.note(run, "functions_deploying", _said(run, changed))
        _deploy(run, stored)
    made = {each.name for each in changed if each.kind == "create"}
    return changed + [each for each in _finish(run) if each.name not in made]


def _chalices(run: Deployment, stored: Stored) -> list[Difference]:
    recorded = records.entries(run, stored)
    api = adopting.api(run, run.application, recorded)
    found = list(existing.differences(run, run.application, api))
    known = {each.name for each in found}
    digests = {each.resource: each.digest for each in run.application.apis}
    for each in run.application.apis if api else ():
        name = f"API of {each.function}"
        if stored.document.get(API_DIGEST) != digests and name not in known:
            found.append(Difference("update", name, "definition"))
    gone = sorted(set(recorded) - run.application.resources)
    return [*found, *(Difference("remove", _named(recorded[name])) for name in gone)]


def _named(entry: Mapping[str, Any]) -> str:
    kinds = {"lambda_function": "function", "cloudwatch_event": "rule", "iam_role": "role"}
    values = ("role_name", "rule_name", "lambda_arn", "rest_api_id", "name")
    name = next(str(entry[each]) for each in values if entry.get(each))
    return f"{kinds.get(entry['resource_type'], entry['resource_type'])} {name.rpartition(':')[2]}"


def _deploy(run: Deployment, stored: Stored) -> None:
    """Run Chalice, with the record; what it takes from rules' targets is put back at once."""
    known = adopting.known(run, run.application, records.entries(run, stored))
    right = [rule for rule in run.application.rules if targets.is_right(run, rule)]
    made = chalice_run.deploy(run, run.application.config, run.folder, known)
    for rule in right:
        targets.put(run, rule)
    digests = {each.resource: each.digest for each in run.application.apis}
    try:
        records.write(run, records.key_of(run), {**made, API_DIGEST: digests}, stored.etag)
    except Taken as taken:
        raise Failed(f"two deployments of {run.stage} at once: {taken}; run this again") from taken
    resources = {each["name"]: each for each in made["resources"]}
    records.put_local(run.project, run.stage, resources)


def _said(run: Deployment, changed: list[Difference]) -> dict[str, Any]:
    return {"package": run.package, "changed": [f"{each.kind} {each.name}" for each in changed]}


# --- after Chalice --------------------------------------------------------------------------------


def _finishing(run: Deployment) -> Iterator[Difference]:
    for role in roles.foreign(run, run.application.roles):
        yield role.difference
    for function in run.application.functions:
        parts = existing.found(lambda function=function: existing.unfinished(run, function))  # type: ignore[misc]  # bound per turn
        if parts:
            yield Difference("update", f"function {function.name}", ", ".join(parts))


def _finish(run: Deployment) -> list[Difference]:
    client, changed = run.client("lambda"), []
    for role in list(roles.foreign(run, run.application.roles)):
        roles.put_right(run, role)
        changed.append(role.difference)
    for function in run.application.functions:
        parts = existing.unfinished(run, function)
        if parts:
            client.update_function_configuration(FunctionName=function.name, **parts)
            client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
            changed.append(Difference("update", f"function {function.name}", ", ".join(parts)))
    return changed


# --- removing -------------------------------------------------------------------------------------


def standing(run: Run) -> list[Difference]:
    """Return the functions, roles, rules and the API that are there."""
    return [Difference("remove", _named(each)) for each in _known(run).values()]


def remove(run: Run) -> list[Difference]:
    """Let Chalice delete everything that is there, and drop its record."""
    known = _known(run)
    if known:
        chalice_run.delete(run, config_of(run.project, run.stage), run.project, known)
    stored = records.deployed(run)
    if stored.etag:
        client = run.client("s3")
        client.delete_object(Bucket=run.settings.state_bucket, Key=records.key_of(run))
    records.local(run.project, run.stage).unlink(missing_ok=True)
    return [Difference("remove", _named(each)) for each in known.values()]


def _known(run: Run) -> dict[str, dict[str, Any]]:
    application = read(run.project, run.stage, built=False)
    return adopting.known(run, application, records.entries(run, records.deployed(run)))
