from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib import audit, published, settings, wiring
from chalicelib.clock import Clock
from chalicelib.runner.work import Desk
from chalicelib.store import listing
from firebreak.cloud.calls import CallInfo, ProcessKilled
from firebreak.cloud.strict.lambda_settings import limit_concurrency
from firebreak.commands import deploy as command
from firebreak.deploying import changing
from firebreak.deploying.alone import alone
from tests.deploying.clones import Clone
from tests.worlds import HOME, failing, refusal

REGION = "us-east-1"
BUCKET = f"firebreak-dev-state-{HOME}-{REGION}"
KEPT = "report_root_usage"
OTHER = "contain_compromised_instance"
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@pytest.fixture
def deployed(clone: Clone) -> Clone:
    """Give a clone whose stage is deployed."""
    done = clone.deploy()
    assert 0 == done.exit_code, (done.output, done.exception)
    return clone


def desk() -> Desk:
    """Return the stage's desk."""
    known = settings.from_environment(settings.defaults("dev", HOME, REGION))
    return wiring.desk(known, Clock())


def trail() -> list[audit.Record]:
    """Return the records of deployments, which have to be one unbroken chain."""
    found = desk().tables.records("DEPLOYMENT")
    assert audit.verify(found, "DEPLOYMENT").valid
    return found


def machine(clone: Clone, playbook: str) -> str:
    """Return the ARN of a playbook's machine."""
    return f"arn:aws:states:{REGION}:{HOME}:stateMachine:firebreak-dev-{playbook}"


def apis(clone: Clone) -> list[str]:
    """Return the ids of the REST APIs that there are."""
    found = clone.client("apigateway").get_rest_apis()["items"]
    return [each["id"] for each in found]


def said(error: BaseException | None) -> str:
    """Return what a command's error says."""
    assert error is not None
    return str(error)


# --- a stage made, and made again -----------------------------------------------------------------


def test_the_first_deployment_makes_everything(deployed: Clone) -> None:
    """Stacks, functions, machines and targets are there, and fit together."""
    stacks = deployed.client("cloudformation").describe_stacks()["Stacks"]
    lambdas = deployed.client("lambda")
    run_step = lambdas.get_function_configuration(FunctionName="firebreak-dev-run_step")
    (target,) = deployed.client("events").list_targets_by_rule(Rule="firebreak-dev-on_event-event")[
        "Targets"
    ]
    (schedule,) = deployed.client("events").list_targets_by_rule(Rule="firebreak-dev-sweep-event")[
        "Targets"
    ]

    assert {"firebreak-dev-data", "firebreak-dev-foundation", "firebreak-dev-operations"} == {
        each["StackName"] for each in stacks
    }
    assert {"CREATE_COMPLETE"} == {each["StackStatus"] for each in stacks}
    assert "JSON" == run_step["LoggingConfig"]["LogFormat"]
    assert HOME == run_step["Environment"]["Variables"]["FIREBREAK_HOME_ACCOUNT"]
    queue = f"arn:aws:sqs:{REGION}:{HOME}:firebreak-dev-"
    assert f"{queue}retry-intake" == target["DeadLetterConfig"]["Arn"]
    assert f"{queue}dead-letters" == schedule["DeadLetterConfig"]["Arn"]
    assert 185 == target["RetryPolicy"]["MaximumRetryAttempts"]
    assert 1 == len(apis(deployed))


def test_each_machine_is_published_and_on_record(deployed: Clone) -> None:
    """Each playbook has version 1; the functions can read it, and the audit trail says who did."""
    newest = published.newest(desk().tables, KEPT)
    kinds = [record.kind for record in trail()]
    made = [record for record in trail() if record.what.get("playbook") == KEPT]

    assert newest is not None
    assert 1 == newest.number
    assert ["functions_deploying", "machine_created", "machine_created"] == kinds
    assert ("machine_created", 1) == (made[0].kind, made[0].what["number"])
    assert newest.playbook_version == made[0].what["playbook_version"]
    assert HOME in made[0].who["principal"]


def test_a_second_deployment_changes_nothing_and_says_so(deployed: Clone) -> None:
    """A second run makes no call that changes anything."""
    with deployed.changes() as changes:
        done = deployed.deploy()

    assert 0 == done.exit_code
    assert "Nothing to change." in done.output
    assert [] == [call.operation for call in changes]


