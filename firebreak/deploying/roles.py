"""What Chalice leaves as it is of a role that exists: who may assume it, and policies of others.

A function does what its one policy says, which is derived from the code, and nothing more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from firebreak.deploying.application import Role
from firebreak.deploying.existing import found
from firebreak.deploying.run import Difference, Run


@dataclass(frozen=True, slots=True)
class Foreign:
    """Hold what a role has that is not the stage's: its trust, and policies."""

    role: Role
    trust: bool
    written: tuple[str, ...]  # names of policies in the role
    attached: tuple[str, ...]  # ARNs of policies of their own

    @property
    def difference(self) -> Difference:
        """Return what is put right."""
        parts = ["who may assume it"] if self.trust else []
        parts += [f"without policy {each}" for each in (*self.written, *self.attached)]
        return Difference("update", f"role {self.role.name}", ", ".join(parts))


def foreign(run: Run, roles: tuple[Role, ...]) -> Iterator[Foreign]:
    """Yield the roles that have something that is not the stage's."""
    client = run.client("iam")
    for role in roles:
        name = role.name
        there = found(lambda name=name: client.get_role(RoleName=name))  # type: ignore[misc]  # bound per turn
        if not there:
            continue
        trust = there["Role"]["AssumeRolePolicyDocument"] != role.trust
        each = Foreign(role, trust, tuple(_written(run, name)), tuple(_attached(run, name)))
        if each.trust or each.written or each.attached:
            yield each


def _written(run: Run, role: str) -> Iterator[str]:
    pages = run.client("iam").get_paginator("list_role_policies").paginate(RoleName=role)
    return (name for page in pages for name in page["PolicyNames"] if name != role)


def _attached(run: Run, role: str) -> Iterator[str]:
    pages = run.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return (str(each["PolicyArn"]) for page in pages for each in page["AttachedPolicies"])


def put_right(run: Run, each: Foreign) -> None:
    """Give a role its own trust again, and take other policies from it."""
    client, name = run.client("iam"), each.role.name
    if each.trust:
        trust = json.dumps(each.role.trust)
        client.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    for policy in each.written:
        client.delete_role_policy(RoleName=name, PolicyName=policy)
    for arn in each.attached:
        client.detach_role_policy(RoleName=name, PolicyArn=arn)
