"""What must hold after a run in which something failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chalicelib import audit, lifecycle, store
from chalicelib.effect import canonical_text
from chalicelib.store import listing
from chalicelib.table import NOBODY
from firebreak.cloud import CallInfo
from tests.faults import driving, looking
from tests.faults.fields import Field
from tests.faults.kinds import Fault
from tests.faults.points import Whole, evidence, masked_text

LISTS = [f"LIST#{name}" for name in (listing.OPEN, listing.STANDING, listing.PARKED)]
WHOLE = (lifecycle.CONTAINED, lifecycle.NOTHING, lifecycle.ROLLED_BACK)
INTAKE = ("on_event", "retry_intake")
FINE = ("restored", "already_back", "held", "kept", "gone", "irreversible")


def kept_and_told(field: Field, fault: Fault, begin: int, kept: int, said: str) -> Iterator[str]:
    """Where a run came to no good end: the event is kept, or its failure on record and told."""
    cloud, heads = field.stage.cloud, driving.heads(field)
    if len(cloud.failed_deliveries) > kept or said:
        return
    if not heads:
        yield "the event is neither admitted nor kept"
    subjects = looking.told(looking.took_effect(cloud.calls[begin:], after(fault)))
    mute = fault.met is not None and fault.met.service == "sns"
    for head in heads:
        if head.phase == "wait" and any("Approval needed" in subject for subject in subjects):
            continue
        if _decided(field, head):
            continue  # the reconciliation hands it on; what it came to is looked at afterwards
        if head.phase != "closed":
            yield f"{head.id} is left in its {head.phase} phase, and nothing is kept to finish it"
        elif not (mute or head.status in WHOLE or any(head.status in each for each in subjects)):
            yield f"{head.id} is {head.status}, and nobody was told: {head.reason}"


def _decided(field: Field, head: store.Remediation) -> bool:
    """Say whether a decision is on record, for whoever looks through what is open."""
    listed = [item.sk for item in listing.entries(field.stage.desk.tables, listing.OPEN)]
    return bool(head.decision) and head.id in listed


def ended(field: Field, run: Whole) -> Iterator[str]:
    """Once all was looked after: every remediation closed, and as its status says."""
    cloud, name = field.stage.cloud, field.stage.settings.dead_letters
    dead = (
        cloud.session()
        .client("sqs")
        .receive_message(QueueUrl=field.stage.settings.queue_url(name), VisibilityTimeout=0)
    )
    for letter in dead.get("Messages", ()):
        yield f"a dead letter: {letter['Body']:.500}"
    for message in listing.entries(field.stage.desk.tables, listing.UNTOLD):
        yield f"nobody was told: {message.data['subject']}"
    heads = {head.id: head for head in driving.heads(field)}
    if set(heads) != set(run.statuses):
        yield f"remediations are {sorted(heads)}, not {sorted(run.statuses)}"
    for head in heads.values():
        if head.phase != "closed":
            yield f"{head.id} stays in its {head.phase} phase"
    statuses = {identity: head.status for identity, head in heads.items()}
    if statuses == run.statuses and (live := masked_text(field)) != run.contained:
        yield f"{statuses}, but it is not contained: {differing(run.contained, live)}"


def intended(field: Field, fault: Fault) -> Iterator[str]:
    """No change without its intent on record before it."""
    calls = looking.took_effect(field.stage.cloud.calls, after(fault))
    written = looking.intents(calls, field.stage.settings.audit_table)
    for call in looking.changes(calls):
        if call.function and not any(_is_of(each, call) for each in written):
            yield f"call {call.sequence} {looking.api(call)} was made without an intent"


def _is_of(intent: looking.Intent, call: CallInfo) -> bool:
    name = f"{looking.OURS}{intent.chain[:24]}-{intent.step}"[:64]
    meant = not intent.does or looking.api(call) in intent.does
    return intent.at < call.sequence and call.session_name == name and meant


def once(field: Field, fault: Fault, run: Whole) -> Iterator[str]:
    """Nothing is made, started or counted twice."""
    calls = looking.took_effect(field.stage.cloud.calls, after(fault))
    made = looking.counted(call for call in calls if call.function)
    for (session, operation), times in (made - run.counted).items():
        if (session, operation) in run.counted:
            yield f"{operation} was called {times} times too often by {session}"
    names = [arn.rpartition(":")[2] for arn in field.stage.cloud.executions]
    first = [name for name in names if "-undo-" not in name]
    if sorted(first) != sorted(run.statuses):
        yield f"executions are {first}, not {sorted(run.statuses)}"
    for identity, keys in evidence(field).items():
        if len(keys) > len(run.kept.get(identity, ())):
            yield f"{identity} keeps {keys}, not {run.kept.get(identity)}"


def counted(field: Field, run: Whole) -> Iterator[str]:
    """Each gate was gone through once and counts each further delivery once; limits count one."""
    calls = field.stage.cloud.calls
    further = len({call.request_id for call in calls if call.function in INTAKE}) - 1
    for item in looking.items(field):
        if item.pk.startswith("GATE#") and item.data["generation"] != 1:
            yield f"gate {item.data['key']} is in generation {item.data['generation']}"
        if item.pk.startswith("GATE#") and item.data["count"] > further:
            counts = f"{item.data['count']} repeats in {further} further deliveries"
            yield f"gate {item.data['key']} counts {counts}"
        if item.pk == "LIMIT" and len(item.data["times"]) > len(run.statuses):
            yield f"limit {item.sk} counts {item.data['times']}"


def audited(field: Field) -> Iterator[str]:
    """Every chain of the audit trail verifies."""
    tables = field.stage.desk.tables
    for chain in tables.chains():
        verdict = audit.verify(tables.records(chain), chain)
        if not verdict.valid:
            yield f"audit chain {chain}: {verdict}"


def restored(field: Field, run: Whole) -> Iterator[str]:
    """After a roll-back all is as before, and nothing is held, locked or leased any more."""
    for head in driving.heads(field):
        made = store.effects(field.stage.desk.tables, head.id)
        if made and head.status != run.undone[head.id]:
            yield f"{head.id} is {head.status} after the roll-back: {head.reason}"
        for row in head.undo.get("results", ()):
            if row["result"] not in FINE:
                yield f"{row['key']}: {row['result']}: {row['reason']}"
    live = canonical_text(looking.live(field))
    if live != run.after:
        yield f"it is not as before: {differing(run.after, live)}"
    yield from free(field)


def free(field: Field) -> Iterator[str]:
    """Nothing is held, locked or leased any more."""
    now = field.stage.desk.clock.seconds()
    for item in looking.items(field):
        if item.pk.startswith("HOLD#"):
            yield f"hold {item.data['key']} is left: {sorted(item.data['wishes'])}"
        elif item.pk in LISTS:
            yield f"{item.pk} still lists {item.sk}"
        elif item.owner != NOBODY and item.expires >= now:
            yield f"{item.pk} / {item.sk} is owned by {item.owner}"


def after(fault: Fault) -> Iterable[int]:
    """Return which calls failed though they had taken effect."""
    return [fault.met.sequence] if fault.met and fault.kind.phase == "after" else ()


def differing(one: str, other: str) -> str:
    """Return where two texts begin to differ."""
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return f"{one[max(0, at - 80) : at + 80]!r} became {other[max(0, at - 80) : at + 80]!r}"
