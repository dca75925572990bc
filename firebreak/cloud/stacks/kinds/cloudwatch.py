"""CloudWatch: alarms and dashboards.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudWatch.html
"""

from __future__ import annotations

from typing import Any

from firebreak.cloud.stacks.kinds import (
    At,
    Kind,
    Made,
    Properties,
    kind,
    listed,
    only,
    retag_resource,
)

ALARM = (
    "ActionsEnabled",
    "AlarmActions",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "InsufficientDataActions",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)


@kind("AWS::CloudWatch::Alarm")
class Alarm(Kind):
    """An alarm on a metric or on an expression over metrics."""

    name = "AlarmName"
    arn = "arn:{partition}:cloudwatch:{region}:{account}:alarm:{AlarmName}"
    left_out = frozenset(
        {
            "ActionConfiguration",
            "EvaluationCriteria",
            "EvaluationInterval",
            "EvaluationWindow",
            "WarmUpConfiguration",
        }
    )

    def exists(self, at: At, properties: Properties) -> bool:
        """PutMetricAlarm would change one that is there."""
        return bool(_described(at, properties["AlarmName"]))

    def create(self, at: At, properties: Properties) -> Made:
        """Put the alarm."""
        tags = listed(properties.get("Tags")) or None
        at.call("cloudwatch", "put_metric_alarm", **only(properties, *ALARM), Tags=tags)
        name = properties["AlarmName"]
        return Made(name, {"Arn": _described(at, name)[0]["AlarmArn"]})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the alarm anew."""
        at.call("cloudwatch", "put_metric_alarm", **only(new, *ALARM))
        retag_resource(at, "cloudwatch", old, new, ResourceARN=made.attributes["Arn"])
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the alarm."""
        at.call("cloudwatch", "delete_alarms", AlarmNames=[made.id])


def _described(at: At, name: str) -> list[Any]:
    found: list[Any] = at.call("cloudwatch", "describe_alarms", AlarmNames=[name])["MetricAlarms"]
    return found


@kind("AWS::CloudWatch::Dashboard")
class Dashboard(Kind):
    """A dashboard."""

    name = "DashboardName"
    arn = "arn:{partition}:cloudwatch::{account}:dashboard/{DashboardName}"
    left_out = frozenset({"Tags"})

    def exists(self, at: At, properties: Properties) -> bool:
        """PutDashboard would change one that is there."""
        return at.found("cloudwatch", "get_dashboard", DashboardName=properties["DashboardName"])

    def create(self, at: At, properties: Properties) -> Made:
        """Put the dashboard."""
        named = only(properties, "DashboardBody", "DashboardName")
        at.call("cloudwatch", "put_dashboard", **named)
        return Made(properties["DashboardName"])

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the dashboard anew."""
        return self.create(at, new)

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the dashboard."""
        at.call("cloudwatch", "delete_dashboards", DashboardNames=[made.id])
