"""What the policies of resources admit: of functions, queues, event buses and Logs destinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firebreak.cloud.policy import (
    Context,
    Document,
    Request,
    applies,
    names,
)
from firebreak.cloud.roles import parsed, service_may


@dataclass(frozen=True, slots=True)
class Sender:
    """Who reaches for a resource: an account, perhaps in a role of it."""

    account: str
    arn: str | None = None


def source(arn: str) -> Context:
    """Return the condition keys that say on whose behalf a service acts."""
    return {"aws:sourcearn": [arn], "aws:sourceaccount": [arn.split(":")[4]]}


def function_admits(function: Any, service: str, on_behalf_of: str) -> bool:
    """Say whether a function's own policy lets a service invoke it.

    https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
    """
    document = {"Statement": function.policy.statements}
    wanted = Request("lambda:InvokeFunction", function.function_arn, source(on_behalf_of))
    return service_may(document, service, wanted)


def queue_admits(queue_arn: str, service: str, on_behalf_of: str) -> bool:
    """Say whether a queue lets a service send to it; a queue without a policy does.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    from moto.sqs.models import sqs_backends

    _, _, _, region, account, name = queue_arn.split(":", 5)
    queue = sqs_backends[account][region].queues.get(name)
    if queue is None:
        return False
    document = parsed(queue.policy)
    wanted = Request("sqs:SendMessage", queue_arn, source(on_behalf_of))
    return document is None or service_may(document, service, wanted)


def bus_admits(bus: Any, sender: Sender, event: Mapping[str, Any]) -> bool:
    """Say whether a bus lets another account put an event on it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-permissions-manage.html
    """
    if bus.account_id == sender.account:
        return True
    context = {
        **sender_context(sender),
        "events:source": [str(event.get("source", ""))],
        "events:detail-type": [str(event.get("detail-type", ""))],
    }
    return resource_admits(
        parsed(bus.policy), sender, Request("events:PutEvents", bus.arn, context)
    )


def resource_admits(document: Document | None, sender: Sender, request: Request) -> bool:
    """Say whether a resource's policy lets an account, or a role of it, make a request."""
    statements = (document or {}).get("Statement", [])
    effects = {
        statement["Effect"]
        for statement in (statements if isinstance(statements, list) else [statements])
        if names(statement, sender.account, sender.arn) and applies(statement, request)
    }
    return effects == {"Allow"}


def sender_context(sender: Sender) -> Context:
    """Return the condition keys that tell of who asks."""
    context = {"aws:principalaccount": [sender.account]}
    if sender.arn is not None:
        context["aws:principalarn"] = [sender.arn]
    organization = organization_of(sender.account)
    return context | ({"aws:principalorgid": [organization]} if organization else {})


def organization_of(account: str) -> str | None:
    """Return the organization that an account belongs to."""
    from moto.organizations.models import organizations_backends

    for partitions in list(organizations_backends.values()):
        for backend in list(partitions.values()):
            if backend.org is not None and any(each.id == account for each in backend.accounts):
                return str(backend.org.id)
    return None
