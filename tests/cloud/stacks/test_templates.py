"""Tests of what CloudFormation refuses before it begins."""

from __future__ import annotations

import json

import pytest

from tests.cloud.stacks.conftest import Stacks, refusal, template

QUEUE = {"Type": "AWS::SQS::Queue"}
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"RoleName": "r", "AssumeRolePolicyDocument": {"Statement": []}},
}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Template format error"),
        ("{}", "At least one Resources member must be defined"),
        (template({"Q": QUEUE}, Extra={}), "Invalid template property or properties [Extra]"),
        (
            template({"Q": {"Type": "AWS::No::Such"}}),
            "Unrecognized resource types: [AWS::No::Such]",
        ),
        (
            template({"Q": {**QUEUE, "DependsOn": "R"}}),
            "Unresolved resource dependencies [R] in the Resources block",
        ),
        (
            template({"Q": QUEUE}, Outputs={"O": {"Value": {"Fn::Sub": "${Nobody.Arn}"}}}),
            "Unresolved resource dependencies [Nobody] in the Outputs block",
        ),
        (
            template({"A": {**QUEUE, "DependsOn": "B"}, "B": {**QUEUE, "DependsOn": ["A"]}}),
            "Circular dependency between resources: [A, B]",
        ),
        (template({"Q": QUEUE}, Description="x" * 51_200), "less than or equal to 51200"),
    ],
)
def test_templates_that_are_refused(stacks: Stacks, text: str, told: str) -> None:
    """Each is refused before a stack exists, in CloudFormation's words."""
    code, message = refusal(stacks.create, "s", text)

    assert ("ValidationError", True) == (code, told in message), message
    assert "ValidationError" == refusal(stacks.described, "s")[0]


def test_named_roles_are_acknowledged(stacks: Stacks) -> None:
    """IAM resources with names of their own need CAPABILITY_NAMED_IAM."""
    create = stacks.client.create_stack
    given = {"StackName": "s", "TemplateBody": template({"Role": ROLE})}

    assert refusal(create, **given, Capabilities=["CAPABILITY_IAM"]) == (
        "InsufficientCapabilitiesException",
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    )
    assert ("", "") == refusal(create, **given, Capabilities=["CAPABILITY_NAMED_IAM"])


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"Foo": 1}, "#: extraneous key [Foo] is not permitted"),
        ({"Arn": "x"}, "#: extraneous key [Arn] is not permitted"),
        ({"VisibilityTimeout": "long"}, "#/VisibilityTimeout: expected type: Integer, found: Str"),
    ],
)
def test_properties_that_are_refused(stacks: Stacks, properties: object, told: str) -> None:
    """The schema of the type decides; what is wrong fails the resource, and with it the stack."""
    stacks.create("s", template({"Q": {**QUEUE, "Properties": properties}}))

    assert "ROLLBACK_COMPLETE" == stacks.status("s")
    assert told in stacks.reasons("s")["Q"]


def test_what_is_not_embedded_is_not_skipped(stacks: Stacks) -> None:
    """A type or property of AWS that has no kind here fails the stack and says so."""
    stacks.create("a", template({"V": {"Type": "AWS::EC2::VPC", "Properties": {}}}))
    archive = {"Type": "AWS::SNS::Topic", "Properties": {"ArchivePolicy": {"a": 1}}}
    stacks.create("b", template({"T": archive}))

    assert "AWS::EC2::VPC is not embedded" in stacks.reasons("a")["V"]
    assert "[ArchivePolicy] is not embedded" in stacks.reasons("b")["T"]


YAML = """
Parameters:
  Days: {Type: Number, Default: 7}
  Loud: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Conditions:
  IsLoud: !Equals [!Ref Loud, "yes"]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Ref AWS::StackName, !Select [1, !Split [",", "a,b"]]]]
      MessageRetentionPeriod: !If [IsLoud, !Ref Days, !Ref AWS::NoValue]
  Topic:
    Type: AWS::SNS::Topic
    Condition: IsLoud
    Properties:
      DisplayName: !Sub "${Queue.QueueName} of ${AWS::AccountId}, ${!Not}"
Outputs:
  Topic: {Value: !Ref Topic, Condition: IsLoud}
"""


