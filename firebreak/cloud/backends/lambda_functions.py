"""Lambda: how a function logs and traces, which moto does not keep when it is updated.

https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
"""

from __future__ import annotations

from typing import Any

from firebreak.cloud.patching import Patch


def patches() -> list[Patch]:
    """Return what is put into moto's functions."""
    from moto.awslambda.models import LambdaFunction

    create, update = LambdaFunction.__init__, LambdaFunction.update_configuration
    configuration = LambdaFunction.get_configuration

    def created(
        function: Any, account_id: str, spec: dict[str, Any], *args: Any, **kw: Any
    ) -> None:
        create(function, account_id, spec, *args, **kw)
        function.logging_config = spec.get("LoggingConfig") or {}

    def updated(function: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        function.tracing_config = config_updates.get("TracingConfig") or function.tracing_config
        logging = config_updates.get("LoggingConfig") or {}
        function.logging_config = {**function.logging_config, **logging}
        update(function, config_updates)
        return told(function)

    def told(function: Any, *args: Any, **kw: Any) -> dict[str, Any]:
        return {**configuration(function, *args, **kw), "LoggingConfig": logging_of(function)}

    return [
        Patch(LambdaFunction, "__init__", created),
        Patch(LambdaFunction, "update_configuration", updated),
        Patch(LambdaFunction, "get_configuration", told),
    ]


def logging_of(function: Any) -> dict[str, str]:
    """Return how a function logs, completed with Lambda's defaults.

    https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html
    """
    default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
    return {**default, **function.logging_config}
