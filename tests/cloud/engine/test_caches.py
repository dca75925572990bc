"""Tests of parsing definitions once."""

from __future__ import annotations

from firebreak.cloud import Cloud
from firebreak.cloud.engine.caches import parsed_definition

DEFINITION = {"StartAt": "Unique name", "States": {"Unique name": {"Type": "Succeed"}}}


def test_definition_is_parsed_once_for_all_worlds() -> None:
    """A second world that creates the same machine finds it parsed."""
    parsed_definition.cache_clear()
    for _ in range(2):
        with Cloud() as cloud:
            cloud.create_state_machine("m", DEFINITION)
    assert parsed_definition.cache_info().misses == 1
