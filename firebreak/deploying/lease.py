"""Who deploys a stage now: a lease in the state bucket, so that two deployments do not interleave.

It is taken when there is something to change, renewed with each step, and given back at the end.
One that its holder could not give back runs out; whoever began it takes it over at once where the
process that had it is gone. Two jobs of one role are two.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chalicelib.errors import Failed
from firebreak.deploying import records
from firebreak.deploying.records import Stored, Taken
from firebreak.deploying.run import Run

LATEST = 32_503_680_000  # the year 3000
SECONDS = 3_600  # longer than any one step takes; it is renewed with each


@dataclass(slots=True)
class Lease:
    """Hold the right to change a stage, from the first change to the end."""

    run: Run
    etags: list[str] = field(default_factory=list)  # of what was written last

    def hold(self) -> None:
        """Take or renew the lease; before the stage has its bucket, there is nothing to take.

        Raise Failed where another has it.
        """
        if self.etags:
            self._renewed()
        elif records.bucket_exists(self.run):
            self.etags.append(self._taken())

    def _taken(self) -> str:
        stored = records.read(self.run, self._key)
        self._free(stored)
        try:
            return records.write(self.run, self._key, self._said(SECONDS), stored.etag)
        except Taken as taken:
            raise Failed(f"another deployment of {self.run.stage} began just now") from taken

    def _free(self, stored: Stored) -> None:
        """Raise Failed where another deploys, and say how long and how to go on."""
        run, said = self.run, stored.document
        if run.options.take_over or (said.get("who") == run.by and _gone(said)):
            return
        until = said.get("until", 0)
        if type(until) is not int or not 0 <= until <= LATEST:
            raise records.wrong(run, self._key, "is no lease (or give --take-over)")
        if until > run.desk.clock.seconds():
            raise Failed(
                f"{said.get('who')} deploys stage {run.stage}, since {said.get('since')}: wait for "
                f"it to end ({_clock(until)} at the latest), or give --take-over if it died"
            )

    def _renewed(self) -> None:
        try:
            etag = records.write(self.run, self._key, self._said(SECONDS), self.etags[-1])
        except Taken as taken:
            stage = self.run.stage
            raise Failed(f"another took the deployment of stage {stage} over: stopped") from taken
        self.etags[:] = [etag]

    def give_back(self) -> None:
        """Let go of the lease. Raise Failed where another took it over meanwhile."""
        if not self.etags:
            return
        etag = self.etags[-1]
        self.etags.clear()
        try:
            records.write(self.run, self._key, self._said(0), etag)
        except Taken as taken:
            why = f"another took the deployment of stage {self.run.stage} over meanwhile"
            raise Failed(f"{why}: see with --plan what is left") from taken

    def forget(self) -> None:
        """Hold nothing any more: the bucket goes, and the lease with it."""
        self.etags.clear()

    @property
    def _key(self) -> str:
        return f"deploying/{self.run.stage}.json"

    def _said(self, seconds: int) -> dict[str, str | int]:
        clock = self.run.desk.clock
        until = int(clock.seconds()) + seconds if seconds else 0
        return {
            "who": self.run.by,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": clock.now(),
            "until": until,
        }


def _gone(said: Mapping[str, Any]) -> bool:
    """Say whether the process of a lease was on this machine and is over, or is this one."""
    process = said.get("process")
    if said.get("host") != socket.gethostname() or type(process) is not int or process <= 0:
        return False
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
