"""Between the passes: the plan sealed, a person asked, a step parked."""

from __future__ import annotations

from dataclasses import replace

from chalicelib import telling
from chalicelib.audit import Entry
from chalicelib.errors import Failed
from chalicelib.lifecycle.heads import head_of, move
from chalicelib.runner.comparing import rows_of
from chalicelib.runner.planning import plan_hash
from chalicelib.runner.stepping import playbook_of, who
from chalicelib.runner.work import Desk
from chalicelib.store import Remediation, partition, pass_name, results
from chalicelib.table import Item, Put

FOLLOWING = {"observe": "close", "approve": "ask", "enforce": "apply"}
PHASES = {"close": "plan", "ask": "wait", "apply": "apply"}


def seal(desk: Desk, identity: str, owner: str) -> str:
    """Close the plan pass: hash what was planned; return `close`, `ask` or `apply`."""
    head = head_of(desk, identity)
    planned = results(desk.tables, identity, pass_name(head, "plan"))
    rows = sorted([f"{each.step}#{each.index}", rows_of(each)] for each in planned)
    plan = {"hash": plan_hash(rows), "made_at": desk.clock.now()}
    following = FOLLOWING.get(head.mode, "close")  # a mode nobody knows applies nothing

    def sealed(current: Remediation) -> Remediation | None:
        if current.phase != "plan" or current.plan or current.plans != head.plans:
            return None
        return replace(current, plan=plan, phase=PHASES[following])

    move(desk, identity, "plan_sealed", sealed, who(head, owner))
    return following


def ask(desk: Desk, identity: str, token: str, owner: str) -> None:
    """Keep the task token that a person's decision will be sent with, and tell that it is due.

    Raise Failed where the remediation does not wait for a decision.
    """
    head = head_of(desk, identity)
    if head.phase != "wait":
        raise Failed(f"remediation {identity} is in its {head.phase} phase: there is no question")
    within = playbook_of(head).guardrails.approve_within
    until = int(desk.clock.seconds()) + within

    def asked(current: Remediation) -> Remediation | None:
        return replace(current, token=token, waits_until=until) if current.phase == "wait" else None

    telling.ask(desk, head, within)
    move(desk, identity, "approval_asked", asked, who(head, owner))


def park(desk: Desk, identity: str, step: str, index: int, token: str, owner: str) -> None:
    """Keep the task token of a step that waits beside itself, for whoever wakes it."""
    head = head_of(desk, identity)
    item = Item(partition(identity), f"PARKED#{step}#{index:05d}", {"token": token, "step": step})
    entry = Entry(identity, "parked", who(head, owner), {"step": step, "index": index})
    desk.tables.commit(entry, lambda _seq: [Put(item)])
