"""A remediation's head, changed with a record; and the right to work on it as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace

from chalicelib.audit import Entry
from chalicelib.effect import JSON
from chalicelib.errors import Busy, Failed
from chalicelib.runner.stepping import who
from chalicelib.runner.work import Desk, Lease, Work
from chalicelib.store import Remediation, get_finding, get_remediation, meta_item, partition
from chalicelib.table import (
    LEASE_FREE,
    NOBODY,
    SAME_VERSION,
    ConditionFailed,
    Item,
    Operation,
    Put,
)

RACES = 10
DONE_WITH = ("undone", "failed")  # states of effects that nothing is left to do about
UNSAID = ("version", "token")  # a task token is a secret: who has it can answer for a person


def head_of(desk: Desk, identity: str) -> Remediation:
    """Return a remediation's head. Raise Failed where there is none of that id."""
    head = get_remediation(desk.tables, identity)
    if head is None:
        raise Failed(f"there is no remediation {identity}")
    return head


def move(
    desk: Desk,
    identity: str,
    kind: str,
    change: Callable[[Remediation], Remediation | None],
    by: Mapping[str, JSON],
    more: Callable[[Remediation], Iterable[Operation]] = lambda _head: (),
) -> Remediation:
    """Change a remediation's head on the version it was read at, with its audit record.

    `change` returns the new head, or None where nothing is left to do. Return the head as it is
    then. Raise Busy where others keep changing it.
    """
    for _ in range(RACES):
        head = head_of(desk, identity)
        changed = change(head)
        if changed is None:
            return head
        changed = replace(changed, version=head.version + 1)
        put = Put(meta_item(changed), SAME_VERSION, {"version": head.version})
        operations = [put, *more(changed)]
        entry = Entry(identity, kind, by, _difference(head, changed))
        try:
            desk.tables.commit(entry, lambda _seq, written=operations: written)  # type: ignore[misc]  # bound per turn
        except ConditionFailed:
            continue
        return changed
    raise Busy(f"remediation {identity} is being changed by others")


def _difference(before: Remediation, after: Remediation) -> dict[str, JSON]:
    old, new = asdict(before), asdict(after)
    return {name: new[name] for name in new if new[name] != old[name] and name not in UNSAID}


@contextmanager
def leased(desk: Desk, head: Remediation, name: str, owner: str, until: int) -> Iterator[Work]:
    """Give the right to write for a whole remediation. Raise Busy while another has it."""
    finding, whose = get_finding(desk.tables, head), who(head, owner)
    lease = Lease(f"STEP#{name}", owner, until)
    item = Item(partition(head.id), lease.sk, {}, owner=owner, expires=until)
    values: dict[str, str | int] = {
        "owner": owner,
        "nobody": NOBODY,
        "now": int(desk.clock.seconds()),
    }
    if not desk.tables.put_where(item, LEASE_FREE, values):
        raise Busy(f"the {name} of {head.id} is under way")
    work = Work(desk, head, finding, lease, whose)
    try:
        yield work
    finally:
        work.end()
