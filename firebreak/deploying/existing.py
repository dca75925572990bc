"""What exists of a stage's functions, roles, rules and API, beside what Chalice would deploy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.errors import Failed
from chalicelib.gone import is_code
from firebreak.deploying.application import Api, Application, Function, Role, Rule
from firebreak.deploying.run import Difference, Run

ABSENT = (
    "ResourceNotFoundException",
    "NoSuchEntity",
    "NotFoundException",
    "NoSuchEntityException",
)
APP = "firebreak"  # what Chalice calls each API
JSON_FORMAT = "JSON"
TARGET = "1"  # the id that Chalice gives to each rule's one target


def found(call: Callable[[], Any]) -> Any:
    """Return what a read answers, None where AWS says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if is_code(error, *ABSENT):
            return None
        raise


def differences(run: Run, application: Application, api: str) -> Iterator[Difference]:
    """Yield what Chalice would change. api: the id of the stage's REST API, "" where none is."""
    for role in application.roles:
        yield from _role(run, role)
    for function in application.functions:
        yield from _function(run, function)
    for rule in application.rules:
        yield from _rule(run, rule)
    for each in application.apis:
        yield from _api(run, each, api)


def _kind(name: str, there: object, wrong: Iterable[str]) -> Iterator[Difference]:
    """Yield one difference: made where there is nothing, else what is different."""
    said = ", ".join(wrong) if there else ""
    if not there:
        yield Difference("create", name)
    elif said:
        yield Difference("update", name, said)


