"""AWS Config: what its rules found, which moto does not keep."""

from __future__ import annotations

import json
from typing import Any

from moto.config.models import config_backends
from moto.config.responses import ConfigResponse

from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()
Result = dict[str, Any]


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return the operations on what rules found."""
    return [
        Patch(ConfigResponse, "describe_compliance_by_config_rule", _by_rule),
        Patch(ConfigResponse, "get_compliance_details_by_config_rule", _details),
    ]


def add_result(account: str, region: str, result: Result) -> None:
    """Keep an evaluation result, as AWS Config answers it, of the rule that it names."""
    _results(config_backends[account][region]).append(result)


def _results(backend: Any) -> list[Result]:
    found: list[Result] = vars(backend).setdefault("evaluation_results", [])
    return found


def _rule(result: Result) -> str:
    return str(result["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ConfigRuleName"])


def _by_rule(response: Any) -> str:
    """Say of each rule whether any resource does not comply.

    https://docs.aws.amazon.com/config/latest/APIReference/API_DescribeComplianceByConfigRule.html
    """
    results = _results(response.config_backend)
    bad = {_rule(each) for each in results if each["ComplianceType"] == "NON_COMPLIANT"}
    wanted = response._get_param("ComplianceTypes") or []
    said = {rule: "NON_COMPLIANT" if rule in bad else "COMPLIANT" for rule in map(_rule, results)}
    found = [
        {"ConfigRuleName": rule, "Compliance": {"ComplianceType": compliance}}
        for rule, compliance in said.items()
        if not wanted or compliance in wanted
    ]
    return json.dumps({"ComplianceByConfigRules": found})


def _details(response: Any) -> str:
    """Return the results of one rule.

    https://docs.aws.amazon.com/config/latest/APIReference/API_GetComplianceDetailsByConfigRule.html
    """
    rule = response._get_param("ConfigRuleName")
    wanted = response._get_param("ComplianceTypes") or []
    found = [
        each
        for each in _results(response.config_backend)
        if _rule(each) == rule and (not wanted or each["ComplianceType"] in wanted)
    ]
    return json.dumps({"EvaluationResults": found})
