from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.firewall_logs import records
from chalicelib.grants import READS_OBJECTS
from tests.templates.made import (
    GIVEN,
    HOME,
    HOME_REGION,
    MEMBER,
    ORGANIZATION,
    OTHER_REGION,
    made,
    statements,
)

NAME = "firebreak-dev-firewall-logs"
STREAM = f"arn:aws:kinesis:{HOME_REGION}:{HOME}:stream/{NAME}"
FUNCTION = f"arn:aws:lambda:{HOME_REGION}:{HOME}:function:firebreak-dev-ingest_firewall_logs"


def receiving(region: str, **given: Any) -> dict[str, dict[str, Any]]:
    return made("firewall_logs", HOME, region, HomeRegion=HOME_REGION, **given)


def sending(region: str, **given: Any) -> dict[str, dict[str, Any]]:
    home = {"HomeAccount": HOME, "HomeRegion": HOME_REGION}
    return made("firewall_logs_member", MEMBER, region, **home, **given)


@pytest.mark.parametrize("region", [HOME_REGION, OTHER_REGION])
def test_every_region_s_destination_leads_to_the_one_stream(region: str) -> None:
    """A destination is of its region; its stream and role are those of the home region."""
    destination = receiving(region)["Destination"]

    assert (NAME, STREAM, f"arn:aws:iam::{HOME}:role/{NAME}") == (
        destination["DestinationName"],
        destination["TargetArn"],
        destination["RoleArn"],
    )


def test_other_regions_have_a_destination_alone() -> None:
    """What there is once, and what belongs to the function, is made in the home region."""
    assert {"Destination"} == set(receiving(OTHER_REGION, OwnLogGroup="/a", LogBucket="b"))


def test_a_subscription_finds_its_destination() -> None:
    """A firewall's log group sends alerts to the destination of its own region."""
    destination = receiving(OTHER_REGION)["Destination"]
    alerts = sending(OTHER_REGION, LogGroupName="/firewall/alerts")["Alerts"]

    expected = f"arn:aws:logs:{OTHER_REGION}:{HOME}:destination:{destination['DestinationName']}"
    assert expected == alerts["DestinationArn"]
    assert "/firewall/alerts" == alerts["LogGroupName"]
    assert '{ $.event.event_type = "alert" }' == alerts["FilterPattern"]


def test_who_may_subscribe_is_the_organisation_or_named() -> None:
    """The destination's policy names the organisation, accounts, both, or nobody."""
    where = f"arn:aws:logs:{HOME_REGION}:{HOME}:destination:{NAME}"
    by_organization = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "logs:PutSubscriptionFilter",
        "Resource": where,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}},
    }
    named = {**by_organization, "Principal": {"AWS": [MEMBER, "777788889999"]}}
    named.pop("Condition")
    given = {"OrganizationId": ORGANIZATION, "Accounts": [MEMBER, "777788889999"]}

    def access(**given: Any) -> list[Any]:
        policy = receiving(HOME_REGION, **given)["Destination"].get("DestinationPolicy")
        return json.loads(policy)["Statement"] if policy else []

    assert [] == access()
    assert [by_organization] == access(OrganizationId=ORGANIZATION)
    assert [named] == access(Accounts=given["Accounts"])
    assert [by_organization, named] == access(**given)


def test_the_writer_only_writes_to_the_stream() -> None:
    """CloudWatch Logs may put records into the one stream; the key's own policy does the rest."""
    trust, write = statements(receiving(HOME_REGION)["WriterRole"])

    assert {"Service": "logs.amazonaws.com"} == trust["Principal"]
    assert ("kinesis:PutRecord", STREAM) == (write["Action"], write["Resource"])


