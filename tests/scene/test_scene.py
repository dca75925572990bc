from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.finding import Finding, Resource
from firebreak.cloud import Cloud
from firebreak.scene import BUILDERS, make
from tests.scene.conftest import REGION, about, client, finding_of, findings

INSTANCE = "i-0a1b2c3d4e5f60718"


def shown_iam(cloud: Cloud, resource: Resource) -> Any:
    at = resource.attributes
    if at.get("role_name"):
        return client(cloud, "iam").get_role(RoleName=at["role_name"])
    keys = client(cloud, "iam").list_access_keys(UserName=at["user_name"])["AccessKeyMetadata"]
    return resource.kind == "iam_user" or {resource.id} & {each["AccessKeyId"] for each in keys}


SHOWN: Mapping[str, Callable[[Cloud, Resource], Any]] = {
    "instance": lambda cloud, it: client(cloud, "ec2").describe_instances(InstanceIds=[it.id])[
        "Reservations"
    ],
    "volume": lambda cloud, it: client(cloud, "ec2").describe_volumes(VolumeIds=[it.id])["Volumes"],
    "snapshot": lambda cloud, it: client(cloud, "ec2").describe_snapshots(SnapshotIds=[it.id]),
    "image": lambda cloud, it: client(cloud, "ec2").describe_images(ImageIds=[it.id])["Images"],
    "security_group": lambda cloud, it: client(cloud, "ec2").describe_security_groups(
        GroupIds=[it.id]
    ),
    "access_key": shown_iam,
    "iam_user": shown_iam,
    "iam_role": shown_iam,
    "bucket": lambda cloud, it: client(cloud, "s3").head_bucket(Bucket=it.id),
    "object": lambda cloud, it: client(cloud, "s3").head_object(
        Bucket=it.attributes["bucket"], Key=it.attributes["key"]
    ),
    "firewall": lambda cloud, it: client(cloud, "network-firewall").describe_firewall(
        FirewallName=it.id
    ),
    "lambda_function": lambda cloud, it: client(cloud, "lambda").get_function(FunctionName=it.id),
}


@pytest.mark.parametrize(
    "finding", [pytest.param(finding, id=name) for name, finding in findings()]
)
def test_what_an_event_names_is_there_or_listed_as_missing(cloud: Cloud, finding: Finding) -> None:
    """Every resource is shown by the API under the event's id, or the scene says why it is not."""
    scene = make(cloud, finding)

    missing = {what for what, _ in scene.missing}
    for resource in (finding.resource, *finding.resources):
        if f"{resource.kind} {resource.id}" not in missing:
            assert SHOWN[resource.kind](cloud, resource)
    assert all(why for _, why in scene.missing)


def test_every_kind_that_is_made_can_be_shown() -> None:
    """What these tests look for is what there are builders for."""
    assert set(BUILDERS) == set(SHOWN)


def test_making_a_scene_again_changes_nothing(cloud: Cloud) -> None:
    """What is there already stays as it is, whoever changed it."""
    for _, finding in findings():
        make(cloud, finding)
    client(cloud, "ec2").modify_network_interface_attribute(
        NetworkInterfaceId="eni-0a1b2c3d4e5f6a710", Groups=["sg-0a1b2c3d4e5f60002"]
    )

    again = [make(cloud, finding).made for _, finding in findings()]

    assert not any(again)
    (interface,) = client(cloud, "ec2").describe_network_interfaces(
        NetworkInterfaceIds=["eni-0a1b2c3d4e5f6a710"]
    )["NetworkInterfaces"]
    assert ["sg-0a1b2c3d4e5f60002"] == [each["GroupId"] for each in interface["Groups"]]


def test_a_region_that_the_embedded_aws_does_not_have_is_said(cloud: Cloud) -> None:
    """Nothing is raised for a region without EC2."""
    finding = replace(finding_of("guardduty/crypto_currency_ec2"), region="xx-nowhere-1")

    scene = make(cloud, finding)

    assert ((f"instance {INSTANCE}", "the embedded AWS has no region xx-nowhere-1"),) == (
        scene.missing
    )


# --- instances ------------------------------------------------------------------------------------


def interfaces(cloud: Cloud, instance_id: str = INSTANCE) -> dict[str, Any]:
    found = client(cloud, "ec2").describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}]
    )["NetworkInterfaces"]
    return {each["NetworkInterfaceId"]: each for each in found}


