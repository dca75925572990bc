"""Attack sequences: every actor and resource that a chain of signals touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.fields import Fields
from chalicelib.finding import Resource
from chalicelib.sources.guardduty.identities import Caller, identities
from chalicelib.sources.guardduty.parts import account, groups, known, last, moment, tags, unique

SEQUENCE = "service.detection.sequence"
PERSON = ("access_key", "iam_user", "iam_role", "root", "principal")
# What each kind of sequence is about, the likeliest first; other kinds begin with what comes first.
# https://docs.aws.amazon.com/guardduty/latest/ug/guardduty-attack-sequence-finding-types.html
ABOUT: Mapping[str, tuple[str, ...]] = {
    "EC2": ("instance",),
    "ECS": ("ecs_cluster",),
    "EKS": ("eks_cluster",),
    "IAM": PERSON,
    "S3": ("bucket",),
}


def resources(detail: Fields) -> tuple[Resource, ...]:
    """Return the resources of an attack sequence, the one that its type is about first.

    https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Sequence.html
    """
    found = unique([*_listed(detail), *_actors(detail)])
    service = detail.identifier("type", max_length=256).partition(":")[2].partition("/")[0]
    wanted = ABOUT.get(service, ())
    first = [each for kind in wanted for each in found if each.kind == kind]
    return unique([*first[:1], *found]) or (account(detail),)


def signals(detail: Fields) -> list[str]:
    """Return the names of the signals that make up the sequence."""
    names = [
        signal.text("name", "", max_length=4096) for signal in detail.each(f"{SEQUENCE}.signals")
    ]
    return [name for name in dict.fromkeys(names) if name]


def named(interfaces: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    """Return the values that network interfaces have under the key, each once."""
    return [value for value in dict.fromkeys(each[key] for each in interfaces) if value]


def _actors(detail: Fields) -> Iterator[Resource]:
    for actor in detail.each(f"{SEQUENCE}.actors"):
        user = actor.at("user")
        yield from identities(
            Caller(
                account=detail.identifier("accountId"),
                key_id=user.identifier("credentialUid", None),
                user_type=user.identifier("type", None),
                user_name=user.identifier("name", None),
                principal_id=user.identifier("uid", None),
                issuer_account=_issuer(actor) or user.identifier("account.uid", None),
            )
        )


def _issuer(actor: Fields) -> str | None:
    """Return the account in the ARN of who issued the session."""
    parts = actor.identifier("session.issuer", "", max_length=2048).split(":")
    return parts[4] if len(parts) > 5 else None


@dataclass(frozen=True, slots=True)
class Listed:
    """Hold one of the sequence's resources and its data.

    With it: the network interfaces that are listed, and the EKS cluster where only one is.
    """

    uid: str
    name: str
    account: str
    entry: Fields
    data: Fields
    interfaces: Mapping[str, Fields]
    cluster: str | None

    @property
    def arn(self) -> str | None:
        """Return the ARN, where the resource is known by it."""
        return self.uid if self.uid.startswith("arn:") else None


def _listed(detail: Fields) -> Iterator[Resource]:
    owner = detail.identifier("accountId")
    entries = list(detail.each(f"{SEQUENCE}.resources"))
    interfaces = {_uid(entry): entry.at("data.ec2NetworkInterface") for entry in entries}
    clusters = [_name(entry) for entry in entries if _type(entry) == "EKS_CLUSTER"]
    cluster = clusters[0] if len(clusters) == 1 else None
    for entry in entries:
        part, build = BUILDERS.get(_type(entry), OTHER)
        if entry.identifier("accountId", owner) != owner:
            part, build = OTHER
        data, uid, name = entry.at(part), _uid(entry), _name(entry)
        yield from build(Listed(uid, name, owner, entry, data, interfaces, cluster))


def _uid(entry: Fields) -> str:
    return entry.identifier("uid", max_length=2048)


def _name(entry: Fields) -> str:
    return entry.identifier("name", None, max_length=2048) or last(_uid(entry))


def _type(entry: Fields) -> str:
    return entry.identifier("resourceType", max_length=128)


def _instance(listed: Listed) -> Iterator[Resource]:
    at = listed.data
    own = at.texts("ec2NetworkInterfaceUids", max_length=2048)
    interfaces = [
        _interface(uid, listed.interfaces[uid]) for uid in own if uid in listed.interfaces
    ]
    profile = "iamInstanceProfile" if at.optional("iamInstanceProfile") else "IamInstanceProfile"
    attributes = known(
        interfaces=interfaces,
        vpc_ids=named(interfaces, "vpc_id"),
        subnet_ids=named(interfaces, "subnet_id"),
        availability_zone=at.identifier("availabilityZone", None),
        instance_type=at.identifier("instanceType", None),
        platform=at.text("platform", None),
        profile_arn=at.identifier(f"{profile}.arn", None, max_length=2048),
        outpost_arn=at.identifier("outpostArn", None, max_length=2048),
        tags=tags(listed.entry),
    )
    yield Resource("instance", last(listed.uid), listed.arn, attributes)


def _interface(uid: str, at: Fields) -> dict[str, Any]:
    private = [each.address("privateIpAddress") for each in at.each("privateIpAddresses")]
    return {
        "id": last(uid),
        "vpc_id": at.identifier("vpcId", None),
        "subnet_id": at.identifier("subNetId", None),
        "private_ip": private[0] if private else None,
        "public_ip": at.address("publicIp", None),
        "ipv6": [address.address() for address in at.each("ipv6Addresses")],
        "groups": groups(at),
    }


def _access_key(listed: Listed) -> Iterator[Resource]:
    yield from identities(
        Caller(
            account=listed.account,
            key_id=last(listed.uid),
            user_type=listed.data.identifier("userType", None),
            user_name=listed.data.identifier("userName", None),
            principal_id=listed.data.identifier("principalId", None),
        )
    )


def _bucket(listed: Listed) -> Iterator[Resource]:
    at = listed.data
    permission = at.identifier("effectivePermission", None)
    attributes = known(
        owner=at.identifier("ownerId", None),
        created_at=moment(at, "createdAt"),
        public=None if permission is None else permission == "PUBLIC",
        encryption=at.identifier("encryptionType", None),
        tags=tags(listed.entry),
    )
    yield Resource("bucket", last(listed.uid), listed.arn, attributes)


def _object(listed: Listed) -> Iterator[Resource]:
    bucket, _, rest = listed.uid.rpartition(":::")[2].partition("/")
    key = listed.data.identifier("key", None) or rest
    attributes = known(
        bucket=bucket,
        key=key,
        version_id=listed.data.identifier("versionId", None),
        etag=listed.data.identifier("eTag", None),
    )
    yield Resource("object", f"{bucket}/{key}", listed.arn, attributes)


def _eks_cluster(listed: Listed) -> Iterator[Resource]:
    at = listed.data
    attributes = known(
        vpc_id=at.identifier("vpcId", None),
        status=at.identifier("status", None),
        created_at=moment(at, "createdAt"),
        tags=tags(listed.entry),
    )
    arn = at.identifier("arn", None, max_length=2048) or listed.arn
    yield Resource("eks_cluster", listed.name, arn, attributes)


def _kubernetes_workload(listed: Listed) -> Iterator[Resource]:
    attributes = known(
        cluster=listed.cluster,
        namespace=listed.data.identifier("namespace", None),
        workload_type=listed.data.identifier("type", None),
        uid=listed.uid,
    )
    yield Resource("kubernetes_workload", listed.name, listed.arn, attributes)


def _container(listed: Listed) -> Iterator[Resource]:
    attributes = known(
        image=listed.data.text("image", None, max_length=2048), cluster=listed.cluster
    )
    yield Resource("container", last(listed.uid), listed.arn, attributes)


def _ecs_cluster(listed: Listed) -> Iterator[Resource]:
    attributes = known(status=listed.data.identifier("status", None), tags=tags(listed.entry))
    yield Resource("ecs_cluster", listed.name, listed.arn, attributes)


def _ecs_task(listed: Listed) -> Iterator[Resource]:
    at, path = listed.data, listed.uid.split("/")
    attributes = known(
        cluster=path[1] if len(path) == 3 else None,  # …:task/cluster/id
        definition_arn=at.identifier("taskDefinitionArn", None, max_length=2048),
        launch_type=at.identifier("launchType", None),
        tags=tags(listed.entry),
    )
    yield Resource("ecs_task", last(listed.uid), listed.arn, attributes)


def _image(listed: Listed) -> Iterator[Resource]:
    yield Resource("image", last(listed.uid), listed.arn)


def _other(listed: Listed) -> Iterator[Resource]:
    attributes = {"resource_type": _type(listed.entry)}
    yield Resource("guardduty_resource", listed.uid, listed.arn, attributes)


Build = Callable[[Listed], Iterator[Resource]]
# What reads a resource of each type, and from which part of it. Any other type, and what belongs
# to another account, is listed by its uid alone.
OTHER: tuple[str, Build] = ("data", _other)
BUILDERS: Mapping[str, tuple[str, Build]] = {
    "ACCESS_KEY": ("data.accessKey", _access_key),
    "CONTAINER": ("data.container", _container),
    "EC2_IMAGE": ("data.ec2Image", _image),
    "EC2_INSTANCE": ("data.ec2Instance", _instance),
    "ECS_CLUSTER": ("data.ecsCluster", _ecs_cluster),
    "ECS_TASK": ("data.ecsTask", _ecs_task),
    "EKS_CLUSTER": ("data.eksCluster", _eks_cluster),
    "KUBERNETES_WORKLOAD": ("data.kubernetesWorkload", _kubernetes_workload),
    "S3_BUCKET": ("data.s3Bucket", _bucket),
    "S3_OBJECT": ("data.s3Object", _object),
}
