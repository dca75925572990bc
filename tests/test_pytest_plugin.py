"""The fixture that authors of playbooks test with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from firebreak.report import Replayed

EVENT = "tests/events/guardduty/stolen_access_key_user.json"
Replay = Callable[..., Replayed]


def test_an_event_is_replayed_by_its_path(replay: Replay) -> None:
    """A path relative to the root folder is found, and the result has what a test asserts on."""
    replayed = replay(EVENT)

    assert replayed.remediated
    assert "done" == replayed.steps["deactivate"]
    assert "skipped" == replayed.steps["revoke"]


def test_an_event_is_replayed_as_a_dictionary(replay: Replay, request: object) -> None:
    """A dictionary is an event, and options are those of the command."""
    event = json.loads((Path(__file__).parents[1] / EVENT).read_text("utf-8"))

    assert "planned" == replay(event, plan=True).decision


def test_playbooks_of_ones_own_are_used(replay: Replay, tmp_path: Path) -> None:
    """With a folder of playbooks only those are matched."""
    assert "no_playbook" == replay(EVENT, playbooks=str(tmp_path)).decision
