"""What is left alone outright: responders, and what the security account exempts."""

from __future__ import annotations

from fnmatch import fnmatchcase

from chalicelib.finding import RESOLVED, Finding, Resource
from chalicelib.guardrails.configuration import configured
from chalicelib.settings import Settings

# The type in the ARN of an EC2 resource, by the resource's kind.
EC2 = {
    "image": "image",
    "instance": "instance",
    "security_group": "security-group",
    "snapshot": "snapshot",
    "volume": "volume",
}


def exempt(settings: Settings, finding: Finding) -> str:
    """Say why a finding is left alone outright; "" where it is not."""
    if finding.status == RESOLVED:
        return "its source says that it is resolved; what was contained stays so"
    if finding.archived:
        return "it is archived: suppressed in its source"
    if finding.account in configured(settings).accounts:
        return f"account {finding.account} is exempt"
    return _spared(settings, finding) or responder(settings, finding, finding.resource)


def _spared(settings: Settings, finding: Finding) -> str:
    """Say by which pattern the resource of a finding is exempt; "" where it is by none."""
    resource = finding.resource
    for pattern in configured(settings).resources:
        if any(fnmatchcase(name, pattern) for name in names_of(finding, resource)):
            return f"{resource.kind} {resource.id} is exempt ({pattern})"
    return ""


def responder(settings: Settings, finding: Finding, resource: Resource) -> str:
    """Say of which pattern a resource is a responder; "" where it is none."""
    names = names_of(finding, resource)
    for pattern in untouchable(settings):
        if any(fnmatchcase(name, pattern) for name in names):
            return f"{resource.kind} {resource.id} is a responder ({pattern})"
    return ""


def untouchable(settings: Settings) -> tuple[str, ...]:
    """Return the patterns of who is never contained, by whatever finding and step.

    Firebreak's own roles are always among them: it must never lock itself out.
    """
    return (*settings.responders, *configured(settings).principals)


def names_of(finding: Finding, resource: Resource) -> tuple[str, ...]:
    """Return what a resource is exempt under: its ARNs, and a role's plain name.

    A user's name counts only where IAM gave it: who asks for a federated session chooses its name,
    and a caller of another account is not this account's user of that name.
    """
    start, account = f"arn:{finding.partition}", finding.account
    names = [resource.arn] if resource.arn else []
    if resource.kind in EC2:
        kind = EC2[resource.kind]
        names.append(f"{start}:ec2:{finding.region}:{account}:{kind}/{resource.id}")
    if resource.kind == "bucket":
        names.append(f"{start}:s3:::{resource.id}")
    if _is_user(finding, resource):
        names.append(f"{start}:iam::{account}:user/{resource.attributes['user_name']}")
    if role := resource.attributes.get("role_name"):
        names += [f"{start}:iam::{account}:role/{role}", str(role)]
    return tuple(dict.fromkeys(names))


def _is_user(finding: Finding, resource: Resource) -> bool:
    """Say whether a resource is an IAM user of the finding's account, or a key of one."""
    given = resource.attributes
    ours = given.get("issuer_account") in (None, finding.account)
    known = resource.kind != "principal" and given.get("user_type") in (None, "IAMUser")
    return bool(given.get("user_name")) and ours and known
