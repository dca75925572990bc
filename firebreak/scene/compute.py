"""Lambda functions and the roles they run under."""

from __future__ import annotations

import io
import zipfile
from functools import cache

from chalicelib.finding import Resource
from firebreak.scene import iam
from firebreak.scene.making import Making, exists

ROLE = "lambda-function"  # where the event names none


def lambda_function(making: Making, resource: Resource) -> None:
    """Make a function that does nothing, and its role."""
    at, client = resource.attributes, making.client("lambda")
    if exists(client.get_function, FunctionName=resource.id):
        return
    arn = at.get("role_arn", f"role/{ROLE}")
    role = arn.rpartition("/")[2]
    iam.ensure_role(making, role, path=_path(arn))
    place = f"arn:{making.finding.partition}:iam::{making.finding.account}"
    client.create_function(
        FunctionName=resource.id,
        Role=f"{place}:role{_path(arn)}{role}",
        Runtime="python3.12",
        Handler="function.handle",
        Code={"ZipFile": _package()},
        Tags=dict(at.get("tags", {})),
    )
    making.made.append(f"function {resource.id} with role {role}")


def _path(role_arn: str) -> str:
    """Return the path in a role's ARN, with a slash on both sides."""
    return role_arn[role_arn.rfind(":role/") + len(":role") : role_arn.rfind("/") + 1] or "/"


@cache
def _package() -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("function.py", "def handle(event, context):\n    return None\n")
    return package.getvalue()
