"""What must not happen, tried through replay: self-lockout, false claims, unsafe undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chalicelib import lifecycle, playbook, sources
from chalicelib.errors import InvalidPlaybook
from firebreak import scene
from firebreak.cloud import Cloud
from firebreak.event_files import EventFile
from firebreak.replay import HOME, Options, replay_in, replay_one, roll_back
from firebreak.stage import Stage, staged

EVENTS = Path(__file__).parent / "events"
PLAYBOOKS = playbook.load(playbook.FOLDER)


def event(name: str, **replaced: str) -> Any:
    """Return one of our events, some of its texts replaced by others."""
    text = (EVENTS / name).read_text("utf-8")
    for old, new in replaced.items():
        text = text.replace(old.replace("__", "-"), new)
    return json.loads(text)


def sent(stage: Stage) -> list[str]:
    """Return the calls that steps made which write."""
    mine = [c for c in stage.cloud.calls if (c.session_name or "").startswith("firebreak-")]
    return [c.operation for c in mine if not c.operation.startswith(("Describe", "Get", "List"))]


def test_firebreak_never_revokes_its_own_role() -> None:
    """A finding about the member role itself is left alone: acting on it would lock us out."""
    stolen = event("guardduty/stolen_role_credentials.json")
    stolen["detail"]["resource"]["accessKeyDetails"]["userName"] = "firebreak-replay-member"
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
        told = replay_in(stage, EventFile("event", stolen), Options(empty=True))

        assert told.decision != "remediated" or "refused" in told.steps.values()
        assert "PutRolePolicy" not in sent(stage)


def test_a_profile_of_another_account_leads_to_no_role_of_ours() -> None:
    """A profile's ARN names its account; a namesake of it here is not touched."""
    miner = event("guardduty/crypto_currency_ec2.json")
    details = miner["detail"]["resource"]["instanceDetails"]
    arn = details["iamInstanceProfile"]["arn"]
    details["iamInstanceProfile"]["arn"] = arn.replace("111122223333", "999988887777")

    told = replay_one(EventFile("event", miner), PLAYBOOKS, Options())

    assert "not_applicable" == told.steps["revoke"]


def test_a_mode_that_does_not_exist_applies_nothing(tmp_path: Path) -> None:
    """A mistyped mode keeps the playbook from being loaded, also where nobody linted it."""
    text = (playbook.FOLDER / "contain_compromised_instance.yaml").read_text("utf-8")
    path = tmp_path / "contain_compromised_instance.yaml"
    path.write_text(text.replace("mode: enforce", "mode: Observe"), "utf-8")

    with pytest.raises(InvalidPlaybook, match="Observe"):
        playbook.load(tmp_path)


def test_where_everything_is_denied_the_event_failed() -> None:
    """Tags that cannot be read ask a person; nothing contained after the yes is a failure."""
    miner = event("guardduty/crypto_currency_ec2.json")
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
        role = stage.settings.member_role
        cloud.session(miner["account"]).client("iam").delete_role_policy(
            RoleName=role, PolicyName="firebreak"
        )
        told = replay_in(stage, EventFile("event", miner), Options(decision="approved"))

    assert "failed" == told.decision
    assert "AccessDenied" in told.reason or "UnauthorizedOperation" in told.reason


def test_an_instance_that_stays_isolated_is_not_put_back_in_service() -> None:
    """Where isolation cannot be taken back, standby and termination protection stay too."""
    miner = event("guardduty/crypto_currency_ec2.json")
    (finding,) = sources.read(miner).findings
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
        scene.make(cloud, finding, auto_scaling=True)
        told = replay_in(stage, EventFile("event", miner), Options())
        identity = told.remediations[0]["id"]
        ec2 = cloud.session(finding.account).client("ec2")
        for group in ("sg-0a1b2c3d4e5f60001", "sg-0a1b2c3d4e5f60002"):
            ec2.delete_security_group(GroupId=group)
        stage.desk.clock.sleep(2 * 86_400)
        roll_back(stage, identity)
        head = lifecycle.head_of(stage.desk, identity)
        rows = {row["key"].split("/", 2)[-1]: row["result"] for row in head.undo["results"]}
        scaling = cloud.session(finding.account).client("autoscaling")
        members = scaling.describe_auto_scaling_instances()["AutoScalingInstances"]

    states = {each["InstanceId"]: each["LifecycleState"] for each in members}
    assert "partly_rolled_back" == head.status
    assert "blocked" == rows[f"autoscaling:membership:{finding.resource.id}"]
    assert "blocked" == rows[f"ec2:termination-protection:{finding.resource.id}"]
    assert "Standby" == states[finding.resource.id]


def test_a_group_that_is_opened_again_is_closed_again() -> None:
    """Config tells changes only, so a repeat right after the containment is acted on."""
    opened = event("config/restricted_ssh_noncompliant.json")
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS) as stage:
        first = replay_in(stage, EventFile("first", opened), Options())
        group = opened["detail"]["resourceId"]
        cloud.session(opened["account"]).client("ec2").authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
        )
        again = replay_in(stage, EventFile("again", opened), Options())

    assert ["remediated", "remediated"] == [first.decision, again.decision]
    assert "revoke_security_group_ingress" in [change["operation"] for change in again.changes]


def test_networks_of_ones_own_are_never_denied() -> None:
    """An address in FIREBREAK_OWN_NETWORKS is skipped, and the step says so."""
    miner = event("guardduty/crypto_currency_ec2.json")
    variables = {"FIREBREAK_OWN_NETWORKS": "198.51.100.0/24"}
    with Cloud(HOME) as cloud, staged(cloud, PLAYBOOKS, variables) as stage:
        told = replay_in(stage, EventFile("event", miner), Options())

        assert "CreateNetworkAclEntry" not in sent(stage)
    assert "block" in told.steps


@pytest.mark.parametrize(
    ("path", "value"),
    [("region", "eu-west-1"), ("detail.partition", "aws-cn"), ("account", "999988887777")],
)
def test_an_event_that_contradicts_itself_is_rejected(path: str, value: str) -> None:
    """Region, partition and account of envelope and detail have to agree."""
    miner = event("guardduty/crypto_currency_ec2.json")
    node = miner["detail"] if path.startswith("detail.") else miner
    node[path.rpartition(".")[2]] = value

    assert "rejected" == replay_one(EventFile("event", miner), PLAYBOOKS, Options()).decision
