"""Tests of the names of state machines."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud


def definition(kind: str) -> dict[str, Any]:
    """Return a definition of one state."""
    return {"StartAt": "A", "States": {"A": {"Type": kind}}}


def test_name_is_taken_by_another_definition(cloud: Cloud) -> None:
    """The same machine may be created again; another one under its name is refused."""
    first = cloud.create_state_machine("m", definition("Succeed"))
    assert cloud.create_state_machine("m", definition("Succeed")) == first
    with pytest.raises(ClientError, match="StateMachineAlreadyExists"):
        cloud.create_state_machine("m", definition("Fail"))
