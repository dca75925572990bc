"""Tests of reading CloudFormation's registry."""

from __future__ import annotations

from firebreak.iam import registry


def test_what_the_registry_says_of_a_type() -> None:
    """A topic's name is fixed when it is made, its ARN is told by AWS."""
    assert {"TopicName", "FifoTopic"} == registry.properties(
        "AWS::SNS::Topic", "createOnlyProperties"
    )
    assert {"TopicArn"} == registry.properties("AWS::SNS::Topic", "readOnlyProperties")
    assert "sns:DeleteTopic" in registry.handler("AWS::SNS::Topic", "delete")
    assert frozenset() == registry.handler("AWS::Lambda::Permission", "update")
