"""The mode in which a remediation may go: what sets it, and what lowers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.finding import Finding
from chalicelib.guardrails import organization, tagged
from chalicelib.guardrails.configuration import Configuration
from chalicelib.guardrails.exemptions import responder
from chalicelib.guardrails.live import said
from chalicelib.playbook import Playbook
from chalicelib.playbook.values import MODES

if TYPE_CHECKING:
    from chalicelib.runner.work import Desk


@dataclass(frozen=True, slots=True)
class Permit:
    """Say in which mode a remediation may go, and why not in its playbook's."""

    mode: str
    why: str = ""

    def lowered(self, mode: str, why: str) -> Permit:
        """Return the lesser of this permit and another mode."""
        if MODES.index(mode) >= MODES.index(self.mode):
            return self
        return Permit(mode, why)


def permit(
    desk: Desk, configuration: Configuration, playbook: Playbook, finding: Finding
) -> Permit:
    """Return the mode that playbook, account, stage and finding allow.

    The account's or its organisational unit's mode takes the place of the playbook's; all else only
    lowers. A finding about a responder is exempt; one that only involves one must still be acted
    upon, or a responder's stolen key could do as it likes, but a person has to agree.
    """
    allowed = _set(desk, configuration, playbook, finding.account)
    if desk.settings.mode:
        allowed = allowed.lowered(desk.settings.mode, f"the stage is set to {desk.settings.mode}")
    if finding.sample and not desk.settings.apply_samples:
        allowed = allowed.lowered("observe", "it is one of AWS's own sample findings")
    if configuration.unread:
        allowed = allowed.lowered("approve", configuration.unread)
    for resource in finding.resources:
        if why := responder(desk.settings, finding, resource):
            allowed = allowed.lowered("approve", why)
    if allowed.mode == "enforce" and (why := tagged.asks(desk, playbook, finding)):
        allowed = allowed.lowered("approve", why)
    return allowed


def _set(desk: Desk, configuration: Configuration, playbook: Playbook, account: str) -> Permit:
    """Return the mode of the account, else of its nearest unit that has one, else the playbook's.

    Where the units cannot be read it is the lowest that it could be.
    """
    own = playbook.guardrails.mode
    if account in configuration.account_modes:
        return _overridden(own, configuration.account_modes[account], f"account {account}")
    if not configuration.unit_modes:
        return Permit(own)
    try:
        units = organization.units(desk, account)
    except (BotoCoreError, ClientError) as error:
        lowest = min(own, *configuration.unit_modes.values(), key=MODES.index)
        where = f"the organizational units of account {account} cannot be read: {said(error)}"
        return Permit(lowest, f"{where}; the lowest mode that one of them could set holds")
    for unit in units:
        if unit in configuration.unit_modes:
            return _overridden(own, configuration.unit_modes[unit], f"organizational unit {unit}")
    return Permit(own)


def _overridden(own: str, mode: str, whose: str) -> Permit:
    return Permit(mode, "" if mode == own else f"{whose} is set to {mode}")
