"""The dashboard of a stage: what comes in, what is done, what fails, and how late it is.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json

from chalicelib.settings import Settings
from firebreak import cfn
from firebreak.cfn import REGION, Value
from firebreak.templates import Wanted

WIDTH, HEIGHT, COLUMNS = 12, 6, 2
Metric = list[str]
Graph = tuple[str, str, list[Metric]]  # its title, statistic and metrics


def of_stage(wanted: Wanted) -> Value:
    """Return the dashboard of a stage."""
    own, functions = cfn.names(wanted.stage), list(cfn.functions(wanted.stage).values())
    machines = [own.state_machine_arn(name) for name in wanted.playbooks]
    graphs = [*_of_functions(functions), *_of_machines(machines), *_of_queues(own)]
    widgets = [_widget(at, graph) for at, graph in enumerate(graphs)]
    properties = {
        "DashboardName": f"firebreak-{wanted.stage}",
        "DashboardBody": json.dumps({"widgets": widgets}, separators=(",", ":")),
    }
    return cfn.resource("CloudWatch::Dashboard", properties)


def _of_functions(functions: list[str]) -> list[Graph]:
    return [
        (title, stat, _metrics("AWS/Lambda", metric, "FunctionName", functions))
        for title, metric, stat in (
            ("Invocations", "Invocations", "Sum"),
            ("Errors", "Errors", "Sum"),
            ("Throttles", "Throttles", "Sum"),
            ("Slowest, in milliseconds", "Duration", "Maximum"),
            ("How late a stream is read, in milliseconds", "IteratorAge", "Maximum"),
        )
    ]


def _of_machines(machines: list[str]) -> list[Graph]:
    return [
        (title, "Sum", _metrics("AWS/States", metric, "StateMachineArn", machines))
        for title, metric in (
            ("Executions begun", "ExecutionsStarted"),
            ("Executions that failed", "ExecutionsFailed"),
        )
    ]


def _of_queues(own: Settings) -> list[Graph]:
    queues = [own.retry_queue, own.dead_letters]
    return [
        (title, "Maximum", _metrics("AWS/SQS", metric, "QueueName", queues))
        for title, metric in (
            ("Events tried again, and dead letters", "ApproximateNumberOfMessagesVisible"),
            ("How old they are, in seconds", "ApproximateAgeOfOldestMessage"),
        )
    ]


def _metrics(namespace: str, metric: str, dimension: str, values: list[str]) -> list[Metric]:
    """Return a metric of several things; all but the first say only what differs."""
    said = [namespace, metric, dimension]
    return [["...", value] if at else [*said, value] for at, value in enumerate(values)]


def _widget(at: int, graph: Graph) -> Value:
    title, stat, metrics = graph
    said = {"title": title, "region": REGION, "period": 300, "stat": stat, "metrics": metrics}
    x, y = at % COLUMNS * WIDTH, at // COLUMNS * HEIGHT
    placed = {"x": x, "y": y, "width": WIDTH, "height": HEIGHT}
    return {"type": "metric", **placed, "properties": said}
