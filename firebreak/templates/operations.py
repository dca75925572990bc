"""What is attached to the functions of a stage once they exist: sources, failures, alarms."""

from __future__ import annotations

from typing import Any

from chalicelib import retrying
from chalicelib.settings import function_name
from firebreak import cfn
from firebreak.cfn import Value, alarms, dashboard
from firebreak.templates import Wanted

SUMMARY = "Firebreak: what is attached to the functions of a stage."
RECORDS = 100  # of the audit table's stream that keep_audit is given at a time
PARTIAL = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
FOR_EVER = -1  # as long as the source keeps a record


def template(wanted: Wanted) -> dict[str, Any]:
    """Return the template of mappings, failure destinations, alarms and dashboard."""
    stage = wanted.stage
    return cfn.template(
        SUMMARY,
        {
            "RetryMapping": _retry(stage),
            "AuditMapping": _audit(stage),
            **_failures(stage),
            **alarms.of_stage(wanted),
            "Dashboard": dashboard.of_stage(wanted),
        },
    )


def _retry(stage: str) -> Value:
    """Return what hands the retry queue to `retry_intake`: one event at a time has all its time.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    queue = cfn.arn("sqs", cfn.names(stage).retry_queue)
    return cfn.resource(
        "Lambda::EventSourceMapping",
        {
            "EventSourceArn": queue,
            "FunctionName": function_name(stage, "retry_intake"),
            "BatchSize": 1,
            **PARTIAL,
        },
    )


def _audit(stage: str) -> Value:
    """Return what hands the audit table's changes to `keep_audit`, in their order, none left out.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    return cfn.resource(
        "Lambda::EventSourceMapping",
        {
            "EventSourceArn": cfn.imported(stage, "audit-stream"),
            "FunctionName": function_name(stage, "keep_audit"),
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": RECORDS,
            "ParallelizationFactor": 1,
            "MaximumRetryAttempts": FOR_EVER,
            "MaximumRecordAgeInSeconds": FOR_EVER,
            **PARTIAL,
        },
    )


def failure_queues(stage: str) -> dict[str, str]:
    """Return the queue for what a function failed on, by function: of those nobody waits for.

    Events are tried again; what a schedule begins begins again by itself.
    """
    own = cfn.names(stage)
    retried = dict.fromkeys(retrying.HANDLERS, own.retry_queue)
    return retried | dict.fromkeys(cfn.triggered(scheduled=True), own.dead_letters)


def _failures(stage: str) -> dict[str, Value]:
    """Return where Lambda puts what a function failed on.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """
    return {
        f"{cfn.logical(function)}Failures": cfn.resource(
            "Lambda::EventInvokeConfig",
            {
                "FunctionName": function_name(stage, function),
                "Qualifier": "$LATEST",
                "DestinationConfig": {"OnFailure": {"Destination": cfn.arn("sqs", queue)}},
            },
        )
        for function, queue in failure_queues(stage).items()
    }
