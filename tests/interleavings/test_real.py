"""Incidents that share an instance, a network ACL, a rule group, a security group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import lifecycle, store
from chalicelib.effect import satisfies
from chalicelib.runner.reading import recorded_probe
from chalicelib.runner.work import Lease, Work, maker
from firebreak.cloud import Cloud
from firebreak.stage import staged
from tests.actions import test_block_in_network_firewall as firewalls
from tests.actions import test_deny_in_network_acl as acls
from tests.actions import test_isolate_instance as instances
from tests.actions import test_revoke_open_ingress as groups
from tests.actions.dump import Dumped, dump
from tests.interleavings.scheduler import Schedule, Switch
from tests.interleavings.synthetic import assert_let_go
from tests.interleavings.test_synthetic import EXAMPLES, STAYS, SWITCHES
from tests.runner.bench import ACCOUNT, Bench
from tests.worlds import DESK

SOME = settings(
    max_examples=max(4, EXAMPLES // 20), deadline=None, suppress_health_check=list(HealthCheck)
)
REMOTE, OTHER = "198.51.100.7/32", "203.0.113.9/32"


@dataclass(frozen=True)
class Shared:
    """Hold what incidents share: what each may do, and what somebody else does and takes back."""

    steps: tuple[Mapping[str, Any], ...]
    intrude: Callable[[], object] = lambda: None
    retreat: Callable[[], object] = lambda: None


def an_instance(session: boto3.Session) -> Shared:
    """Isolate one instance for several findings."""
    return Shared(({"action": "isolate_instance", "with": instances.several_interfaces(session)},))


def a_network_acl(session: boto3.Session) -> Shared:
    """Deny addresses, one of them twice, for two instances of a subnet."""
    subnet_id = acls.subnet(session, acls.network(session))
    acl = acls.acl_of(session, subnet_id)["NetworkAclId"]
    first, second = (acls.instance(session, subnet_id) for _ in range(2))
    wanted = [(first, [REMOTE]), (second, [REMOTE]), (second, [OTHER]), (first, [REMOTE, OTHER])]
    ec2 = session.client("ec2")
    return Shared(
        tuple(
            {"action": "deny_in_network_acl", "with": {"instance_id": one, "cidrs": cidrs}}
            for one, cidrs in wanted
        ),
        lambda: acls.entry(session, acl, 3, "deny", "192.0.2.1/32"),
        lambda: ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=3, Egress=False),
    )


def a_rule_group(session: boto3.Session) -> Shared:
    """Block addresses in a rule group that people write, too."""
    params = firewalls.own_group(session)
    client, rule = session.client("network-firewall"), "drop ip any any -> 192.0.2.1 any (sid:9;)"

    def rewrite(change: Callable[[list[str]], list[str]]) -> None:
        shown = client.describe_rule_group(RuleGroupName="shared", Type="STATEFUL")
        lines = shown["RuleGroup"]["RulesSource"]["RulesString"].splitlines()
        shown["RuleGroup"]["RulesSource"]["RulesString"] = "\n".join(change(lines))
        client.update_rule_group(
            UpdateToken=shown["UpdateToken"],
            RuleGroupName="shared",
            Type="STATEFUL",
            RuleGroup=shown["RuleGroup"],
        )

    def without(lines: list[str]) -> list[str]:
        assert rule in lines
        return [line for line in lines if line != rule]

    return Shared(
        tuple(
            {"action": "block_in_network_firewall", "with": {**params, "cidrs": cidrs}}
            for cidrs in ([REMOTE], [OTHER], [REMOTE, OTHER])
        ),
        lambda: rewrite(lambda lines: [*lines, rule]),
        lambda: rewrite(without),
    )


def a_security_group(session: boto3.Session) -> Shared:
    """Close ports that one rule holds open, for several findings."""
    params = groups.open_ssh(session)
    group_id = params["group_id"]
    groups.admit(session, group_id, 3_000, 4_000)
    office = [{"IpProtocol": "tcp", "FromPort": 25, "ToPort": 25}]
    office[0]["IpRanges"] = [{"CidrIp": "192.0.2.0/24"}]  # type: ignore[assignment]
    ec2 = session.client("ec2")
    return Shared(
        tuple(
            {"action": "revoke_open_ingress", "with": {"group_id": group_id, "ports": ports}}
            for ports in ([22], [3389], [22, 3389])
        ),
        lambda: ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=office),
        lambda: ec2.revoke_security_group_ingress(GroupId=group_id, IpPermissions=office),
    )


@dataclass
class World:
    """Hold a world with what is shared in it, as it was when nobody had contained anything."""

    bench: Bench
    shared: Shared
    before: Dumped

    @property
    def session(self) -> boto3.Session:
        """Return an administrator's session in the account acted in."""
        return self.bench.cloud.session(ACCOUNT)

    def play(
        self, parts: list[tuple[int, float]], switches: list[Switch], *, intruded: bool
    ) -> None:
        """Let remediations come and go under a schedule; assert what must hold at the end."""
        play = Play(self.bench, Schedule(self.bench.desk, switches))
        for number, stays in parts:
            play.admit(self.shared.steps[number % len(self.shared.steps)], stays)
        if intruded:
            play.schedule.add(
                "somebody else", lambda: (play.schedule.sleep(0.0), self.shared.intrude())
            )
        with self.bench.injecting(play.schedule.hook):
            play.schedule.run()
        if intruded:
            self.shared.retreat()
        for identity in play.identities:
            assert_let_go(self.bench.desk, identity)
        assert self.before == dump(self.session)


