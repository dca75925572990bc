"""GuardDuty events of every family become findings; what cannot be read is rejected by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import sources
from chalicelib.errors import Rejected
from chalicelib.finding import ATTRIBUTES, Finding, Resource, document, from_document
from chalicelib.sources import Reading, guardduty
from chalicelib.sources.guardduty.envelope import receive

EVENTS = Path(__file__).parents[1] / "events" / "guardduty"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
FINDINGS = [name for name in NAMES if name not in ("malware_object_scan", "clean_object_scan")]
ACCOUNT = "111122223333"
INSTANCE = "i-0a1b2c3d4e5f60718"
KEY = "AKIAIOSFODNN7EXAMPLE"
SESSION_KEY = "ASIAIOSFODNN7EXAMPLE"
TASK = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
VOLUME = "vol-0a1b2c3d4e5f60710"


def event(name: str) -> Any:
    """Return one of our events."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def finding(name: str) -> Finding:
    """Return the one finding of one of our events."""
    (found,) = guardduty.read(event(name)).findings
    return found


def resource(name: str, kind: str) -> Resource:
    """Return the first resource of a kind in one of our events."""
    return next(each for each in finding(name).resources if each.kind == kind)


# Each event: its severity, role, resources (the first is the one named by resourceType), addresses
# and domains with the way the traffic went.
TABLE: Mapping[str, tuple[float, str | None, str, str]] = {
    "ami_malware": (8, None, "image:ami-0a1b2c3d4e5f60718", ""),
    "anomalous_model_invocation": (
        5, "TARGET", f"access_key:{KEY} iam_user:deploy", "198.51.100.83 INBOUND",
    ),
    "api_form_ec2": (8, "ACTOR", f"instance:{INSTANCE}", "198.51.100.23 OUTBOUND"),
    "attack_sequence_ec2": (
        9, "TARGET",
        f"instance:{INSTANCE} image:ami-0a1b2c3d4e5f60718 instance:i-0a1b2c3d4e5f60719",
        "203.0.113.62 INBOUND",
    ),
    "attack_sequence_ecs": (9, "TARGET", f"ecs_cluster:shop ecs_task:{TASK}", ""),
    "attack_sequence_eks": (
        9.5, "TARGET",
        "eks_cluster:shop kubernetes_workload:debug-shell kubernetes_workload:debug-shell"
        f" container:0a1b2c3d4e5f-4 instance:{INSTANCE}"
        f" guardduty_resource:arn:aws:ec2:us-east-1:{ACCOUNT}:network-interface/"
        "eni-0a1b2c3d4e5f6a710"
        " guardduty_resource:arn:aws:ec2:us-east-1:444455556666:instance/i-0123456789abcdef0"
        f" guardduty_resource:arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:0a1b2c3d:"
        "autoScalingGroupName/nodes",
        "198.51.100.61 OUTBOUND, pool.mining.example OUTBOUND",
    ),
    "attack_sequence_iam": (
        9, "TARGET",
        f"access_key:{KEY} iam_user:deploy bucket:shop-invoices object:shop-invoices/2026/03.csv"
        f" access_key:{SESSION_KEY} iam_role:admin",
        "203.0.113.60 INBOUND",
    ),
    "backdoor_c_and_c_dns": (8, "ACTOR", f"instance:{INSTANCE}", "cdn.command.example OUTBOUND"),
    "console_login": (5, "TARGET", "iam_user:deploy", "203.0.113.78 INBOUND"),
    "container_malware": (
        5, None, f"container:0a1b2c3d4e5f-3 instance:{INSTANCE} volume:{VOLUME}", "",
    ),
    "container_runtime": (
        8, None,
        "container:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
        f" instance:{INSTANCE} eks_cluster:shop kubernetes_workload:checkout-5d9c7",
        "",
    ),
    "crypto_currency_ec2": (8, "ACTOR", f"instance:{INSTANCE}", "198.51.100.23 OUTBOUND"),
    "custom_detection_rule": (
        8, "TARGET", f"access_key:ASIAOPERATIONSEXAMPL iam_role:operations account:{ACCOUNT}",
        "198.51.100.98 INBOUND",
    ),
    "ebs_malware": (
        8, None, f"instance:{INSTANCE} volume:{VOLUME} volume:vol-0a1b2c3d4e5f60711", "",
    ),
    "ebs_volume_malware": (5, None, f"volume:{VOLUME}", ""),
    "ec2_recovery_point_malware": (8, None, "recovery_point:ami-0a1b2c3d4e5f60719", ""),
    "ecs_malware": (8, None, f"ecs_cluster:shop ecs_task:{TASK} volume:{VOLUME}", ""),
    "ecs_runtime": (8, None, f"ecs_cluster:shop ecs_task:{TASK}", "198.51.100.92 OUTBOUND"),
    "eks_anonymous_access": (
        8, "TARGET", "eks_cluster:shop kubernetes_user:system:anonymous", "198.51.100.90 INBOUND",
    ),
    "eks_malware": (8, None, f"eks_cluster:shop volume:{VOLUME}", ""),
    "eks_runtime": (
        5, None,
        f"eks_cluster:shop instance:{INSTANCE} kubernetes_workload:checkout"
        " container:0a1b2c3d4e5f-2",
        "",
    ),
    "federated_user": (
        5, "TARGET", "access_key:ASIAFEDERATEDEXAMPLE principal:analyst", "203.0.113.82 INBOUND",
    ),
    "instance_runtime": (5, None, f"instance:{INSTANCE}", ""),
    "kubernetes_privileged_container": (
        5, "TARGET",
        "eks_cluster:shop kubernetes_workload:debug-shell kubernetes_user:deploy-bot",
        "203.0.113.91 INBOUND",
    ),
    "lambda_c_and_c": (8, "ACTOR", "lambda_function:checkout", "198.51.100.94 OUTBOUND"),
    "low_severity": (2, "ACTOR", f"instance:{INSTANCE}", "198.51.100.23 OUTBOUND"),
    "malware_object_scan": (
        8, None, "object:shop-uploads/incoming/invoice.pdf.exe bucket:shop-uploads", "",
    ),
    "metadata_dns_rebind": (8, "ACTOR", f"instance:{INSTANCE}", "rebind.attacker.example OUTBOUND"),
    "port_probe": (
        2, "TARGET", f"instance:{INSTANCE}",
        "198.51.100.40 INBOUND, 203.0.113.41 INBOUND, 2001:db8:2::41 INBOUND",
    ),
    "public_bucket": (
        8, "TARGET", f"bucket:shop-invoices access_key:{KEY} iam_user:deploy",
        "198.51.100.84 INBOUND",
    ),
    "rds_failed_login": (5, "TARGET", "rds_instance:shop-orders", "198.51.100.95 INBOUND"),
    "rds_limitless_login": (8, "TARGET", "rds_shard_group:shop-ledger", "203.0.113.97 INBOUND"),
    "rds_successful_login": (8, "TARGET", "rds_instance:shop-orders", "203.0.113.96 INBOUND"),
    "root_usage": (
        2, "TARGET", f"access_key:ASIAI44QH8DHBEXAMPLE root:{ACCOUNT}", "198.51.100.81 INBOUND",
    ),
    "s3_exfiltration_two_buckets": (
        8, "TARGET",
        f"bucket:shop-invoices bucket:shop-customers access_key:{KEY} iam_user:deploy",
        "203.0.113.85 INBOUND",
    ),
    "s3_malicious_object": (
        8, None, "object:shop-uploads/incoming/invoice.pdf.exe bucket:shop-uploads", "",
    ),
    "s3_recovery_point_malware": (
        8, None, "recovery_point:shop-uploads-20260301-0a1b2c3d", "",
    ),
    "sample_finding": (5, "ACTOR", "instance:i-99999999", "198.51.100.1 OUTBOUND"),
    "snapshot_malware": (8, None, "snapshot:snap-0a1b2c3d4e5f60718", ""),
    "ssh_brute_force_target": (2, "TARGET", f"instance:{INSTANCE}", "203.0.113.99 INBOUND"),
    "stolen_access_key_user": (
        8, "TARGET", f"access_key:{KEY} iam_user:deploy", "198.51.100.77 INBOUND",
    ),
    "stolen_role_credentials": (
        8, "TARGET", f"access_key:{SESSION_KEY} iam_role:web-server instance:{INSTANCE}",
        "203.0.113.80 INBOUND",
    ),
    "unusual_dns_resolver": (5, "ACTOR", f"instance:{INSTANCE}", "198.51.100.53 OUTBOUND"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NAMES if name != "clean_object_scan"])