def test_yaml_conditions_and_functions(stacks: Stacks) -> None:
    """The short forms of YAML mean what the long ones do; a condition makes and removes."""
    stacks.create("s", YAML)
    listed = stacks.client.list_stack_resources
    names = [e["LogicalResourceId"] for e in listed(StackName="s")["StackResourceSummaries"]]
    assert ["Queue"] == names

    loud = [
        {"ParameterKey": "Loud", "ParameterValue": "yes"},
        {"ParameterKey": "Days", "ParameterValue": "600"},
    ]
    stacks.update("s", YAML, Parameters=loud)
    assert "UPDATE_COMPLETE" == stacks.status("s")
    shown = stacks.client.describe_stack_resource(StackName="s", LogicalResourceId="Topic")
    assert "CREATE_COMPLETE" == shown["StackResourceDetail"]["ResourceStatus"]
    assert 1 == len(stacks.described("s")["Outputs"])


def test_parameters(stacks: Stacks) -> None:
    """Defaults, previous values, and what is refused of a parameter."""
    declared = {
        "Name": {"Type": "String", "AllowedPattern": "[a-z]+", "MaxLength": 5},
        "Years": {"Type": "Number", "Default": 1, "MinValue": 1, "MaxValue": 10},
        "Secret": {"Type": "String", "Default": "s", "NoEcho": True},
    }
    queue = {**QUEUE, "Properties": {"QueueName": {"Ref": "Name"}}}
    text = template({"Q": queue}, Parameters=declared)

    def given(**values: str) -> list[dict[str, str]]:
        return [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]

    def told(**values: str) -> str:
        return refusal(stacks.create, "s", text, Parameters=given(**values))[1]

    assert "Parameters: [Name] must have values" == told()
    assert "Parameters: [Foo] do not exist in the template" == told(Name="a", Foo="b")
    assert "Parameter 'Name' must match pattern [a-z]+" == told(Name="A")
    assert "Parameter 'Name' must contain at most 5 characters" == told(Name="abcdef")
    assert "Parameter 'Years' must be a number not greater than 10" == told(Name="a", Years="11")
    stacks.create("s", text, Parameters=given(Name="a", Years="2"))
    longer = template({"Q": queue, "R": QUEUE}, Parameters=declared)
    kept = [{"ParameterKey": "Name", "UsePreviousValue": True}]
    stacks.update("s", longer, Parameters=kept)
    shown = {e["ParameterKey"]: e["ParameterValue"] for e in stacks.described("s")["Parameters"]}
    assert {"Name": "a", "Years": "1", "Secret": "****"} == shown


def test_reading_back(stacks: Stacks) -> None:
    """The template comes back as it went in; ValidateTemplate says what it asks for."""
    text = template({"Role": ROLE}, Parameters={"P": {"Type": "String", "Default": "d"}})
    stacks.create("s", text)
    body = stacks.client.get_template(StackName="s")["TemplateBody"]
    validated = stacks.client.validate_template(TemplateBody=text)

    assert json.loads(text) == body or text == body
    assert ["CAPABILITY_NAMED_IAM"] == validated["Capabilities"]
    summary = stacks.client.get_template_summary(StackName="s")
    assert ["AWS::IAM::Role"] == summary["ResourceTypes"]
    assert "d" == validated["Parameters"][0]["DefaultValue"]
    assert "ValidationError" == refusal(stacks.client.validate_template, TemplateBody="{}")[0]


def test_a_template_in_a_bucket(stacks: Stacks, cloud: object) -> None:
    """What is too long for a call lies in a bucket."""
    from firebreak.cloud import Cloud

    assert isinstance(cloud, Cloud)
    s3 = cloud.session().client("s3")
    s3.create_bucket(Bucket="templates")
    text = template({"Q": QUEUE}, Description="x", Metadata={"Long": "x" * 60_000})
    s3.put_object(Bucket="templates", Key="t.json", Body=text)
    stacks.client.create_stack(
        StackName="s", TemplateURL="https://templates.s3.amazonaws.com/t.json"
    )

    assert "CREATE_COMPLETE" == stacks.status("s")
