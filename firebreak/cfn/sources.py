"""Which events are forwarded from other accounts and regions: none that Firebreak itself makes."""

from __future__ import annotations

import app
from chalicelib import firewall_logs

FORWARDED = tuple(source for source in app.EVENTS["source"] if source.startswith("aws."))


def pattern() -> dict[str, list[str]]:
    """Return the pattern of the events that are forwarded: what `on_event` takes, less its own."""
    kinds = [kind for kind in app.EVENTS["detail-type"] if kind != firewall_logs.DETAIL_TYPE]
    return {"source": list(FORWARDED), "detail-type": kinds}
