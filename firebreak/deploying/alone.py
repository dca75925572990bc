"""One deployment of a stage at a time in a project's folder: they would build in the same place."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.errors import Failed


@contextmanager
def alone(project: Path, stage: str) -> Iterator[None]:
    """Keep other processes from deploying the stage from this folder while the block runs.

    The lock ends with the process, however that ends. Raise Failed where another has it.
    """
    folder = project / "build"
    folder.mkdir(exist_ok=True)
    with (folder / f"{stage}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            why = "is deployed from this folder by another process: wait for it to end"
            raise Failed(f"stage {stage} {why}") from None
        yield
