"""An AWS in the process, for replay, tests and demonstrations: moto, made as strict as AWS."""

from firebreak.cloud.calls import CallInfo, ProcessKilled, ProcessTimedOut
from firebreak.cloud.functions import FailedDelivery
from firebreak.cloud.world import Cloud

__all__ = ["CallInfo", "Cloud", "FailedDelivery", "ProcessKilled", "ProcessTimedOut"]
