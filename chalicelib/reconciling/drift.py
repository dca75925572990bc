"""Containments whose live state is no longer what was left: people are told, nothing is touched.

Who changed it may be the attacker or a colleague who repairs something: that is for a person.
"""

from __future__ import annotations

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import remembering, telling
from chalicelib.effect import JSON, canonical_text, satisfies
from chalicelib.errors import NotApplicable, Outcome, Transient
from chalicelib.lifecycle import later
from chalicelib.lifecycle.heads import head_of
from chalicelib.reconciling import Run
from chalicelib.remembering import Matter
from chalicelib.runner import undoing
from chalicelib.runner.calling import shown, sort_error
from chalicelib.runner.reading import recorded_probe
from chalicelib.runner.stepping import who
from chalicelib.runner.work import Lease, Work, maker
from chalicelib.store import Effect, Hold, Remediation, effects, get_finding, listing

ORDER = 60
PERMISSIONS: tuple[str, ...] = ()  # each element is read with what its own action declares
PROBES = 100  # elements that are read in one run
CURSOR = "drift"
LONGEST = 2_000  # characters of a value that is told


def find(run: Run) -> None:
    """Look at what stands, from where the last run stopped."""
    tables = run.desk.tables
    listed = [item.sk for item in listing.entries(tables, listing.STANDING)]
    if not listed:
        return
    last, left = remembering.cursor(run.desk, CURSOR), [PROBES]
    reached = last

    def looked(identity: str) -> None:
        nonlocal reached
        if left[0] > 0:
            reached = identity
            left[0] -= _looked(run, identity)

    run.each([*(i for i in listed if i > last), *(i for i in listed if i <= last)], "look", looked)
    if reached != last:
        remembering.come_to(run.desk, CURSOR, reached)


def _looked(run: Run, identity: str) -> int:
    """Look at the elements of one remediation; return how many were read."""
    head = head_of(run.desk, identity)
    if head.phase != "closed":
        return 0
    finding, whose = get_finding(run.desk.tables, head), who(head, run.owner)
    work = Work(run.desk, head, finding, Lease("STEP#drift", run.owner, 0), whose)
    decided = {row["key"] for row in head.undo.get("results", ()) if row["result"] == "conflict"}
    stands = later.standing(head, effects(run.desk.tables, identity))
    groups = [
        group
        for group in undoing.groups(stands)
        if group[-1].state == "done" and group[-1].key not in decided
    ]
    run.each(groups, identity, lambda group: _compared(run, work, group))
    return len(groups)


def _compared(run: Run, work: Work, group: Sequence[Effect]) -> None:
    last, hold = group[-1], work.hold(group[-1].key)
    if last.probe is None or last.waypoint or (hold and hold.lock and hold.locked_until >= run.now):
        return
    try:
        live = work.reader_by(maker(last), last.step).look(recorded_probe(last.probe))
    except NotApplicable as gone:
        _once(run, _matter(work, last, "gone", {"reason": str(gone)}))
    except Outcome as unknown:
        _unreadable(run, work, last, str(unknown))
    except (ClientError, BotoCoreError) as error:
        problem = sort_error(error)
        if isinstance(problem, Transient):
            raise problem from error
        _unreadable(run, work, last, str(problem))
    else:
        _judged(run, work, group, hold, live)


def _judged(run: Run, work: Work, group: Sequence[Effect], hold: Hold | None, live: JSON) -> None:
    last = group[-1]
    before = hold.baseline if hold else group[0].before
    values = {"before": before, "left": last.after if last.verified else last.want, "live": live}
    drifted = _matter(work, last, "drifted", values)
    if satisfies(last.order, live, last.want) or _as_recorded(last, live):
        back = Matter(drifted.key, work.remediation.id, "as_left_again", {"key": last.key})
        if remembering.over(run.desk, back, run.by):
            run.found.append(f"{work.remediation.id}: {last.key} is as it was left again")
        return
    _once(run, drifted, values)


def _as_recorded(last: Effect, live: JSON) -> bool:
    """Say whether an element is as it was when its change was recorded without being verified."""
    return not last.verified and canonical_text(live) == canonical_text(last.after)


def _matter(work: Work, last: Effect, kind: str, values: dict[str, JSON]) -> Matter:
    """Return what people are told once of an element, whatever it is changed to meanwhile."""
    what = {"key": last.key, "step": last.step}
    told = {name: shown(value, LONGEST) for name, value in values.items()}
    return Matter(
        f"{kind}#{work.remediation.id}#{last.key}", work.remediation.id, kind, what | told
    )


def _unreadable(run: Run, work: Work, last: Effect, reason: str) -> None:
    _once(run, _matter(work, last, "not_looked_at", {"reason": reason}), {"live": reason})


def _once(run: Run, matter: Matter, values: dict[str, JSON] | None = None) -> None:
    """Record a matter once, and tell people where there are values to tell."""
    head = head_of(run.desk, matter.chain)

    def tell() -> bool:
        return values is None or _told(run, head, matter, values)

    if remembering.once(run.desk, matter, run.by, tell):
        run.found.append(f"{head.id}: {matter.what['key']}: {matter.kind}")


def _told(run: Run, head: Remediation, matter: Matter, values: dict[str, JSON]) -> bool:
    texts = {name: canonical_text(value) for name, value in values.items()}
    return telling.drifted(run.desk, head, str(matter.what["key"]), texts)
