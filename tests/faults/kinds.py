"""The ways in which an AWS call, or the function that makes it, fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from botocore.exceptions import ClientError, ReadTimeoutError

from firebreak.cloud import CallInfo, ProcessKilled, ProcessTimedOut
from tests.actions.drive import READS

ENGINE = ("lambda", "Invoke")  # how Step Functions calls a function, outside of any function
BY_A_PERSON: ContextVar[bool] = ContextVar("BY_A_PERSON", default=False)
FUNCTION_SECONDS = 300.0
READ_SECONDS = 40.0  # the longest that a client waits for an answer

THROTTLED: Mapping[str, tuple[str, int]] = {
    "autoscaling": ("Throttling", 400),
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "elb": ("Throttling", 400),
    "elbv2": ("Throttling", 400),
    "iam": ("Throttling", 400),
    "lambda": ("TooManyRequestsException", 429),
    "s3": ("SlowDown", 503),
    "sts": ("Throttling", 400),
}
DENIED: Mapping[str, tuple[str, int]] = {
    "ec2": ("UnauthorizedOperation", 403),
    "iam": ("AccessDenied", 403),
    "s3": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
}
BROKEN: Mapping[str, tuple[str, int]] = {
    "dynamodb": ("InternalServerError", 500),
    "ec2": ("InternalError", 500),
    "lambda": ("ServiceException", 500),
    "iam": ("ServiceFailure", 500),
}


def throttled(call: CallInfo) -> BaseException:
    """Return what a client raises once its own retries were throttled too."""
    return _answered(call, *THROTTLED.get(call.service, ("ThrottlingException", 400)))


def broken(call: CallInfo) -> BaseException:
    """Return what a client raises of a service that fails."""
    return _answered(call, *BROKEN.get(call.service, ("InternalFailure", 500)))


def denied(call: CallInfo) -> BaseException:
    """Return what a client raises where a permission is missing."""
    return _answered(call, *DENIED.get(call.service, ("AccessDeniedException", 400)))


def lost(call: CallInfo) -> BaseException:
    """Return what a client raises that waited for an answer in vain."""
    return ReadTimeoutError(endpoint_url=f"https://{call.service}.amazonaws.com/")


def _answered(call: CallInfo, code: str, status: int) -> ClientError:
    error = {"Code": code, "Message": f"{code}, says the fault"}
    metadata = {"HTTPStatusCode": status, "RequestId": f"fault-{call.sequence}"}
    return ClientError({"Error": error, "ResponseMetadata": metadata}, call.operation)  # type: ignore[typeddict-item]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to fail: before or after the call takes effect, once or until the run has ended.

    takes: seconds that pass before the failure is known.
    """

    name: str
    phase: str
    error: Callable[[CallInfo], BaseException]
    lasts: bool = False
    takes: float = 0.0


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("throttled", "before", throttled),
        Kind("broken", "before", broken),
        Kind("denied", "before", denied),
        Kind("lost_before", "before", lost, takes=READ_SECONDS),
        Kind("lost_after", "after", lost, takes=READ_SECONDS),
        Kind("broken_after", "after", broken),
        Kind("killed_before", "before", lambda _call: ProcessKilled()),
        Kind("killed_after", "after", lambda _call: ProcessKilled()),
        Kind("timed_out_before", "before", lambda _call: ProcessTimedOut(), takes=FUNCTION_SECONDS),
        Kind("timed_out_after", "after", lambda _call: ProcessTimedOut(), takes=FUNCTION_SECONDS),
        Kind("throttled_on", "before", throttled, lasts=True),
        Kind("broken_on", "before", broken, lasts=True),
        Kind("denied_on", "before", denied, lasts=True),
    )
}
ENGINE_KINDS = tuple(
    "throttled broken broken_after denied throttled_on broken_on denied_on".split()
)
READ = (  # a read takes no effect: before and after it are one
    ("throttled", "denied", "lost_before", "killed_before", "throttled_on", "denied_on"),
    ("broken", "denied", "lost_before", "timed_out_before", "broken_on", "denied_on"),
)


def kinds_of(call: CallInfo) -> tuple[str, ...]:
    """Return the ways in which a call is made to fail.

    What a read's caller does about throttling and about a broken service is the same, and so it is
    with the ends of a process: each of the two is for every other read.
    """
    if (call.service, call.operation) == ENGINE:
        return ENGINE_KINDS
    return READ[call.sequence % 2] if call.operation.startswith(READS) else tuple(KINDS)


@dataclass
class Fault:
    """A fault that waits for its call; `met` is what it met there."""

    call: int
    kind: Kind
    sleep: Callable[[float], None]
    met: CallInfo | None = None

    def __call__(self, info: CallInfo) -> None:
        """Fail the call, or let it pass: this is the hook of the embedded AWS."""
        if info.phase != self.kind.phase or not self._hits(info):
            return
        self.met = self.met or info
        if self.kind.takes:
            self.sleep(self.kind.takes)
        raise self.kind.error(info)

    def _hits(self, info: CallInfo) -> bool:
        if not (info.function or (info.service, info.operation) == ENGINE or BY_A_PERSON.get()):
            return False  # a call of the test's own
        if info.sequence == self.call:
            return True
        if not self.kind.lasts or self.met is None:
            return False
        return (info.service, info.operation) == (self.met.service, self.met.operation)
