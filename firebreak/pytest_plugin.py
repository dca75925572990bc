"""The fixture `replay`, for the tests of people who write playbooks.

def test_a_miner_is_contained(replay):
    assert replay("events/crypto_currency.json").remediated
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firebreak.report import Replayed


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Callable[..., Replayed]:
    """Replay one event, a file's or a dictionary, on a fresh embedded AWS.

    `replay(event, *, playbooks=None, **options)`: a relative path is looked for beside the test and
    in the root folder; playbooks is a folder, the project's own if not given; options are those
    of the command: plan, account, rollback, empty; decision: `approved` or `denied`.
    Raise InvalidPlaybook where a playbook is wrong.
    """
    from firebreak.event_files import EventFile, events
    from firebreak.replay import Options, load_playbooks, replay_one

    def run(event: Any, *, playbooks: str | Path | None = None, **options: Any) -> Replayed:
        folder = _found(request, Path(playbooks)) if playbooks else None
        if isinstance(event, str | Path):
            (file,) = events([_found(request, Path(event))])
        else:
            file = EventFile("event", event)
        return replay_one(file, load_playbooks(folder), Options(**options))

    return run


def _found(request: pytest.FixtureRequest, path: Path) -> Path:
    for base in (request.path.parent, request.config.rootpath):
        if (base / path).exists():
            return base / path
    return path