def test_every_event_is_read(name: str) -> None:
    """Each event gives the severity, role, resources and remote ends that it was written with."""
    found = finding(name)
    ends = [f"{i.value} {i.direction}" for i in found.indicators if "port" not in i.kind]
    named = " ".join(f"{each.kind}:{each.id}" for each in found.resources)
    assert (found.severity, found.role, named, ", ".join(ends)) == TABLE[name]
    assert (found.account, found.region, found.partition) == (ACCOUNT, "us-east-1", "aws")
    assert found.resource == found.resources[0]


@pytest.mark.parametrize("name", NAMES)
def test_envelopes_are_kept_as_they_are(name: str) -> None:
    """What comes as EventBridge delivers it goes to the patterns as it is, and is not changed."""
    before = event(name)
    given_event = event(name)
    envelope = guardduty.read(given_event).envelope
    assert given_event == before
    if name != "api_form_ec2":
        assert envelope == before


@pytest.mark.parametrize("name", [name for name in NAMES if name != "clean_object_scan"])
def test_attributes_are_those_playbooks_may_ask_for(name: str) -> None:
    """Kinds and attributes are the declared ones, and a finding survives being stored."""
    found = finding(name)
    for each in found.resources:
        assert set(each.attributes) <= ATTRIBUTES[each.kind]
    assert from_document(json.loads(json.dumps(document(found)))) == found