def test_the_end_says_what_to_do_next(clone: Clone) -> None:
    """The first deployment ends with what a person has to do."""
    done = clone.deploy("--email", "night@example.org")

    assert "night@example.org confirms the subscription" in done.output
    assert "firebreak member-template --stage dev" in done.output


def test_json_is_for_pipelines(clone: Clone) -> None:
    """Under --json stdout is one document, whatever is told besides."""
    done = clone.deploy("--json")
    document = json.loads(done.stdout)

    assert document["changed"]
    assert ["data", "foundation", "functions", "machines", "operations", "targets"] == [
        each["step"] for each in document["steps"]
    ]


# --- looking --------------------------------------------------------------------------------------


def test_a_plan_of_an_empty_account_lists_all_and_changes_nothing(clone: Clone) -> None:
    """Before anything is there the plan says what would be made, and makes nothing."""
    with clone.changes() as changes:
        done = clone.deploy("--plan")

    assert 2 == done.exit_code
    assert "+ create stack firebreak-dev-data" in done.output
    assert f"+ create state machine firebreak-dev-{KEPT}" in done.output
    assert [] == [call.operation for call in changes]


def test_a_plan_where_nothing_differs_says_so(deployed: Clone) -> None:
    """The exit status of a plan says whether anything would change."""
    assert 0 == deployed.deploy("--plan").exit_code


def test_a_plan_is_what_is_done(deployed: Clone) -> None:
    """What a plan lists is what the deployment then reports, and until then nothing has changed."""
    deployed.retitle(KEPT, "Another title")
    deployed.keep_playbooks(KEPT)
    planned = json.loads(deployed.deploy("--plan", "--json").stdout)
    before = published.number(desk().tables, KEPT)
    done = json.loads(deployed.deploy("--json").stdout)

    def named(document: dict[str, Any]) -> list[tuple[str, str, str]]:
        return [
            (step["step"], each["kind"], each["name"])
            for step in document["steps"]
            for each in step["differences"]
        ]

    assert 1 == before
    assert named(planned) == named(done)
    assert ("machines", "remove", f"state machine firebreak-dev-{OTHER}") in named(done)


def test_a_plan_of_a_changed_stack_deletes_its_change_set(deployed: Clone) -> None:
    """A plan reads what a change set says, and leaves none behind."""
    done = deployed.deploy("--plan", "--email", "other@example.org")
    left = deployed.client("cloudformation").list_change_sets(StackName="firebreak-dev-foundation")[
        "Summaries"
    ]

    assert 2 == done.exit_code
    assert "AWS::SNS::Subscription" in done.output
    assert [] == [each for each in left if each["ExecutionStatus"] == "AVAILABLE"]


# --- playbooks that change ------------------------------------------------------------------------


def test_a_changed_playbook_is_published_as_the_next_version(deployed: Clone) -> None:
    """A playbook that changed gets version 2, on record; the others stay at theirs."""
    deployed.retitle(KEPT, "Report what the root user does")
    done = deployed.deploy()
    tables = desk().tables

    assert 0 == done.exit_code
    assert (2, 1) == (published.number(tables, KEPT), published.number(tables, OTHER))
    assert ("machine_updated", 2) == (trail()[-1].kind, trail()[-1].what["number"])


def test_the_machine_of_a_playbook_that_is_gone_is_removed(deployed: Clone) -> None:
    """A machine whose playbook is gone goes, with its record."""
    deployed.keep_playbooks(KEPT)
    done = deployed.deploy()
    left = deployed.client("stepfunctions").list_state_machines()["stateMachines"]

    assert f"- remove state machine firebreak-dev-{OTHER}" in done.output
    assert [f"firebreak-dev-{KEPT}"] == [each["name"] for each in left]
    assert "machine_removed" == trail()[-1].kind
    assert None is published.newest(desk().tables, OTHER)


