"""The queues of events that functions fail on, made in an embedded AWS as a deployment has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from chalicelib import retrying
from chalicelib.clock import Clock
from chalicelib.settings import Settings

if TYPE_CHECKING:  # a deployment needs the numbers alone, not an embedded AWS
    from firebreak.cloud import Cloud
    from firebreak.cloud.queues import Mapped

KEPT = 14 * 86_400  # seconds that a queue keeps a message, the most SQS allows
# A message that its function was given and did not answer for is seen again after so many seconds:
# six times the function's timeout, as Lambda's documentation asks for.
VISIBILITY = 6 * 300
# A backstop, for what `retry_intake` itself does not live to tell: SQS moves a message after so
# many attempts. That many times VISIBILITY is well within KEPT, or the message would be deleted.
LOST_AFTER = 100


def attributes(dead_letters_arn: str) -> Mapping[str, str]:
    """Return the attributes of the retry queue."""
    redrive = {"deadLetterTargetArn": dead_letters_arn, "maxReceiveCount": LOST_AFTER}
    return {
        "MessageRetentionPeriod": str(KEPT),
        "VisibilityTimeout": str(VISIBILITY),
        "RedrivePolicy": json.dumps(redrive),
    }


def provide(cloud: Cloud, settings: Settings, now: Callable[[], float]) -> Mapped:
    """Make both queues, lead failures to them, and return what reads the retry queue.

    now: the stage's clock, which the queues go by too.
    """
    sqs = cloud.session().client("sqs")
    mapped = cloud.map_queue(settings.retry_queue, "retry_intake", now)
    dead_arn = mapped.queue_arn.replace(settings.retry_queue, settings.dead_letters)
    sqs.create_queue(
        QueueName=settings.dead_letters, Attributes={"MessageRetentionPeriod": str(KEPT)}
    )
    sqs.create_queue(QueueName=settings.retry_queue, Attributes=dict(attributes(dead_arn)))
    _lead(cloud, mapped.queue_arn)
    return mapped


def _lead(cloud: Cloud, queue_arn: str) -> None:
    """Lead to the queue what functions fail on, and what EventBridge cannot hand over."""
    import app

    client = cloud.session().client("lambda")
    for name in retrying.HANDLERS:
        client.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnFailure": {"Destination": queue_arn}}
        )
    for name, pattern in (("on_event", app.EVENTS), ("on_execution_ended", app.ENDED)):
        cloud.add_rule(name, pattern, name, dead_letter_arn=queue_arn)


def drain(mapped: Mapped, clock: Clock) -> None:
    """Let time pass until nothing is left in the retry queue."""
    while (visible := mapped.next_visible()) is not None:
        if not mapped.poll():
            clock.sleep(max(0.0, visible - clock.seconds()) + 0.01)