def instance(cloud: Cloud, instance_id: str = INSTANCE) -> Any:
    found = client(cloud, "ec2").describe_instances(InstanceIds=[instance_id])
    return found["Reservations"][0]["Instances"][0]


def test_an_instance_is_as_the_event_says(cloud: Cloud) -> None:
    """Image, type, zone, launch time and tags are those of the event; it runs, unprotected."""
    make(cloud, finding_of("guardduty/crypto_currency_ec2"))

    shown = instance(cloud)

    assert ("ami-0a1b2c3d4e5f60718", "m6i.large") == (shown["ImageId"], shown["InstanceType"])
    assert "us-east-1a" == shown["Placement"]["AvailabilityZone"]
    assert "2026-01-11T08:30:00+00:00" == shown["LaunchTime"].isoformat()
    assert {"Name": "web-1", "team": "shop"} == {e["Key"]: e["Value"] for e in shown["Tags"]}
    assert "running" == shown["State"]["Name"]
    for attribute, value in (
        ("disableApiTermination", False),
        ("instanceInitiatedShutdownBehavior", "stop"),
    ):
        answer = client(cloud, "ec2").describe_instance_attribute(
            InstanceId=INSTANCE, Attribute=attribute
        )
        assert value == answer[attribute[0].upper() + attribute[1:]]["Value"]


def test_interfaces_have_the_addresses_and_groups_of_the_event(cloud: Cloud) -> None:
    """Each interface is attached, in its subnet, with its addresses and its groups alone."""
    make(cloud, finding_of("guardduty/crypto_currency_ec2"))

    first, second = (interfaces(cloud)[f"eni-0a1b2c3d4e5f6a7{n}0"] for n in (1, 2))

    assert ("10.0.1.17", "10.0.2.17") == (first["PrivateIpAddress"], second["PrivateIpAddress"])
    assert ["2001:db8:1::17"] == [each["Ipv6Address"] for each in first["Ipv6Addresses"]]
    assert "203.0.113.17" == first["PrivateIpAddresses"][0]["Association"]["PublicIp"]
    assert "203.0.113.17" == first["Association"]["PublicIp"]
    assert "subnet-0a1b2c3d4e5f60002" == second["SubnetId"]
    assert {"sg-0a1b2c3d4e5f60001": "web", "sg-0a1b2c3d4e5f60002": "admin"} == {
        each["GroupId"]: each["GroupName"] for each in second["Groups"]
    }
    client(cloud, "ec2").modify_network_interface_attribute(
        NetworkInterfaceId=second["NetworkInterfaceId"], Groups=["sg-0a1b2c3d4e5f60001"]
    )
    (left,) = interfaces(cloud)["eni-0a1b2c3d4e5f6a720"]["Groups"]
    assert "sg-0a1b2c3d4e5f60001" == left["GroupId"]


def test_subnets_hold_the_addresses_and_have_the_default_network_acl(cloud: Cloud) -> None:
    """The VPC has ranges for both families, the ACL entries for both and both subnets."""
    make(cloud, finding_of("guardduty/crypto_currency_ec2"))
    ec2 = client(cloud, "ec2")
    vpc = [{"Name": "vpc-id", "Values": ["vpc-0a1b2c3d4e5f60718"]}]

    subnets = ec2.describe_subnets(Filters=vpc)["Subnets"]
    (shown,) = ec2.describe_vpcs(Filters=vpc)["Vpcs"]
    (acl,) = ec2.describe_network_acls(Filters=vpc)["NetworkAcls"]

    assert ["10.0.1.0/24", "10.0.2.0/24"] == sorted(each["CidrBlock"] for each in subnets)
    assert "2001:db8:1::/56" == shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    assert {each["SubnetId"] for each in subnets} == {e["SubnetId"] for e in acl["Associations"]}
    assert {("0.0.0.0/0", 100), ("0.0.0.0/0", 32767), ("::/0", 101), ("::/0", 32768)} == {
        (e.get("CidrBlock") or e["Ipv6CidrBlock"], e["RuleNumber"]) for e in acl["Entries"]
    }
    assert ec2.describe_route_tables(Filters=vpc)["RouteTables"]


