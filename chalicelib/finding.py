"""What every event source is turned into: a finding, its resources, its remote indicators."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chalicelib.errors import Corrupt

# What a playbook may ask of a resource, per kind. A source sets an attribute only where the event
# has it; a path to an absent one resolves to null. Lists are lists also where they hold one item.
ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "instance": frozenset(
        "interfaces vpc_ids subnet_ids availability_zone image_id instance_type platform "
        "launch_time profile_arn role_name outpost_arn tags".split()
    ),  # interfaces: {id, vpc_id, subnet_id, private_ip, public_ip, ipv6: [], groups: [{id, name}]}
    "access_key": frozenset(
        "user_name user_type principal_id role_name session_name long_term "
        "console issuer_account".split()
    ),  # id: the key id; user_type as GuardDuty says: IAMUser, AssumedRole, Root, FederatedUser …
    "iam_user": frozenset("user_name principal_id".split()),
    "iam_role": frozenset("role_name principal_id session_name".split()),
    "root": frozenset("principal_id".split()),
    "principal": frozenset("user_name user_type principal_id".split()),
    "bucket": frozenset("owner type created_at public encryption tags".split()),
    "object": frozenset("bucket key version_id etag hash".split()),
    "eks_cluster": frozenset("vpc_id status created_at tags".split()),
    "kubernetes_workload": frozenset(
        "cluster namespace workload_type uid service_account containers host_network".split()
    ),
    "kubernetes_user": frozenset("groups uid cluster".split()),
    "ecs_cluster": frozenset("status service_names tags".split()),
    "ecs_task": frozenset(
        "cluster definition_arn launch_type group started_at containers tags".split()
    ),
    "container": frozenset("runtime image image_prefix privileged cluster".split()),
    "lambda_function": frozenset(
        "version role_name role_arn revision_id vpc_id subnet_ids group_ids tags".split()
    ),
    "rds_instance": frozenset(
        "cluster engine engine_version public database_user groups tags".split()
    ),
    "rds_shard_group": frozenset("cluster engine engine_version database_user tags".split()),
    "volume": frozenset("attached_to device encryption kms_key_arn size type snapshot_arn".split()),
    "snapshot": frozenset("volume_id encryption".split()),
    "image": frozenset("snapshot_ids".split()),
    "recovery_point": frozenset("vault".split()),
    "account": frozenset(),
    "security_group": frozenset("vpc_id".split()),
    "firewall": frozenset("endpoints availability_zones".split()),
    "config_resource": frozenset("resource_type".split()),  # any other type AWS Config names
    "guardduty_resource": frozenset("resource_type".split()),  # likewise, in an attack sequence
}

DIRECTIONS = ("INBOUND", "OUTBOUND", "UNKNOWN")
ROLES = ("ACTOR", "TARGET")
ACTIVE, RESOLVED = "active", "resolved"


@dataclass(frozen=True, slots=True)
class Resource:
    """Name one thing an event speaks of: its kind, its id there, its ARN where known."""

    kind: str
    id: str
    arn: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Indicator:
    """Name one remote address, domain or port, and which way the traffic went.

    kind: `address` (an IP address), `domain`, `port` (a remote port) or `local_port`.
    direction: INBOUND, OUTBOUND or UNKNOWN, seen from the resource.
    """

    kind: str
    value: str
    direction: str = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Finding:
    """Say what was found, where, how bad it is, and who is on the other end.

    severity: 0.0 to 10.0, GuardDuty's scale. Times: ISO 8601, UTC, as the source gives them.
    status: `active`, or `resolved` when the source says that it is over. role: ACTOR or TARGET,
    the resource's part. sample: made by AWS to show what a finding looks like. `detail` holds what
    only this source has, for patterns and messages.
    """

    id: str
    source: str
    type: str
    title: str
    severity: float
    account: str
    region: str
    resource: Resource
    partition: str = "aws"
    description: str = ""
    created_at: str = ""
    updated_at: str = ""
    first_seen: str = ""
    last_seen: str = ""
    resources: tuple[Resource, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    role: str | None = None
    status: str = ACTIVE
    count: int = 1
    archived: bool = False
    sample: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def direction(self) -> str | None:
        """Return the way all traffic went, UNKNOWN where it went both; None without indicators."""
        directions = {i.direction for i in self.indicators if i.kind in ("address", "domain")}
        if not directions:
            return None
        return directions.pop() if len(directions) == 1 else "UNKNOWN"

    @property
    def remote_cidrs(self) -> tuple[str, ...]:
        """Return each remote address as a network of one address, sorted."""
        networks = {ipaddress.ip_network(a) for a in self.values("address")}
        return tuple(str(n) for n in sorted(networks, key=lambda n: (n.version, n)))

    def values(self, kind: str) -> tuple[str, ...]:
        """Return the values of the indicators of one kind, in order, without repeats."""
        return tuple(dict.fromkeys(i.value for i in self.indicators if i.kind == kind))


def document(finding: Finding) -> dict[str, Any]:
    """Return the finding as JSON values: its fields, and what playbooks derive from them."""
    fields = asdict(finding)
    fields["resources"] = list(fields["resources"])
    fields["indicators"] = list(fields["indicators"])
    return fields | {
        "direction": finding.direction,
        "remote_addresses": list(finding.values("address")),
        "remote_cidrs": list(finding.remote_cidrs),
        "remote_domains": list(finding.values("domain")),
        "remote_ports": [int(port) for port in finding.values("port")],
        "local_ports": [int(port) for port in finding.values("local_port")],
    }


DERIVED = frozenset(
    "direction remote_addresses remote_cidrs remote_domains remote_ports local_ports".split()
)
FIELDS = frozenset(Finding.__dataclass_fields__) | DERIVED


def from_document(stored: Mapping[str, Any]) -> Finding:
    """Return the finding that `document` wrote. Raise Corrupt for anything else."""
    try:
        fields = {name: value for name, value in stored.items() if name not in DERIVED}
        fields["resource"] = Resource(**fields["resource"])
        fields["resources"] = tuple(Resource(**each) for each in fields["resources"])
        fields["indicators"] = tuple(Indicator(**each) for each in fields["indicators"])
        return Finding(**fields)
    except (KeyError, TypeError) as wrong:
        raise Corrupt(f"stored finding: {wrong}") from wrong
