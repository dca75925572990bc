"""The alarms of a stage: each tells the topic that something does not work.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.settings import function_name
from firebreak import cfn
from firebreak.cfn import Value
from firebreak.templates import Wanted

OVER, UNDER = "GreaterThanThreshold", "LessThanThreshold"
NEAR = 0.9  # of a function's timeout
MINUTE, HOUR = 60, 3_600
LATE_SECONDS = HOUR  # that an event or a record may wait before people are told
UNSEALED_HOURS = 3
TOGETHER = 5  # playbooks in an alarm, which takes ten metrics: CloudWatch's limit
FAILED = ("ExecutionsFailed", "ExecutionsTimedOut")


def of_stage(wanted: Wanted) -> dict[str, Value]:
    """Return all alarms of a stage."""
    return {
        **_queues(wanted.stage),
        **_functions(wanted),
        **_audit(wanted.stage),
        **_executions(wanted),
        **_rules(wanted.stage),
    }


def late_stream(stage: str, function: str, **more: str) -> Value:
    """Return the alarm for a function that does not keep up with its stream."""
    return _alarm(
        stage,
        f"{function}-late",
        f"{function} is an hour behind its stream, which keeps a record for a day: see its log",
        {
            **of_function(stage, function, "IteratorAge", "Maximum"),
            "Threshold": LATE_SECONDS * 1_000,
        },
        **more,
    )


def of_function(stage: str, function: str, metric: str, statistic: str) -> Value:
    """Return a metric of a function, every five minutes."""
    dimensions = {"FunctionName": function_name(stage, function)}
    return _metric("Lambda", metric, statistic, dimensions)


def _metric(
    service: str,
    metric: str,
    statistic: str,
    dimensions: Mapping[str, str],
    period: int = 5 * MINUTE,
) -> Value:
    return {
        "Namespace": f"AWS/{service}",
        "MetricName": metric,
        "Statistic": statistic,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Period": period,
    }


def _alarm(stage: str, name: str, says: str, watched: Value, **more: Any) -> Value:
    topic = cfn.names(stage).topic_arn
    properties = {
        "AlarmName": f"firebreak-{stage}-{name}",
        "AlarmDescription": says,
        "ComparisonOperator": OVER,
        "Threshold": 0,
        "EvaluationPeriods": 1,
        "TreatMissingData": "notBreaching",
        **watched,
        "AlarmActions": [topic],
    }
    return cfn.resource("CloudWatch::Alarm", properties, **more)


def _queues(stage: str) -> dict[str, Value]:
    own = cfn.names(stage)
    dead, retried = {"QueueName": own.dead_letters}, {"QueueName": own.retry_queue}
    oldest = _metric("SQS", "ApproximateAgeOfOldestMessage", "Maximum", retried)
    return {
        "DeadLettersAlarm": _alarm(
            stage,
            "dead-letters",
            f"There are dead letters: firebreak dlq list --stage {stage}",
            _metric("SQS", "ApproximateNumberOfMessagesVisible", "Maximum", dead),
        ),
        "RetryAlarm": _alarm(
            stage,
            "retry-late",
            "An event has been tried again for an hour: see the log of retry_intake",
            {**oldest, "Threshold": LATE_SECONDS},
        ),
    }


def _functions(wanted: Wanted) -> dict[str, Value]:
    stage, found = wanted.stage, {}
    for function in cfn.functions(stage):
        name, seconds = cfn.logical(function), wanted.timeouts[function]
        errors = of_function(stage, function, "Errors", "Sum")
        throttles = of_function(stage, function, "Throttles", "Sum")
        slowest = of_function(stage, function, "Duration", "Maximum")
        near = {**slowest, "Threshold": int(seconds * 1_000 * NEAR)}
        found[f"{name}Errors"] = _alarm(
            stage, f"{function}-errors", f"{function} fails: see its log", errors
        )
        found[f"{name}Throttles"] = _alarm(
            stage,
            f"{function}-throttles",
            f"{function} is throttled: raise its concurrency",
            throttles,
        )
        found[f"{name}Slow"] = _alarm(
            stage, f"{function}-slow", f"{function} took nearly all of its {seconds} seconds", near
        )
    return found


def _audit(stage: str) -> dict[str, Value]:
    """Return the alarms of what keeps the audit trail outside.

    Where nothing is measured seal_audit was not invoked: that is what is looked for.
    """
    invoked = of_function(stage, "seal_audit", "Invocations", "Sum")
    never = {
        **invoked,
        "Period": HOUR,
        "EvaluationPeriods": UNSEALED_HOURS,
        "ComparisonOperator": UNDER,
        "Threshold": 1,
        "TreatMissingData": "breaching",
    }
    says = f"seal_audit has not run for {UNSEALED_HOURS} hours, or not yet, in a new stage"
    return {
        "KeepAuditLate": late_stream(stage, "keep_audit"),
        "SealAuditMissing": _alarm(stage, "seal-audit-missing", says, never),
    }


def _executions(wanted: Wanted) -> dict[str, Value]:
    """Return the alarms of executions, for some playbooks each: none is meant to fail."""
    own, found = cfn.names(wanted.stage), {}
    for first in range(0, len(wanted.playbooks), TOGETHER):
        number, names = first // TOGETHER + 1, wanted.playbooks[first : first + TOGETHER]
        watched = _sum(
            _metric("States", metric, "Sum", {"StateMachineArn": own.state_machine_arn(name)})
            for name in names
            for metric in FAILED
        )
        says = f"An execution failed or ran out of time, of {', '.join(names)}"
        found[f"Executions{number}Failed"] = _alarm(
            own.stage, f"executions-failed-{number}", says, watched
        )
    return found


def _rules(stage: str) -> dict[str, Value]:
    """Return the alarms of events that EventBridge could not hand over, and could not even keep.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    rules = [{"RuleName": cfn.rule_name(stage, name)} for name in cfn.triggered()]
    failed = _sum(_metric("Events", "FailedInvocations", "Sum", rule) for rule in rules)
    lost = _sum(_metric("Events", "InvocationsFailedToBeSentToDlq", "Sum", rule) for rule in rules)
    says = "EventBridge could not invoke a function; the event is in the retry queue"
    gone = "EventBridge could not keep an event that it could not hand over: it is lost"
    return {
        "RulesFailed": _alarm(stage, "rules-failed", says, failed),
        "EventsLost": _alarm(stage, "events-lost", gone, lost),
    }


def _sum(metrics: Iterable[Value]) -> Value:
    """Return what an alarm watches: some metrics together, each nothing where it has no data."""
    queries = [_query(f"m{number}", metric) for number, metric in enumerate(metrics)]
    expression = " + ".join(f"FILL({query['Id']}, 0)" for query in queries)
    total = {"Id": "total", "Expression": expression, "Label": "total", "ReturnData": True}
    return {"Metrics": [total, *queries]}


def _query(identity: str, metric: Value) -> Value:
    what = {name: metric[name] for name in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": what, "Period": metric["Period"], "Stat": metric["Statistic"]}
    return {"Id": identity, "MetricStat": stat, "ReturnData": False}
