"""What CloudFormation does for each type of resource: one module per service.

A kind makes, changes and deletes its resource with the calls that AWS's own handler makes. To add
a type: a class with `@kind("AWS::Service::Type")` in the module of its service.
"""

from __future__ import annotations

import json
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from botocore.exceptions import ClientError, ParamValidationError

from firebreak.cloud.sessions import session
from firebreak.cloud.stacks.errors import ResourceFailed

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class At:
    """Where a stack is, and the calls that are made there."""

    account: str
    region: str
    partition: str = "aws"

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """Make a call; raise ResourceFailed in the words of a resource handler."""
        made: Any = session(self.account, self.region)
        client = made.client(service)
        given = {name: value for name, value in params.items() if value is not None}
        try:
            return getattr(client, operation)(**given)
        except ClientError as error:
            raise ResourceFailed(_told(service, error)) from error
        except ParamValidationError as error:
            raise ResourceFailed(f'Resource handler returned message: "{error}"') from error

    def found(self, service: str, operation: str, **params: Any) -> bool:
        """Say whether what a call reads is there."""
        try:
            self.call(service, operation, **params)
        except ResourceFailed as failure:
            if is_gone(failure):
                return False
            raise
        return True


def _told(service: str, error: ClientError) -> str:
    """Return the reason that a handler gives for a call that failed."""
    told = error.response["Error"]
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 400)
    where = f"(Service: {service}, Status Code: {status}, Request ID: embedded)"
    return f'Resource handler returned message: "{told["Message"]} {where}" ({told["Code"]})'


_GONE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "DashboardNotFoundError",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)


def is_gone(failure: ResourceFailed) -> bool:
    """Say whether a handler failed because its resource does not exist."""
    cause = failure.__cause__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _GONE


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that exists: what `Ref` gives, and what `Fn::GetAtt` does."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Kind(ABC):
    """A type of resource.

    name: the property that names it; arn: its ARN, with the properties in braces; fixed: what an
    update cannot change, though the schema does not say so; left_out: properties of AWS that are
    not embedded.
    """

    name: ClassVar[str] = ""
    arn: ClassVar[str] = ""
    fixed: ClassVar[frozenset[str]] = frozenset()
    left_out: ClassVar[frozenset[str]] = frozenset()

    def exists(self, at: At, properties: Properties) -> bool:
        """Say whether the name is taken, where the service itself would not say so."""
        return False

    @abstractmethod
    def create(self, at: At, properties: Properties) -> Made:
        """Make the resource."""

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Give what was made what its first call could not; when that fails, it is deleted."""
        return made

    @abstractmethod
    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change the resource in place."""

    @abstractmethod
    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the resource."""


KINDS: dict[str, Kind] = {}


def kind(name: str) -> Callable[[type[Kind]], type[Kind]]:
    """Register a class for a type of resource."""

    def register(cls: type[Kind]) -> type[Kind]:
        if name in KINDS:
            raise ValueError(f"{name} is registered twice")
        KINDS[name] = cls()
        return cls

    return register


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every embedded type."""
    for each in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{each.name}")
    return KINDS


def only(properties: Properties, *names: str) -> dict[str, Any]:
    """Return some of the properties, those that are there."""
    return {name: properties[name] for name in names if name in properties}


def as_text(value: Any) -> str:
    """Return a value as services take documents and attributes: text, an object as JSON."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else json.dumps(value)


def pairs(tags: Any) -> dict[str, str]:
    """Return tags by key, whichever way a type writes them."""
    if isinstance(tags, Mapping):
        return dict(tags)
    return {each["Key"]: str(each["Value"]) for each in tags or ()}


def listed(tags: Any, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Return tags as a list, under the names that a service has for them."""
    return [{key: name, value: text} for name, text in pairs(tags).items()]


def retag(
    old: Properties,
    new: Properties,
    put: Callable[[dict[str, str]], Any],
    remove: Callable[[list[str]], Any],
) -> None:
    """Bring the tags of a resource in line."""
    before, after = pairs(old.get("Tags")), pairs(new.get("Tags"))
    gone = [key for key in before if key not in after]
    if gone:
        remove(gone)
    if after != before and after:
        put(after)


def retag_resource(at: At, service: str, old: Properties, new: Properties, **resource: str) -> None:
    """Bring tags in line by TagResource and UntagResource. resource: by which it is named."""
    retag(
        old,
        new,
        lambda tags: at.call(service, "tag_resource", **resource, Tags=listed(tags)),
        lambda keys: at.call(service, "untag_resource", **resource, TagKeys=keys),
    )


def added(old: Iterable[Any], new: Iterable[Any]) -> list[Any]:
    """Return what is in the new list and not in the old."""
    before = list(old)
    return [each for each in new if each not in before]
