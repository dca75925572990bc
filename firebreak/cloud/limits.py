"""What limits a caller: its own policies, a permissions boundary, the policy of its session.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterator

from firebreak.cloud.identity import Document, Principal
from firebreak.cloud.policy import Decision, Request, evaluate


def refusal(principal: Principal, request: Request) -> tuple[str, Decision] | None:
    """Return which kind of policy does not allow a request, and how; None where all do.

    Resource policies are their owners' to ask. An administrator is not limited.
    """
    if principal.policies is None:
        return None
    for kind, documents in _limits(principal):
        decision = evaluate(documents, request)
        if decision is not Decision.ALLOW:
            return kind, decision
    return None


def _limits(principal: Principal) -> Iterator[tuple[str, tuple[Document, ...]]]:
    yield "identity-based policy", principal.policies or ()
    if principal.boundary is not None:
        yield "permissions boundary", (principal.boundary,)
    if principal.session_policy is not None:
        yield "session policy", (principal.session_policy,)