# The families of the GuardDuty user guide, mid 2026, with the resource types they document.
# https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-active.html
FAMILIES = [
    ("Foundational: EC2", "Instance", "crypto_currency_ec2"),
    ("Foundational: IAM", "AccessKey", "stolen_access_key_user"),
    ("S3 Protection", "S3Bucket", "public_bucket"),
    ("EKS Protection", "EKSCluster", "eks_anonymous_access"),
    ("Runtime Monitoring", "Instance", "instance_runtime"),
    ("Runtime Monitoring", "EKSCluster", "eks_runtime"),
    ("Runtime Monitoring", "ECSCluster", "ecs_runtime"),
    ("Runtime Monitoring", "Container", "container_runtime"),
    ("Malware Protection for EC2", "Instance", "ebs_malware"),
    ("Malware Protection for EC2", "ECSCluster", "ecs_malware"),
    ("Malware Protection for EC2", "EKSCluster", "eks_malware"),
    ("Malware Protection for EC2", "Container", "container_malware"),
    ("Malware Protection for S3", "S3Object", "s3_malicious_object"),
    ("Malware Protection for Backup", "EBSSnapshot", "snapshot_malware"),
    ("Malware Protection for Backup", "EC2Image", "ami_malware"),
    ("Malware Protection for Backup", "RecoveryPoint", "ec2_recovery_point_malware"),
    ("Malware Protection for Backup", "RecoveryPoint", "s3_recovery_point_malware"),
    ("RDS Protection", "RDSDBInstance", "rds_successful_login"),
    ("RDS Protection", "RDSLimitlessDB", "rds_limitless_login"),
    ("Lambda Protection", "Lambda", "lambda_c_and_c"),
    ("AI Protection", "AccessKey", "anomalous_model_invocation"),
    ("Custom Detection Rules", "EC2", "custom_detection_rule"),
    ("Extended Threat Detection", "AttackSequence", "attack_sequence_eks"),
]


@pytest.mark.parametrize(("family", "resource_type", "name"), FAMILIES)
def test_every_family_has_an_event(family: str, resource_type: str, name: str) -> None:
    """Each family and resource type of the user guide is read."""
    assert finding(name).detail["resource_type"] == resource_type, family


@pytest.mark.parametrize(
    "service",
    ("IAM", "Lambda", "Organizations", "RDS", "RolesAnywhere", "S3", "SES", "SageMaker"),
)
def test_custom_detection_rules_are_about_the_caller(service: str) -> None:
    """A custom rule's finding names a service; the caller is the resource, or else the account."""
    custom = event("custom_detection_rule")
    custom["detail"]["resource"]["resourceType"] = service
    (found,) = guardduty.read(custom).findings
    assert found.resource.id == "ASIAOPERATIONSEXAMPL"
    del custom["detail"]["resource"]["accessKeyDetails"]
    (found,) = guardduty.read(custom).findings
    assert found.resource == Resource("account", ACCOUNT)


def test_an_instance_has_all_its_interfaces() -> None:
    """Every interface is listed with its groups; the profile is stated, its role is not guessed."""
    attributes = resource("crypto_currency_ec2", "instance").attributes
    assert attributes["interfaces"] == [
        {
            "id": "eni-0a1b2c3d4e5f6a710",
            "vpc_id": "vpc-0a1b2c3d4e5f60718",
            "subnet_id": "subnet-0a1b2c3d4e5f60001",
            "private_ip": "10.0.1.17",
            "public_ip": "203.0.113.17",
            "ipv6": ["2001:db8:1::17"],
            "groups": [{"id": "sg-0a1b2c3d4e5f60001", "name": "web"}],
        },
        {
            "id": "eni-0a1b2c3d4e5f6a720",
            "vpc_id": "vpc-0a1b2c3d4e5f60718",
            "subnet_id": "subnet-0a1b2c3d4e5f60002",
            "private_ip": "10.0.2.17",
            "public_ip": None,
            "ipv6": [],
            "groups": [
                {"id": "sg-0a1b2c3d4e5f60001", "name": "web"},
                {"id": "sg-0a1b2c3d4e5f60002", "name": "admin"},
            ],
        },
    ]
    assert {name: attributes[name] for name in attributes if name != "interfaces"} == {
        "vpc_ids": ["vpc-0a1b2c3d4e5f60718"],
        "subnet_ids": ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"],
        "availability_zone": "us-east-1a",
        "image_id": "ami-0a1b2c3d4e5f60718",
        "instance_type": "m6i.large",
        "launch_time": "2026-01-11T08:30:00.000Z",
        "profile_arn": "arn:aws:iam::111122223333:instance-profile/web-server",
        "tags": {"Name": "web-1", "team": "shop"},
    }


