"""A stage deployed into the embedded AWS over HTTP, as a platform team deploys it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chalicelib import audit, sources, wiring
from chalicelib.clock import Clock
from chalicelib.runner.work import Desk
from chalicelib.settings import defaults, from_environment
from chalicelib.store import Remediation, get_remediation
from firebreak import scene, templates
from firebreak.cloud import Cloud, limits
from firebreak.cloud.identity import Principal
from firebreak.cloud.policy import Decision, Request
from firebreak.cloud.server import serve
from firebreak.iam import Place
from firebreak.iam.deployer import deployer_policies
from tests.deployed.accounts import AWAY, HOME, MEMBER, REGION, organization, user
from tests.deployed.clone import ROOT, STAGE, Clone, clone

EVENTS = Path(__file__).resolve().parents[1] / "events"
LOG_GROUP, LOG_BUCKET = "/firewall/alert", "firewall-logs-of-night"
NAMED_IAM = ["CAPABILITY_NAMED_IAM"]


Asked = tuple[str, Request]  # the ARN of a role, and what it was allowed


@dataclass(frozen=True, slots=True)
class Deployed:
    """Hold a deployed stage: the AWS it is in, its owner's clone, a desk that looks into it."""

    cloud: Cloud
    clone: Clone
    organization: str
    desk: Desk
    asked: list[Asked]

    def happen(self, event: Mapping[str, Any]) -> None:
        """Make what an event speaks of in the member account, and let AWS put it on its bus."""
        for finding in sources.read(event).findings:
            scene.make(self.cloud, finding)
        self.emit(event)

    def emit(self, event: Mapping[str, Any], account: str = MEMBER, region: str = AWAY) -> None:
        """Let AWS put an event on the default bus of an account; wait for what comes of it."""
        self.cloud.emit(event, account=account, region=region)
        self.settle()

    def settle(self) -> None:
        """Wait until no execution moves any more."""
        for arn in list(self.cloud.executions):
            self.cloud.wait(arn, timeout=300)

    def remediations(self, target: str) -> list[Remediation]:
        """Return the remediations of a target, oldest first."""
        found = [get_remediation(self.desk.tables, name) for name in self._ids()]
        of_target = [each for each in found if each and each.target.endswith(target)]
        return sorted(of_target, key=lambda each: each.created_at)

    def _ids(self) -> set[str]:
        return {arn.rpartition(":")[2] for arn in self.cloud.executions}

    def trail(self, chain: str) -> list[audit.Record]:
        """Return the records of a chain, which must be whole."""
        records = list(self.desk.tables.records(chain))
        assert audit.verify(records, chain).valid
        return records

    def told(self) -> list[str]:
        """Return the texts of the messages that people were sent."""
        from moto.sns.models import sns_backends

        topic = sns_backends[HOME][REGION].topics[self.desk.settings.topic_arn]
        return [str(sent[1]) for sent in topic.sent_notifications]


@contextmanager
def noted() -> Iterator[list[Asked]]:
    """Give a list of all that roles are allowed while the block runs."""
    decide, asked = limits.refusal, list[Asked]()

    def refusal(principal: Principal, request: Request) -> tuple[str, Decision] | None:
        refused = decide(principal, request)
        if refused is None and principal.role_arn:
            asked.append((principal.role_arn, request))
        return refused

    limits.refusal = refusal
    try:
        yield asked
    finally:
        limits.refusal = decide


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """Deploy a stage, install the member account, and give both for the length of a `with`."""
    with Cloud(HOME, REGION) as cloud, noted() as asked, serve(cloud) as url:
        made, unit = organization(cloud)
        place = Place("aws", HOME, REGION, STAGE)
        wanted = templates.of_config(STAGE, _config())
        key = user(cloud, "platform", deployer_policies(place, wanted))
        ours = clone(
            folder,
            url,
            key,
            REGION,
            FIREBREAK_FIREWALL_LOG_BUCKETS=LOG_BUCKET,
            FIREBREAK_ADMINISTRATORS=HOME,
        )
        _bound(ours, unit)
        ours.must("iam", "--stage", STAGE, "--account", HOME, "--region", REGION, "--write")
        ours.must("deploy", "--stage", STAGE, "--organization", made, "--audit-years", "1")
        _install_members(cloud, ours, made)
        _install_firewall_logs(cloud, ours, made)
        settings = from_environment(defaults(STAGE, HOME, REGION))
        yield Deployed(cloud, ours, made, wiring.desk(settings, Clock()), asked)


def _config() -> dict[str, Any]:
    """Return the committed configuration, with the clone's stage in place of its own."""
    config: dict[str, Any] = json.loads((ROOT / ".chalice" / "config.json").read_text("utf-8"))
    config["stages"][STAGE] = config["stages"]["dev"]
    return config


def _bound(ours: Clone, unit: str) -> None:
    """Let guardrails ask for the organisational units of accounts, as teams do."""
    path = ours.folder / "guardrails.yaml"
    said = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**said, "modes": {"organizational_units": {unit: "enforce"}}}))


def _install_members(cloud: Cloud, ours: Clone, organization_id: str) -> None:
    """Make the member stack in each account and region, as StackSets do."""
    template = ours.must("member-template", "--stage", STAGE)
    given = {"HomeAccount": HOME, "HomeRegion": REGION, "OrganizationId": organization_id}
    for account in (HOME, MEMBER):
        for region in (REGION, AWAY):
            _stack(cloud, "member", template, given, account, region)


def _install_firewall_logs(cloud: Cloud, ours: Clone, organization_id: str) -> None:
    """Make both ends of the log destination; firewalls log in the member's region."""
    here = ours.must("template", "firewall_logs", "--stage", STAGE)
    given = {"HomeRegion": REGION, "OrganizationId": organization_id}
    for region in (REGION, AWAY):
        _stack(cloud, "firewall-logs", here, given, HOME, region)
    cloud.session(MEMBER, AWAY).client("logs").create_log_group(logGroupName=LOG_GROUP)
    there = ours.must("template", "firewall_logs_member", "--stage", STAGE)
    given |= {"HomeAccount": HOME, "LogGroupName": LOG_GROUP}
    _stack(cloud, "firewall-logs-member", there, given, MEMBER, AWAY)


def _stack(
    cloud: Cloud, name: str, template: str, given: Mapping[str, str], account: str, region: str
) -> None:
    client = cloud.session(account, region).client("cloudformation")
    known = json.loads(template).get("Parameters", {})
    client.create_stack(
        StackName=f"firebreak-{STAGE}-{name}",
        TemplateBody=template,
        Parameters=[
            {"ParameterKey": k, "ParameterValue": v} for k, v in given.items() if k in known
        ],
        Capabilities=NAMED_IAM,
    )
    (made,) = client.describe_stacks(StackName=f"firebreak-{STAGE}-{name}")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE", made
