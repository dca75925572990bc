"""Paths and payload templates: JSONPath, reference paths, intrinsic functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonpath_ng.ext
from jsonpath_ng.exceptions import JSONPathError

# https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
_INTRINSIC = re.compile(
    r"States\.(Array|ArrayContains|ArrayGetItem|ArrayLength|ArrayPartition|ArrayRange|ArrayUnique"
    r"|Base64Decode|Base64Encode|Format|Hash|JsonMerge|JsonToString|MathAdd|MathRandom"
    r"|StringSplit|StringToJson|UUID)\(.*\)",
    re.DOTALL,
)
_REFERENCE = re.compile(r"\$(\.[^.\[\]*?@()]+|\[['\"][^'\"]+['\"]\]|\[\d+\])*")
_VARIABLE = re.compile(r"\A\$[A-Za-z_]\w*")
_parse: Any = vars(jsonpath_ng.ext)["parse"]


def path_problem(value: object) -> str | None:
    """Say what is wrong with a path (`$.x`, `$$.Execution.Id`), if anything is."""
    if not isinstance(value, str) or not value.startswith("$"):
        return f"{value!r} is not a JSONPath"
    plain = value[1:] if value.startswith("$$") else value
    plain = _VARIABLE.sub("$", plain, count=1)
    try:
        _parse(plain)
    except (JSONPathError, AttributeError) as error:
        return f"{value!r} is not a JSONPath: {error}"
    return None


def reference_problem(value: object) -> str | None:
    """Say what is wrong with a reference path, which names exactly one node."""
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        return f"{value!r} is not a reference path"
    return path_problem(value)


def template_problems(value: Any, place: str) -> Iterator[str]:
    """Yield what is wrong with a payload template: values of keys ending in `.$` are paths."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from template_problems(each, f"{place}/{index}")
    if not isinstance(value, Mapping):
        return
    for key, each in value.items():
        if not key.endswith(".$"):
            yield from template_problems(each, f"{place}/{key}")
            continue
        problem = expression_problem(each)
        if problem is not None:
            yield f"{place}/{key}: {problem}"
        if key.removesuffix(".$") in value:
            yield f"{place}/{key}: the same field is there without `.$`"


def expression_problem(value: object) -> str | None:
    """Say what is wrong with a path or a call of an intrinsic function."""
    if isinstance(value, str) and value.startswith("States."):
        return None if _INTRINSIC.fullmatch(value) else f"{value!r} is not an intrinsic function"
    return path_problem(value)
