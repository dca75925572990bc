"""The functions, roles, rules and API of a build as a template: Chalice's own, completed.

Chalice leaves names to CloudFormation, and knows neither dead letters nor the log's format.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import create_build_stage
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.package import ResourceBuilder, SAMTemplateGenerator
from chalice.utils import UI, OSUtils, serialize_to_json, to_cfn_resource_name

from chalicelib import retrying
from chalicelib.settings import API, FUNCTIONS, function_name, function_role
from firebreak import cfn
from firebreak.cfn import Value
from firebreak.packaging.chalice_config import config_of

CODE = "deployment.zip"  # beside the template
CHALICE_API = "APIHandler"  # what Chalice calls the API's function in a template
JSON_LOGS = {"LogFormat": "JSON"}


class _Principals:
    """Say what Chalice would ask a client of a region for: services have one name everywhere."""

    def service_principal(self, service: str) -> str:
        return f"{service}.amazonaws.com"


def function_id(function: str) -> str:
    """Return the logical id of a function; queues may have the name that Chalice gives it."""
    return f"{cfn.logical(function)}Function"


def template(folder: Path, stage: str) -> Value:
    """Return the template of what Chalice deploys of a build, with the stage's own names."""
    names = {_chalice_id(function): function_id(function) for function in FUNCTIONS}
    found = renamed(_generated(folder, stage), names)
    resources = found["Resources"]
    for function in FUNCTIONS:
        _complete(resources[function_id(function)]["Properties"], stage, function)
        role = resources[f"{cfn.logical(function)}Role"]["Properties"]
        role["RoleName"] = function_role(stage, function)
    _complete_api(resources["RestAPI"]["Properties"])
    completed: Value = cfn.sub(found)
    return completed


def _chalice_id(function: str) -> str:
    return CHALICE_API if function == API else str(to_cfn_resource_name(function))


def _generated(folder: Path, stage: str) -> Value:
    """Return what `chalice package` would write for a build, of its archive that is there."""
    config, osutils = config_of(folder, stage), OSUtils()
    quiet = UI(out=io.StringIO(), err=io.StringIO(), confirm=None)
    steps = create_build_stage(osutils, quiet, CFNSwaggerGenerator(), config)
    builder = ResourceBuilder(ApplicationGraphBuilder(), DependencyBuilder(), steps)
    resources = builder.construct_resources(config, stage)
    options: Any = _Principals()
    generated = SAMTemplateGenerator(config, options).generate(resources)
    plain: Value = json.loads(serialize_to_json(generated))
    return plain


# --- what Chalice leaves out ----------------------------------------------------------------------


def _complete(properties: Value, stage: str, function: str) -> None:
    properties["FunctionName"] = function_name(stage, function)
    properties["CodeUri"] = f"./{CODE}"
    properties["LoggingConfig"] = JSON_LOGS
    for event in properties.get("Events", {}).values():
        _complete_event(event, stage, function)


def _complete_event(event: Value, stage: str, function: str) -> None:
    """Name the rule as Chalice does when it deploys, and lead what it cannot deliver to a queue.

    What no function would be handed again is a dead letter at once.
    """
    own = cfn.names(stage)
    queue = own.retry_queue if function in retrying.HANDLERS else own.dead_letters
    scheduled = event["Type"] == "Schedule"
    event["Type"] = "Schedule" if scheduled else "EventBridgeRule"
    event["Properties"] |= {
        "Name" if scheduled else "RuleName": cfn.rule_name(stage, function),
        "DeadLetterConfig": {"Arn": cfn.arn("sqs", queue)},
    }


def _complete_api(properties: Value) -> None:
    properties["EndpointConfiguration"] = {"Type": properties["EndpointConfiguration"]}
    properties["TracingEnabled"] = True
    properties["OpenApiVersion"] = "2.0"  # or there would be a second stage, named Stage


# --- other names ----------------------------------------------------------------------------------

FILLED_IN = re.compile(r"\$\{([A-Za-z0-9]+)((?:\.[^}]*)?)\}")


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a template, or a part of it, in which resources have other logical ids."""
    again = partial(renamed, names=names)
    if isinstance(value, list):
        return [again(each) for each in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, each in value.items():
        if key in ("Ref", "DependsOn") and isinstance(each, str):
            found[key] = names.get(each, each)
        elif key == "Fn::GetAtt":
            found[key] = [names.get(each[0], each[0]), *each[1:]]
        elif key == "Fn::Sub":
            found[key] = _filled_in(each, names)
        else:
            found[names.get(key, key) if _is_resource(each) else key] = again(each)
    return found


def _is_resource(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("Type", "")).startswith("AWS::")


def _filled_in(value: Any, names: Mapping[str, str]) -> Any:
    text = value if isinstance(value, str) else value[0]
    text = FILLED_IN.sub(lambda m: f"${{{names.get(m[1], m[1])}{m[2]}}}", text)
    return text if isinstance(value, str) else [text, renamed(value[1], names)]