def test_a_finding_says_what_happened() -> None:
    """Times, count, ports and what only GuardDuty says are on the finding."""
    found = finding("crypto_currency_ec2")
    assert (found.created_at, found.updated_at) == ("2026-03-02T10:16:05.412Z",) * 2
    assert found.first_seen == "2026-03-02T10:01:12.000Z"
    assert found.last_seen == "2026-03-02T10:14:40.000Z"
    assert (found.count, found.archived, found.sample, found.status) == (4, False, False, "active")
    assert (found.values("port"), found.values("local_port")) == (("3333",), ("49152",))
    assert found.detail["detector_id"] == "12abc34d567e8fa901bc2d34e56789f0"
    assert found.detail["action"] == {"type": "NETWORK_CONNECTION", "protocol": "TCP"}
    assert found.detail["threats"] == ["CryptoMining"]


ATTRIBUTES_OF: list[tuple[str, str, dict[str, Any]]] = [
    (
        "stolen_access_key_user", "access_key",
        {"user_name": "deploy", "user_type": "IAMUser", "principal_id": "AIDA0123456789EXAMPLE",
         "long_term": True},
    ),
    (
        "stolen_role_credentials", "access_key",
        {"user_name": "web-server", "user_type": "AssumedRole", "role_name": "web-server",
         "principal_id": "AROA0123456789EXAMPLE:i-0a1b2c3d4e5f60718", "long_term": False,
         "session_name": "i-0a1b2c3d4e5f60718"},
    ),
    (
        "stolen_role_credentials", "iam_role",
        {"role_name": "web-server", "principal_id": "AROA0123456789EXAMPLE:i-0a1b2c3d4e5f60718",
         "session_name": "i-0a1b2c3d4e5f60718"},
    ),
    (
        "federated_user", "principal",
        {"user_name": "analyst", "user_type": "FederatedUser",
         "principal_id": "111122223333:analyst"},
    ),
    ("root_usage", "root", {"principal_id": ACCOUNT}),
    (
        "public_bucket", "bucket",
        {"owner": "64-characters-of-canonical-user-id", "type": "Destination", "public": True,
         "created_at": "2026-01-01T00:00:00Z", "encryption": "SSEAlgorithm",
         "tags": {"team": "shop"}},
    ),
    (
        "s3_malicious_object", "object",
        {"bucket": "shop-uploads", "key": "incoming/invoice.pdf.exe",
         "version_id": "3sL4kqtJlcpXroDTDmJ.example", "etag": "d41d8cd98f00b204e9800998ecf8427e",
         "hash": "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"},
    ),
    (
        "eks_anonymous_access", "eks_cluster",
        {"vpc_id": "vpc-0a1b2c3d4e5f60718", "status": "ACTIVE", "tags": {"team": "shop"},
         "created_at": "2026-01-01T00:00:00Z"},
    ),
    (
        "eks_anonymous_access", "kubernetes_user",
        {"groups": ["system:unauthenticated"], "cluster": "shop"},
    ),
    (
        "kubernetes_privileged_container", "kubernetes_workload",
        {"cluster": "shop", "namespace": "payments", "workload_type": "pods",
         "uid": "0a1b2c3d-1111-2222-3333-444455556666", "service_account": "builder",
         "host_network": True,
         "containers": [{"name": "shell", "image": "registry.example/tools/shell:1.0",
                         "image_prefix": "registry.example/tools", "privileged": True}]},
    ),
    (
        "ecs_runtime", "ecs_cluster",
        {"status": "ACTIVE", "service_names": ["checkout"], "tags": {"team": "shop"}},
    ),
    (
        "ecs_runtime", "ecs_task",
        {"cluster": "shop", "launch_type": "FARGATE", "group": "service:checkout",
         "definition_arn": "arn:aws:ecs:us-east-1:111122223333:task-definition/checkout:7",
         "started_at": "2026-03-02T09:51:00Z",
         "containers": [{"id": "0a1b2c3d4e5f-1", "name": "checkout", "runtime": "containerd",
                         "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/checkout:7",
                         "image_prefix": "111122223333.dkr.ecr.us-east-1.amazonaws.com"}]},
    ),
    (
        "container_runtime", "container",
        {"runtime": "containerd", "image": "registry.example/shop/checkout:7",
         "image_prefix": "registry.example/shop", "privileged": False, "cluster": "shop"},
    ),
    (
        "lambda_c_and_c", "lambda_function",
        {"version": "$LATEST", "role_arn": "arn:aws:iam::111122223333:role/service-role/checkout",
         "role_name": "checkout", "revision_id": "0a1b2c3d-9999-8888-7777-666655554444",
         "vpc_id": "vpc-0a1b2c3d4e5f60718", "subnet_ids": ["subnet-0a1b2c3d4e5f60001"],
         "group_ids": ["sg-0a1b2c3d4e5f60003"], "tags": {"team": "shop"}},
    ),
    (
        "rds_successful_login", "rds_instance",
        {"cluster": "shop", "engine": "Aurora MySQL", "tags": {"team": "shop"},
         "engine_version": "8.0.mysql_aurora.3.05.2", "database_user": "orders_admin"},
    ),
    (
        "ebs_malware", "volume",
        {"attached_to": INSTANCE, "device": "/dev/xvda", "encryption": "EBS_CMK", "size": 30,
         "type": "gp3",
         "kms_key_arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0a1b2c3d-0000-0000-0000-000000000000",
         "snapshot_arn": "arn:aws:ec2:us-east-1:111122223333:snapshot/snap-0a1b2c3d4e5f60710"},
    ),
    ("ami_malware", "image", {"snapshot_ids": ["snap-0a1b2c3d4e5f60718"]}),
    ("ec2_recovery_point_malware", "recovery_point", {"vault": "daily"}),
    (
        "attack_sequence_iam", "iam_role",
        {"role_name": "admin", "principal_id": "AROA0123456789EXAMPLE:intruder",
         "session_name": "intruder"},
    ),
    (
        "attack_sequence_eks", "kubernetes_workload",
        {"cluster": "shop", "namespace": "payments", "workload_type": "DEPLOYMENTS",
         "uid": "payments/deployments/debug-shell"},
    ),
    (
        "attack_sequence_ecs", "ecs_task",
        {"cluster": "shop", "launch_type": "FARGATE",
         "definition_arn": "arn:aws:ecs:us-east-1:111122223333:task-definition/checkout:7"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "attributes"), ATTRIBUTES_OF)
def test_resources_have_the_attributes_that_the_event_has(
    name: str, kind: str, attributes: dict[str, Any]
) -> None:
    """A resource has exactly the attributes that its event states."""
    assert resource(name, kind).attributes == attributes


def test_a_listed_instance_gets_the_interfaces_listed_with_it() -> None:
    """An attack sequence lists network interfaces apart; the instance has them like any other."""
    instance = resource("attack_sequence_eks", "instance")
    (interface,) = instance.attributes["interfaces"]
    assert interface["groups"] == [{"id": "sg-0a1b2c3d4e5f60001", "name": "web"}]
    assert interface["id"] == "eni-0a1b2c3d4e5f6a710"
    assert instance.attributes["profile_arn"].endswith(":instance-profile/web-server")


def test_a_listed_resource_of_another_account_has_no_kind_to_act_on() -> None:
    """What belongs to another account is listed, but as nothing that an action takes."""
    kinds = {each.id: each.kind for each in finding("attack_sequence_eks").resources}
    assert kinds["arn:aws:ec2:us-east-1:444455556666:instance/i-0123456789abcdef0"] == (
        "guardduty_resource"
    )


def test_a_role_of_another_account_is_not_taken_for_ours() -> None:
    """A session issued in another account gives a principal, not a role of that name here."""
    sequence = event("attack_sequence_iam")
    actor = sequence["detail"]["service"]["detection"]["sequence"]["actors"][1]
    actor["session"]["issuer"] = "arn:aws:iam::444455556666:role/admin"
    (found,) = guardduty.read(sequence).findings
    kinds = [each.kind for each in found.resources if each.id == "admin"]
    issuers = [each.attributes.get("issuer_account") for each in found.resources]
    assert kinds == ["principal"]
    assert "444455556666" in issuers


def test_console_logins_say_so() -> None:
    """A ConsoleLogin with an access key is marked, for the key is not how they came in."""
    login = event("console_login")
    login["detail"]["resource"]["accessKeyDetails"]["accessKeyId"] = KEY
    (found,) = guardduty.read(login).findings
    assert (found.resource.id, found.resource.attributes["console"]) == (KEY, True)


def test_a_client_cannot_choose_whom_to_block() -> None:
    """Of a Kubernetes call's source addresses only the last is not the client's to write."""
    call = event("eks_anonymous_access")
    action = call["detail"]["service"]["action"]["kubernetesApiCallAction"]
    assert action["sourceIPs"] == ["192.0.2.200", "198.51.100.90"]
    del action["remoteIpDetails"]
    (found,) = guardduty.read(call).findings
    assert found.values("address") == ("198.51.100.90",)


def test_a_scan_without_threats_is_nothing_to_act_on() -> None:
    """A clean object gives a reading without findings."""
    assert guardduty.read(event("clean_object_scan")).findings == ()


def test_an_unknown_scan_result_is_rejected() -> None:
    """A status that is not documented is rejected, and the known ones are named."""
    scan = event("malware_object_scan")
    scan["detail"]["scanResultDetails"]["scanResultStatus"] = "PERHAPS"
    with pytest.raises(Rejected, match="THREATS_FOUND, NO_THREATS_FOUND"):
        guardduty.read(scan)


@pytest.mark.parametrize(
    ("additional", "title", "sample"),
    [
        ({"sample": True}, "t", True),
        ({"value": '{"sample": true}', "type": "default"}, "t", True),
        ({"value": '{"sample": "true"}', "type": "default"}, "t", False),
        ({"value": "not JSON", "type": "default"}, "t", False),
        ({"value": "[" * 100_000, "type": "default"}, "t", False),
        ({}, "[SAMPLE] t", True),
        ({}, "t [SAMPLE]", False),
        (None, "t", False),
    ],
)
def test_samples_are_known(additional: Any, title: str, sample: bool) -> None:
    """A finding that AWS made up says so in additionalInfo or at the start of its title."""
    made = event("crypto_currency_ec2")
    made["detail"]["service"]["additionalInfo"] = additional
    made["detail"]["title"] = title
    assert guardduty.read(made).findings[0].sample is sample


def test_new_finding_types_are_read() -> None:
    """GuardDuty adds finding types all the time; one that nobody knows yet is a finding."""
    made = event("low_severity")
    made["detail"]["type"] = "Impact:EC2/SomethingNew.B!Custom"
    (found,) = sources.read(made).findings
    assert found.type == "Impact:EC2/SomethingNew.B!Custom"


# How the API spells what EventBridge spells otherwise than by the first letter.
API = {
    ("kubernetesApiCallAction", "sourceIPs"): "SourceIps",
    ("taskDetails", "createdAt"): "TaskCreatedAt",
    ("account", "account"): "Name",
    ("location", "lat"): "Latitude",
    ("location", "lon"): "Longitude",
    ("kubernetesWorkload", "type"): "KubernetesResourcesTypes",
}


def as_api(value: Any, inside: str = "") -> Any:
    """Return a detail as the GuardDuty API spells it."""
    if isinstance(value, list):
        return [as_api(item, inside) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        API.get((inside, name), name[0].upper() + name[1:]): as_api(item, name)
        for name, item in value.items()
    }


@pytest.mark.parametrize("name", [name for name in FINDINGS if name != "api_form_ec2"])
def test_all_forms_read_alike(name: str) -> None:
    """An envelope, its detail, and both in the API's spelling give one finding and one detail."""
    whole = event(name)
    detail = whole["detail"]
    forms = [detail, whole | {"detail": as_api(detail)}, as_api(detail)]
    forms += [{"Findings": [as_api(detail)]}, {"findings": [detail]}]
    for form in forms:
        assert guardduty.recognises(form)
        reading = guardduty.read(form)
        assert reading.findings == guardduty.read(whole).findings
        assert reading.envelope.keys() == whole.keys()
        for key in ("detail", "detail-type", "source", "account", "region", "resources"):
            expected = whole[key]
            if key == "detail" and name.startswith("attack_sequence"):
                expected = json.loads(json.dumps(expected).replace('"IamInst', '"iamInst'))
            if form is not detail and form != {"findings": [detail]}:
                assert reading.envelope[key] == expected, key


def test_several_findings_are_parted_not_mixed() -> None:
    """Playbooks match one event each: several findings are refused, and split yields each."""
    names = ["public_bucket", "low_severity", "root_usage"]
    listed = {"Findings": [as_api(event(name)["detail"]) for name in names]}
    with pytest.raises(Rejected) as caught:
        guardduty.read(listed)
    assert caught.value.path == "Findings"
    assert "holds 3 findings" in caught.value.reason
    ids = [guardduty.read(each).findings[0].id for each in guardduty.split(listed)]
    assert ids == [finding(name).id for name in names]
    assert list(guardduty.split(event("public_bucket"))) == [event("public_bucket")]


def test_a_field_in_two_spellings_is_rejected() -> None:
    """Where a field is there twice, which one is meant cannot be told."""
    both = event("api_form_ec2")
    both["severity"] = 1
    with pytest.raises(Rejected, match="two ways"):
        guardduty.read(both)


def test_bottomless_events_are_rejected() -> None:
    """An event of the API's form that is nested too deeply is rejected, not a crash."""
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    made = event("api_form_ec2")
    made["Service"]["AdditionalInfo"]["Deep"] = deep
    with pytest.raises(Rejected, match="nested deeper than 64 levels"):
        guardduty.read(made)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"detail": {}, "source": "aws.config", "detail-type": "GuardDuty Finding"},
        {"detail": {}, "detail-type": "Config Rules Compliance Change"},
        {"Findings": []},
        {"Findings": [{"ProductArn": "arn", "Type": "t", "Resource": {}}]},
        {"Findings": "none"},
        {"source": 5, "detail-type": []},
    ],
)
def test_other_events_are_left_to_others(other: dict[str, Any]) -> None:
    """Events of other sources, and Security Hub's findings, are not recognised."""
    assert not guardduty.recognises(other)


