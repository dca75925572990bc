"""Tests of reading AWS Config's compliance changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import Rejected
from chalicelib.finding import ATTRIBUTES, Finding, Resource, document
from chalicelib.sources import Reading, read
from chalicelib.sources.config import managed_rule

EVENTS = Path(__file__).parent.parent / "events" / "config"
NAMES = sorted(path.name for path in EVENTS.glob("*.json"))

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def load(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def finding(event: Any) -> Finding:
    (found,) = read(event).findings
    return found


def changed(**changes: Any) -> Any:
    """Return an event with other values in its detail."""
    event = load("restricted_ssh_noncompliant.json")
    event["detail"] |= changes
    return event


def with_compliance(compliance: Any) -> Any:
    event = load("restricted_ssh_noncompliant.json")
    event["detail"]["newEvaluationResult"]["complianceType"] = compliance
    return event


class TestCompliance:
    def test_a_violation_is_an_active_finding(self) -> None:
        """Rule, resource, account, times and ports are taken from the event."""
        found = finding(load("restricted_ssh_noncompliant.json"))

        assert ("Config/restricted-ssh", 7.0, "active") == (
            found.type,
            found.severity,
            found.status,
        )
        assert "sg-0a1b2c3d4e5f60718: NON_COMPLIANT by restricted-ssh" == found.title
        assert ("111122223333", "us-east-1", "aws") == (
            found.account,
            found.region,
            found.partition,
        )
        assert "2026-03-04T10:15:22.480Z" == found.created_at
        assert "2026-03-04T10:15:23.120Z" == found.updated_at
        assert {
            "rule": "restricted-ssh",
            "rule_arn": "arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abc001",
            "managed_rule": "restricted-ssh",
            "resource_type": "AWS::EC2::SecurityGroup",
            "compliance": "NON_COMPLIANT",
            "previous_compliance": "COMPLIANT",
            "ports": [22],
        } == found.detail

    @pytest.mark.parametrize("compliance", ["COMPLIANT", "NOT_APPLICABLE"])
    def test_what_is_in_order_or_gone_is_resolved(self, compliance: str) -> None:
        """A resource that complies, was deleted or left the rule's scope resolves the finding."""
        assert "resolved" == finding(with_compliance(compliance)).status

    def test_both_ends_of_a_violation_share_one_id(self) -> None:
        """The finding that is resolved is the one that was active."""
        begun, over = (
            finding(load(f"restricted_ssh_{name}.json")) for name in ("noncompliant", "compliant")
        )

        assert (begun.id, "active", "resolved") == (over.id, begun.status, over.status)

    @pytest.mark.parametrize(
        "change",
        [
            {"awsAccountId": "444455556666"},
            {"awsRegion": "eu-west-1"},
            {"configRuleName": "securityhub-restricted-ssh-1a2b3c4d"},
            {"resourceType": "AWS::EC2::Instance"},
            {"resourceId": "sg-0a1b2c3d4e5f60719"},
        ],
    )
    def test_each_part_of_the_id_counts(self, change: Any) -> None:
        """Account, region, the rule as it is named there, type and resource part findings."""
        assert finding(changed()).id != finding(changed(**change)).id

    def test_insufficient_data_is_no_finding(self) -> None:
        """Where the rule could not tell, there is an envelope and no finding."""
        reading = read(load("insufficient_data.json"))

        assert ((), "restricted-ssh") == (
            reading.findings,
            reading.envelope["detail"]["managedRuleName"],
        )

    def test_the_annotation_is_the_description(self) -> None:
        """What the rule says of its verdict is carried along."""
        found = finding(load("s3_public_read_noncompliant.json"))

        assert "The S3 bucket policy allows public read access." == found.description

    def test_a_detail_alone_is_read_like_the_event(self) -> None:
        """Without its envelope, which is then made, a compliance change gives the same finding."""
        event = load("restricted_ssh_noncompliant.json")
        reading = read(event["detail"])

        assert read(event).findings == reading.findings
        assert {key: event[key] for key in ("source", "detail-type", "account", "region")} == {
            key: reading.envelope[key] for key in ("source", "detail-type", "account", "region")
        }


