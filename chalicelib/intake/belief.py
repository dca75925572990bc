"""Whose events are believed, and of which accounts they may speak."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.effect import strip_placeholders
from chalicelib.errors import Rejected
from chalicelib.fields import partition_of
from chalicelib.finding import Finding
from chalicelib.settings import Settings

OWN = "firebreak."
DEEPEST = 100  # levels; AWS's events have some twenty, and Python's recursion ends at a thousand


def believe(settings: Settings, envelope: Mapping[str, Any], finding: Finding) -> None:
    """Raise Rejected where an event speaks of an account that it may not speak of."""
    sender, source = str(envelope.get("account", "")), str(envelope.get("source", ""))
    if source.startswith(OWN):
        if sender != settings.home_account:
            raise Rejected("account", f"{source} is believed only from the security account")
    elif sender not in (finding.account, *settings.administrators):
        reason = f"{sender or 'nobody'} may not speak for account {finding.account}"
        raise Rejected("account", f"{reason}; only an administrator of {source} may")
    elif envelope.get("region", finding.region) != finding.region:
        reason = f"an event of {envelope['region']!s:.40} may not speak for {finding.region}"
        raise Rejected("region", reason)
    if partition_of(finding.region) != finding.partition:
        reason = f"region {finding.region} is not of partition {finding.partition}"
        raise Rejected("detail.partition", reason)
    if not strip_placeholders(finding.resource.id).strip():
        raise Rejected("detail.resource", "its id has no character that can be shown")
    allowed = (*settings.accounts, settings.home_account)
    if "*" not in allowed and finding.account not in allowed:
        raise Rejected("detail.accountId", f"account {finding.account} is not one of ours")


def too_deep(value: Any) -> bool:
    """Say whether a JSON value is nested deeper than any event of AWS's."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def shallow(value: Any, levels: int = DEEPEST) -> Any:
    """Return a JSON value without what lies deeper than any event of AWS's."""
    if isinstance(value, Mapping):
        return {k: shallow(v, levels - 1) for k, v in value.items()} if levels else "…"
    if isinstance(value, list):
        return [shallow(each, levels - 1) for each in value] if levels else "…"
    return value


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()
