"""What is attached to the functions: mappings, failure destinations, alarms, dashboard."""

from __future__ import annotations

from firebreak.deploying.of_template import OfTemplate

ORDER = 50
_STEP = OfTemplate("operations")
PERMISSIONS = _STEP.permissions
plan, apply, standing, remove = _STEP.plan, _STEP.apply, _STEP.standing, _STEP.remove
