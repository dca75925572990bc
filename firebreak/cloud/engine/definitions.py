"""Refuse the definitions AWS refuses, when a state machine is created or updated."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser.asl.parse.asl_parser import ASLParserException
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from firebreak.cloud import asl
from firebreak.cloud.engine.caches import parsed_definition
from firebreak.cloud.patching import Patch


class InvalidDefinition(AWSError):
    """The definition is not one (moto's own error of this name loses its code on the way)."""

    TYPE = "InvalidDefinition"


def patches() -> list[Patch]:
    """Return the stricter validation."""
    return [Patch(StepFunctionsParserBackend, "_validate_definition", staticmethod(validate))]


def validate(definition: str) -> None:
    """Raise InvalidDefinition with every problem of a definition."""
    try:
        parsed: Any = json.loads(definition)
    except ValueError as error:
        raise _invalid(f"INVALID_JSON_DESCRIPTION: {error}") from None
    problems = asl.validate(parsed)
    if problems:
        raise _invalid("SCHEMA_VALIDATION_FAILED: " + ", ".join(problems))
    try:
        parsed_definition(definition)
    except (ASLParserException, ValueError, RuntimeError) as error:
        raise _invalid(f"SCHEMA_VALIDATION_FAILED: {error}") from None


def _invalid(reason: str) -> InvalidDefinition:
    return InvalidDefinition(f"Invalid State Machine Definition: '{reason}'")
