"""KMS: keys and aliases.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
"""

from __future__ import annotations

from firebreak.cloud.stacks.errors import ResourceFailed
from firebreak.cloud.stacks.kinds import (
    At,
    Kind,
    Made,
    Properties,
    as_text,
    kind,
    listed,
    only,
    retag,
)

SYMMETRIC = "SYMMETRIC_DEFAULT"


@kind("AWS::KMS::Key")
class Key(Kind):
    """A key; it is not deleted but scheduled for deletion."""

    arn = "arn:{partition}:kms:{region}:{account}:key/*"
    fixed = frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"})

    def create(self, at: At, properties: Properties) -> Made:
        """Make the key."""
        policy = properties.get("KeyPolicy")
        metadata = at.call(
            "kms",
            "create_key",
            **only(properties, "Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin"),
            Policy=None if policy is None else as_text(policy),
            Tags=listed(properties.get("Tags"), "TagKey", "TagValue") or None,
        )["KeyMetadata"]
        return Made(metadata["KeyId"], {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Switch its rotation on, and the key off."""
        _rotate(at, made.id, {}, properties)
        if properties.get("Enabled") is False:
            at.call("kms", "disable_key", KeyId=made.id)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change policy, rotation, description, state and tags."""
        if new.get("KeyPolicy", old.get("KeyPolicy")) != old.get("KeyPolicy"):
            at.call(
                "kms",
                "put_key_policy",
                KeyId=made.id,
                PolicyName="default",
                Policy=as_text(new["KeyPolicy"]),
            )
        if new.get("Description", "") != old.get("Description", ""):
            at.call(
                "kms",
                "update_key_description",
                KeyId=made.id,
                Description=new.get("Description", ""),
            )
        if new.get("Enabled", True) != old.get("Enabled", True):
            at.call(
                "kms", "enable_key" if new.get("Enabled", True) else "disable_key", KeyId=made.id
            )
        _rotate(at, made.id, old, new)
        retag(
            old,
            new,
            lambda tags: at.call(
                "kms", "tag_resource", KeyId=made.id, Tags=listed(tags, "TagKey", "TagValue")
            ),
            lambda keys: at.call("kms", "untag_resource", KeyId=made.id, TagKeys=keys),
        )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Schedule the deletion."""
        state = at.call("kms", "describe_key", KeyId=made.id)["KeyMetadata"]["KeyState"]
        if state != "PendingDeletion":
            days = int(properties.get("PendingWindowInDays", 30))
            at.call("kms", "schedule_key_deletion", KeyId=made.id, PendingWindowInDays=days)


def _rotate(at: At, key: str, old: Properties, new: Properties) -> None:
    before, after = (
        only(old, "EnableKeyRotation", "RotationPeriodInDays"),
        only(new, "EnableKeyRotation", "RotationPeriodInDays"),
    )
    if after == before:
        return
    if after.get("EnableKeyRotation") is True:
        if new.get("KeySpec", SYMMETRIC) != SYMMETRIC:
            raise ResourceFailed(
                "You cannot set the EnableKeyRotation property to true on asymmetric or external "
                "keys."
            )
        at.call(
            "kms",
            "enable_key_rotation",
            KeyId=key,
            RotationPeriodInDays=after.get("RotationPeriodInDays"),
        )
    elif before.get("EnableKeyRotation") is True:
        at.call("kms", "disable_key_rotation", KeyId=key)


@kind("AWS::KMS::Alias")
class Alias(Kind):
    """A name of a key."""

    name = "AliasName"
    arn = "arn:{partition}:kms:{region}:{account}:{AliasName}"

    def create(self, at: At, properties: Properties) -> Made:
        """Name the key."""
        at.call("kms", "create_alias", **only(properties, "AliasName", "TargetKeyId"))
        return Made(properties["AliasName"])

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Let the name stand for another key."""
        at.call("kms", "update_alias", **only(new, "AliasName", "TargetKeyId"))
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Delete the name."""
        at.call("kms", "delete_alias", AliasName=made.id)
