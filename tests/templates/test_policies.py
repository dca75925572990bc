from __future__ import annotations

from typing import Any

import pytest

from firebreak import templates
from tests.templates.made import (
    HOME,
    HOME_REGION,
    MEMBER,
    as_list,
    made_whole,
    statements,
)

# What makes a wildcard principal one of the account or the organisation.
NARROWED = {"kms:CallerAccount", "aws:PrincipalOrgID"}


def allowed(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every statement of a template that allows, with its resource's name."""
    places = (MEMBER, HOME)
    return [
        (resource, statement)
        for account in places
        for resource, properties in made_whole(name, account, HOME_REGION).items()
        for statement in statements(properties)
        if statement["Effect"] == "Allow"
    ]


@pytest.mark.parametrize("name", templates.names())
def test_nobody_is_everybody(name: str) -> None:
    """A wildcard principal is held to this account, or to the organisation."""
    wide = [
        (resource, statement)
        for resource, statement in allowed(name)
        if "*" in as_list(statement.get("Principal", {}))
        or "*" in as_list(dict(statement.get("Principal", {})).get("AWS", []))
    ]

    assert [] == [
        (resource, statement)
        for resource, statement in wide
        if not NARROWED & set(statement.get("Condition", {}).get("StringEquals", {}))
    ]


@pytest.mark.parametrize("name", templates.names())
def test_nothing_may_do_everything(name: str) -> None:
    """No statement allows all actions; a whole service only the key to its own account."""
    actions = {
        (resource, action)
        for resource, statement in allowed(name)
        for action in as_list(statement["Action"])
        if action == "*" or action.endswith(":*")
    }

    assert actions <= {("StageKey", "kms:*")}


@pytest.mark.parametrize("name", templates.names())
def test_services_act_for_something_of_a_known_account(name: str) -> None:
    """Where a service of AWS is trusted, a condition says on whose behalf."""
    loose = [
        (resource, statement)
        for resource, statement in allowed(name)
        if "Service" in dict(statement.get("Principal", {}))
        and not {"StringEquals", "ArnLike", "StringLike"} & set(statement.get("Condition", {}))
    ]

    assert [] == loose
