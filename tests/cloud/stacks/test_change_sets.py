"""Tests of change sets: what they foresee is what their execution does."""

from __future__ import annotations

from typing import Any

from tests.cloud.stacks.conftest import Stacks, refusal, template

QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}
TOPIC = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}
POLICY = {
    "Type": "AWS::SQS::QueuePolicy",
    "Properties": {
        "Queues": [{"Ref": "Queue"}],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": []},
    },
}


def changes(described: Any) -> list[tuple[str, str, str]]:
    each = [change["ResourceChange"] for change in described["Changes"]]
    return [(e["Action"], e["LogicalResourceId"], e.get("Replacement", "")) for e in each]


def test_a_stack_is_made_by_a_change_set(stacks: Stacks) -> None:
    """Until it is executed the stack is in review; then it exists."""
    described = stacks.submit("s", "first", template({"Queue": QUEUE}), ChangeSetType="CREATE")

    assert [("Add", "Queue", "")] == changes(described)
    assert "REVIEW_IN_PROGRESS" == stacks.status("s")
    stacks.client.execute_change_set(ChangeSetName="first", StackName="s")
    assert "CREATE_COMPLETE" == stacks.status("s")


def test_what_an_update_would_do(stacks: Stacks) -> None:
    """Add, Modify with and without replacement, Remove; then nothing is left to change."""
    stacks.create("s", template({"Queue": QUEUE, "Policy": POLICY, "Topic": TOPIC}))
    longer = {**QUEUE, "Properties": {"QueueName": "q", "VisibilityTimeout": 60}}
    first = stacks.submit("s", "a", template({"Queue": longer, "Policy": POLICY}))
    renamed = {**QUEUE, "Properties": {"QueueName": "other"}}
    second = stacks.submit("s", "b", template({"Queue": renamed, "Policy": POLICY, "Topic": TOPIC}))

    assert [("Modify", "Queue", "False"), ("Remove", "Topic", "")] == changes(first)
    assert [("Modify", "Queue", "True"), ("Modify", "Policy", "False")] == changes(second)
    detail = first["Changes"][0]["ResourceChange"]["Details"][0]["Target"]
    assert ("VisibilityTimeout", "Never") == (detail["Name"], detail["RequiresRecreation"])
    stacks.client.execute_change_set(ChangeSetName="b", StackName="s")
    assert "UPDATE_COMPLETE" == stacks.status("s")
    gone = refusal(stacks.client.describe_change_set, ChangeSetName="a", StackName="s")
    assert "ChangeSetNotFound" == gone[0]


def test_nothing_changed(stacks: Stacks) -> None:
    """A change set without a change is FAILED with its reason, and is not executed."""
    stacks.create("s", template({"Queue": QUEUE}))
    described = stacks.submit("s", "same", template({"Queue": QUEUE}))

    assert ("FAILED", "UNAVAILABLE") == (described["Status"], described["ExecutionStatus"])
    assert described["StatusReason"] == (
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set."
    )
    code, _ = refusal(stacks.client.execute_change_set, ChangeSetName="same", StackName="s")
    assert "InvalidChangeSetStatus" == code
    stacks.client.delete_change_set(ChangeSetName="same", StackName="s")
    assert [] == stacks.client.list_change_sets(StackName="s")["Summaries"]


def test_only_outputs_and_tags(stacks: Stacks) -> None:
    """Another output is a change without a changed resource; so are other tags."""
    stacks.create("s", template({"Queue": QUEUE}))
    outputs = {"Url": {"Value": {"Ref": "Queue"}}}
    described = stacks.submit("s", "outputs", template({"Queue": QUEUE}, Outputs=outputs))

    assert ("CREATE_COMPLETE", []) == (described["Status"], described["Changes"])
    stacks.client.execute_change_set(ChangeSetName="outputs", StackName="s")
    assert 1 == len(stacks.described("s")["Outputs"])
    tags = [{"Key": "a", "Value": "b"}]
    tagged = stacks.submit("s", "tags", template({"Queue": QUEUE}, Outputs=outputs), Tags=tags)
    assert [("Modify", "Queue", "False")] == changes(tagged)
    assert ["Tags"] == tagged["Changes"][0]["ResourceChange"]["Scope"]


def test_a_change_set_that_fails(stacks: Stacks) -> None:
    """A failure while it is executed rolls the stack back."""
    stacks.create("s", template({"Queue": QUEUE}))
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"FunctionName": "none", "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
    }
    stacks.submit("s", "wrong", template({"Queue": QUEUE, "Mapping": mapping}))
    stacks.client.execute_change_set(ChangeSetName="wrong", StackName="s")

    assert "UPDATE_ROLLBACK_COMPLETE" == stacks.status("s")
    shown = stacks.client.describe_change_set(ChangeSetName="wrong", StackName="s")
    assert "EXECUTE_FAILED" == shown["ExecutionStatus"]
