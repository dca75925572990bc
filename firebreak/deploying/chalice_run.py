"""Chalice itself, run in this process on a build's folder: to deploy, and to delete.

In this process its errors are AWS's own, not the text of a traceback.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from chalice.awsclient import AWSClientError, TypedAWSClient
from chalice.cli.factory import create_botocore_session
from chalice.config import Config
from chalice.deploy import deployer
from chalice.utils import UI

from chalicelib.errors import Failed
from firebreak.deploying import records
from firebreak.deploying.run import Run

Resources = Mapping[str, Mapping[str, Any]]


def deploy(run: Run, config: Config, folder: Path, known: Resources) -> dict[str, Any]:
    """Let Chalice deploy a build, with what is known of what exists; return its new record."""
    records.put_local(folder, run.stage, known)
    session, ui = _session(run), _Telling(run.say)
    with _quiet():
        made = deployer.create_default_deployer(session, config, ui)
    _run(made, config, run.stage)
    return records.get_local(folder, run.stage)


def delete(run: Run, config: Config, folder: Path, known: Resources) -> None:
    """Let Chalice delete all that is known of a stage."""
    records.put_local(folder, run.stage, known)
    client = TypedAWSClient(_session(run))
    _run(deployer.create_deletion_deployer(client, _Telling(run.say)), config, run.stage)


class _Telling(UI):
    """Hand what Chalice tells to whoever runs the command."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(io.StringIO(), io.StringIO())
        self._say = say

    def write(self, msg: str) -> None:
        """Tell it, indented."""
        self._say(f"  {msg.strip()}")

    error = write


def _session(run: Run) -> Any:
    session = create_botocore_session()
    session.set_config_variable("region", run.settings.region)
    return session


def _run(made: Any, config: Config, stage: str) -> None:
    try:
        with _quiet():
            made.deploy(config, chalice_stage_name=stage)
    except deployer.ChaliceDeploymentError as wrong:
        cause = getattr(wrong.original_error, "original_error", wrong.original_error)
        if isinstance(cause, ClientError):
            raise cause from wrong
        raise Failed(f"Chalice: {' '.join(str(wrong).split())}") from wrong
    except (AWSClientError, RuntimeError) as wrong:
        raise Failed(f"Chalice: {' '.join(str(wrong).split())}") from wrong


def _quiet() -> contextlib.AbstractContextManager[Any]:
    """Keep what Chalice prints by itself out of the command's own output."""
    return contextlib.redirect_stdout(io.StringIO())
