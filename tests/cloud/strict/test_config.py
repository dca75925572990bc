from __future__ import annotations

from firebreak.cloud import Cloud
from firebreak.cloud.strict import config

HOME, REGION = "111122223333", "us-east-1"


def result(rule: str, resource: str, compliance: str) -> config.Result:
    """Return what a rule found of a security group."""
    qualifier = {
        "ConfigRuleName": rule,
        "ResourceType": "AWS::EC2::SecurityGroup",
        "ResourceId": resource,
    }
    return {
        "EvaluationResultIdentifier": {"EvaluationResultQualifier": qualifier},
        "ComplianceType": compliance,
        "ResultRecordedTime": 1_790_000_000.0,
    }


def test_what_rules_found_is_listed_by_rule_and_by_compliance() -> None:
    """A rule is non-compliant where one resource is; its results are given as asked for."""
    with Cloud(HOME, REGION) as cloud:
        client = cloud.session().client("config")
        assert [] == client.describe_compliance_by_config_rule()["ComplianceByConfigRules"]
        config.add_result(HOME, REGION, result("ssh", "sg-1", "COMPLIANT"))
        config.add_result(HOME, REGION, result("ssh", "sg-2", "NON_COMPLIANT"))
        config.add_result(HOME, REGION, result("rdp", "sg-1", "COMPLIANT"))
        bad = client.describe_compliance_by_config_rule(ComplianceTypes=["NON_COMPLIANT"])
        details = client.get_compliance_details_by_config_rule(
            ConfigRuleName="ssh", ComplianceTypes=["NON_COMPLIANT"]
        )

    assert ["ssh"] == [each["ConfigRuleName"] for each in bad["ComplianceByConfigRules"]]
    (found,) = details["EvaluationResults"]
    qualifier = found["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
    assert "sg-2" == qualifier["ResourceId"]
