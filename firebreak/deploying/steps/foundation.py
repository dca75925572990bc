"""What functions and machines stand on: topic, queues, log groups, the machines' role."""

from __future__ import annotations

from firebreak.deploying.of_template import OfTemplate

ORDER = 20
_STEP = OfTemplate("foundation")
PERMISSIONS = _STEP.permissions
plan, apply, standing, remove = _STEP.plan, _STEP.apply, _STEP.standing, _STEP.remove
