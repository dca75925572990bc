"""Tags that ask for a person: as the event shows them, and as they are now.

A tag only asks. Whoever took an instance over may be able to tag it, and a tag that exempted it
would be the first thing to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalicelib import tags
from chalicelib.effect import JSON
from chalicelib.errors import NotApplicable, Refused
from chalicelib.finding import Finding, Resource
from chalicelib.guardrails.exemptions import EC2
from chalicelib.guardrails.live import UNREADABLE, reader, said
from chalicelib.playbook import Playbook
from chalicelib.text import one_line

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

TAGLESS = ("container", "kubernetes_user", "kubernetes_workload", "root")  # AWS has no tags for
FUNCTION = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+")
DATABASE = re.compile(r"arn:[a-z-]+:rds:[a-z0-9-]+:[0-9]{12}:db:[A-Za-z0-9-]+")
LONGEST = 200


def asks(desk: Desk, playbook: Playbook, finding: Finding) -> str:
    """Say by which tag, or tag that cannot be read, a person is to be asked; "" where by none.

    What is gone has no tags and cannot be harmed any more: the playbook's other steps go on.
    """
    wanted = playbook.guardrails.exempt_tags
    if not wanted:
        return ""
    shown = finding.resource.attributes.get("tags") or {}
    if tag := _first(wanted, shown if isinstance(shown, Mapping) else {}):
        return f"the resource is tagged {tag}"
    try:
        arn = carrier(finding)
        live = _read(desk, finding, arn) if arn else {}
    except NotApplicable:
        return ""
    except UNREADABLE as error:
        why = one_line(said(error), LONGEST)
        return f"the tags of {finding.resource.kind} {finding.resource.id} cannot be read: {why}"
    tag = _first(wanted, live)
    return f"the resource is tagged {tag}" if tag else ""


def _read(desk: Desk, finding: Finding, arn: str) -> dict[str, str]:
    aws = reader(desk, finding)
    tags.supported(aws, arn)
    return tags.tags(aws, arn)


def _first(wanted: Mapping[str, str], shown: Mapping[str, JSON]) -> str:
    for key, value in wanted.items():
        if key in shown and value in ("*", shown[key]):
            return f"{key}={shown[key]}"
    return ""


def carrier(finding: Finding) -> str:
    """Return the ARN of what carries a resource's tags, "" where AWS has none for its kind.

    An access key is tagged as its user or role is, an object as its bucket. Raise Refused where
    there are tags that are not read from here.
    """
    resource, start = finding.resource, f"arn:{finding.partition}"
    if resource.kind in EC2:
        kind = EC2[resource.kind]
        return f"{start}:ec2:{finding.region}:{finding.account}:{kind}/{resource.id}"
    if resource.kind in ("bucket", "object"):
        bucket = resource.attributes.get("bucket") or resource.id
        return f"{start}:s3:::{bucket}"
    if resource.kind in ("access_key", "iam_user", "iam_role"):
        return _principal(finding, resource)
    if resource.kind == "lambda_function" and (found := FUNCTION.match(resource.arn or "")):
        return found[0]
    if resource.kind == "rds_instance" and DATABASE.fullmatch(resource.arn or ""):
        return str(resource.arn)
    if resource.kind in TAGLESS:
        return ""
    raise Refused("unsupported_resource", f"tags of {resource.kind} are not read")


def _principal(finding: Finding, resource: Resource) -> str:
    given, start = resource.attributes, f"arn:{finding.partition}:iam::{finding.account}"
    role = given.get("role_name") or (resource.id if resource.kind == "iam_role" else "")
    user = given.get("user_name") or (resource.id if resource.kind == "iam_user" else "")
    if given.get("user_type") == "Root":
        return ""
    if given.get("issuer_account") not in (None, "", finding.account):
        raise Refused("elsewhere", f"{resource.id} was issued in {given['issuer_account']}")
    if role:
        return f"{start}:role/{role}"
    if user and given.get("user_type") in (None, "IAMUser"):
        return f"{start}:user/{user}"
    raise Refused("unsupported_resource", f"nothing says whose {resource.id} is")