class TestRule:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("restricted-ssh", "restricted-ssh"),
            ("securityhub-restricted-ssh-1a2b3c4d", "restricted-ssh"),
            ("securityhub-s3-bucket-public-read-prohibited", "s3-bucket-public-read-prohibited"),
            ("restricted-ssh-conformance-pack-szx4k7wqm", "restricted-ssh"),
            ("OrgConfigRule-restricted-ssh-dbgzf8ba", "restricted-ssh"),
            ("INCOMING_SSH_DISABLED", "restricted-ssh"),
            ("RESTRICTED_INCOMING_TRAFFIC", "restricted-common-ports"),
            ("S3_BUCKET_PUBLIC_READ_PROHIBITED", "s3-bucket-public-read-prohibited"),
            ("my-own-rule", "my-own-rule"),
            ("My Rule_1", "My Rule_1"),
            ("securityhub-", "securityhub-"),
        ],
    )
    def test_what_services_put_around_a_name_is_taken_off(self, name: str, expected: str) -> None:
        """The managed rule's name is found in the names that services and people give."""
        assert expected == managed_rule(name)

    @pytest.mark.parametrize("name", ["securityhub", "conformance_pack"])
    def test_a_deployed_rule_is_matched_by_its_managed_name(self, name: str) -> None:
        """The envelope has the managed name beside the received one, for patterns to match."""
        event = load(f"restricted_ssh_{name}.json")
        reading = read(event)

        assert event["detail"] | {"managedRuleName": "restricted-ssh"} == reading.envelope["detail"]
        assert "Config/restricted-ssh" == reading.findings[0].type
        assert event["detail"]["configRuleName"] == reading.findings[0].detail["rule"]

    def test_the_received_event_is_left_as_it_is(self) -> None:
        """The added field is in the envelope only."""
        event = load("restricted_ssh_noncompliant.json")
        read(event)

        assert load("restricted_ssh_noncompliant.json") == event

    def test_a_sent_managed_name_is_not_believed(self) -> None:
        """The field is Firebreak's: one that came with the event is replaced."""
        event = changed(managedRuleName="s3-bucket-public-read-prohibited")

        assert "restricted-ssh" == read(event).envelope["detail"]["managedRuleName"]

    @pytest.mark.parametrize(
        ("rule", "ports", "severity"),
        [
            ("restricted-ssh", [22], 7.0),
            ("restricted-rdp", [3389], 7.0),
            ("restricted-common-ports", [20, 21, 3389, 3306, 4333], 7.0),
            ("vpc-sg-port-restriction-check", [22, 3389], 7.0),
            ("s3-bucket-public-write-prohibited", None, 7.0),
            ("access-keys-rotated", None, 4.0),
        ],
    )
    def test_ports_and_severity_come_with_the_rule(
        self, rule: str, ports: Any, severity: float
    ) -> None:
        """A rule's default ports and severity are known by its managed name."""
        found = finding(changed(configRuleName=f"securityhub-{rule}-1a2b3c4d"))

        assert (ports, severity) == (found.detail.get("ports"), found.severity)


class TestResource:
    @pytest.mark.parametrize(
        ("kind", "resource_id", "expected"),
        [
            (
                "AWS::EC2::SecurityGroup",
                "sg-1",
                ("security_group", "arn:aws:ec2:us-east-1:111122223333:security-group/sg-1", {}),
            ),
            (
                "AWS::EC2::Instance",
                "i-1",
                ("instance", "arn:aws:ec2:us-east-1:111122223333:instance/i-1", {}),
            ),
            ("AWS::S3::Bucket", "b", ("bucket", "arn:aws:s3:::b", {})),
            (
                "AWS::Lambda::Function",
                "f",
                ("lambda_function", "arn:aws:lambda:us-east-1:111122223333:function:f", {}),
            ),
            ("AWS::IAM::User", "AIDA1", ("iam_user", None, {"principal_id": "AIDA1"})),
            ("AWS::IAM::Role", "AROA1", ("iam_role", None, {"principal_id": "AROA1"})),
            ("AWS::RDS::DBInstance", "db-1", ("rds_instance", None, {})),
            ("AWS::::Account", "111122223333", ("account", None, {})),
            ("AWS::KMS::Key", "k", ("config_resource", None, {"resource_type": "AWS::KMS::Key"})),
            (
                "AWS::SNS::Topic",
                "arn:aws:sns:us-east-1:111122223333:t",
                (
                    "config_resource",
                    "arn:aws:sns:us-east-1:111122223333:t",
                    {"resource_type": "AWS::SNS::Topic"},
                ),
            ),
        ],
    )
    def test_each_type_has_its_kind(self, kind: str, resource_id: str, expected: Any) -> None:
        """Known types have a kind of their own, and an ARN where the id gives it."""
        name, arn, attributes = expected
        found = finding(changed(resourceType=kind, resourceId=resource_id)).resource

        assert Resource(name, resource_id, arn, attributes) == found
        assert attributes.keys() <= ATTRIBUTES[name]

    def test_an_arn_has_the_partition_of_its_region(self) -> None:
        """In China and GovCloud ARNs begin otherwise."""
        found = finding(changed(awsRegion="us-gov-west-1"))

        assert "aws-us-gov" == found.partition
        assert str(found.resource.arn).startswith("arn:aws-us-gov:ec2:us-gov-west-1:")

    def test_braces_in_an_id_are_text(self) -> None:
        """An id is put into an ARN, never taken for a template."""
        found = finding(changed(resourceId="{account}{0.__class__}"))

        assert str(found.resource.arn).endswith(":security-group/{account}{0.__class__}")

    def test_hostile_text_is_kept_as_data(self) -> None:
        """HTML and shell syntax in an annotation is carried as it is."""
        event = load("s3_public_read_noncompliant.json")
        event["detail"]["newEvaluationResult"]["annotation"] = "<b>$(id)</b>`; drop ip"

        assert "<b>$(id)</b>`; drop ip" == finding(event).description