@pytest.mark.parametrize("name", [listing.OPEN, listing.STANDING])
def test_a_machine_that_is_needed_to_take_something_back_stays(deployed: Clone, name: str) -> None:
    """While a remediation of the playbook is open or stands, its machine stays, and it is said."""
    desk().tables.put(listing.put(name, "1" * 24, {"playbook": OTHER}).item)
    deployed.keep_playbooks(KEPT)
    done = deployed.deploy()
    again = deployed.deploy("--plan")

    assert f"= keep state machine firebreak-dev-{OTHER}" in done.output
    assert "1" * 24 in done.output
    assert 1 == published.number(desk().tables, OTHER)
    assert 0 == again.exit_code


def test_machines_of_another_stage_are_left_alone(deployed: Clone) -> None:
    """A stage whose name begins alike keeps its machines."""
    deployed.cloud.create_state_machine(
        "firebreak-dev-two-anything", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    )
    done = deployed.deploy()

    assert "Nothing to change." in done.output


# --- functions that change ------------------------------------------------------------------------


def test_what_was_changed_by_hand_is_put_right(deployed: Clone) -> None:
    """A timeout, a policy and a target that somebody changed are what they should be again."""
    deployed.client("lambda").update_function_configuration(
        FunctionName="firebreak-dev-run_step", Timeout=3, Handler="app.other"
    )
    role = "firebreak-dev-on_event"
    deployed.client("iam").put_role_policy(
        RoleName=role,
        PolicyName=role,
        PolicyDocument=json.dumps(EVERYTHING),
    )
    done = deployed.deploy()
    now = deployed.client("lambda").get_function_configuration(
        FunctionName="firebreak-dev-run_step"
    )
    policy = deployed.client("iam").get_role_policy(RoleName=role, PolicyName=role)

    assert "~ update function firebreak-dev-run_step: Handler, Timeout" in done.output
    assert "~ update role firebreak-dev-on_event: policy" in done.output
    assert (300, "app.run_step") == (now["Timeout"], now["Handler"])
    assert "*" not in [each["Action"] for each in policy["PolicyDocument"]["Statement"]]
    assert "Nothing to change." in deployed.deploy().output


def test_what_somebody_gave_to_a_role_is_taken_from_it(deployed: Clone) -> None:
    """A role's trust, and policies beside its own, are put right, and a plan shows them."""
    iam, role = deployed.client("iam"), "firebreak-dev-run_step"
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    anybody = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": HOME}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=json.dumps(EVERYTHING))
    made = iam.create_policy(PolicyName="most", PolicyDocument=json.dumps(EVERYTHING))
    iam.attach_role_policy(RoleName=role, PolicyArn=made["Policy"]["Arn"])
    planned, done = deployed.deploy("--plan"), deployed.deploy()
    parts = f"who may assume it, without policy more, without policy {made['Policy']['Arn']}"

    assert f"~ update role {role}: {parts}" in planned.output
    assert f"~ update role {role}: {parts}" in done.output
    assert trust == iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    assert [role] == iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert [] == iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert "Nothing to change." in deployed.deploy().output


def test_a_target_that_somebody_added_to_a_rule_is_removed(deployed: Clone) -> None:
    """Findings go to the function alone: another target would be told all of them too."""
    rule, events = "firebreak-dev-on_event-event", deployed.client("events")
    queue = f"arn:aws:sqs:{REGION}:{HOME}:firebreak-dev-dead-letters"
    events.put_targets(Rule=rule, Targets=[{"Id": "more", "Arn": queue}])
    planned, done = deployed.deploy("--plan"), deployed.deploy()
    left = events.list_targets_by_rule(Rule=rule)["Targets"]

    assert (2, 0) == (planned.exit_code, done.exit_code)
    assert f"~ update target of rule {rule}" in planned.output
    assert ["1"] == [each["Id"] for each in left]


def test_a_function_that_was_deleted_is_made_again_with_its_failure_destination(
    deployed: Clone,
) -> None:
    """What Lambda deletes along with a function is put right: events it fails on are not lost."""
    name, lambdas = "firebreak-dev-on_event", deployed.client("lambda")
    before = lambdas.get_function_event_invoke_config(FunctionName=name)["DestinationConfig"]
    lambdas.delete_function(FunctionName=name)
    planned, done = deployed.deploy("--plan"), deployed.deploy()
    after = lambdas.get_function_event_invoke_config(FunctionName=name)["DestinationConfig"]

    assert f"~ update function {name}: failure destination" in planned.output
    assert 0 == done.exit_code, done.exception
    assert before == after
    assert "Nothing to change." in deployed.deploy().output


