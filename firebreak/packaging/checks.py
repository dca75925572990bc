"""Everything that can be wrong with a stage's entry in `.chalice/config.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chalicelib import settings
from chalicelib.errors import InvalidSettings
from chalicelib.paths import suggest
from chalicelib.settings import API, FUNCTIONS, PREFIX, WANTED
from chalicelib.workflow import FUNCTION_SECONDS
from firebreak.api import API_STAGE
from firebreak.iam.files import policy_file
from firebreak.packaging.stage import StageConfig, within
from firebreak.retry_queue import VISIBILITY

APP = "firebreak"
ACCOUNT, REGION = "0" * 12, "us-east-1"  # in place of what the stage's place adds

# Least and most of each number, as Lambda has it.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMITS: Mapping[str, tuple[int, int]] = {
    "lambda_timeout": (1, 900),
    "lambda_memory_size": (128, 10_240),
    "reserved_concurrency": (1, 1_000),
}
# What is read of a function, of a stage, and of the file. Anything else that Chalice knows (a role
# or an environment of a function's own, layers, a network) is neither granted nor compared.
FUNCTION_KEYS = ("iam_policy_file", *LIMITS)
STAGE_KEYS = (
    "api_gateway_endpoint_type",
    "api_gateway_stage",
    "app_name",
    "autogen_policy",
    "automatic_layer",
    "environment_variables",
    "lambda_functions",
    "log_retention_in_days",
    "tags",
    "xray",
)
FILE_KEYS = ("stages", "version", *(key for key in STAGE_KEYS if key != "lambda_functions"))
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
DAYS: tuple[int, ...] = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653),
)
ENDPOINTS = ("EDGE", "REGIONAL")
OPTIONAL = ("reserved_concurrency",)  # an account with a small quota has none to reserve
API_SECONDS = 29  # after which API Gateway no longer waits for its function
RESERVED = 900  # of the 1,000 that an account has at first, Lambda keeps 100 unreserved

Found = Iterator[tuple[str, str]]


def problems(config: StageConfig, root: Path) -> list[tuple[str, str]]:
    """Return where something is wrong, and what would be right."""
    if not isinstance(config.document["stages"][config.stage], dict):
        return [(f"stages.{config.stage}", "has to be an object: copy the entry of another stage")]
    found = [*_whole(config), *_named(config), *_limits(config), *_policies(config, root)]
    return [*found, *_unknown(config), *_kinds(config)]


def _whole(config: StageConfig) -> Found:
    """Yield what is wrong with the stage as a whole."""
    here = f"stages.{config.stage}"
    pattern, right = WANTED["STAGE"]
    if not re.fullmatch(pattern, config.stage):
        yield here, f"is no name of a stage: give {right}"
    wanted: Mapping[str, Any] = {
        "app_name": APP,
        "autogen_policy": False,
        "automatic_layer": False,
        "api_gateway_stage": API_STAGE,
    }
    for name, right in wanted.items():
        if config.value(name) != right:
            yield f"{here}.{name}", f"has to be {json.dumps(right)}: names are derived from it"
    yield from _environment(config, f"{here}.environment_variables")


def _unknown(config: StageConfig) -> Found:
    """Yield what is said and not read: Chalice would obey it, or pass it over in silence."""
    here = f"stages.{config.stage}"
    places: list[tuple[str, Mapping[str, Any], tuple[str, ...]]] = [
        ("", config.document, FILE_KEYS),
        (f"{here}.", config.entry, STAGE_KEYS),
    ]
    for name, said in _known(config):
        places.append((f"{here}.lambda_functions.{name}.", said, FUNCTION_KEYS))
    for where, said, keys in places:
        for name in sorted(set(said) - set(keys)):
            yield f"{where}{name:.60}", f"is no setting here: {suggest(name, keys)}"


def _kinds(config: StageConfig) -> Found:
    """Yield which settings are of another kind than Lambda, API Gateway or logs take."""
    here, tags = f"stages.{config.stage}", config.value("tags")
    days = config.value("log_retention_in_days")
    if type(days) is not int or days not in DAYS:
        known = ", ".join(map(str, DAYS))
        yield f"{here}.log_retention_in_days", f"give for how many days logs are kept: {known}"
    if config.value("xray") not in (None, True, False):
        yield f"{here}.xray", "has to be true or false, without quotes"
    if config.value("api_gateway_endpoint_type") not in (None, *ENDPOINTS):
        yield f"{here}.api_gateway_endpoint_type", f"give one of {', '.join(ENDPOINTS)}"
    if tags is not None and not (isinstance(tags, dict) and all(map(_is_text, tags.values()))):
        yield f"{here}.tags", "has to be an object of texts"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _environment(config: StageConfig, here: str) -> Found:
    said = config.environment
    if said.get(f"{PREFIX}STAGE") != config.stage:
        found = said.get(f"{PREFIX}STAGE")
        yield f"{here}.{PREFIX}STAGE", f"is {found!r:.60}, but has to be {config.stage!r}"
    place = {f"{PREFIX}STAGE": "dev", f"{PREFIX}HOME_ACCOUNT": ACCOUNT}
    try:
        texts = {name: value for name, value in said.items() if isinstance(value, str)}
        texts.pop(f"{PREFIX}STAGE", None)
        settings.from_environment({f"{PREFIX}REGION": REGION, **place, **texts})
    except InvalidSettings as invalid:
        for line in str(invalid).splitlines():
            name, _, what = line.partition(": ")
            yield f"{here}.{name}", what
    for name in sorted(name for name, value in said.items() if not isinstance(value, str)):
        yield f"{here}.{name}", "has to be a text: write it in quotes"


def _named(config: StageConfig) -> Found:
    """Yield which functions are not configured, and what is configured that is none."""
    here = f"stages.{config.stage}.lambda_functions"
    said = within(config.entry, "lambda_functions")
    for name in FUNCTIONS:
        if not isinstance(said.get(name), dict):
            yield f"{here}.{name}", "is not configured: copy it from another stage"
    for name in sorted(set(said) - set(FUNCTIONS)):
        yield f"{here}.{name:.60}", f"is no function: {suggest(name, FUNCTIONS)}"


def _limits(config: StageConfig) -> Found:
    """Yield which numbers Lambda would refuse, or do not fit what waits for the function."""
    reserved = 0
    for function, said in _known(config):
        here = f"stages.{config.stage}.lambda_functions.{function}"
        for name, (least, most) in LIMITS.items():
            value = said.get(name)
            if value is None and name in OPTIONAL:
                continue
            if type(value) is not int or not least <= value <= most:
                yield f"{here}.{name}", f"is {value!r:.60}: give a number from {least} to {most}"
            elif name == "lambda_timeout" and (why := _time(function, value)):
                yield f"{here}.{name}", why
            elif name == "reserved_concurrency":
                reserved += value
    if reserved > RESERVED:
        what = f"{reserved} executions are reserved together: {RESERVED} at most, or Lambda refuses"
        yield f"stages.{config.stage}.lambda_functions", what


def _known(config: StageConfig) -> Iterator[tuple[str, Mapping[str, Any]]]:
    said = within(config.entry, "lambda_functions")
    return ((name, said[name]) for name in FUNCTIONS if isinstance(said.get(name), dict))


def _time(function: str, seconds: int) -> str:
    """Say what is wrong with a timeout beside what waits for the function."""
    if function == "run_step" and seconds != FUNCTION_SECONDS:
        return f"is {seconds}, but the state machines wait for {FUNCTION_SECONDS}: give that"
    if function == "retry_intake" and 6 * seconds > VISIBILITY:
        return f"is {seconds}, but the retry queue hides a message for {VISIBILITY}: a sixth of it"
    if function == API and seconds > API_SECONDS:
        return f"is {seconds}, but API Gateway waits for {API_SECONDS}: at most that"
    return ""


def _policies(config: StageConfig, root: Path) -> Found:
    for function, said in _known(config):
        here = f"stages.{config.stage}.lambda_functions.{function}.iam_policy_file"
        wanted = policy_file(config.stage, function)
        if said.get("iam_policy_file") != wanted:
            yield here, f"is {said.get('iam_policy_file')!r:.90}: write {wanted!r}"
        elif why := _policy(root / ".chalice" / wanted):
            how = f"`firebreak iam --write --stage {config.stage}`"
            yield here, f"{wanted} {why}: write it anew with {how}"


def _policy(path: Path) -> str:
    """Say what keeps a file from being an IAM policy."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as wrong:
        return f"cannot be read ({wrong.strerror})"
    except ValueError as wrong:
        return f"is no JSON ({wrong})"
    whole = isinstance(found, dict) and found.get("Version") == "2012-10-17"
    return "" if whole and isinstance(found.get("Statement"), list) else "is no IAM policy"
