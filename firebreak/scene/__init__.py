"""The resources that an event speaks of, made in an embedded AWS under the event's own ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chalicelib.finding import Finding, Resource
from firebreak.cloud import Cloud
from firebreak.scene import auto_scaling, compute, config, ec2, firewall, iam, storage, volumes
from firebreak.scene.making import Making
from firebreak.scene.views import describe

__all__ = ["BUILDERS", "Scene", "describe", "make"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Say what stands in the embedded AWS for an event, and what does not, with the reason."""

    made: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]


# In this order: an instance brings its volumes and its role, a bucket comes before its objects.
BUILDERS: Mapping[str, Callable[[Making, Resource], None]] = {
    "instance": ec2.instance,
    "volume": volumes.volume,
    "snapshot": volumes.snapshot,
    "image": volumes.image,
    "security_group": config.security_group,
    "iam_role": iam.iam_role,
    "iam_user": iam.iam_user,
    "access_key": iam.access_key,
    "bucket": storage.bucket,
    "object": storage.stored_object,
    "firewall": firewall.firewall,
    "lambda_function": compute.lambda_function,
}

UNNEEDED = "no shipped action needs it"
NOT_MADE: Mapping[str, str] = {
    "root": "every account has one",
    "principal": "neither a user nor a role of this account",
    "account": "every account is there",
}


def make(cloud: Cloud, finding: Finding, *, auto_scaling: bool = False) -> Scene:
    """Make what a finding names, in its account and region; what is there already stays as it is.

    The embedded services' own methods are called, not their API: it would cost many times as much,
    and refuse the malformed ids and overlapping ranges that sample findings have. With
    `auto_scaling` the first instance is in service in an Auto Scaling group with a target group.
    """
    making = Making(cloud, finding)
    resources = making.resources
    for kind, build in BUILDERS.items():
        for resource in resources:
            if resource.kind == kind:
                _build(making, resource, build)
    for resource in resources:
        if resource.kind not in BUILDERS:
            making.miss(_name(resource), NOT_MADE.get(resource.kind, UNNEEDED))
    if auto_scaling:
        _join(making)
    return Scene(tuple(making.made), tuple(making.missing))


def _build(making: Making, resource: Resource, build: Callable[[Making, Resource], None]) -> None:
    with making.attempt(_name(resource)):
        build(making, resource)


def _name(resource: Resource) -> str:
    return f"{resource.kind} {resource.id}"


def _join(making: Making) -> None:
    for resource in making.resources:
        if resource.kind == "instance":
            with making.attempt(f"Auto Scaling group of {resource.id}"):
                auto_scaling.join(making, resource.id)
            return