def test_the_stream_is_handed_to_the_function() -> None:
    """A batch that fails is halved, tried for as long as the stream has it, and then told."""
    resources = receiving(HOME_REGION)
    mapping, stream = resources["Mapping"], resources["Stream"]
    kept = stream["RetentionPeriodHours"] * 3_600

    assert (STREAM, "firebreak-dev-ingest_firewall_logs", True, -1) == (
        mapping["EventSourceArn"],
        mapping["FunctionName"],
        mapping["BisectBatchOnFunctionError"],
        mapping["MaximumRetryAttempts"],
    )
    assert mapping["MaximumRecordAgeInSeconds"] < kept
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"].endswith("retry-intake")
    assert "FunctionResponseTypes" not in mapping
    assert "KMS" == stream["StreamEncryption"]["EncryptionType"]


def test_its_own_firewall_goes_straight_to_the_function() -> None:
    """The security account's own log group invokes the function, on its own behalf alone."""
    resources = receiving(HOME_REGION, OwnLogGroup="/firewall/alerts")
    permission, filtered = resources["LogsPermission"], resources["OwnAlerts"]
    group = f"arn:aws:logs:{HOME_REGION}:{HOME}:log-group:/firewall/alerts:*"

    assert ("logs.amazonaws.com", HOME, group) == (
        permission["Principal"],
        permission["SourceAccount"],
        permission["SourceArn"],
    )
    assert FUNCTION == filtered["DestinationArn"]


def test_a_bucket_may_invoke_the_function_for_its_owner() -> None:
    """S3 invokes the function for the bucket that is named, of the account that is named."""
    own = receiving(HOME_REGION, LogBucket="logs-of-firewalls")["BucketPermission"]
    others = receiving(HOME_REGION, LogBucket="logs-*", LogBucketAccount=MEMBER)["BucketPermission"]

    assert ("arn:aws:s3:::logs-of-firewalls", HOME) == (own["SourceArn"], own["SourceAccount"])
    assert ("arn:aws:s3:::logs-*", MEMBER) == (others["SourceArn"], others["SourceAccount"])


def test_a_log_bucket_tells_and_is_read_by_the_function() -> None:
    """The bucket invokes the function for new log files; its role and the retrying one's read."""
    resources = sending(HOME_REGION, LogBucketName="firewall-logs-example")
    told = resources["LogBucket"]["NotificationConfiguration"]["LambdaConfigurations"]
    read = next(s for s in statements(resources["LogBucketPolicy"]) if s.get("Sid") == "Read")

    assert [FUNCTION] == [each["Function"] for each in told]
    assert "s3:GetObject" == read["Action"]
    readers = [f"arn:aws:iam::{HOME}:role/firebreak-dev-{each}" for each in READS_OBJECTS]
    assert {"ArnEquals": {"aws:PrincipalArn": readers}} == read["Condition"]
    assert f"arn:aws:s3:::firewall-logs-example/AWSLogs/{MEMBER}/*" == read["Resource"]


def test_nothing_is_made_that_was_not_asked_for() -> None:
    """Neither subscription nor bucket is made unless named, and a bucket only at home."""
    assert {} == sending(HOME_REGION)
    assert {} == sending(OTHER_REGION, LogBucketName="firewall-logs-example")
    assert "SenderRole" not in sending(OTHER_REGION, LogGroupName="/a")


def test_the_organisation_s_members_send_as_a_role_of_their_own() -> None:
    """For an organisation, the subscription shows a role; its name is the region's."""
    given = {"LogGroupName": "/firewall/alerts", "OrganizationId": GIVEN["OrganizationId"]}
    names = {sending(r, **given)["SenderRole"]["RoleName"] for r in (HOME_REGION, OTHER_REGION)}

    assert {f"{NAME}-{HOME_REGION}", f"{NAME}-{OTHER_REGION}"} == names


def test_what_the_test_of_a_notification_holds_is_no_alert() -> None:
    """S3's test event, which comes when the notification is set up, is passed over."""
    assert 1 == records({"Service": "Amazon S3", "Event": "s3:TestEvent"}).ignored
