"""The event's ids for what is made, and lasting ones for what the event does not name."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from importlib import import_module

from firebreak.cloud.patching import Patch, Patches

# Where the embedded AWS draws an id, by what the id is for.
GENERATORS: Mapping[str, tuple[str, str]] = {
    "vpc": ("moto.ec2.models.vpcs", "random_vpc_id"),
    "ipv6_range": ("moto.ec2.models.vpcs", "random_ipv6_cidr"),
    "network_acl": ("moto.ec2.models.network_acls", "random_network_acl_id"),
    "group": ("moto.ec2.models.security_groups", "random_security_group_id"),
    "interface": ("moto.ec2.models.elastic_network_interfaces", "random_eni_id"),
    "instance": ("moto.ec2.models.instances", "random_instance_id"),
    "volume": ("moto.ec2.models.elastic_block_store", "random_volume_id"),
    "snapshot": ("moto.ec2.models.elastic_block_store", "random_snapshot_id"),
    "user": ("moto.iam.models", "random_resource_id"),
    "role": ("moto.iam.models", "random_role_id"),
    "access_key": ("moto.iam.models", "generate_access_key_id_from_account_id"),
}


@contextlib.contextmanager
def given(**ids: str | None) -> Iterator[None]:
    """Let the embedded AWS use these ids where it would draw one; None leaves it the draw."""
    patches = Patches()
    patches.apply(_patch(kind, value) for kind, value in ids.items() if value is not None)
    try:
        yield
    finally:
        patches.undo()


def _patch(kind: str, value: str) -> Patch:
    module, name = GENERATORS[kind]

    def fixed(*_arguments: object, **_named: object) -> str:
        return value

    return Patch(import_module(module), name, fixed)


def derived(prefix: str, *parts: str) -> str:
    """Return the id of a thing that the event does not name, the same each time it is made."""
    return f"{prefix}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:17]}"
