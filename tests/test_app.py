from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import app
from chalicelib import functions
from chalicelib.firewall_logs import DETAIL_TYPE, SOURCE
from chalicelib.pattern import EventPattern
from chalicelib.sources import config, guardduty, network_firewall, read
from chalicelib.sources.guardduty.envelope import DETAIL_TYPES
from firebreak.stage import FUNCTIONS
from tests.worlds import EVENTS, finding_event

ROOT = Path(__file__).resolve().parents[1]
HEAVY = "boto3 botocore moto jsonschema structlog yaml urllib3 chalicelib.functions".split()


def imported(module: str) -> set[str]:
    """Return what importing a module loads, in a process without any environment."""
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(  # noqa: S603  # our own interpreter, our own code
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={}, check=True
    )
    return set(json.loads(done.stdout))


def test_app_is_imported_without_environment_and_is_light() -> None:
    """Chalice imports app.py to package it, and Lambda at each cold start: nothing is loaded."""
    assert set() == imported("app") & set(HEAVY)


def test_the_functions_load_no_more_than_they_need() -> None:
    """A cold start does without boto3, JSON Schema and structlog until they are needed."""
    assert set() == imported("chalicelib.functions") & {"boto3", "jsonschema", "structlog", "moto"}


def test_every_function_is_configured() -> None:
    """Chalice's configuration names each function, and no other."""
    document = json.loads((ROOT / ".chalice/config.json").read_text("utf-8"))
    named = {name for stage in document["stages"].values() for name in stage["lambda_functions"]}

    assert set(FUNCTIONS) == named
    assert named == {name for name in named if callable(getattr(app, name))}


def test_the_rule_asks_for_exactly_what_is_read() -> None:
    """EventBridge delivers each kind of event that a source reads, and no other."""
    kinds = {*DETAIL_TYPES, config.DETAIL_TYPE, *network_firewall.CHANGES, DETAIL_TYPE}

    assert kinds == set(app.EVENTS["detail-type"])
    assert len(app.EVENTS["detail-type"]) == len(kinds)
    assert {
        guardduty.envelope.SOURCE,
        config.SOURCE,
        network_firewall.NATIVE,
        SOURCE,
    } == set(app.EVENTS["source"])


def envelopes() -> list[Path]:
    """Return the recorded events that came over EventBridge."""
    found = []
    for path in sorted(EVENTS.glob("*/*.json")):
        document = json.loads(path.read_text("utf-8"))
        if isinstance(document, dict) and {"detail-type", "source"} <= document.keys():
            found.append(path)
    return found


@pytest.mark.parametrize("path", envelopes(), ids=lambda path: path.stem)
def test_every_recorded_event_is_delivered(path: Path) -> None:
    """The rule matches each recorded event that a source reads."""
    event = json.loads(path.read_text("utf-8"))

    assert read(event)
    assert EventPattern(app.EVENTS).matches(event)


ARN = "arn:aws:states:us-east-1:111122223333:stateMachine:"


@pytest.mark.parametrize("name", ["firebreak-dev-contain", "billing", "my-firebreak-copy"])
@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED", "RUNNING"])
def test_only_what_did_not_end_well_is_closed_from_outside(status: str, name: str) -> None:
    """An execution of Firebreak's that failed, timed out or was stopped is closed from outside."""
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"status": status, "stateMachineArn": ARN + name},
    }
    ours = status in ("FAILED", "TIMED_OUT", "ABORTED") and name.startswith("firebreak-")

    assert ours == EventPattern(app.ENDED).matches(event)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "api_handler"])
def test_a_function_only_hands_on(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """app.py gives the event, as AWS wrote it, and the context to the function of the same name."""
    given: list[Any] = []
    monkeypatch.setattr(functions, name, lambda event, context: given.append((event, context)))
    event, context = finding_event(), object()
    getattr(app, name)(event, context)

    assert [(event, context)] == given
