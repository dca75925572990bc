"""`firebreak sandbox`: an AWS that other processes can work with, until it is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from firebreak.cli import firebreak

EVENTS = Path(__file__).resolve().parents[1] / "events"
ASKS = "import boto3, json; print(json.dumps(boto3.client('sts').get_caller_identity()['Arn']))"


def test_another_process_works_with_it_and_events_happen() -> None:
    """What it prints leads an SDK there; a file's event happens; what is no file is one line."""
    command = [sys.executable, "-m", "firebreak.cli", "sandbox", "--account", "1" * 12]
    clean = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "FIREBREAK_"))}
    with subprocess.Popen(  # noqa: S603  # our own interpreter, our own code
        command,
        env=clean,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as sandbox:
        assert sandbox.stdin
        assert sandbox.stdout
        first, *lines = [sandbox.stdout.readline().strip() for _ in range(6)]
        printed = dict(each.removeprefix("export ").split("=", 1) for each in lines)
        asked = subprocess.run(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", ASKS],
            env={**clean, **printed},
            capture_output=True,
            text=True,
            check=True,
        )
        sandbox.stdin.write("nowhere.json\n")
        sandbox.stdin.write(f"{EVENTS / 'guardduty/crypto_currency_ec2.json'}\n")
        sandbox.stdin.flush()
        told = sandbox.stdout.readline()
        sandbox.send_signal(signal.SIGINT)
        _, errors = sandbox.communicate(timeout=60)

    assert f"arn:aws:iam::{'1' * 12}:user/administrator" == json.loads(asked.stdout)
    assert "unset AWS_PROFILE AWS_SESSION_TOKEN" == first
    assert "no rule matched it" in told
    assert "firebreak: nowhere.json: no such file or folder" in errors
    assert "Traceback" not in errors
    assert 0 == sandbox.returncode


@pytest.mark.parametrize("words", [("--account", "abc"), ("--region", "eu west")])
def test_what_cannot_be_is_one_line(words: tuple[str, str]) -> None:
    """An account has digits, a region is one of AWS's."""
    result = CliRunner().invoke(firebreak, ["sandbox", *words])

    assert 2 == result.exit_code
    assert f"Invalid value for '{words[0]}'" in result.output