def test_an_envelope_without_a_source_is_known_by_its_type() -> None:
    """Hand-made events often lack the source; the canonical envelope has it."""
    made = event("low_severity")
    for name in ("source", "account", "region", "id", "time", "version", "resources"):
        del made[name]
    reading = guardduty.read(made)
    assert reading.envelope["source"] == "aws.guardduty"
    assert reading.envelope["id"] == reading.findings[0].id
    assert reading.envelope["time"] == reading.findings[0].updated_at


WRONG: list[tuple[str, Any, str]] = [
    ("account", "1234567890123", "account: '1234567890123' is not a 12-digit account id"),
    ("region", "us-east-1.evil.example/", "'us-east-1.evil.example/' is not a region's name"),
    ("detail-type", "GuardDuty Other", "detail-type: 'GuardDuty Other' is not read"),
    ("detail", [], "detail: has to be an object"),
    ("detail.accountId", "12345", "detail.accountId: '12345' is not a 12-digit account id"),
    ("detail.accountId", 111122223333, "detail.accountId: has to be a text, not a number"),
    ("detail.accountId", "१११११११११११२", "is not a 12-digit account id"),
    ("detail.region", "nowhere", "detail.region: 'nowhere' is not a region's name"),
    ("detail.partition", "azure", "detail.partition: 'azure' is not a partition's name"),
    ("detail.id", None, "detail.id: is missing"),
    ("detail.type", "", "detail.type: is missing"),
    ("detail.severity", "8", "detail.severity: has to be a number, not a text"),
    ("detail.severity", True, "detail.severity: has to be a number, not true or false"),
    ("detail.severity", float("nan"), "detail.severity: has to be a finite number"),
    ("detail.severity", float("inf"), "detail.severity: has to be a finite number"),
    ("detail.severity", 11, "detail.severity: has to be from 0 to 10"),
    ("detail.severity", -1, "detail.severity: has to be from 0 to 10"),
    ("detail.createdAt", "soon", "detail.createdAt: 'soon' is not an ISO 8601 time"),
    ("detail.service", "guardduty", "detail.service: has to be an object, not a text"),
    ("detail.service.count", "4", "detail.service.count: has to be a number, not a text"),
    ("detail.service.archived", "false", "has to be true or false, not a text"),
    ("detail.resource.resourceType", "Toaster", "'Toaster' is not a known resource type; known"),
    ("detail.resource.resourceType", "Lambda", "detail.resource.lambdaDetails.functionName: is"),
    ("detail.resource.instanceDetails", None, "instanceDetails.instanceId: is missing, while"),
    ("detail.resource.instanceDetails.instanceId", "i-1\n", "holds a control character"),
    ("detail.resource.instanceDetails.instanceId", "i" * 1025, "longer than 1024 characters"),
    (
        "detail.service.action.networkConnectionAction.remoteIpDetails.ipAddressV4",
        "198.51.100.0/24",
        "remoteIpDetails.ipAddressV4: '198.51.100.0/24' is not an IP address",
    ),
    (
        "detail.service.action.networkConnectionAction.remotePortDetails.port",
        70000,
        "remotePortDetails.port: has to be from 0 to 65535",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG)
def test_wrong_values_are_rejected_by_name(path: str, value: Any, message: str) -> None:
    """What is wrong is named: where it is, and what would be right."""
    made = event("crypto_currency_ec2")
    *above, last = path.split(".")
    at = made
    for name in above:
        at = at[name]
    at[last] = value
    with pytest.raises(Rejected) as caught:
        guardduty.read(made)
    assert message in str(caught.value)


def test_paths_are_spelled_as_in_the_event() -> None:
    """A rejection of the API's form names the field as the API does."""
    detail = as_api(event("kubernetes_privileged_container")["detail"])
    detail["Service"]["Action"]["KubernetesApiCallAction"]["SourceIps"][1] = "nobody"
    path = "Service.Action.KubernetesApiCallAction.SourceIps[1]"
    for form, above in ((detail, ""), ({"Findings": [detail]}, "Findings[0].")):
        with pytest.raises(Rejected) as caught:
            guardduty.read(form)
        assert caught.value.path == above + path
    envelope = event("low_severity") | {"detail": detail}
    with pytest.raises(Rejected) as caught:
        guardduty.read(envelope)
    assert caught.value.path == f"detail.{path}"
    with pytest.raises(Rejected) as caught:
        guardduty.read(envelope | {"region": 5})
    assert caught.value.path == "region"


def test_a_domain_may_be_odd_but_not_overlong() -> None:
    """A domain is the attacker's text: it is kept as it is, up to a length."""
    made = event("backdoor_c_and_c_dns")
    request = made["detail"]["service"]["action"]["dnsRequestAction"]
    request["domain"] = "*.xn--ü\n'\"<b>.example"
    assert guardduty.read(made).findings[0].values("domain") == (request["domain"],)
    request["domain"] = "a" * 256
    with pytest.raises(Rejected, match=r"dnsRequestAction\.domain: is longer than 255"):
        guardduty.read(made)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
        ("eu-central-1", "aws"),
    ],
)
def test_the_partition_follows_the_region(region: str, partition: str) -> None:
    """Where no partition is stated, it is the region's."""
    made = event("low_severity")
    made["detail"] |= {"region": region, "partition": None}
    assert guardduty.read(made).findings[0].partition == partition


