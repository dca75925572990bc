"""The policies of every role that Firebreak has, derived from what the code declares.

place       where a policy holds
documents   statements in a fixed order, and what IAM counts of them
declared    what actions, guardrails and finders declare to need in an account
home        the roles of functions and state machines, by `chalicelib.grants`
member      the role that is assumed in an account
handlers    what CloudFormation's handlers of a resource type need
files       the policy files that are committed, one per function and stage
"""

from __future__ import annotations

from firebreak.iam.home import function_policy, machine_policy
from firebreak.iam.member import member_boundary, member_policy, member_trust, playbook_policy
from firebreak.iam.place import Place, pseudo

__all__ = [
    "Place",
    "function_policy",
    "machine_policy",
    "member_boundary",
    "member_policy",
    "member_trust",
    "playbook_policy",
    "pseudo",
]
