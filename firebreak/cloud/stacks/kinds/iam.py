"""IAM: roles and policies.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html
"""

from __future__ import annotations

from firebreak.cloud.stacks.kinds import (
    At,
    Kind,
    Made,
    Properties,
    added,
    as_text,
    kind,
    listed,
    only,
    retag,
)


@kind("AWS::IAM::Role")
class Role(Kind):
    """A role, with its inline and its managed policies."""

    name = "RoleName"
    arn = "arn:{partition}:iam::{account}:role{Path}{RoleName}"

    def create(self, at: At, properties: Properties) -> Made:
        """Make the role."""
        role = at.call(
            "iam",
            "create_role",
            **only(
                properties,
                "Description",
                "MaxSessionDuration",
                "Path",
                "PermissionsBoundary",
                "RoleName",
            ),
            AssumeRolePolicyDocument=as_text(properties["AssumeRolePolicyDocument"]),
            Tags=listed(properties.get("Tags")) or None,
        )["Role"]
        return Made(role["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Put and attach its policies."""
        _put_policies(at, made.id, {}, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Change trust, description, duration, boundary, policies and tags in place."""
        trust = "AssumeRolePolicyDocument"
        if old[trust] != new[trust]:
            document = as_text(new[trust])
            at.call("iam", "update_assume_role_policy", RoleName=made.id, PolicyDocument=document)
        if only(old, *_PLAIN) != only(new, *_PLAIN):
            at.call(
                "iam",
                "update_role",
                RoleName=made.id,
                Description=new.get("Description", ""),
                MaxSessionDuration=new.get("MaxSessionDuration", 3600),
            )
        _bound(at, made.id, old, new)
        _put_policies(at, made.id, old, new)
        retag(
            old,
            new,
            lambda tags: at.call("iam", "tag_role", RoleName=made.id, Tags=listed(tags)),
            lambda keys: at.call("iam", "untag_role", RoleName=made.id, TagKeys=keys),
        )
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Take the role's policies away, and the role."""
        _put_policies(at, made.id, _there(at, made.id, properties), {})
        at.call("iam", "delete_role", RoleName=made.id)


_PLAIN = ("Description", "MaxSessionDuration")


def _there(at: At, role: str, properties: Properties) -> Properties:
    """Return the policies of a template that the role has indeed."""
    inline = at.call("iam", "list_role_policies", RoleName=role)["PolicyNames"]
    attached = at.call("iam", "list_attached_role_policies", RoleName=role)["AttachedPolicies"]
    arns = {each["PolicyArn"] for each in attached}
    return {
        "Policies": [e for e in properties.get("Policies", ()) if e["PolicyName"] in inline],
        "ManagedPolicyArns": [e for e in properties.get("ManagedPolicyArns", ()) if e in arns],
    }


def _bound(at: At, role: str, old: Properties, new: Properties) -> None:
    boundary = new.get("PermissionsBoundary")
    if boundary == old.get("PermissionsBoundary"):
        return
    operation = ("delete" if boundary is None else "put") + "_role_permissions_boundary"
    at.call("iam", operation, RoleName=role, PermissionsBoundary=boundary)


def _put_policies(at: At, role: str, old: Properties, new: Properties) -> None:
    before = {each["PolicyName"]: each["PolicyDocument"] for each in old.get("Policies", ())}
    after = {each["PolicyName"]: each["PolicyDocument"] for each in new.get("Policies", ())}
    for name in before.keys() - after.keys():
        at.call("iam", "delete_role_policy", RoleName=role, PolicyName=name)
    for name, document in after.items():
        if before.get(name) != document:
            text = as_text(document)
            at.call("iam", "put_role_policy", RoleName=role, PolicyName=name, PolicyDocument=text)
    attached, wanted = old.get("ManagedPolicyArns", ()), new.get("ManagedPolicyArns", ())
    for arn in added(wanted, attached):
        at.call("iam", "detach_role_policy", RoleName=role, PolicyArn=arn)
    for arn in added(attached, wanted):
        at.call("iam", "attach_role_policy", RoleName=role, PolicyArn=arn)


_ENTITIES = {
    "Groups": ("group", "GroupName"),
    "Roles": ("role", "RoleName"),
    "Users": ("user", "UserName"),
}


def _attach(at: At, policy: str, old: Properties, new: Properties) -> None:
    for name, (entity, parameter) in _ENTITIES.items():
        before, after = old.get(name, ()), new.get(name, ())
        for each in added(after, before):
            at.call("iam", f"detach_{entity}_policy", PolicyArn=policy, **{parameter: each})
        for each in added(before, after):
            at.call("iam", f"attach_{entity}_policy", PolicyArn=policy, **{parameter: each})


@kind("AWS::IAM::ManagedPolicy")
class ManagedPolicy(Kind):
    """A managed policy and who has it; an update is a new default version."""

    name = "ManagedPolicyName"
    arn = "arn:{partition}:iam::{account}:policy{Path}{ManagedPolicyName}"

    def create(self, at: At, properties: Properties) -> Made:
        """Make the policy."""
        policy = at.call(
            "iam",
            "create_policy",
            **only(properties, "Description", "Path"),
            PolicyName=properties["ManagedPolicyName"],
            PolicyDocument=as_text(properties["PolicyDocument"]),
        )["Policy"]
        return Made(policy["Arn"], {"PolicyArn": policy["Arn"], "PolicyId": policy["PolicyId"]})

    def complete(self, at: At, made: Made, properties: Properties) -> Made:
        """Attach it."""
        _attach(at, made.id, {}, properties)
        return made

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Make a new version; of five versions, the oldest goes."""
        if old["PolicyDocument"] != new["PolicyDocument"]:
            versions = at.call("iam", "list_policy_versions", PolicyArn=made.id)["Versions"]
            others = [each["VersionId"] for each in versions if not each["IsDefaultVersion"]]
            if len(versions) == 5:
                oldest = min(others, key=lambda version: int(version.removeprefix("v")))
                at.call("iam", "delete_policy_version", PolicyArn=made.id, VersionId=oldest)
            document = as_text(new["PolicyDocument"])
            at.call(
                "iam",
                "create_policy_version",
                PolicyArn=made.id,
                PolicyDocument=document,
                SetAsDefault=True,
            )
        _attach(at, made.id, old, new)
        return made

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Detach the policy, and delete it with its versions."""
        _attach(at, made.id, properties, {})
        for each in at.call("iam", "list_policy_versions", PolicyArn=made.id)["Versions"]:
            if not each["IsDefaultVersion"]:
                version = each["VersionId"]
                at.call("iam", "delete_policy_version", PolicyArn=made.id, VersionId=version)
        at.call("iam", "delete_policy", PolicyArn=made.id)


@kind("AWS::IAM::Policy")
class Policy(Kind):
    """An inline policy of roles, users and groups."""

    def create(self, at: At, properties: Properties) -> Made:
        """Put the policy into each."""
        _inline(at, {}, properties)
        return Made(properties["PolicyName"], {"Id": properties["PolicyName"]})

    def update(self, at: At, made: Made, old: Properties, new: Properties) -> Made:
        """Put the policy anew, and take it from those that left."""
        _inline(at, old, new)
        return Made(new["PolicyName"], {"Id": new["PolicyName"]})

    def delete(self, at: At, made: Made, properties: Properties) -> None:
        """Take the policy from each."""
        _inline(at, properties, {})


def _inline(at: At, old: Properties, new: Properties) -> None:
    renamed = old.get("PolicyName") != new.get("PolicyName")
    for name, (entity, parameter) in _ENTITIES.items():
        for each in old.get(name, ()) if renamed else added(new.get(name, ()), old.get(name, ())):
            named = {parameter: each, "PolicyName": old["PolicyName"]}
            at.call("iam", f"delete_{entity}_policy", **named)
        for each in new.get(name, ()):
            named = {parameter: each, "PolicyName": new["PolicyName"]}
            text = as_text(new["PolicyDocument"])
            at.call("iam", f"put_{entity}_policy", PolicyDocument=text, **named)
