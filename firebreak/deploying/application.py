"""What Chalice would deploy of a package, as plain values: one reading for plan and policies.

Chalice's own builder says it, so that what is compared is what is deployed.
https://aws.github.io/chalice/topics/configfile.html
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalice.config import Config
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import create_build_stage
from chalice.deploy.swagger import TemplatedSwaggerGenerator
from chalice.utils import UI, OSUtils

from chalicelib.effect import canonical_text
from firebreak.packaging.chalice_config import config_of


@dataclass(frozen=True, slots=True)
class Function:
    """Hold one Lambda function; resource: its name in Chalice's record."""

    resource: str
    name: str
    role: str
    configuration: Mapping[str, Any]  # as GetFunctionConfiguration says it
    environment: Mapping[str, str]
    tags: Mapping[str, str]
    concurrency: int | None
    code: str  # SHA-256 of the archive, as Lambda says it


@dataclass(frozen=True, slots=True)
class Role:
    """Hold one role and its policy."""

    resource: str
    name: str
    policy: Mapping[str, Any]
    trust: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """Hold one EventBridge rule of a function: a pattern, or a schedule."""

    resource: str
    name: str
    function: str
    pattern: Mapping[str, Any] | None
    schedule: str


@dataclass(frozen=True, slots=True)
class Api:
    """Hold the REST API: its routes with how callers are known; digest: of its definition."""

    resource: str
    function: str
    stage: str
    routes: Mapping[str, str]  # "POST /a/{b}" → AWS_IAM or NONE
    digest: str


@dataclass(frozen=True)
class Application:
    """Hold everything that Chalice deploys of a stage."""

    config: Config
    functions: tuple[Function, ...]
    roles: tuple[Role, ...]
    rules: tuple[Rule, ...]
    apis: tuple[Api, ...]

    @property
    def resources(self) -> set[str]:
        """Return the names that Chalice's record has for it all."""
        kinds: tuple[tuple[Any, ...], ...] = (self.functions, self.roles, self.rules, self.apis)
        return {each.resource for every in kinds for each in every}


def read(folder: Path, stage: str, *, built: bool = True) -> Application:
    """Return what Chalice would deploy of a build, whose archive is there already.

    Of a folder that is not `built`, its names alone: no code, policy or definition.
    """
    config = config_of(folder, stage)
    made = _models(config, stage, built=built)
    return Application(
        config,
        tuple(_function(each) for each in _of(made, models.LambdaFunction)),
        tuple(_role(each) for each in _of(made, models.ManagedIAMRole)),
        tuple(_rule(each) for each in _of(made, models.CloudWatchEventBase)),
        tuple(_api(config, each) for each in _of(made, models.RestAPI)),
    )


def _models(config: Config, stage: str, *, built: bool) -> list[Any]:
    graph, dependencies = ApplicationGraphBuilder().build(config, stage), DependencyBuilder()
    resources: list[Any] = dependencies.build_dependencies(graph)
    if not built:
        return resources
    with contextlib.redirect_stdout(io.StringIO()):  # it tells that the archive is there
        step = create_build_stage(OSUtils(), UI(), TemplatedSwaggerGenerator(), config)
        step.execute(config, resources)
    return dependencies.build_dependencies(graph)


def _of(built: list[Any], kind: type) -> list[Any]:
    return sorted(
        (each for each in built if isinstance(each, kind)), key=lambda each: each.resource_name
    )


def _function(model: Any) -> Function:
    archive = model.deployment_package.filename
    content = b"" if isinstance(archive, models.Placeholder) else Path(archive).read_bytes()
    return Function(
        resource=model.resource_name,
        name=model.function_name,
        role=model.role.role_name,
        configuration={
            "Runtime": model.runtime,
            "Handler": model.handler,
            "Timeout": model.timeout,
            "MemorySize": model.memory_size,
            "Architectures": [model.architecture],
            "TracingConfig": {"Mode": "Active" if model.xray else "PassThrough"},
        },
        environment=dict(model.environment_variables or {}),
        tags=dict(model.tags or {}),
        concurrency=model.reserved_concurrency,
        code=base64.b64encode(hashlib.sha256(content).digest()).decode(),
    )


def _role(model: Any) -> Role:
    return Role(model.resource_name, model.role_name, model.policy.document, model.trust_policy)


def _rule(model: Any) -> Rule:
    pattern = getattr(model, "event_pattern", None)
    return Rule(
        model.resource_name,
        model.rule_name,
        model.lambda_function.function_name,
        json.loads(pattern) if pattern else None,
        str(getattr(model, "schedule_expression", "")),
    )


def _api(config: Config, model: Any) -> Api:
    routes = {
        f"{method} {path}": "AWS_IAM"
        if getattr(entry.authorizer, "name", "") == "sigv4"
        else "NONE"
        for path, methods in config.chalice_app.routes.items()
        for method, entry in methods.items()
    }
    definition = json.loads(json.dumps(model.swagger_doc, default=_plain))
    said = [definition, model.api_gateway_stage, model.endpoint_type, model.xray]
    digest = hashlib.sha256(canonical_text(said).encode()).hexdigest()
    name = model.lambda_function.function_name
    return Api(model.resource_name, name, model.api_gateway_stage, routes, digest)


def _plain(value: Any) -> Any:
    return value.name if isinstance(value, models.Placeholder) else vars(value)
