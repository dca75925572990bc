"""The one place that makes what the functions work with, when it is first needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from chalicelib.aws import Access
from chalicelib.clock import Clock
from chalicelib.playbook import FOLDER, Playbook, load
from chalicelib.runner.work import Desk
from chalicelib.settings import Settings, from_environment
from chalicelib.table import Tables


def desk(settings: Settings, clock: Clock) -> Desk:
    """Return what a function needs, made of settings and a clock."""
    access = Access(settings, clock.seconds)
    client = access.home("dynamodb")
    tables = Tables(client, settings.remediations_table, settings.audit_table, clock)
    return Desk(settings, tables, access, clock)


@cache
def ours() -> Desk:
    """Return this process's desk, as its environment says."""
    return desk(from_environment(), Clock())


@cache
def playbooks() -> Mapping[str, Playbook]:
    """Return the playbooks of the stage, validated when they were packaged."""
    folder = ours().settings.playbooks
    return load(Path(folder) if folder else FOLDER)
