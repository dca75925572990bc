from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from chalicelib.settings import FUNCTIONS
from firebreak import iam, templates
from tests.templates import exceptions
from tests.templates.exceptions import Found
from tests.templates.made import HOME, HOME_REGION, MEMBER, STAGE, built, documents, made_whole

with warnings.catch_warnings():  # it leaves two of its files for the interpreter to close
    warnings.simplefilter("ignore", ResourceWarning)
    import parliament

REGIONS = ["us-east-1", "eu-west-1"]
PLACE = iam.Place("aws", HOME, HOME_REGION, STAGE)
ROLE = f"arn:aws:iam::{HOME}:role/itself"
MOST_BYTES = 51_200  # of a template that is given with the request


@pytest.mark.parametrize("name", templates.names())
def test_cfn_lint_finds_nothing(name: str) -> None:
    """Every template passes cfn-lint, with no rule left out."""
    config = ManualArgs(regions=REGIONS)

    assert [] == [str(match) for match in lint(templates.text(built(name)), config=config)]


@pytest.mark.parametrize("name", templates.names())
def test_it_is_small_enough_to_be_given_directly(name: str) -> None:
    """No template needs a bucket to be uploaded to, nor would it with twice the playbooks."""
    wanted = templates.wanted(STAGE)
    many = tuple(f"{name}_{n}" for name in wanted.playbooks for n in range(2))
    grown = templates.Wanted(STAGE, many, wanted.retention_days, wanted.timeouts)

    assert len(templates.text(built(name)).encode()) < MOST_BYTES
    assert len(templates.text(templates.build(name, grown)).encode()) < MOST_BYTES


@pytest.mark.parametrize("name", templates.names())
def test_it_is_the_same_each_time(name: str) -> None:
    """The same input makes the same text, and the text is the template."""
    again = templates.build(name, templates.wanted(STAGE))

    assert templates.text(built(name)) == templates.text(again)
    assert built(name) == json.loads(templates.text(again))


@pytest.mark.parametrize("name", templates.names())
def test_every_parameter_is_explained(name: str) -> None:
    """A parameter says what it is for; all but where home is have a default."""
    parameters = built(name).get("Parameters", {})
    needed = {n for n, each in parameters.items() if "Default" not in each}

    assert all(each["Description"].endswith(".") for each in parameters.values())
    assert needed <= {"HomeAccount", "HomeRegion"}


def test_parliament_finds_only_what_is_explained() -> None:
    """Every policy, of templates and of functions, passes parliament; exceptions are needed."""
    found = {
        Found(finding, f"{name}.{resource}")
        for name in templates.names()
        for resource, properties in _everywhere(name).items()
        for document in documents(properties)
        for finding in _findings(document)
    }
    found |= {
        Found(finding, f"functions.{function}")
        for function in FUNCTIONS
        for finding in _findings(iam.function_policy(function, PLACE))
    }

    assert {"unexplained": [], "not needed": []} == exceptions.unexplained(
        found, exceptions.PARLIAMENT
    )


def _everywhere(name: str) -> Mapping[str, Any]:
    """Return what a template makes at home and in a member account."""
    return {**made_whole(name, MEMBER, HOME_REGION), **made_whole(name, HOME, HOME_REGION)}


def _findings(document: Mapping[str, Any]) -> set[str]:
    """Return what parliament says, which knows identities' policies.

    A trust policy has no resource: it is given the role. A key's policy means the key by `*`.
    """
    told = [{"Resource": ROLE, **statement} for statement in document["Statement"]]
    of_key = all("Principal" in each and each["Resource"] == "*" for each in told)
    text = json.dumps({"Version": document["Version"], "Statement": told})
    found = {finding.issue for finding in parliament.analyze_policy_string(text).findings}
    return found - {"RESOURCE_STAR"} if of_key else found
