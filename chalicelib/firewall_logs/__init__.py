"""Network Firewall's logs: read in each form they are delivered in, and made events of.

`records` reads a delivery, `alert_events` groups its alerts, `entries` parts them for PutEvents.
"""

from chalicelib.firewall_logs.alert import Alert
from chalicelib.firewall_logs.delivery import Batch, Rejection, records
from chalicelib.firewall_logs.events import DETAIL_TYPE, SOURCE, alert_events, entries

__all__ = [
    "DETAIL_TYPE",
    "SOURCE",
    "Alert",
    "Batch",
    "Rejection",
    "alert_events",
    "entries",
    "records",
]
