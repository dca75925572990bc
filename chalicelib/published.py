"""Which published version of its state machine a remediation runs on.

Each deployment that changes a playbook publishes a version of its machine, and says here which is
the newest. Executions are started on a version, so that the audit trail says by which definition a
remediation was worked on. Where nothing was published (a replay, `chalice deploy` alone) the
machine itself is started.
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-version.html
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from botocore.exceptions import ClientError

from chalicelib.effect import JSON, canonical_text
from chalicelib.gone import is_code
from chalicelib.runner.work import Desk
from chalicelib.settings import Settings
from chalicelib.store import load
from chalicelib.table import Delete, Item, Put, Tables


@dataclass(frozen=True, slots=True)
class Published:
    """Hold the newest version of a playbook's machine.

    number: Step Functions' own, from 1. playbook_version: of the playbook that it was compiled of.
    package: the hash of the package that it was deployed with.
    """

    number: int
    playbook_version: str
    package: str
    at: str


def place(playbook: str) -> tuple[str, str]:
    """Return the key of the item that says what is published of a playbook."""
    return f"MACHINE#{playbook}", "PUBLISHED"


def put(playbook: str, published: Published) -> Put:
    """Return the write that says what is published of a playbook from now on."""
    return Put(Item(*place(playbook), asdict(published)))


def drop(playbook: str) -> Delete:
    """Return the write that says that nothing is published of a playbook any more."""
    return Delete(*place(playbook))


def newest(tables: Tables, playbook: str) -> Published | None:
    """Return the newest version of a playbook's machine, None where nothing was published."""
    (item,) = tables.get(place(playbook))
    return load(Published, item) if item else None


def number(tables: Tables, playbook: str) -> int:
    """Return the number of the newest version of a playbook's machine, 0 where there is none."""
    published = newest(tables, playbook)
    return published.number if published else 0


def arn(settings: Settings, playbook: str, version: int) -> str:
    """Return the ARN of a version of a playbook's machine; of the machine itself for 0."""
    machine = settings.state_machine_arn(playbook)
    return f"{machine}:{version}" if version else machine


def start(desk: Desk, playbook: str, version: int, execution: str, given: JSON) -> tuple[str, int]:
    """Start an execution on a version; return its ARN, and the version that it runs on.

    A version that is gone, because the machine was made anew, gives way to the machine itself.
    Raise botocore's ClientError as Step Functions answers.
    """
    client = desk.access.home("stepfunctions")
    asked = {"name": execution, "input": canonical_text(given)}
    try:
        where = arn(desk.settings, playbook, version)
        return str(client.start_execution(stateMachineArn=where, **asked)["executionArn"]), version
    except ClientError as error:
        if not version or not is_code(error, "StateMachineDoesNotExist"):
            raise
    where = desk.settings.state_machine_arn(playbook)
    return str(client.start_execution(stateMachineArn=where, **asked)["executionArn"]), 0