def test_subnets_that_share_a_usual_range_get_smaller_ones(cloud: Cloud) -> None:
    """Ranges overlap only where the event's addresses leave no other way."""
    shown = [
        {
            "id": f"eni-0000000{n}",
            "vpc_id": "vpc-0000000a",
            "subnet_id": f"subnet-0000000{n}",
            "private_ip": address,
        }
        for n, address in enumerate(("10.0.0.5", "10.0.0.70", "10.9.0.5"))
    ]

    make(cloud, about("instance", INSTANCE, interfaces=shown))

    (vpc,) = client(cloud, "ec2").describe_vpcs(VpcIds=["vpc-0000000a"])["Vpcs"]
    subnets = client(cloud, "ec2").describe_subnets(
        SubnetIds=[f"subnet-0000000{n}" for n in range(3)]
    )
    assert ["10.0.0.0/28", "10.0.0.64/28", "10.9.0.0/24"] == sorted(
        each["CidrBlock"] for each in subnets["Subnets"]
    )
    assert ["10.0.0.0/16", "10.9.0.0/16"] == [
        each["CidrBlock"] for each in vpc["CidrBlockAssociationSet"]
    ]


def test_groups_of_an_instance_are_open_for_administration(cloud: Cloud) -> None:
    """A group lets SSH in from the world and everything out, so isolating it changes something."""
    make(cloud, finding_of("guardduty/crypto_currency_ec2"))

    rules = client(cloud, "ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": ["sg-0a1b2c3d4e5f60001"]}]
    )["SecurityGroupRules"]

    assert {("tcp", 22, "0.0.0.0/0"), ("tcp", 443, "0.0.0.0/0")} == {
        (e["IpProtocol"], e["FromPort"], e["CidrIpv4"]) for e in rules if not e["IsEgress"]
    }
    assert {"0.0.0.0/0", "::/0"} == {
        e.get("CidrIpv4") or e["CidrIpv6"] for e in rules if e["IsEgress"]
    }


def test_an_instance_has_volumes_of_its_own_where_the_event_names_none(cloud: Cloud) -> None:
    """The root volume goes with the instance, the data volume does not."""
    make(cloud, finding_of("guardduty/crypto_currency_ec2"))

    mappings = instance(cloud)["BlockDeviceMappings"]

    assert [("/dev/sda1", True), ("/dev/sdf", False)] == [
        (each["DeviceName"], each["Ebs"]["DeleteOnTermination"]) for each in mappings
    ]


def test_an_instance_has_the_volumes_that_the_event_names(cloud: Cloud) -> None:
    """Scanned volumes are attached under their ids and devices, and there are no others."""
    make(cloud, finding_of("guardduty/ebs_malware"))

    shown = instance(cloud)
    volumes = client(cloud, "ec2").describe_volumes()["Volumes"]

    assert {"/dev/xvda": "vol-0a1b2c3d4e5f60710", "/dev/xvdb": "vol-0a1b2c3d4e5f60711"} == {
        each["DeviceName"]: each["Ebs"]["VolumeId"] for each in shown["BlockDeviceMappings"]
    }
    assert "/dev/xvda" == shown["RootDeviceName"]
    assert {("gp3", 30, True)} == {(v["VolumeType"], v["Size"], v["Encrypted"]) for v in volumes}


def test_every_volume_of_an_instance_gets_a_device_of_its_own(cloud: Cloud) -> None:
    """Where the event names no device, or one twice, the next free one is taken."""
    finding = finding_of("guardduty/port_probe")
    volumes = tuple(
        Resource("volume", f"vol-{n}", None, {"attached_to": INSTANCE, **device})
        for n, device in enumerate(({}, {"device": "/dev/sdf"}, {"device": "/dev/sdf"}))
    )

    make(cloud, replace(finding, resources=(*finding.resources, *volumes)))

    assert {"/dev/sda1": "vol-0", "/dev/sdf": "vol-1", "/dev/sdg": "vol-2"} == {
        each["DeviceName"]: each["Ebs"]["VolumeId"]
        for each in instance(cloud)["BlockDeviceMappings"]
    }


