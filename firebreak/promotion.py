"""What a playbook would have done while it was only observed, or asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib import store
from chalicelib.guardrails import Configuration
from chalicelib.guardrails.limits import windows_of
from chalicelib.playbook import Playbook
from chalicelib.playbook.values import OBSERVE
from chalicelib.runner.stepping import playbook_of
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, StepResult
from firebreak import damaged, render

SHOWN = 20  # targets and reasons that are shown of many


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what a playbook was seen to do without being let do it, in one content of its file.

    planned: with the results of their plans. others: how many were of another content. unread:
    what is stored of remediations, of whichever playbook, and cannot be read.
    """

    planned: Sequence[tuple[Remediation, Sequence[StepResult]]]
    failed: Sequence[Remediation]
    others: int
    unread: Sequence[str] = ()

    @property
    def count(self) -> int:
        """Return how many remediations are evidence, good or bad."""
        return len(self.planned) + len(self.failed)


def evidence(desk: Desk, playbook: Playbook, since: int) -> Evidence:
    """Return what remediations of a playbook show that were planned in the last `since` seconds.

    Reads the whole table: it is for a desk. A file that differs in its mode alone is the same.
    """
    first = desk.clock.seconds() - since
    found, wrong = damaged.heads(desk.tables, desk.tables.remediation_ids())
    named = [head for head in found if head.playbook.get("name") == playbook.name]
    heads = [head for head in named if at(head) >= first]
    waiting = [head for head in heads if head.mode != "enforce" and head.phase != "plan"]
    mine = [head for head in waiting if _content(playbook_of(head)) == _content(playbook)]
    mine.sort(key=lambda head: head.created_at)
    good = [head for head in mine if head.plan]
    return Evidence(
        [
            (head, store.results(desk.tables, head.id, store.pass_name(head, "plan")))
            for head in good
        ],
        [head for head in mine if not head.plan],
        len(waiting) - len(mine),
        [str(each) for each in wrong],
    )


def at(head: Remediation) -> float:
    """Return when a remediation was admitted, in seconds since 1970."""
    return datetime.fromisoformat(head.created_at).timestamp()


def _content(playbook: Playbook) -> str:
    """Return the version that a playbook would have in the first mode."""
    return replace(playbook, guardrails=replace(playbook.guardrails, mode=OBSERVE)).version


# --- in words -------------------------------------------------------------------------------------


def lines(found: Evidence, playbook: Playbook, configuration: Configuration) -> Iterator[str]:
    """Yield what was observed: how often, on what, which changes, past which limits."""
    heads = [head for head, _ in found.planned]
    acted, repeats = _once(heads, playbook.guardrails.cooldown)
    yield f"  {found.count} remediations were planned: {_span(heads)}"
    if found.others:
        yield f"  {found.others} more were of another content of the playbook, and do not count"
    if repeats:
        yield f"  {repeats} of them would have been repeats within the cool-down"
    yield from _many("target", [head.target for head in heads])
    yield from _many("account", [f"{head.account} {head.region}" for head in heads])
    yield from _many("resource kind", [head.kind for head in heads if head.kind])
    yield from _steps(playbook, found)
    yield from _limits(acted, playbook, configuration)
    yield from _many("could not be read", found.unread)
    yield from _many("plan that failed", [f"{head.id}: {head.reason}" for head in found.failed])


def _span(heads: Sequence[Remediation]) -> str:
    if not heads:
        return "no plan was finished"
    first, last = heads[0].created_at[:16], heads[-1].created_at[:16]
    return f"from {first}Z to {last}Z"


def _once(heads: Iterable[Remediation], cooldown: int) -> tuple[list[Remediation], int]:
    """Return what would have gone through its gate had it contained, and how many would not."""
    last: dict[str, float] = {}
    acted: list[Remediation] = []
    count = 0
    for head in heads:
        count += 1
        if head.gate not in last or at(head) >= last[head.gate] + cooldown:
            last[head.gate] = at(head)
            acted.append(head)
    return acted, count - len(acted)


def _many(what: str, values: Iterable[str]) -> Iterator[str]:
    counts = Counter(render.shown(value, 100) for value in values).most_common()
    for value, count in counts[:SHOWN]:
        yield f"  {what}  {value}" + (f"  ({count} times)" if count > 1 else "")
    if len(counts) > SHOWN:
        yield f"  {what}  and {len(counts) - SHOWN} more"


def _steps(playbook: Playbook, found: Evidence) -> Iterator[str]:
    """Yield, step by step, how its plans ended, and which calls it would have made."""
    results = [result for _, each in found.planned for result in each]
    for step in playbook.all_steps():
        mine = [result for result in results if result.step == step.name]
        statuses = Counter(result.status for result in mine)
        ended = ", ".join(f"{count} {render.named(name)}" for name, count in statuses.items())
        yield f"  step {step.name} ({step.action}): {ended or 'never reached'}"
        for call, count in Counter(_calls(mine)).most_common():
            yield f"      {call}" + (f"  ({count} times)" if count > 1 else "")
        wrong = [r.reason for r in mine if r.status in ("failed", "refused")]
        yield from (f"    {line}" for line in _many("because", wrong))


def _calls(results: Iterable[StepResult]) -> Iterator[str]:
    for item in (item for result in results for item in result.items):
        for call in item.get("calls") or [item.get("call")]:
            if call and "service" in call:
                yield f"{call['service']}.{call['operation']}"
            elif call and "editor" in call:
                yield str(call["editor"])


def _limits(
    acted: Sequence[Remediation], playbook: Playbook, configuration: Configuration
) -> Iterator[str]:
    """Yield which limits would have been reached by this playbook alone; they stay tripped."""
    times: dict[str, list[float]] = {}
    tripped: set[str] = set()
    for head in acted:
        for window in windows_of(configuration, playbook, head.account, head.kind):
            mine = times.setdefault(window.name, [])
            mine.append(at(head))
            within = sum(each > mine[-1] - window.per for each in mine)
            if within > window.count and window.name not in tripped:
                tripped.add(window.name)
                when = f"at {head.created_at[:16]}Z, by {render.shown(head.target, 100)}"
                yield f"  limit {window.name} ({window.said}) would have tripped {when}"
