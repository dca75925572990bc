"""What API Gateway asks permission for: HTTP's verb, on the path that is called.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-iam-policy-examples.html
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session

from firebreak.cloud.calls import CallInfo

SERVICE = "apigateway"
PARAMETER = re.compile(r"\{([^}]+)\}")


def arn(info: CallInfo) -> str:
    """Return the ARN of the path that a call is about."""
    http = _model().operation_model(info.operation).http
    names = _model().operation_model(info.operation).input_shape.members
    located = {
        shape.serialization["name"]: name
        for name, shape in names.items()
        if shape.serialization.get("location") == "uri"
    }
    path = PARAMETER.sub(
        lambda found: str(info.params.get(located.get(found[1], ""), "*")),
        http["requestUri"].partition("?")[0],
    )
    return f"arn:aws:{SERVICE}:{info.region}::{path}"


@cache
def _model() -> Any:
    return botocore.session.Session().get_service_model(SERVICE)
