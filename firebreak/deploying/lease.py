"""Who deploys a stage now: a lease in the state bucket, so that two deployments do not interleave.

It is taken when there is something to change, renewed with each step, and given back at the end.
One that its holder could not give back runs out; the same principal takes its own over at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

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
        if said.get("who") == run.by or run.options.take_over:
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
        """Let go of the lease, where it is still ours."""
        if not self.etags:
            return
        try:
            records.write(self.run, self._key, self._said(0), self.etags[-1])
        except Taken:
            self.run.say("another took this deployment over")
        self.etags.clear()

    def forget(self) -> None:
        """Hold nothing any more: the bucket goes, and the lease with it."""
        self.etags.clear()

    @property
    def _key(self) -> str:
        return f"deploying/{self.run.stage}.json"

    def _said(self, seconds: int) -> dict[str, str | int]:
        clock = self.run.desk.clock
        until = int(clock.seconds()) + seconds if seconds else 0
        return {"who": self.run.by, "since": clock.now(), "until": until}


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