# The service model of botocore is the API reference in a form that can be compared with.
MODEL = Loader().load_service_model("guardduty", "service-2")["shapes"]
# Fields that the model gives no spelling of their own, in which EventBridge may write them.
UNSPELLED = {"IamInstanceProfile", "LoginAttributes"}


def fields(shape: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """Yield (field the object is in, name in the API, name in the event) of all below a shape."""
    for name, member in MODEL[shape].get("members", {}).items():
        yield seen[-1] if seen else "", name, member.get("locationName", name)
        inner = member["shape"]
        while MODEL[inner]["type"] == "list":
            inner = MODEL[inner]["member"]["shape"]
        if len(seen) < 12:
            yield from fields(inner, (*seen, member.get("locationName", name)))


def test_every_documented_field_is_respelled() -> None:
    """Each field of the API's Finding is turned into the name that EventBridge uses."""
    known = set(fields("Finding"))
    assert len(known) > 400
    for inside, name, wire in known:
        if name in UNSPELLED:
            continue
        respelled = receive({"Type": "t", "Nested": {inside: {name: 1}}}).detail
        (value,) = respelled.value["nested"].values()
        assert value == {wire: 1}, (inside, name)


def undocumented(value: Any, shape: str, path: str) -> Iterator[str]:
    """Yield the paths of what a value has and its shape in the service model has not."""
    model = MODEL[shape]
    if value is None:
        return
    if model["type"] == "list":
        for item in value:
            yield from undocumented(item, model["member"]["shape"], path)
    if model["type"] == "structure":
        members = {m.get("locationName", n): m["shape"] for n, m in model["members"].items()}
        for name, item in value.items():
            if name in members:
                yield from undocumented(item, members[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"


@pytest.mark.parametrize("name", [name for name in FINDINGS if name != "api_form_ec2"])
def test_our_events_have_documented_fields_only(name: str) -> None:
    """No event of ours has a field that GuardDuty does not document."""
    assert list(undocumented(event(name)["detail"], "Finding", "detail")) == []


def test_the_list_of_events_is_complete() -> None:
    """Each event has its row in README.md, with a page of AWS's documentation."""
    rows = (EVENTS / "README.md").read_text().splitlines()
    for name in NAMES:
        (row,) = [row for row in rows if row.startswith(f"| `{name}.json` |")]
        assert "<https://docs.aws.amazon.com/guardduty/latest/" in row


def places(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield each container in a value, each key or index in it, and the path without indices."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        below = f"{path}.{key}" if isinstance(value, dict) else path
        yield value, key, below
        if isinstance(item, dict | list):
            yield from places(item, below)


def read_or_reject(made: Any) -> None:
    """Read an event; only Rejected may be raised, and with a reason."""
    try:
        assert isinstance(guardduty.read(made), Reading)
    except Rejected as rejected:
        assert rejected.path
        assert rejected.reason


WRONG_TYPES: list[Any] = [None, [0], {"": {}}, "\x00", -1.5]


def test_any_field_of_the_wrong_type_is_read_or_rejected() -> None:
    """Each field of our events is made wrong in turn: the event is read, or rejected."""
    tried: set[str] = set()
    for name in NAMES:
        made = event(name)
        new = [place for place in places(made) if place[2] not in tried]
        for container, key, path in new:
            held = container[key]
            for wrong in WRONG_TYPES:
                container[key] = wrong
                read_or_reject(made)
            container[key] = held
            tried.add(path)
        assert made == event(name)
    assert len(tried) > 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ALL = {name: event(name) for name in NAMES}


@settings(deadline=None, max_examples=300)
@given(name=st.sampled_from(NAMES), wrong=JSON, data=st.data())
def test_any_json_in_any_place_is_read_or_rejected(name: str, wrong: Any, data: Any) -> None:
    """Whatever JSON stands in any place of any event, it is read or rejected."""
    made = deepcopy(ALL[name])
    container, key, _ = data.draw(st.sampled_from(list(places(made))))
    container[key] = wrong
    read_or_reject(made)