@dataclass
class Play:
    """Hold the remediations of one schedule, and which of them hold what they want."""

    bench: Bench
    schedule: Schedule
    identities: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)

    def admit(self, step: Mapping[str, Any], stays: float) -> None:
        """Record a remediation, and let a worker apply it and take it back."""
        identity = self.bench.admit(step)
        self.identities.append(identity)
        self.schedule.add(identity, lambda: self._come_and_go(identity, stays))

    def _come_and_go(self, identity: str, stays: float) -> None:
        event = {"do": "step", "remediation": identity, "step": "step", "pass": "apply"}
        assert self.schedule.ask(event) == {"status": "done"}
        self.held.add(identity)
        self.schedule.sleep(stays)
        self.held.discard(identity)
        while self.schedule.ask({"do": "undo", "remediation": identity})["more"]:
            pass
        self.schedule.quietly(self._look)

    def _look(self) -> None:
        """Assert that all that is held shows."""
        desk = self.bench.desk
        for identity in self.held:
            head = lifecycle.head_of(desk, identity)
            work = Work(desk, head, {}, Lease("-", "-", 0), {})
            for made in store.effects(desk.tables, identity):
                live = work.reader_by(maker(made), made.step).look(recorded_probe(made.probe))
                assert satisfies(made.order, live, made.want), (identity, made.key, live)


SCENES = (an_instance, a_network_acl, a_rule_group, a_security_group)


class Worlds:
    """Keep a world for the schedules of one scene; one that a failure left behind is not used."""

    def __init__(self, scene: Callable[[boto3.Session], Shared]) -> None:
        self.scene = scene
        self.stack = ExitStack()
        self.world: World | None = None

    def __call__(self) -> World:
        """Return the world, in which nothing is contained."""
        if self.world is None:
            self.stack.close()
            cloud = self.stack.enter_context(Cloud())
            stage = self.stack.enter_context(staged(cloud, {}, trusted=DESK))
            stage.admit_account(ACCOUNT)
            shared = self.scene(cloud.session(ACCOUNT))
            made = World(Bench(stage), shared, {})
            for number in range(len(shared.steps)):  # so that what Firebreak keeps is there
                play = Play(made.bench, Schedule(stage.desk, []))
                play.admit(shared.steps[number], 0.0)
                with made.bench.injecting(play.schedule.hook):
                    play.schedule.run()
            made.before = dump(made.session)
            return made
        world, self.world = self.world, None
        return world


@pytest.fixture(scope="module", params=SCENES, ids=lambda scene: scene.__name__)
def worlds(request: pytest.FixtureRequest) -> Iterator[Worlds]:
    """Give worlds of one scene after the other."""
    made = Worlds(request.param)
    with made.stack:
        yield made


@SOME
@given(
    st.lists(st.tuples(st.integers(0, 3), STAYS), min_size=2, max_size=3),
    SWITCHES,
    st.booleans(),
)
def test_incidents_that_share(
    worlds: Worlds, parts: list[tuple[int, float]], switches: list[Switch], intruded: bool
) -> None:
    """All is as before when the last lets go, somebody else's change untouched in between."""
    world = worlds()
    world.play(parts, switches, intruded=intruded)
    worlds.world = world
