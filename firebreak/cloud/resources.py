"""Derive the ARNs a request acts on, from the service authorization reference and its parameters.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from dataclasses import replace

from firebreak.cloud.arns import ANY, by_name
from firebreak.cloud.calls import CallInfo
from firebreak.cloud.deriving import DERIVERS
from firebreak.reference import resource_types

__all__ = ["ANY", "resources", "transaction"]


def resources(info: CallInfo, action: str) -> tuple[str, ...]:
    """Return the ARNs on which an action of the call is asked for; `*` where there is none."""
    prefix, _, name = action.partition(":")
    types = resource_types(prefix, name)
    if not types:
        return (ANY,)
    if info.service == "apigateway":
        from firebreak.cloud import api_paths

        return (api_paths.arn(info),)
    derive = DERIVERS.get(info.service, by_name)
    found = tuple(dict.fromkeys(derive(info, types)))
    return found or (ANY,)


def transaction(info: CallInfo) -> tuple[tuple[str, str], ...]:
    """Return the actions of a DynamoDB transaction, each with the table that it is on.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    """
    asked: dict[tuple[str, str], None] = {}
    for item in info.params.get("TransactItems", ()):
        for name, operation in item.items():
            action = f"dynamodb:{name}Item"
            for arn in resources(replace(info, params=operation), action):
                asked[action, arn] = None
    return tuple(asked)
