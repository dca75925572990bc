"""What may be done, and in which mode: exemptions, modes, limits.

configuration  guardrails.yaml of the security account, as it is read at run time
shape          its shape, as JSON Schema, and everything that can be wrong with it
exemptions     what is left alone outright
modes          the mode of a playbook for a finding, and what lowers it
organization   which organisational units an account lies in
tagged         tags that ask for a person, read live
limits         how many remediations go by themselves; past that a person is asked until re-armed
fleet          the same as a share of the instances of a VPC
live           how all of these read AWS
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.finding import Finding
from chalicelib.guardrails import fleet, limits, modes
from chalicelib.guardrails.configuration import FILE, Configuration, configured
from chalicelib.guardrails.exemptions import exempt, untouchable
from chalicelib.guardrails.limits import Counted, Window, counted, rearm, sound, tripped_by
from chalicelib.guardrails.live import HOME_PERMISSIONS, PERMISSIONS
from chalicelib.guardrails.modes import Permit
from chalicelib.playbook import Playbook
from chalicelib.playbook.values import MODES

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk

__all__ = [
    "FILE",
    "HOME_PERMISSIONS",
    "MODES",
    "PERMISSIONS",
    "Configuration",
    "Counted",
    "Judged",
    "Permit",
    "Window",
    "configured",
    "counted",
    "exempt",
    "judged",
    "rearm",
    "sound",
    "tripped_by",
    "untouchable",
]


@dataclass(frozen=True, slots=True)
class Judged:
    """Hold what was found of one finding before its gate: its mode, and what it counts towards."""

    permit: Permit
    windows: tuple[Window, ...]
    configuration: str  # the hash of guardrails.yaml


def judged(desk: Desk, playbook: Playbook, finding: Finding) -> Judged:
    """Return what playbook, configuration, stage and live state allow, before any limit."""
    configuration = configured(desk.settings)
    permit = modes.permit(desk, configuration, playbook, finding)
    if permit.mode != "enforce":
        return Judged(permit, (), configuration.hash)
    shares, unread = fleet.windows(desk, configuration, playbook, finding)
    if unread:
        permit = permit.lowered("approve", unread)
    windows = (*limits.windows(configuration, playbook, finding), *shares)
    return Judged(permit, windows, configuration.hash)
