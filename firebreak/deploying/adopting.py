"""Chalice's record made of what exists: what it lacks is added, what is gone is taken out.

A run that died after it made something left no record of it. Chalice finds functions and roles by
their names, but would make a second API, and could not delete what it has no record of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firebreak.deploying import existing
from firebreak.deploying.application import Api, Application, Function, Role
from firebreak.deploying.existing import found
from firebreak.deploying.run import Run

Entry = dict[str, Any]


def known(run: Run, application: Application, recorded: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the record of everything that exists: of the application, and what was on record."""
    entries = _wanted(run, application, recorded)
    apis = {each.resource for each in application.apis}  # one on record may be another's
    entries |= {name: each for name, each in recorded.items() if name not in {*entries, *apis}}
    return {name: each for name, each in entries.items() if _exists(run, each)}


def api(run: Run, application: Application, recorded: Mapping[str, Entry]) -> str:
    """Return the id of the stage's API, "" where there is none."""
    for each in application.apis:
        before = str(recorded.get(each.resource, {}).get("rest_api_id", ""))
        return existing.api_of(run, each.function, before)
    return ""


def _wanted(run: Run, application: Application, recorded: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the application's entries in a record, as Chalice writes them."""
    identity = api(run, application, recorded)
    made = [
        *(_role(run, each) for each in application.roles),
        *(_function(run, each) for each in application.functions),
        *(_entry(e.resource, "cloudwatch_event", rule_name=e.name) for e in application.rules),
        *(_rest_api(each, identity) for each in application.apis if identity),
    ]
    return {each["name"]: {**recorded.get(each["name"], {}), **each} for each in made}


def _entry(resource: str, kind: str, **values: str) -> Entry:
    return {"name": resource, "resource_type": kind, **values}


def _role(run: Run, role: Role) -> Entry:
    arn = run.arn("iam", f"role/{role.name}", region=False)
    return _entry(role.resource, "iam_role", role_arn=arn, role_name=role.name)


def _function(run: Run, function: Function) -> Entry:
    arn = run.arn("lambda", f"function:{function.name}")
    return _entry(function.resource, "lambda_function", lambda_arn=arn)


def _rest_api(api: Api, identity: str) -> Entry:
    return _entry(api.resource, "rest_api", rest_api_id=identity)


def _exists(run: Run, entry: Mapping[str, Any]) -> bool:
    """Say whether what an entry is about is still there."""
    kind = entry["resource_type"]
    reads = {
        "iam_role": ("iam", "get_role", "RoleName", "role_name"),
        "lambda_function": ("lambda", "get_function", "FunctionName", "lambda_arn"),
        "cloudwatch_event": ("events", "describe_rule", "Name", "rule_name"),
        "rest_api": ("apigateway", "get_rest_api", "restApiId", "rest_api_id"),
    }
    if kind not in reads:
        return True
    service, operation, parameter, value = reads[kind]
    call = getattr(run.client(service), operation)
    return found(lambda: call(**{parameter: entry[value]})) is not None