def test_an_instance_has_its_profile_with_the_role_of_the_session(cloud: Cloud) -> None:
    """The role in the profile is the one whose session bears the instance's id."""
    finding = finding_of("guardduty/stolen_role_credentials")
    renamed = replace(
        finding,
        resources=tuple(
            replace(each, attributes={**each.attributes, "role_name": "reader"})
            if each.kind != "instance"
            else each
            for each in finding.resources
        ),
    )

    make(cloud, replace(renamed, resource=renamed.resources[0]))

    arn = instance(cloud)["IamInstanceProfile"]["Arn"]
    profile = client(cloud, "iam").get_instance_profile(InstanceProfileName="web-server")
    (role,) = profile["InstanceProfile"]["Roles"]
    assert arn == profile["InstanceProfile"]["Arn"]
    assert ("reader", "AROA0123456789EXAMPLE") == (role["RoleName"], role["RoleId"])


def test_the_default_group_of_a_vpc_has_the_id_of_the_event(cloud: Cloud) -> None:
    """A group named default is the one that came with the VPC."""
    shown = {
        "id": "eni-1",
        "vpc_id": "vpc-1",
        "subnet_id": "subnet-1",
        "private_ip": "10.0.0.1",
        "groups": [{"id": "sg-0123456789abcdef0", "name": "default"}],
    }

    make(cloud, about("instance", INSTANCE, interfaces=[shown]))

    (group,) = client(cloud, "ec2").describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": ["vpc-1"]}]
    )["SecurityGroups"]
    assert ("sg-0123456789abcdef0", "default") == (group["GroupId"], group["GroupName"])
    assert group["IpPermissions"]


def test_malformed_ids_and_overlapping_ranges_are_made_as_far_as_possible(cloud: Cloud) -> None:
    """A sample finding's instance stands, under its ids; what cannot be is listed."""
    groups = [{"id": "GeneratedFindingSecurityId1", "name": "GeneratedFindingSecurityGroupName1"}]
    common = {"vpc_id": "GeneratedFindingVPCId", "private_ip": "10.0.0.1", "groups": groups}
    shown = [
        {"id": "eni-bfcffe88", "subnet_id": "GeneratedFindingSubnetId1", **common},
        {"id": "eni-abcdef01", "subnet_id": "GeneratedFindingSubnetId2", **common},
        {"id": "eni-bfcffe88", "subnet_id": "GeneratedFindingSubnetId1", **common},
        {"private_ip": "172.31.0.9"},
    ]
    finding = about(
        "instance",
        "i-99999999",
        interfaces=shown,
        availability_zone="GeneratedFindingAvailabilityZone",
        instance_type="GeneratedFindingInstaceType",
        launch_time="GeneratedFindingLaunchTime",
        profile_arn="arn:aws:iam::111122223333:example/instance/profile",
    )

    scene = make(cloud, finding)

    ours = {*interfaces(cloud, "i-99999999")} - {"eni-bfcffe88", "eni-abcdef01"}
    assert 1 == len(ours)
    assert (
        ("interface 3 of i-99999999", f"the event has no id: it is {ours.pop()}"),
        ("interface eni-bfcffe88", "another one has that id already"),
    ) == scene.missing
    assert "GeneratedFindingSubnetId2 10.0.0.0/24 (overlaps another)" in scene.made
    assert REGION + "a" == instance(cloud, "i-99999999")["Placement"]["AvailabilityZone"]
    assert instance(cloud, "i-99999999")["IamInstanceProfile"]["Arn"].endswith("/profile")


def test_an_interface_that_another_instance_has_is_left_to_it(cloud: Cloud) -> None:
    """The scene of a second instance under the same interface ids says that it is not made."""
    finding = finding_of("guardduty/port_probe")
    make(cloud, finding)
    second = replace(finding.resource, id="i-0a1b2c3d4e5f60799")

    scene = make(cloud, replace(finding, resource=second, resources=(second,)))

    assert (
        "instance i-0a1b2c3d4e5f60799",
        "all its network interfaces belong to another instance",
    ) in scene.missing
    assert ["eni-0a1b2c3d4e5f6a710"] == list(interfaces(cloud))