def test_a_failure_destination_that_leads_elsewhere_is_put_right(deployed: Clone) -> None:
    """Somebody's own destination is not where failed events are looked for."""
    name, lambdas = "firebreak-dev-sweep", deployed.client("lambda")
    before = lambdas.get_function_event_invoke_config(FunctionName=name)["DestinationConfig"]
    elsewhere = {"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{HOME}:elsewhere"}}
    lambdas.put_function_event_invoke_config(FunctionName=name, DestinationConfig=elsewhere)
    done = deployed.deploy()
    after = lambdas.get_function_event_invoke_config(FunctionName=name)["DestinationConfig"]

    assert 0 == done.exit_code, done.exception
    assert before == after


def test_new_code_is_deployed_and_targets_keep_their_queues(deployed: Clone) -> None:
    """A run of Chalice, which writes targets without queues, leaves them with theirs."""
    deployed.retitle(KEPT, "New code, since playbooks are in the package")
    done = deployed.deploy()
    (target,) = deployed.client("events").list_targets_by_rule(Rule="firebreak-dev-on_event-event")[
        "Targets"
    ]

    assert "~ update function firebreak-dev-run_step: code" in done.output
    assert "target of rule" not in done.output
    assert "DeadLetterConfig" in target


# --- whose record it is ---------------------------------------------------------------------------


