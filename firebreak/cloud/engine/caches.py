"""Parse definitions and paths once in the life of the process, and describe no error in vain."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path

from firebreak.cloud.patching import Patch

# The originals, taken before any world replaces them.
_EXTENDED: Any = json_path.__dict__["parse"]
_PLAIN: Any = result_path.__dict__["parse"]
_PARSE = AmazonStateLanguageParser.parse


def patches() -> list[Patch]:
    """Return the replacements that only save time."""
    return [
        Patch(AmazonStateLanguageParser, "parse", staticmethod(parsed_definition)),
        Patch(json_path, "parse", _parsed_path),
        Patch(result_path, "parse", _parsed_plain_path),
        Patch(EvalComponent, "_log_failure_event_exception", _say_nothing),
        Patch(EvalComponent, "_log_exception", _say_nothing),
    ]


@lru_cache(maxsize=256)
def parsed_definition(definition: str) -> Any:
    """Parse a definition once: 60 ms become nothing."""
    return _PARSE(definition)


@lru_cache(maxsize=4096)
def _parsed_path(path: str) -> Any:
    return _EXTENDED(path)


@lru_cache(maxsize=4096)
def _parsed_plain_path(path: str) -> Any:
    return _PLAIN(path)


def _say_nothing(*args: object, **kwargs: object) -> None:
    """Stand where the engine prints the whole definition for every error it will catch."""