def test_an_instance_can_be_in_service_in_an_auto_scaling_group(cloud: Cloud) -> None:
    """For a demonstration it is a member of a group, and registered with a target group."""
    scene = make(cloud, finding_of("guardduty/crypto_currency_ec2"), auto_scaling=True)

    (member,) = client(cloud, "autoscaling").describe_auto_scaling_instances()[
        "AutoScalingInstances"
    ]
    (group,) = client(cloud, "elbv2").describe_target_groups()["TargetGroups"]
    health = client(cloud, "elbv2").describe_target_health(TargetGroupArn=group["TargetGroupArn"])

    assert (INSTANCE, "InService") == (member["InstanceId"], member["LifecycleState"])
    assert [INSTANCE] == [e["Target"]["Id"] for e in health["TargetHealthDescriptions"]]
    assert any("Auto Scaling group" in each for each in scene.made)


# --- identities -----------------------------------------------------------------------------------


def test_a_users_key_is_active_and_the_user_has_no_password(cloud: Cloud) -> None:
    """The key stands under the event's id, never used, and the user under its unique id."""
    finding = finding_of("guardduty/stolen_access_key_user")
    make(cloud, finding)
    iam, user = client(cloud, "iam"), finding.resource.attributes["user_name"]

    (key,) = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    used = iam.get_access_key_last_used(AccessKeyId=finding.resource.id)

    assert (finding.resource.id, "Active") == (key["AccessKeyId"], key["Status"])
    assert "LastUsedDate" not in used["AccessKeyLastUsed"]
    assert (
        finding.resource.attributes["principal_id"] == iam.get_user(UserName=user)["User"]["UserId"]
    )
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_login_profile(UserName=user)


def test_an_assumed_role_has_an_inline_policy(cloud: Cloud) -> None:
    """The role stands under its name and unique id, with one policy of its own."""
    make(cloud, finding_of("guardduty/custom_detection_rule"))
    iam = client(cloud, "iam")

    (name,) = iam.list_role_policies(RoleName="operations")["PolicyNames"]

    assert iam.get_role_policy(RoleName="operations", PolicyName=name)["PolicyDocument"]
    assert iam.get_role(RoleName="operations")["Role"]["RoleId"].startswith("AROA")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("AWSServiceRoleForSupport", "/aws-service-role/amazonaws.com/"),
        ("AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/"),
        ("admin", "/"),
    ],
)
def test_roles_that_aws_reserves_are_under_its_paths(cloud: Cloud, name: str, path: str) -> None:
    """A role's path follows from its name, so that actions refuse what they must."""
    make(cloud, about("iam_role", name, role_name=name))

    assert path == client(cloud, "iam").get_role(RoleName=name)["Role"]["Path"]


def test_a_session_of_an_instance_brings_its_profile(cloud: Cloud) -> None:
    """Where only the session names the instance, the role is in a profile of its name."""
    make(cloud, about("iam_role", "web", role_name="web", session_name="i-0123456789abcdef0"))

    profile = client(cloud, "iam").get_instance_profile(InstanceProfileName="web")
    assert ["web"] == [each["RoleName"] for each in profile["InstanceProfile"]["Roles"]]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"user_type": "Root"}, "there is nothing to make for Root"),
        ({"user_type": "FederatedUser"}, "there is nothing to make for FederatedUser"),
        ({}, "there is nothing to make for an unknown caller"),
        (
            {"user_type": "IAMUser", "user_name": "x", "issuer_account": "999900001111"},
            "it belongs to account 999900001111",
        ),
        (
            {"user_type": "IAMUser", "user_name": "x"},
            "a user's temporary key is nothing that IAM shows",
        ),
    ],
)
def test_credentials_that_iam_does_not_show_are_listed(
    cloud: Cloud, attributes: dict[str, str], reason: str
) -> None:
    """For root, federated users, strangers and temporary keys the scene says why there is none."""
    scene = make(cloud, about("access_key", "ASIAEXAMPLE", **attributes))

    assert (("access_key ASIAEXAMPLE", reason),) == scene.missing


def test_a_third_key_of_a_user_is_refused_and_listed(cloud: Cloud) -> None:
    """What the embedded AWS refuses is listed with what it says."""
    key = {"user_type": "IAMUser", "user_name": "deploy"}
    for name in ("AKIAONE", "AKIATWO"):
        make(cloud, about("access_key", name, **key))

    scene = make(cloud, about("access_key", "AKIATHREE", **key))

    ((what, why),) = scene.missing
    assert "access_key AKIATHREE" == what
    assert "AccessKeysPerUser" in why