def test_a_fresh_clone_makes_no_second_api(
    deployed: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another engineer's clone, without any local record, finds everything as it is."""
    before = apis(deployed)
    for folder in ("build", ".chalice/deployed"):
        for path in sorted((deployed.root / folder).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    done = deployed.deploy()

    assert "Nothing to change." in done.output
    assert before == apis(deployed)


def test_a_record_that_is_lost_is_made_anew(deployed: Clone) -> None:
    """Where the bucket was emptied, the API is found by the function it calls."""
    before = apis(deployed)
    deployed.client("s3").delete_object(Bucket=BUCKET, Key="chalice/dev.json")
    done = deployed.deploy()
    stored = json.loads(
        deployed.client("s3").get_object(Bucket=BUCKET, Key="chalice/dev.json")["Body"].read()
    )

    assert 0 == done.exit_code
    assert before == apis(deployed)
    assert before == [each["rest_api_id"] for each in stored["resources"] if "rest_api_id" in each]
    assert "Nothing to change." in deployed.deploy().output


def test_two_apis_and_no_record_stop_the_run(deployed: Clone) -> None:
    """Where nothing says which of two APIs is the stage's, a person has to."""
    client = deployed.client("s3")
    stored = json.loads(client.get_object(Bucket=BUCKET, Key="chalice/dev.json")["Body"].read())
    others = [each for each in stored["resources"] if each["resource_type"] != "rest_api"]
    client.put_object(
        Bucket=BUCKET,
        Key="chalice/dev.json",
        Body=json.dumps({**stored, "resources": others}).encode(),
    )
    (first,) = apis(deployed)
    gateway = deployed.client("apigateway")
    second = gateway.create_rest_api(name="firebreak")["id"]
    root = gateway.get_resources(restApiId=second)["items"][0]["id"]
    gateway.put_method(
        restApiId=second, resourceId=root, httpMethod="POST", authorizationType="NONE"
    )
    function = f"arn:aws:lambda:{REGION}:{HOME}:function:firebreak-dev"
    gateway.put_integration(
        restApiId=second,
        resourceId=root,
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function}/invocations",
    )
    done = deployed.deploy()

    assert 1 == done.exit_code
    assert first in said(done.exception)
    assert "delete all but the one" in said(done.exception)


def test_two_deployments_at_once_are_told_apart(clone: Clone) -> None:
    """The second of two deployments stops, and says who is at it."""
    assert 0 == clone.deploy().exit_code
    clone.retitle(KEPT, "Changed")
    inner: list[Any] = []

    def meanwhile(call: CallInfo) -> None:
        if call.operation == "UpdateFunctionCode" and call.phase == "before" and not inner:
            inner.append(None)
            other = clone.cloud.session().client("iam")
            other.create_user(UserName="other")
            other.put_user_policy(
                UserName="other", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
            )
            keys = other.create_access_key(UserName="other")["AccessKey"]
            inner.append(as_user(clone, keys["AccessKeyId"], keys["SecretAccessKey"]))

    clone.cloud.inject = meanwhile
    done = clone.deploy()
    clone.cloud.inject = None

    assert 0 == done.exit_code, done.exception
    assert 1 == inner[1].exit_code
    assert "deploys stage dev, since" in said(inner[1].exception)
    assert "--take-over" in said(inner[1].exception)


def as_user(clone: Clone, key: str, secret: str) -> Any:
    """Deploy with the keys of another principal, as from another folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "alone", lambda *_: contextlib.nullcontext())
        patch.setenv("AWS_ACCESS_KEY_ID", key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        return clone.deploy()


def test_one_folder_deploys_a_stage_once_at_a_time(clone: Clone) -> None:
    """A second process would build where the first one does: it is told so, and touches nothing."""
    with alone(clone.root, "dev"):
        held = clone.deploy()

    assert "is deployed from this folder by another process" in said(held.exception)
    assert 0 == clone.deploy().exit_code


@pytest.mark.parametrize(
    ("host", "process", "over"),
    [
        ("here", 0, True),  # this very process
        ("here", 2**22 + 1, True),  # above the largest id of a process
        ("here", 1, False),
        ("another runner", 0, False),
    ],
)
def test_two_jobs_of_one_role_are_two(deployed: Clone, host: str, process: int, over: bool) -> None:
    """Whoever began a lease takes it over at once where the process that had it is gone."""
    who = deployed.client("sts").get_caller_identity()["Arn"]
    where = socket.gethostname() if host == "here" else host
    body: dict[str, Any] = {"who": who, "host": where, "process": process or os.getpid()}
    body["since"] = "then"
    body["until"] = int(Clock().seconds()) + 600
    deployed.client("s3").put_object(
        Bucket=BUCKET, Key="deploying/dev.json", Body=json.dumps(body).encode()
    )
    deployed.retitle(KEPT, "Changed")
    done = deployed.deploy()

    assert over == (0 == done.exit_code)
    assert over or f"{who} deploys stage dev, since then" in said(done.exception)


def test_a_lease_that_another_left_is_taken_over_when_told(deployed: Clone) -> None:
    """The lease of a deployment that died holds others back until it runs out, or is taken over."""
    until = int(Clock().seconds()) + 600
    body = {"who": "arn:aws:iam::1:user/gone", "since": "2026-11-28T00:00:00Z", "until": until}
    deployed.client("s3").put_object(
        Bucket=BUCKET, Key="deploying/dev.json", Body=json.dumps(body).encode()
    )
    deployed.retitle(KEPT, "Changed")

    assert "user/gone deploys stage dev" in said(deployed.deploy().exception)
    assert 0 == deployed.deploy("--take-over").exit_code


def test_a_record_that_another_wrote_meanwhile_is_not_overwritten(deployed: Clone) -> None:
    """A record is stored only where it is as it was fetched."""
    client = deployed.client("s3")

    def meanwhile(call: CallInfo) -> None:
        if call.operation == "UpdateFunctionCode" and call.phase == "before":
            client.put_object(Bucket=BUCKET, Key="chalice/dev.json", Body=b"{}")

    deployed.retitle(KEPT, "Changed")
    deployed.cloud.inject = meanwhile
    done = deployed.deploy()
    deployed.cloud.inject = None

    assert "two deployments of dev at once" in said(done.exception)
    assert b"{}" == client.get_object(Bucket=BUCKET, Key="chalice/dev.json")["Body"].read()


# --- cut off half-way -----------------------------------------------------------------------------

POINTS = (
    ("CreateChangeSet", "after"),
    ("ExecuteChangeSet", "after"),
    ("PutRolePolicy", "after"),
    ("CreateFunction", "after"),
    ("ImportRestApi", "after"),
    ("CreateDeployment", "before"),
    ("AddPermission", "after"),
    ("UpdateFunctionConfiguration", "before"),
    ("CreateStateMachine", "after"),
    ("TransactWriteItems", "before"),
    ("PutTargets", "after"),
)


@pytest.mark.parametrize(("operation", "phase"), POINTS)
def test_killed_half_way_it_is_finished_by_running_it_again(
    clone: Clone, operation: str, phase: str
) -> None:
    """Killed at a call, the run after it makes what is missing, once, and then nothing differs."""
    kill = failing(operation, ProcessKilled, phase=phase)

    def hook(call: CallInfo) -> None:
        if call.params.get("RoleName") != "firebreak-dev-machines":  # that is CloudFormation's call
            kill(call)

    clone.cloud.inject = hook
    with pytest.raises(ProcessKilled):
        clone.deploy()
    clone.cloud.inject = None
    done = clone.deploy()

    assert 0 == done.exit_code, done.exception
    assert 1 == len(apis(clone))
    assert "Nothing to change." in clone.deploy().output
    assert trail()


def test_an_expired_token_names_the_step_and_how_to_go_on(clone: Clone) -> None:
    """Credentials that run out half-way stop the run with its step; renewed, it goes on."""
    clone.cloud.inject = failing("CreateFunction", lambda: refusal("ExpiredTokenException"), 99)
    done = clone.deploy()
    clone.cloud.inject = None

    assert 1 == done.exit_code
    assert "expired in step functions" in said(done.exception)
    assert "run the same command again" in said(done.exception)
    assert 0 == clone.deploy().exit_code


# --- what is wrong beforehand ---------------------------------------------------------------------


def refused(clone: Clone, *options: str) -> str:
    """Deploy what cannot be deployed; return what is said. Nothing is changed."""
    with clone.changes() as changes:
        done = clone.deploy(*options)
    assert 1 == done.exit_code
    assert [] == [call.operation for call in changes]
    return said(done.exception)


def test_another_account_than_expected_is_refused(clone: Clone) -> None:
    """--expect-account keeps a deployment out of the wrong account."""
    text = refused(clone, "--expect-account", "999988887777")

    assert HOME in text
    assert "999988887777 is expected" in text


def test_a_stage_that_is_set_to_another_account_is_refused(clone: Clone) -> None:
    """A stage whose configuration names another account is not deployed here."""
    configured(clone, lambda entry: entry["environment_variables"].update(ELSEWHERE))

    assert "999988887777" in refused(clone)


ELSEWHERE = {"FIREBREAK_HOME_ACCOUNT": "999988887777"}


def configured(clone: Clone, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the configuration of stage dev."""
    path = clone.root / ".chalice" / "config.json"
    document = json.loads(path.read_text("utf-8"))
    change(document["stages"]["dev"])
    path.write_text(json.dumps(document), "utf-8")


def test_the_audit_trail_is_never_locked_for_less(clone: Clone) -> None:
    """The retention of audit records can be raised; lowering it is refused, also as a plan."""
    assert 0 == clone.deploy("--audit-years", "5").exit_code

    assert "is locked for 5 years" in refused(clone, "--audit-years", "4")
    assert "is locked for 5 years" in refused(clone, "--audit-years", "1", "--plan")
    assert 0 == clone.deploy("--audit-years", "6").exit_code


def test_a_stage_that_is_not_configured_is_named(clone: Clone) -> None:
    """A stage that .chalice/config.json lacks is refused, with how to add it."""
    done = clone.run("deploy", "--stage", "prod")

    assert 1 == done.exit_code
    assert "there is no stage 'prod'" in said(done.exception)


def test_no_stage_at_all_is_refused(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --stage and without FIREBREAK_STAGE nothing is deployed."""
    monkeypatch.delenv("FIREBREAK_STAGE", raising=False)

    assert "no stage" in said(clone.run("deploy").exception)


def test_no_credentials_are_one_message(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the command says so, and how to get some."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")

    assert "no AWS credentials" in said(clone.deploy().exception)


def test_a_playbook_that_fails_lint_stops_everything(clone: Clone) -> None:
    """Lint's own lines are shown, and nothing is changed."""
    path = clone.playbooks / f"{KEPT}.yaml"
    path.write_text(path.read_text("utf-8").replace("action: notify", "action: notfy"), "utf-8")
    text = refused(clone)

    assert f"{KEPT}.yaml" in text
    assert "notfy" in text


def test_a_quota_that_does_not_hold_the_reservations_is_said(clone: Clone) -> None:
    """Where the account has too few executions to reserve, it is said before anything is made."""
    limit_concurrency(HOME, REGION, 100)
    text = refused(clone)

    assert "ask for a higher quota" in text


def test_a_name_that_is_taken_is_said_with_the_stacks_own_reason(clone: Clone) -> None:
    """What is there under a name of the stage's is named, and the next step."""
    clone.client("sqs").create_queue(QueueName="firebreak-dev-dead-letters")
    done = clone.deploy()

    assert 1 == done.exit_code
    assert "firebreak-dev-foundation was not created" in said(done.exception)
    assert "a name is taken" in said(done.exception)
    assert "run the same command again" in said(done.exception)


def test_a_failed_stack_that_holds_nothing_is_made_anew(clone: Clone) -> None:
    """After the cause is gone, a stack in ROLLBACK_COMPLETE does not stand in the way."""
    queue = clone.client("sqs").create_queue(QueueName="firebreak-dev-dead-letters")["QueueUrl"]
    clone.deploy()
    clone.client("sqs").delete_queue(QueueUrl=queue)
    done = clone.deploy()

    assert 0 == done.exit_code, done.exception
    assert "ROLLBACK_COMPLETE" in done.output


def test_data_that_failed_to_be_made_is_made_anew(clone: Clone) -> None:
    """A data stack whose protected tables outlived its failure is replaced when told."""
    table = {
        "TableName": "firebreak-dev-audit",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    }
    clone.client("dynamodb").create_table(**table)
    failed = clone.deploy()
    clone.client("dynamodb").delete_table(TableName="firebreak-dev-audit")
    refused_ = clone.deploy()
    done = clone.deploy("--replace-failed-stack")

    assert "firebreak-dev-data was not created" in said(failed.exception)
    assert "give --replace-failed-stack" in said(refused_.exception)
    assert 0 == done.exit_code, done.exception


def test_a_template_that_is_too_long_for_a_call_goes_by_the_state_bucket(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFormation reads a long template from the bucket that the data stack made."""
    monkeypatch.setattr(changing, "INLINE", 20_000)
    done = clone.deploy()
    listed = clone.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="templates/")["Contents"]

    assert 0 == done.exit_code, done.exception
    assert ["templates/firebreak-dev-operations"] == [
        each["Key"].rpartition("-")[0] for each in listed
    ]


def test_a_machine_that_is_not_the_stages_is_not_overwritten(clone: Clone) -> None:
    """A state machine under a name of the stage's that lacks its tag stays as it is."""
    clone.cloud.create_state_machine(
        f"firebreak-dev-{KEPT}", {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    )
    done = clone.deploy()

    assert "it is not the stage's own" in said(done.exception)


def test_a_machine_that_lost_its_tag_is_said_by_plan_and_deployment(deployed: Clone) -> None:
    """Made again it would stay untagged, so that each run would make it again."""
    tags = {"resourceArn": machine(deployed, KEPT), "tagKeys": ["firebreak:stage"]}
    deployed.client("stepfunctions").untag_resource(**tags)

    for options in (("--plan",), ()):
        assert "lacks the tag firebreak:stage dev" in refused(deployed, *options)


def test_the_same_stage_in_a_second_region_is_refused(
    deployed: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles have no region, so a stage's name is taken in the whole account."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-west-1")

    assert "deployed in another region" in refused(deployed)


def test_the_region_of_aws_region_is_taken(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the AWS CLI has it: AWS_REGION goes before AWS_DEFAULT_REGION and a profile's region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert "region eu-west-1" in clone.deploy("--plan").output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--email", "foo"), "is no e-mail address"),
        (("--organization", "foo"), "an organisation's id is like"),
        (("--expect-account", "12"), "an account id has 12 digits"),
    ],
)
def test_an_option_of_another_shape_is_refused(
    clone: Clone, words: tuple[str, str], why: str
) -> None:
    """What AWS would refuse half-way is refused before anything is begun."""
    done = clone.deploy(*words)

    assert 2 == done.exit_code
    assert why in done.output
