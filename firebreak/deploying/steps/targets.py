"""Where events go that EventBridge could not hand over: each rule's target gets its queue.

Chalice writes targets without; so they are put right after each of its runs, where they differ.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

from __future__ import annotations

from typing import Any

from chalicelib.errors import Failed
from chalicelib.grants import Grant
from firebreak.deploying import existing
from firebreak.deploying.application import Rule
from firebreak.deploying.run import Deployment, Difference, Run

ORDER = 60
RETRY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}  # EventBridge's most
PERMISSIONS = (
    Grant(
        "SetTargets",
        ("events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets"),
        ("arn:{partition}:events:{region}:{account}:rule/firebreak-{stage}-*",),
    ),
)


def plan(run: Deployment) -> list[Difference]:
    """Return which targets lack their queue, or are not alone."""
    return [_difference(rule) for rule in run.application.rules if not is_right(run, rule)]


def apply(run: Deployment) -> list[Difference]:
    """Give targets their queue, and take others away."""
    wrong = [rule for rule in run.application.rules if not is_right(run, rule)]
    for rule in wrong:
        put(run, rule)
    return [_difference(rule) for rule in wrong]


def is_right(run: Deployment, rule: Rule) -> bool:
    """Say whether a rule's target has its queue, and no other is beside it."""
    return existing.targets_of(run, rule) == [_target(run, rule)]


def put(run: Deployment, rule: Rule) -> None:
    """Give a rule's target its queue, alone. Raise Failed where EventBridge does not take it."""
    client = run.client("events")
    others = [
        each["Id"] for each in existing.targets_of(run, rule) if each["Id"] != existing.TARGET
    ]
    if others:
        client.remove_targets(Rule=rule.name, Ids=others)
    answer = client.put_targets(Rule=rule.name, Targets=[_target(run, rule)])
    for failed in answer.get("FailedEntries", ()):
        why = f"{failed.get('ErrorCode')}: {failed.get('ErrorMessage')}"
        raise Failed(f"rule {rule.name}: EventBridge does not take its target: {why}")


def _difference(rule: Rule) -> Difference:
    return Difference(
        "update", f"target of rule {rule.name}", "dead-letter queue and retries, alone"
    )


def _target(run: Deployment, rule: Rule) -> dict[str, Any]:
    """Return a target as it should be. What a schedule missed is not worth trying again later."""
    settings = run.settings
    queue = settings.retry_queue if rule.pattern else settings.dead_letters
    return {
        "Id": existing.TARGET,
        "Arn": run.arn("lambda", f"function:{rule.function}"),
        "DeadLetterConfig": {"Arn": run.arn("sqs", queue)},
        "RetryPolicy": RETRY,
    }


def standing(run: Run) -> list[Difference]:
    """Return nothing: targets go with their rules."""
    return []


def remove(run: Run) -> list[Difference]:
    """Remove nothing: targets go with their rules."""
    return []
