"""What may be done, and in which mode: exemptions, modes, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from chalicelib.effect import JSON
from chalicelib.finding import RESOLVED, Finding, Resource
from chalicelib.playbook import Guardrails, Playbook
from chalicelib.settings import Settings
from chalicelib.store import short_hash
from chalicelib.table import SAME_OR_ABSENT, Item, Operation, Put, Tables

MODES = ("observe", "approve", "enforce")  # from the least that is done to the most


@dataclass(frozen=True, slots=True)
class Permit:
    """Say in which mode a remediation may go, and why not in its playbook's."""

    mode: str
    why: str = ""

    def lowered(self, mode: str, why: str) -> Permit:
        """Return the lesser of this permit and another mode."""
        if MODES.index(mode) >= MODES.index(self.mode):
            return self
        return Permit(mode, why)


def exempt(settings: Settings, finding: Finding) -> str:
    """Say why a finding is left alone outright; "" where it is not."""
    if finding.status == RESOLVED:
        return "its source says that it is resolved; what was contained stays so"
    if finding.archived:
        return "it is archived: suppressed in its source"
    return _responder(settings, finding, finding.resource)


def _responder(settings: Settings, finding: Finding, resource: Resource) -> str:
    """Say of which pattern a resource is a responder; "" where it is none."""
    names = _names(finding, resource)
    for pattern in settings.responders:
        if any(fnmatchcase(name, pattern) for name in names):
            return f"{resource.kind} {resource.id} is a responder ({pattern})"
    return ""


def _names(finding: Finding, resource: Resource) -> list[str]:
    """Return under what a resource may be named as a responder: ARNs, and a role's plain name."""
    start, account = f"arn:{finding.partition}", finding.account
    names = [resource.arn] if resource.arn else []
    if resource.kind == "instance":
        names.append(f"{start}:ec2:{finding.region}:{account}:instance/{resource.id}")
    user, role = (resource.attributes.get(each) for each in ("user_name", "role_name"))
    if user:
        names.append(f"{start}:iam::{account}:user/{user}")
    if role:
        names += [f"{start}:iam::{account}:role/{role}", str(role)]
    return names


def permit(settings: Settings, playbook: Playbook, finding: Finding) -> Permit:
    """Return the mode that playbook, stage and finding allow.

    A finding about a responder is exempt; one that only involves one must still be acted upon, or
    a responder's stolen key could do as it likes, but a person has to agree.
    """
    allowed = Permit(playbook.guardrails.mode)
    if settings.mode:
        allowed = allowed.lowered(settings.mode, f"the stage is set to {settings.mode}")
    if finding.sample and not settings.apply_samples:
        allowed = allowed.lowered("observe", "it is one of AWS's own sample findings")
    if tag := _exempting_tag(playbook.guardrails, finding):
        allowed = allowed.lowered("approve", f"the resource is tagged {tag}")
    for resource in finding.resources:
        if why := _responder(settings, finding, resource):
            allowed = allowed.lowered("approve", why)
    return allowed


def _exempting_tag(guardrails: Guardrails, finding: Finding) -> str:
    """Return the tag that asks for a person; tags are writable by an attacker, so it only asks."""
    tags: JSON = finding.resource.attributes.get("tags") or {}
    if isinstance(tags, Mapping):
        for key, value in guardrails.exempt_tags.items():
            if key in tags and value in ("*", tags[key]):
                return f"{key}={tags[key]}"
    return ""


def within_limit(
    tables: Tables, playbook: Playbook, permit: Permit, now: float
) -> tuple[Permit, list[Operation]]:
    """Return the permit within the playbook's limit, and the write that counts one more.

    What is only observed is neither limited nor counted: anybody can have sample findings made.
    The window rolls: only admissions of the last `per` seconds count. The write holds on the
    version that was read, so that two admissions at once are both counted.
    """
    limit = playbook.guardrails.limit
    if limit is None or permit.mode == "observe":
        return permit, []
    pk = f"LIMIT#{short_hash(playbook.name)}"
    (item,) = tables.get((pk, "LIMIT"))
    version = item.version if item else 0
    times = [at for at in (item.data["times"] if item else []) if at > now - limit.per]
    if len(times) >= limit.count:
        permit = permit.lowered("approve", "the playbook's limit is reached")
    data = {"playbook": playbook.name, "times": [*times, now][-limit.count :]}
    after = Item(pk, "LIMIT", data, version=version + 1)
    return permit, [Put(after, SAME_OR_ABSENT, {"version": version})]
