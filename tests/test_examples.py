"""Every example of every shipped playbook, replayed on the embedded AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib import playbook
from chalicelib.playbook import Example
from firebreak.event_files import events
from firebreak.replay import Options, replay_one

ROOT = Path(__file__).resolve().parents[1]
PLAYBOOKS = playbook.load(ROOT / "playbooks")


@pytest.mark.parametrize(
    ("name", "example"),
    [
        pytest.param(name, example, id=f"{name}-{Path(example.event).stem}")
        for name, each in PLAYBOOKS.items()
        for example in each.examples
    ],
)
def test_an_example_comes_to_what_it_says(name: str, example: Example) -> None:
    """A playbook alone, replayed with its example, decides and ends as the example says."""
    (event,) = events([ROOT / "tests" / "events" / example.event])

    replayed = replay_one(event, {name: PLAYBOOKS[name]}, Options())

    assert example.decision == replayed.decision, replayed.reason
    assert dict(example.steps) == {step: replayed.steps[step] for step in example.steps}
    assert "valid" == replayed.audit["chain"]
