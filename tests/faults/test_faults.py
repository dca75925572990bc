"""A thin sample of the fault points, over every playbook and every kind of fault."""

from __future__ import annotations

import re
import subprocess
import sys

from botocore.exceptions import ClientError, ReadTimeoutError

from firebreak.cloud import CallInfo, ProcessKilled, ProcessTimedOut
from tests.faults.__main__ import Chosen
from tests.faults.fields import ROOT, Case, cases
from tests.faults.kinds import ENGINE, ENGINE_KINDS, KINDS, READ, kinds_of
from tests.faults.points import APPLY, Point


def test_a_sample_of_fault_points_holds() -> None:
    """Wherever a call of a playbook fails, what is promised holds."""
    command = [sys.executable, "-m", "tests.faults", "--sample", "5", "--jobs", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    last = re.search(r"^(\d+) fault points, (\d+) held", done.stdout, re.MULTILINE)
    assert last is not None, done.stderr
    assert last[1] == last[2], done.stdout
    assert int(last[1]) == 5 * len({case.playbook for case in cases()})
    assert done.returncode == 0


def test_a_fault_that_is_not_met_is_told() -> None:
    """A point whose call is not there does not pass for one that held."""
    command = [sys.executable, "-m", "tests.faults", "--playbook", "no_such_playbook"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    assert done.returncode == 1
    assert "no fault point" in done.stdout


def test_every_playbook_has_a_case() -> None:
    """Every shipped playbook is run with an event that it acts on."""
    assert {path.stem for path in (ROOT / "playbooks").glob("*.yaml")} == {
        case.playbook for case in cases()
    }


def test_a_sample_goes_through_every_kind() -> None:
    """The sample of the tests has every kind of fault that a writing call can have."""
    case = Case("a", "b")
    every = [Point(case, APPLY, n, "ec2:x", kind) for n in range(100) for kind in KINDS]

    picked = [
        point.kind
        for turn in range(7)
        for point in Chosen(sample=5).points(every, turn, first=True)
    ]

    assert 35 == len(picked)
    assert set(KINDS) == set(picked)


def test_a_call_fails_as_its_kind_says() -> None:
    """Reads fail in ways a read can, the engine's calls in its service's, writes in all."""
    read, write, engine = (
        _call("ec2", "DescribeInstances"),
        _call("ec2", "RevokeSecurityGroupIngress"),
        _call(*ENGINE),
    )

    assert READ[0] == kinds_of(read)
    assert tuple(KINDS) == kinds_of(write)
    assert ENGINE_KINDS == kinds_of(engine)
    raised = {name: type(kind.error(write)) for name, kind in KINDS.items()}
    assert {ClientError, ReadTimeoutError, ProcessKilled, ProcessTimedOut} == set(raised.values())


def _call(service: str, operation: str) -> CallInfo:
    return CallInfo(2, service, operation, {}, "us-east-1", "1" * 12, "", None, "run_step", "r")
