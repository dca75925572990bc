"""The policies of the security account's own roles: those of functions, that of state machines."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib import grants
from chalicelib.errors import InvalidSettings
from chalicelib.settings import FUNCTIONS, function_name
from firebreak.iam.documents import Document, Statement, document, filled, statement
from firebreak.iam.place import Place

MACHINES_CALL = "run_step"  # the one function that state machines invoke


def function_policy(function: str, place: Place, log_buckets: Sequence[str] = ()) -> Document:
    """Return the policy of a function's role. log_buckets: those whose log objects are read.

    Raise InvalidSettings for what is no function of Firebreak's.
    """
    if function not in FUNCTIONS:
        raise InvalidSettings(f"function {function!r}: there are {', '.join(FUNCTIONS)}")
    return document(_statement(each, place) for each in grants.grants(function, log_buckets))


def _statement(grant: grants.Grant, place: Place) -> Statement:
    return statement(
        grant.name,
        grant.actions,
        map(place.filled, grant.resources),
        filled(grant.condition, place.filled),
    )


def machine_policy(place: Place) -> Document:
    """Return the policy of the state machines' role: it invokes one function, and does no more.

    https://docs.aws.amazon.com/step-functions/latest/dg/lambda-iam.html
    """
    name = function_name("{stage}", MACHINES_CALL)
    arn = f"arn:{{partition}}:lambda:{{region}}:{{account}}:function:{name}"
    allowed = statement("RunSteps", ("lambda:InvokeFunction",), (place.filled(arn),))
    return document([allowed])
