"""CloudFormation's own errors, as its API says them."""

from __future__ import annotations

from moto.cloudformation.exceptions import CloudFormationError


def refused(code: str, message: str) -> CloudFormationError:
    """Return what a call fails with that CloudFormation refuses."""
    return CloudFormationError(code, message)


def invalid(message: str) -> CloudFormationError:
    """Return the refusal of a request that is not valid."""
    return refused("ValidationError", message)


class ResourceFailed(Exception):
    """A resource could not be made, changed or deleted; the text is its status reason."""
