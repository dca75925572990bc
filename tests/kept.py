"""A stage whose audit trail is kept outside, for tests: what is written, kept, sealed, verified."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from chalicelib.audit import Entry
from chalicelib.outside import sealing
from chalicelib.outside.seals import Seal
from chalicelib.outside.vault import Vault, vault
from firebreak.audit_store import Fed
from firebreak.cli import firebreak
from firebreak.stage import Stage
from tests.worlds import world

LATER = 2 * 3_600  # seconds, past every grace


@dataclass(frozen=True)
class Kept:
    """A stage, and what hands its stream over."""

    stage: Stage
    fed: Fed

    @property
    def vault(self) -> Vault:
        """Return the bucket, as Firebreak has it."""
        return vault(self.stage.desk)

    def record(self, chain: str = "CONTROL", times: int = 1) -> None:
        """Write records to a chain, and keep them."""
        for number in range(times):
            self.stage.desk.tables.commit(Entry(chain, "test", {}, {"n": number}), lambda _seq: [])
        self.fed.poll()

    def seal(self) -> Seal:
        """Seal what was kept."""
        return sealing.seal(self.stage.desk)

    def wait(self) -> None:
        """Let every grace pass."""
        self.stage.desk.clock.sleep(LATER)

    def keys(self, prefix: str = "") -> list[str]:
        """Return what the bucket holds."""
        return [each.key for each in self.vault.kept(prefix)]

    def told(self) -> int:
        """Return how many messages were sent."""
        return len([call for call in self.stage.cloud.calls if call.operation == "Publish"])


@contextmanager
def kept_world() -> Iterator[Kept]:
    """Give a stage whose audit trail is kept outside."""
    with world() as stage:
        yield Kept(stage, stage.provide_audit_store())


def sealed(kept: Kept) -> None:
    """Write two chains, twice, each time kept and sealed; a chain more is still unsealed."""
    for _ in range(2):
        kept.record(times=3)
        kept.record("other", times=2)
        kept.seal()
        kept.wait()
    kept.record("young")
    kept.seal()


def audit(*arguments: str | Path) -> Result:
    """Run `firebreak audit`."""
    return CliRunner().invoke(firebreak, ["audit", *map(str, arguments)])