def _unlike(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [name for name in wanted if wanted[name] != there.get(name)]


# --- roles ----------------------------------------------------------------------------------------


def _role(run: Run, role: Role) -> Iterator[Difference]:
    client = run.client("iam")
    there = found(lambda: client.get_role(RoleName=role.name))
    policy = there and found(
        lambda: client.get_role_policy(RoleName=role.name, PolicyName=role.name)
    )
    same = bool(policy) and policy["PolicyDocument"] == role.policy
    yield from _kind(f"role {role.name}", there, [] if same else ["policy"])


# --- functions ------------------------------------------------------------------------------------


def _function(run: Run, function: Function) -> Iterator[Difference]:
    there = found(lambda: run.client("lambda").get_function(FunctionName=function.name))
    wrong = list(_wrong(run, function, there)) if there else []
    yield from _kind(f"function {function.name}", there, wrong)


def _wrong(run: Run, function: Function, there: Mapping[str, Any]) -> Iterator[str]:
    now = there["Configuration"]
    if now["CodeSha256"] != function.code:
        yield "code"
    yield from _unlike(function.configuration, now)
    variables = now.get("Environment", {}).get("Variables", {})
    yield from ["environment"] if variables != function.environment else []
    yield from ["tags"] if there.get("Tags", {}) != function.tags else []
    yield from (
        ["role"] if now["Role"] != run.arn("iam", f"role/{function.role}", region=False) else []
    )
    reserved = there.get("Concurrency", {}).get("ReservedConcurrentExecutions")
    yield from ["concurrency"] if reserved != function.concurrency else []


def unfinished(run: Run, function: Function) -> dict[str, Any]:
    """Return what Chalice leaves as it is of a function that exists, and is to be different."""
    answer = run.client("lambda").get_function_configuration(FunctionName=function.name)
    parts: dict[str, Any] = {}
    if answer.get("LoggingConfig", {}).get("LogFormat") != JSON_FORMAT:
        parts["LoggingConfig"] = {"LogFormat": JSON_FORMAT}
    for name in ("Handler", "TracingConfig"):
        if answer.get(name) != function.configuration[name]:
            parts[name] = function.configuration[name]
    return parts


# --- rules ----------------------------------------------------------------------------------------


def _rule(run: Run, rule: Rule) -> Iterator[Difference]:
    there = found(lambda: run.client("events").describe_rule(Name=rule.name))
    wrong = list(_wrong_rule(run, rule, there)) if there else []
    yield from _kind(f"rule {rule.name}", there, wrong)


def _wrong_rule(run: Run, rule: Rule, there: Mapping[str, Any]) -> Iterator[str]:
    pattern = json.loads(there["EventPattern"]) if there.get("EventPattern") else None
    if pattern != rule.pattern or (there.get("ScheduleExpression") or "") != rule.schedule:
        yield "what it matches"
    if there.get("State") != "ENABLED":
        yield "enabled"
    function = run.arn("lambda", f"function:{rule.function}")
    target = target_of(run, rule)
    if target is None or target["Arn"] != function:
        yield "target"
    if not _may_invoke(run, rule.function, "events", there["Arn"]):
        yield "permission to invoke"


def target_of(run: Run, rule: Rule) -> dict[str, Any] | None:
    """Return the target of a rule that Chalice made."""
    own = [each for each in targets_of(run, rule) if each["Id"] == TARGET]
    return own[0] if own else None


def targets_of(run: Run, rule: Rule) -> list[dict[str, Any]]:
    """Return every target of a rule."""
    answer = found(lambda: run.client("events").list_targets_by_rule(Rule=rule.name))
    return list((answer or {}).get("Targets", ()))


def _may_invoke(run: Run, function: str, service: str, source: str) -> bool:
    answer = found(lambda: run.client("lambda").get_policy(FunctionName=function))
    statements = json.loads(answer["Policy"])["Statement"] if answer else []
    return any(
        str(each.get("Principal", {}).get("Service", "")).startswith(f"{service}.")
        and source in each.get("Condition", {}).get("ArnLike", {}).values()
        for each in statements
    )


# --- the API --------------------------------------------------------------------------------------


def _api(run: Run, api: Api, identity: str) -> Iterator[Difference]:
    wrong = list(_wrong_api(run, api, identity)) if identity else []
    yield from _kind(f"API of {api.function}", identity, wrong)


def _wrong_api(run: Run, api: Api, identity: str) -> Iterator[str]:
    client = run.client("apigateway")
    stages = client.get_stages(restApiId=identity)["item"]
    if api.stage not in [each["stageName"] for each in stages]:
        yield f"stage {api.stage}"
    if _routes(run, identity) != api.routes:
        yield "routes"
    source = run.arn("execute-api", f"{identity}/*")
    if not _may_invoke(run, api.function, "apigateway", source):
        yield "permission to invoke"


def _resources(run: Run, identity: str) -> Iterator[Mapping[str, Any]]:
    pages = run.client("apigateway").get_paginator("get_resources")
    for page in pages.paginate(restApiId=identity, embed=["methods"]):
        yield from page["items"]


def _routes(run: Run, identity: str) -> dict[str, str]:
    client = run.client("apigateway")

    def authorization(resource: Mapping[str, Any], method: str, said: Mapping[str, Any]) -> str:
        whole = said or client.get_method(
            restApiId=identity, resourceId=resource["id"], httpMethod=method
        )
        return str(whole["authorizationType"])

    return {
        f"{method} {resource['path']}": authorization(resource, method, said)
        for resource in _resources(run, identity)
        for method, said in resource.get("resourceMethods", {}).items()
    }


def api_of(run: Run, function: str, recorded: str) -> str:
    """Return the id of the API of a stage's function: that on record, else the one that calls it.

    Chalice calls every stage's API firebreak, so a name does not tell. Raise Failed where several
    call the function, and the record says none of them.
    """
    client = run.client("apigateway")
    uri = f"{run.arn('lambda', f'function:{function}')}/invocations"
    if recorded and _stands(run, recorded, uri):
        return recorded
    known = [
        api["id"]
        for page in client.get_paginator("get_rest_apis").paginate()
        for api in page["items"]
    ]
    calling = [identity for identity in known if _calls(run, identity, uri)]
    if len(calling) > 1:
        raise Failed(
            f"{function} is called by {len(calling)} REST APIs ({', '.join(sorted(calling))}), and "
            "there is no deployment record that says which is the stage's: delete all but the one "
            "in use, then run this again"
        )
    return str(calling[0]) if calling else ""


def _stands(run: Run, identity: str, uri: str) -> bool:
    """Say whether an API on record is there, and the stage's: it calls the function, or is empty.

    One that calls something else would be overwritten, and deleted with the stage.
    """
    there = found(lambda: run.client("apigateway").get_rest_api(restApiId=identity))
    if not there:
        return False
    return _calls(run, identity, uri) or (there["name"] == APP and not _routes(run, identity))


def _calls(run: Run, identity: str, uri: str) -> bool:
    client = run.client("apigateway")
    for resource in _resources(run, identity):
        for method, said in resource.get("resourceMethods", {}).items():
            place = {"restApiId": identity, "resourceId": resource["id"], "httpMethod": method}
            integration = said.get("methodIntegration") or found(
                lambda place=place: client.get_integration(**place)  # type: ignore[misc]  # bound per turn
            )
            if integration and str(integration.get("uri", "")).endswith(uri):
                return True
    return False