# --- the others -----------------------------------------------------------------------------------


def ingress(cloud: Cloud, group_id: str) -> set[tuple[int, int, str]]:
    rules = client(cloud, "ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group_id]}]
    )["SecurityGroupRules"]
    return {
        (each["FromPort"], each["ToPort"], each.get("CidrIpv4") or each["CidrIpv6"])
        for each in rules
        if not each["IsEgress"]
    }


def test_a_group_is_open_to_the_world_as_its_rule_says(cloud: Cloud) -> None:
    """Ports of the rule are open by themselves, over IPv6 and in a range; others are open, too."""
    finding = finding_of("config/restricted_ssh_noncompliant")

    make(cloud, finding)

    assert {
        (22, 22, "0.0.0.0/0"),
        (22, 22, "::/0"),
        (20, 30, "0.0.0.0/0"),
        (22, 22, "10.0.0.0/16"),
        (443, 443, "0.0.0.0/0"),
    } == ingress(cloud, finding.resource.id)


def test_a_group_that_complies_again_is_closed(cloud: Cloud) -> None:
    """A resolved finding's group lets no port of the rule in from the world."""
    finding = finding_of("config/restricted_ssh_compliant")

    make(cloud, finding)

    assert {(22, 22, "10.0.0.0/16"), (443, 443, "0.0.0.0/0")} == ingress(cloud, finding.resource.id)


def test_a_public_bucket_is_public_and_nothing_blocks_it(cloud: Cloud) -> None:
    """Its policy lets everyone read, its tags are the event's, it has no public access block."""
    make(cloud, about("bucket", "open-bucket", public=True, tags={"team": "shop"}))
    s3 = client(cloud, "s3")

    assert s3.get_bucket_policy_status(Bucket="open-bucket")["PolicyStatus"]["IsPublic"]
    assert [{"Key": "team", "Value": "shop"}] == s3.get_bucket_tagging(Bucket="open-bucket")[
        "TagSet"
    ]
    with pytest.raises(ClientError, match="NoSuchPublicAccessBlockConfiguration"):
        s3.get_public_access_block(Bucket="open-bucket")


def test_a_bucket_that_the_event_calls_private_has_no_policy(cloud: Cloud) -> None:
    """It still has no public access block."""
    make(cloud, about("bucket", "Private_Bucket_Name", public=False))

    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        client(cloud, "s3").get_bucket_policy(Bucket="Private_Bucket_Name")


def test_a_bucket_of_another_account_is_left_to_it(cloud: Cloud) -> None:
    """Names of buckets are the whole world's."""
    make(cloud, about("bucket", "shop"))

    scene = make(cloud, replace(about("bucket", "shop"), account="444455556666"))

    assert (("bucket shop", "account 111122223333 has a bucket of that name"),) == scene.missing


def test_a_firewall_inspects_everything_and_has_no_rules_yet(cloud: Cloud) -> None:
    """Its policy forwards to stateful rules; its VPC holds the address behind the alert."""
    make(cloud, finding_of("network_firewall/alert_event"))
    firewall = client(cloud, "network-firewall")

    shown = firewall.describe_firewall(FirewallName="egress")["Firewall"]
    policy = firewall.describe_firewall_policy(FirewallPolicyArn=shown["FirewallPolicyArn"])
    (vpc,) = client(cloud, "ec2").describe_vpcs(VpcIds=[shown["VpcId"]])["Vpcs"]

    assert ["aws:forward_to_sfe"] == policy["FirewallPolicy"]["StatelessDefaultActions"]
    assert not policy["FirewallPolicy"].get("StatefulRuleGroupReferences")
    assert "10.0.0.0/16" == vpc["CidrBlock"]
    assert 2 == len(shown["SubnetMappings"])


def test_a_function_runs_under_the_role_of_the_event(cloud: Cloud) -> None:
    """The role's path is in its ARN."""
    make(cloud, finding_of("guardduty/lambda_c_and_c"))

    shown = client(cloud, "lambda").get_function(FunctionName="checkout")

    assert "arn:aws:iam::111122223333:role/service-role/checkout" == shown["Configuration"]["Role"]
    assert {"team": "shop"} == shown["Tags"]
    assert "/service-role/" == client(cloud, "iam").get_role(RoleName="checkout")["Role"]["Path"]
