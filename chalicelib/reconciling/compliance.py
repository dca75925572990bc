"""Resources that AWS Config finds non-compliant, whose events never arrived: they are handed in.

https://docs.aws.amazon.com/config/latest/APIReference/API_GetComplianceDetailsByConfigRule.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib import remembering, undelivered
from chalicelib.reconciling import Run
from chalicelib.sources.config import DETAIL_TYPE, SOURCE

ORDER = 50
PERMISSIONS = (
    "config:DescribeComplianceByConfigRule",
    "config:GetComplianceDetailsByConfigRule",
)
BAD = ["NON_COMPLIANT"]
RULES = 20  # of an account in one run; the next run goes on from there
RESULTS = 200  # of a rule


def find(run: Run) -> None:
    """Look through the rules of every account that is known by its id."""
    run.each(run.accounts(), "Config of", lambda account: _account(run, account))


def _account(run: Run, account: str) -> None:
    client = run.client("config", account, PERMISSIONS)
    pages = client.get_paginator("describe_compliance_by_config_rule").paginate(ComplianceTypes=BAD)
    names = sorted(each["ConfigRuleName"] for p in pages for each in p["ComplianceByConfigRules"])
    cursor = f"config#{account}"
    last = remembering.cursor(run.desk, cursor)
    turn = [*(n for n in names if n > last), *(n for n in names if n <= last)][:RULES]
    for rule in turn:
        if run.over:
            return
        undelivered.hand_in(run, _events(run, client, account, rule))
        remembering.come_to(run.desk, cursor, rule)


def _events(run: Run, client: Any, account: str, rule: str) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("get_compliance_details_by_config_rule").paginate(
        ConfigRuleName=rule,
        ComplianceTypes=BAD,
        PaginationConfig={"MaxItems": RESULTS, "PageSize": 100},
    )
    for page in pages:
        for result in page["EvaluationResults"]:
            yield _event(run, account, undelivered.plain(result))


def _event(run: Run, account: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return an evaluation result as the change that EventBridge would deliver."""
    identifier = result["EvaluationResultIdentifier"]
    qualifier = identifier["EvaluationResultQualifier"]
    named = {
        "configRuleName": qualifier["ConfigRuleName"],
        "resourceType": qualifier["ResourceType"],
        "resourceId": qualifier["ResourceId"],
    }
    region, recorded = run.desk.settings.region, result["ResultRecordedTime"]
    found = {
        "evaluationResultIdentifier": {
            "evaluationResultQualifier": named,
            "orderingTimestamp": identifier.get("OrderingTimestamp", recorded),
        },
        "complianceType": result["ComplianceType"],
        "resultRecordedTime": recorded,
        "configRuleInvokedTime": result.get("ConfigRuleInvokedTime", recorded),
    } | ({"annotation": result["Annotation"]} if result.get("Annotation") else {})
    detail = named | {
        "awsAccountId": account,
        "awsRegion": region,
        "messageType": "ComplianceChangeNotification",
        "recordVersion": "1.0",
        "newEvaluationResult": found,
        "notificationCreationTime": recorded,
    }
    return {
        "version": "0",
        "id": f"{qualifier['ConfigRuleName']}/{qualifier['ResourceId']}",
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": account,
        "time": recorded,
        "region": region,
        "resources": [],
        "detail": detail,
    }
