"""EventBridge: what a PutEvents request may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firebreak.cloud.admission import Sender, bus_admits
from firebreak.cloud.authorization import denied
from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

MAX_ENTRIES = 10
MAX_ENTRY_BYTES = 1_048_576  # 256 KB until January 2026


@CORRECTIONS.refuses("PutEvents")
def size_of_request(info: CallInfo, principal: Principal) -> None:
    """Refuse more than ten entries, and an entry that is too large.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    """
    entries = info.params.get("Entries", [])
    if len(entries) > MAX_ENTRIES:
        raise Refusal("ValidationException", "Entries must have length less than or equal to 10")
    if any(entry_size(entry) > MAX_ENTRY_BYTES for entry in entries):
        message = "Total size of the entries in the request is over the limit."
        raise Refusal("ValidationException", message)


def entry_size(entry: Mapping[str, Any]) -> int:
    """Return the size of an entry as EventBridge counts it."""
    texts = [entry.get("Source", ""), entry.get("DetailType", ""), entry.get("Detail", "")]
    size = sum(len(text.encode()) for text in [*texts, *entry.get("Resources", [])])
    return size + (14 if "Time" in entry else 0)


@CORRECTIONS.refuses("PutEvents")
def bus_of_another(info: CallInfo, principal: Principal) -> None:
    """Refuse an event for another account's bus, where the bus's policy does not admit it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
    """
    for entry in info.params.get("Entries", []):
        arn = str(entry.get("EventBusName", ""))
        if not arn.startswith("arn:") or arn.split(":")[4] == principal.account:
            continue
        event = {"source": entry.get("Source"), "detail-type": entry.get("DetailType")}
        bus = _bus(arn)
        if bus is None or not bus_admits(bus, _sender(principal), event):
            message = (
                f"User: {principal.arn} is not authorized to perform: events:PutEvents on "
                f"resource: {arn} because no resource-based policy allows it"
            )
            raise denied("events", message)


def _sender(principal: Principal) -> Sender:
    return Sender(principal.account, principal.role_arn or principal.arn)


def _bus(arn: str) -> Any:
    from moto.events.models import events_backends

    _, _, _, region, account, name = arn.split(":", 5)
    return events_backends[account][region].event_buses.get(name.split("/", 1)[-1])
