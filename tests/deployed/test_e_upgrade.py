"""A playbook is changed while a remediation of it waits; then the stage is taken away."""

from __future__ import annotations

import pytest

from tests.deployed.accounts import HOME, REGION
from tests.deployed.clone import STAGE
from tests.deployed.desk import Person, groups, of_instance
from tests.deployed.world import Deployed

BOOK, STEPS = "contain_suspected_instance", "steps"
INSTANCE = "i-0e0e0e0e0e0e0e0e0"
QUARANTINE = f"firebreak-{STAGE}-quarantine"


def versions(stage: Deployed) -> list[str]:
    """Return the published versions of the playbook's machine, newest first."""
    client = stage.cloud.session(HOME, REGION).client("stepfunctions")
    arn = stage.desk.settings.state_machine_arn(BOOK)
    listed = client.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    return [each["stateMachineVersionArn"] for each in listed]


def test_what_waits_ends_on_the_definition_it_began_with(stage: Deployed, person: Person) -> None:
    """Upgraded in between, the remediation does the steps that were approved; undo works still."""
    stage.happen(of_instance("guardduty/backdoor_c_and_c_dns.json", INSTANCE))
    (waiting,) = stage.remediations(INSTANCE)
    book = stage.clone.playbook(BOOK)
    told = book[STEPS].pop()
    stage.clone.write_playbook({**book, STEPS: [{**told, "name": "tell_first"}, *book[STEPS]]})
    upgraded = stage.clone.must("deploy", "--stage", STAGE)
    person.does("approve", waiting.id, "--plan", waiting.plan["hash"], "--reason", "seen")
    stage.settle()
    (contained,) = stage.remediations(INSTANCE)
    isolated = groups(stage, INSTANCE)
    steps = [r.what["step"] for r in stage.trail(waiting.id) if r.kind == "step_ended"]
    person.does("rollback", waiting.id, "--no-wait")
    stage.settle()
    (back,) = stage.remediations(INSTANCE)

    assert "version 2" in upgraded
    assert ["2", "1"] == [arn.rpartition(":")[2] for arn in versions(stage)]
    assert (1, "contained") == (waiting.machine_version, contained.status)
    assert {QUARANTINE} == isolated
    assert "tell" in steps
    assert "tell_first" not in steps
    assert back.status in ("rolled_back", "partly_rolled_back")
    assert QUARANTINE not in groups(stage, INSTANCE)


def test_a_new_remediation_runs_on_the_new_version(stage: Deployed) -> None:
    """What is admitted after the upgrade says so in its audit trail."""
    instance = "i-0f0f0f0f0f0f0f0f0"
    stage.happen(of_instance("guardduty/backdoor_c_and_c_dns.json", instance))
    (head,) = stage.remediations(instance)
    (admitted,) = [r for r in stage.trail(head.id) if r.kind == "admitted"]

    assert 2 == admitted.what["machine_version"]


def test_what_was_deployed_is_on_record(stage: Deployed) -> None:
    """Every machine's version, and who deployed it, is in a chain of its own."""
    changes = [r for r in stage.trail("DEPLOYMENT") if r.what.get("playbook") == BOOK]

    assert [1, 2] == [record.what["number"] for record in changes]
    assert all("user/platform" in str(record.who) for record in changes)


def test_a_playbook_that_fails_lint_stops_everything(stage: Deployed) -> None:
    """Nothing is changed, and the lint's own line says why."""
    book = stage.clone.playbook(BOOK)
    broken = [{**step, "action": "no_such_action"} for step in book[STEPS][:1]]
    stage.clone.write_playbook({**book, STEPS: [*broken, *book[STEPS][1:]]})
    with stage.cloud.recording() as calls:
        done = stage.clone.run("deploy", "--stage", STAGE)
    stage.clone.write_playbook(book)

    assert 1 == done.status
    assert "no_such_action" in done.err
    assert "Traceback" not in done.err
    assert [] == [c for c in calls if c.operation.startswith(("Create", "Update", "Put"))]


