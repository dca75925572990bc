"""Entries of network ACLs that deny a network, put below whatever lets it pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.addresses import overlap, version
from chalicelib.effect import JSON, Call, Change, Reader, editor, probe
from chalicelib.errors import NotApplicable, Refused
from chalicelib.gone import gone

SETTLES = 10  # seconds for which EC2 may still show what was before a change
INGRESS, EGRESS = "ingress", "egress"
DIRECTIONS = (INGRESS, EGRESS)
EVERY_PROTOCOL = "-1"
LAST = 32766  # VPC user guide, "Network ACL basics": "a number from 1 to 32766"

Entry = Mapping[str, Any]


# --- reading --------------------------------------------------------------------------------------


def entries(aws: Reader, acl_id: str) -> list[Entry]:
    """Return the entries of a network ACL, AWS's own last ones included."""
    with gone(acl_id, "InvalidNetworkAclID.NotFound"):
        found = aws.read("ec2", "describe_network_acls", NetworkAclIds=[acl_id])["NetworkAcls"]
    if not found:
        raise NotApplicable(f"{acl_id} does not exist (any more)")
    return list(found[0]["Entries"])


def acls_of(aws: Reader, subnet_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the network ACL of each subnet, by subnet; without those this account cannot see."""
    wanted = sorted(set(subnet_ids))
    found = aws.pages(
        "ec2",
        "describe_network_acls",
        "NetworkAcls",
        Filters=[{"Name": "association.subnet-id", "Values": wanted}],
    )
    pairs = ((a["SubnetId"], acl) for acl in found for a in acl["Associations"])
    return {subnet: acl for subnet, acl in pairs if subnet in wanted}


@probe("ec2:network-acl-deny:{acl_id}:{direction}:{cidr}", settles=SETTLES)
def denied(aws: Reader, *, acl_id: str, direction: str, cidr: str) -> JSON:
    """Return `deny` while an entry denies the network all traffic before any entry allows some."""
    return "deny" if _denials(entries(aws, acl_id), direction, cidr) else None


# --- what entries mean ----------------------------------------------------------------------------


def _of(entry: Entry) -> str:
    return str(entry.get("CidrBlock") or entry.get("Ipv6CidrBlock"))


def _in(content: Iterable[Entry], direction: str) -> list[Entry]:
    return [each for each in content if each["Egress"] == (direction == EGRESS)]


def _first_allow(content: Iterable[Entry], direction: str, cidr: str) -> int:
    """Return the number of the first entry that lets some address of the network pass."""
    allowing = (
        each["RuleNumber"]
        for each in _in(content, direction)
        if each["RuleAction"] == "allow" and overlap(_of(each), cidr)
    )
    return min(allowing, default=LAST + 1)


def _denials(content: Sequence[Entry], direction: str, cidr: str) -> list[Entry]:
    first = _first_allow(content, direction, cidr)
    return [
        each
        for each in _in(content, direction)
        if each["RuleAction"] == "deny"
        and each["Protocol"] == EVERY_PROTOCOL
        and _of(each) == cidr
        and each["RuleNumber"] < first
    ]


def _counted(content: Iterable[Entry], direction: str, family: int) -> int:
    return sum(version(_of(each)) == family for each in _in(content, direction))


# --- changing -------------------------------------------------------------------------------------


def _read(aws: Reader, acl_id: str) -> tuple[JSON, JSON]:
    return entries(aws, acl_id), None


def _write(before: JSON, after: JSON, token: JSON, acl_id: str) -> Call:
    """Return the call that makes the entry that is new, else that deletes the one that is gone.

    The number is what guards it: AWS refuses a second entry of one number, and what is deleted was
    read just before.
    """
    for each in after:
        if each not in before:
            return Call("ec2", "create_network_acl_entry", NetworkAclId=acl_id, **each)
    (gone_one,) = [each for each in before if each not in after]
    number, egress = gone_one["RuleNumber"], gone_one["Egress"]
    return Call(
        "ec2", "delete_network_acl_entry", NetworkAclId=acl_id, RuleNumber=number, Egress=egress
    )


_entries_editor = editor(
    read=_read,
    write=_write,
    stale=("NetworkAclEntryAlreadyExists", "InvalidNetworkAclEntry.NotFound"),
)


@_entries_editor
def add_denial(content: JSON, *, direction: str, cidr: str) -> JSON:
    """Add the entry that denies a network. Raise Refused where there is no number for it."""
    return with_denial(content, direction, cidr)


@_entries_editor
def remove_denial(content: JSON, *, direction: str, cidr: str) -> JSON:
    """Remove the entry that denies a network, the first where there are several."""
    found = sorted(_denials(content, direction, cidr), key=lambda each: int(each["RuleNumber"]))
    return [each for each in content if each not in found[:1]]


def with_denial(content: JSON, direction: str, cidr: str) -> JSON:
    """Return the entries with one that denies the network, under the lowest free number. Pure.

    So it also stays before what is allowed later. Raise Refused where every number before the
    first entry that allows the network is taken.
    """
    if _denials(content, direction, cidr):
        return content
    first = _first_allow(content, direction, cidr)
    taken = {each["RuleNumber"] for each in _in(content, direction)}
    number = next((number for number in range(1, first) if number not in taken), None)
    if number is None:
        raise Refused(
            "no_rule_number",
            f"the {direction} entries of the network ACL take every number below {first},"
            f" the first that lets {cidr} pass: renumber them",
        )
    block = "CidrBlock" if version(cidr) == 4 else "Ipv6CidrBlock"
    entry = {
        "RuleNumber": number,
        "Protocol": EVERY_PROTOCOL,
        "RuleAction": "deny",
        "Egress": direction == EGRESS,
        block: cidr,
    }
    return [*content, entry]


def check_room(acl_id: str, content: Sequence[Entry], cidrs: Iterable[str], most: int) -> None:
    """Raise Refused where the denials do not fit: `no_rule_number`, `network_acl_full`. Pure.

    `most` is the quota of rules per direction and address family; AWS's own last entry counts
    (VPC user guide, "Amazon VPC quotas": "includes the default deny rules").
    """
    wanted = [(direction, cidr) for cidr in cidrs for direction in DIRECTIONS]
    after: JSON = list(content)
    for direction, cidr in wanted:
        after = with_denial(after, direction, cidr)
    for direction, family in dict.fromkeys((each, version(cidr)) for each, cidr in wanted):
        now, then = (_counted(each, direction, family) for each in (content, after))
        if now < then > most:
            raise Refused(
                "network_acl_full",
                f"{acl_id} has {now} {direction} rules for IPv{family}, its last one included,"
                f" and may have {most}: {then - now} more do not fit",
            )


def denial(acl_id: str, direction: str, cidr: str) -> Change:
    """Return the change that denies a network in one direction."""
    what = {"direction": direction, "cidr": cidr}
    return Change(
        probe=denied(acl_id=acl_id, **what),
        want="deny",
        do=add_denial(at={"acl_id": acl_id}, **what),
        undo=remove_denial(at={"acl_id": acl_id}, **what),
    )
