"""The CloudFormation templates of a stage: one module per template, each with a `template`.

A name of a thing is derived, by `chalicelib.settings`; the stage stands in the template, account,
region and partition are CloudFormation's, and what an operator chooses is a parameter.
"""

from __future__ import annotations

import difflib
import json
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from chalicelib import playbook
from chalicelib.errors import InvalidSettings
from chalicelib.settings import FUNCTIONS, WANTED

RETENTION = 365  # days that logs are kept, where the configuration does not say
MOST_BYTES = 51_200  # of a template that is given with the request
WIDTH = 100  # of a line of a template
TIMEOUT = 60  # seconds, Chalice's own where the configuration does not say


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold what the templates of a stage are made for.

    retention_days: how long logs are kept. timeouts: each function's, in seconds.
    """

    stage: str
    playbooks: tuple[str, ...]
    retention_days: int
    timeouts: Mapping[str, int]


def names() -> list[str]:
    """Return the names of all templates, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def build(name: str, wanted: Wanted) -> dict[str, Any]:
    """Return a template. Raise InvalidSettings where there is none of that name."""
    built: dict[str, Any] = _module(name).template(wanted)
    return built


def _module(name: str) -> ModuleType:
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise InvalidSettings(
            f"there is no template {name!r:.100}{hint} There are: {', '.join(names())}"
        )
    return import_module(f"{__name__}.{name}")


def text(template: Mapping[str, Any]) -> str:
    """Return a template as JSON, the same for the same template: what is short in one line.

    Where that is more than CloudFormation takes in a request it is written without spaces.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    laid_out = _laid_out(template, 0) + "\n"
    if len(laid_out) <= MOST_BYTES:
        return laid_out
    return json.dumps(template, separators=(",", ":")) + "\n"


def _laid_out(value: Any, depth: int) -> str:
    line = json.dumps(value)
    if len(line) + depth <= WIDTH or not isinstance(value, Mapping | list) or not value:
        return line
    if isinstance(value, Mapping):
        inner = [f"{json.dumps(n)}: {_laid_out(each, depth + 1)}" for n, each in value.items()]
    else:
        inner = [_laid_out(each, depth + 1) for each in value]
    begins, ends = "{}" if isinstance(value, Mapping) else "[]"
    between = ",\n" + " " * (depth + 1)
    return f"{begins}\n{' ' * (depth + 1)}{between.join(inner)}\n{' ' * depth}{ends}"


def wanted(stage: str) -> Wanted:
    """Return what a stage's templates are made for, as the project's files say now.

    Raise InvalidSettings where the stage's name is none.
    """
    shape, right = WANTED["STAGE"]
    if not re.fullmatch(shape, stage):
        raise InvalidSettings(f"the stage is {stage!r:.100}; give {right}")
    from firebreak.packaging import configuration  # which merges templates, and so imports this

    return of_config(stage, configuration.document())


def of_config(stage: str, config: Mapping[str, Any]) -> Wanted:
    """Return what a stage's templates are made for, by a configuration of Chalice."""
    stages: Mapping[str, Mapping[str, Any]] = config.get("stages", {})
    own = stages.get(stage) or next(iter(stages.values()), {})
    given = own.get("lambda_functions", {})
    retention = own.get("log_retention_in_days", config.get("log_retention_in_days", RETENTION))
    usual = own.get("lambda_timeout", config.get("lambda_timeout", TIMEOUT))
    return Wanted(
        stage=stage,
        playbooks=tuple(sorted(playbook.load(playbook.FOLDER))),
        retention_days=int(retention),
        timeouts={
            name: int(given.get(name, {}).get("lambda_timeout", usual)) for name in FUNCTIONS
        },
    )