def test_an_expired_token_is_one_line_and_running_it_again_finishes(stage: Deployed) -> None:
    """A deployment whose credentials end half-way says so; the next one does the rest."""
    book = stage.clone.playbook(BOOK)
    stage.clone.write_playbook({**book, "title": "Ask before containing an EC2 instance"})
    key = stage.clone.environment["AWS_ACCESS_KEY_ID"]
    iam = stage.cloud.session(HOME).client("iam")

    def expire(info: object) -> None:
        if getattr(info, "operation", "") == "UpdateStateMachine":
            stage.cloud.inject = None
            iam.update_access_key(UserName="platform", AccessKeyId=key, Status="Inactive")

    stage.cloud.inject = expire
    done = stage.clone.run("deploy", "--stage", STAGE)
    stage.cloud.inject = None
    iam.update_access_key(UserName="platform", AccessKeyId=key, Status="Active")
    again = stage.clone.must("deploy", "--stage", STAGE)

    assert 1 == done.status
    assert 1 == len(done.err.strip().splitlines()[-1:])
    assert "step machines" in done.err
    assert "Traceback" not in done.err
    assert "version 3" in again
    assert "Nothing to change" in stage.clone.must("deploy", "--stage", STAGE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deploy", "--stage", STAGE, "--expect-account", "1" * 12), "1" * 12),
        (("deploy", "--stage", "nowhere"), "nowhere"),
        (("deploy",), "no stage"),
        (("destroy", "--stage", STAGE, "--yes"), "--force"),
    ],
)
def test_bad_input_is_one_clear_message(stage: Deployed, words: list[str], said: str) -> None:
    """Wrong account, missing stage, a stage that still contains something: a line, and nothing."""
    done = stage.clone.run(*words)

    assert 1 == done.status
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_second_clone_makes_no_second_api(stage: Deployed, tmp_path_factory: object) -> None:
    """The record is fetched from the stage's bucket, wherever it is deployed from."""
    record = stage.clone.folder / ".chalice" / "deployed"
    for each in record.glob("*.json"):
        each.unlink()
    build = stage.clone.folder / "build"
    stage.clone.must("deploy", "--stage", STAGE)
    apis = stage.cloud.session(HOME, REGION).client("apigateway").get_rest_apis()["items"]

    assert build.is_dir()
    assert 1 == len(apis)


def test_chalice_deploys_on_its_own(stage: Deployed) -> None:
    """It updates the same functions and API; a deployment after it puts targets right again."""
    done = stage.clone.chalice("deploy", "--stage", STAGE)
    apis = stage.cloud.session(HOME, REGION).client("apigateway").get_rest_apis()["items"]
    looked = stage.clone.run("deploy", "--stage", STAGE, "--plan")
    stage.clone.must("deploy", "--stage", STAGE)

    assert 0 == done.status, done.err
    assert 1 == len(apis)
    assert 2 == looked.status
    assert "dead-letter queue" in looked.out
    assert "Nothing to change" in stage.clone.must("deploy", "--stage", STAGE)


def test_destroying_keeps_the_tables_and_the_audit(stage: Deployed, person: Person) -> None:
    """Functions, rules, machines and queues go; what was recorded stays, and can be deployed on."""
    out = stage.clone.must("destroy", "--stage", STAGE, "--yes", "--force")
    lambdas = stage.cloud.session(HOME, REGION).client("lambda").list_functions()["Functions"]
    machines = stage.cloud.session(HOME, REGION).client("stepfunctions").list_state_machines()
    (head,) = stage.remediations(INSTANCE)
    again = stage.clone.must("destroy", "--stage", STAGE, "--yes")

    assert [] == [each["FunctionName"] for each in lambdas]
    assert [] == machines["stateMachines"]
    assert head.status in ("rolled_back", "partly_rolled_back")
    assert stage.trail(head.id)
    assert "Stays" in out
    assert "nothing" in again
    assert "changes made" in stage.clone.must("deploy", "--stage", STAGE)
    assert "nothing is wrong" in person.does("audit", "verify")
