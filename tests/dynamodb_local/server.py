"""DynamoDB Local as a process: fetched with Maven once, started, ended with whoever started it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
REQUIRED = "FIREBREAK_DYNAMODB_LOCAL"  # `required`: what would be skipped fails instead
PATIENCE = 600  # seconds that Maven may take
JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # starts quicker, ends soon


class Unavailable(Exception):
    """DynamoDB Local cannot be had on this machine."""


def fetched() -> Path:
    """Return the folder of the engine's libraries, fetched where it is not there yet.

    Several processes may ask at once. Raise Unavailable where the machine lacks what it takes.
    """
    for tool, needed in (("java", "a JDK of version 17 or newer"), ("mvn", "Maven")):
        if shutil.which(tool) is None:
            raise Unavailable(f"DynamoDB Local needs {needed}; there is no `{tool}` here")
    folder = Path(sys.prefix) / "dynamodb-local"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _current(folder)


def _current(folder: Path) -> Path:
    wanted, have, libraries = (HERE / "pom.xml").read_text(), folder / "pom.xml", folder / "lib"
    if have.exists() and have.read_text() == wanted:
        return libraries
    shutil.rmtree(libraries, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    _run([*command, f"-DoutputDirectory={libraries}"])
    have.write_text(wanted)
    return libraries


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603
    except subprocess.SubprocessError as failed:
        said = str(getattr(failed, "stdout", "") or failed)[-500:]
        raise Unavailable(f"Maven cannot fetch DynamoDB Local: {said}") from failed


@contextmanager
def running() -> Iterator[int]:
    """Give the port of a DynamoDB Local that listens on 127.0.0.1 alone.

    Raise Unavailable where it cannot be had or does not start.
    """
    libraries = fetched()
    command = ["java", *JAVA, f"-Djava.library.path={libraries}", "-cp", f"{libraries}/*"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(  # noqa: S603
            [*command, str(HERE / "Loopback.java")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield _port(process, errors)
        finally:
            process.kill()


def _port(process: subprocess.Popen[str], errors: tempfile._TemporaryFileWrapper[str]) -> int:
    said = process.stdout or ()
    for line in said:
        if line.startswith("listening on "):
            return int(line.rpartition(" ")[2])
    errors.seek(0)
    raise Unavailable(f"DynamoDB Local does not start: {errors.read()[-500:]}")


def required() -> bool:
    """Say whether the tests must fail where the engine cannot be had."""
    return os.environ.get(REQUIRED) == "required"