class TestRejected:
    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"awsAccountId": "1111"}, "detail.awsAccountId"),
            ({"awsAccountId": "١١١١٢٢٢٢٣٣٣٣"}, "detail.awsAccountId"),
            ({"awsAccountId": None}, "detail.awsAccountId"),
            ({"awsRegion": "us-east-1/x"}, "detail.awsRegion"),
            ({"configRuleName": ""}, "detail.configRuleName"),
            ({"configRuleName": "a\nb"}, "detail.configRuleName"),
            ({"configRuleName": "x" * 129}, "detail.configRuleName"),
            ({"resourceId": ""}, "detail.resourceId"),
            ({"resourceType": 7}, "detail.resourceType"),
            ({"newEvaluationResult": None}, "detail.newEvaluationResult.complianceType"),
            ({"newEvaluationResult": []}, "detail.newEvaluationResult"),
        ],
    )
    def test_another_shape_is_rejected_by_path(self, change: Any, path: str) -> None:
        """The path says where the event differs from its documented shape."""
        with pytest.raises(Rejected) as caught:
            read(changed(**change))

        assert path == caught.value.path

    def test_an_unknown_compliance_is_rejected(self) -> None:
        """A compliance that is not documented is not guessed at; the known ones are named."""
        with pytest.raises(Rejected, match="'MAYBE' is not a compliance; known are NON_COMPLIANT"):
            read(with_compliance("MAYBE"))

    def test_an_event_without_detail_is_rejected(self) -> None:
        """An envelope alone says nothing."""
        event = load("restricted_ssh_noncompliant.json")
        del event["detail"]

        with pytest.raises(Rejected, match=r"^detail: is missing$"):
            read(event)

    def test_a_custom_rules_invocation_is_rejected_by_name(self) -> None:
        """What Config sends to a rule's own function is called what it is."""
        with pytest.raises(Rejected, match="an AWS Config custom-rule invocation"):
            read({"invokingEvent": "{}", "configRuleName": "mine"})

    @pytest.mark.parametrize("kind", ["Config Configuration Item Change", None, [], {}])
    def test_other_events_of_the_service_are_not_recognised(self, kind: Any) -> None:
        """Other events of the source are rejected, as no source reads them."""
        with pytest.raises(Rejected):
            read(load("restricted_ssh_noncompliant.json") | {"detail-type": kind})


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside of one."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(p for key, item in inside for p in paths(item, (*path, key)))]


READ = [load(name) for name in NAMES] + [load(name)["detail"] for name in NAMES]
PLACES = [(n, path) for n, event in enumerate(READ) for path in paths(event) if path]


@settings(deadline=None, max_examples=400)
@given(place=st.sampled_from(PLACES), value=ANY_JSON)
def test_a_wrong_type_anywhere_is_read_or_rejected(place: Any, value: Any) -> None:
    """With any value at any place an event is read, into a finding that is JSON, or rejected."""
    number, path = place
    event = json.loads(json.dumps(READ[number]))
    inside = event
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    try:
        reading = read(event)
    except Rejected:
        return

    assert isinstance(reading, Reading)
    for found in reading.findings:
        json.dumps(document(found)).encode()
