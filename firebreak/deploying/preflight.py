"""Everything that can be found wrong before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib import playbook, settings, wiring
from chalicelib.clock import Clock
from chalicelib.errors import Failed, InvalidSettings
from firebreak import packaging, templates
from firebreak.connection import Identity, identity
from firebreak.deploying import application, existing, records
from firebreak.deploying.application import Application
from firebreak.deploying.run import Deployment, Options, Run
from firebreak.iam import Place
from firebreak.packaging import shipping

PREFIX = settings.PREFIX
UNRESERVED = 100  # executions that Lambda keeps for functions without a reservation


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what a command was asked: which stage, of which clone, in which account."""

    stage: str
    project: Path
    options: Options
    expect_account: str
    say: Callable[[str], None]


def run_of(asked: Asked) -> Run:
    """Return a run on a stage. Raise InvalidSettings where the credentials are of another place."""
    who = _expected(identity(), asked.expect_account)
    known = packaging.stages(asked.project)
    environment = (
        dict(packaging.stage_config(asked.stage, asked.project).environment)
        if asked.stage in known
        else {}
    )
    _same_place(asked.stage, environment, who)
    given = settings.defaults(asked.stage, who.account, who.region) | environment
    desk = wiring.desk(settings.from_environment(given), Clock())
    return Run(desk, who.arn, asked.options, asked.project, asked.say)


def deployment_of(asked: Asked) -> Deployment:
    """Return a deployment of a stage, its package built; nothing of AWS is changed.

    Raise Invalid with every line that lint and configuration have to say, Failed where the account
    or the package cannot do.
    """
    config = packaging.stage_config(asked.stage, asked.project)
    run = run_of(asked)
    here = run.settings
    place = Place(here.partition, here.home_account, here.region, here.stage)
    built = packaging.build(asked.stage, place, root=asked.project)
    made = application.read(built.folder, asked.stage)
    _runtimes(run, made)
    _elsewhere(run, made)
    _concurrency(run, made)
    playbooks = playbook.load(shipping.playbooks(asked.project))
    wanted = replace(
        templates.of_config(asked.stage, config.document), playbooks=tuple(sorted(playbooks))
    )
    return Deployment(
        run.desk,
        run.by,
        run.options,
        run.project,
        run.say,
        folder=built.folder,
        package=built.sha256,
        application=made,
        playbooks=playbooks,
        wanted=wanted,
    )


def _expected(who: Identity, account: str) -> Identity:
    if account and who.account != account:
        raise InvalidSettings(
            f"the credentials are of account {who.account} ({who.arn}), but {account} is expected: "
            "nothing was changed"
        )
    return who


def _same_place(stage: str, environment: dict[str, str], who: Identity) -> None:
    for name, value in (("HOME_ACCOUNT", who.account), ("REGION", who.region)):
        said = environment.get(PREFIX + name, value)
        if said != value:
            raise InvalidSettings(
                f"stage {stage} is set to {PREFIX}{name} {said} in .chalice/config.json, but the "
                f"credentials are of {value}: use those of {said}, or correct the file"
            )


def _runtimes(run: Run, made: Application) -> None:
    """Raise Failed where Lambda has no runtime for the Python that runs this."""
    known = run.client("lambda").meta.service_model.shape_for("Runtime").enum
    for runtime in sorted({str(each.configuration["Runtime"]) for each in made.functions}):
        if runtime not in known:
            raise Failed(
                f"Lambda has no runtime {runtime}: the package is built for the Python that runs "
                "this command; run it with one of 3.11 to 3.13"
            )


def _elsewhere(run: Run, made: Application) -> None:
    """Raise InvalidSettings where the stage is deployed in another region of the account.

    Roles have no region: two stages of one name would write each other's policies.
    """
    iam, functions = run.client("iam"), run.client("lambda")
    role, function = made.roles[0].name, made.functions[0].name
    if (
        existing.found(lambda: iam.get_role(RoleName=role))
        and not existing.found(lambda: functions.get_function(FunctionName=function))
        and not records.bucket_exists(run)
    ):
        raise InvalidSettings(
            f"role {role} is there, but nothing of stage {run.stage} is in {run.settings.region}: "
            "is it deployed in another region? Give each region a stage of its own name"
        )


def _concurrency(run: Run, made: Application) -> None:
    """Raise Failed where the account's quota does not hold what is to be reserved."""
    client = run.client("lambda")
    limits = client.get_account_settings()["AccountLimit"]
    free, wanted = int(limits["UnreservedConcurrentExecutions"]), 0
    for function in made.functions:
        wanted += function.concurrency or 0
        free += _reserved(run, function.name)
    if wanted and free - wanted < UNRESERVED:
        raise Failed(
            f"stage {run.stage} reserves {wanted} concurrent executions; the account has {free} "
            f"free, of which Lambda keeps {UNRESERVED}: ask for a higher quota (Lambda, concurrent "
            "executions), or lower reserved_concurrency in .chalice/config.json"
        )


def _reserved(run: Run, function: str) -> int:
    client = run.client("lambda")
    found = existing.found(lambda: client.get_function_concurrency(FunctionName=function))
    return int((found or {}).get("ReservedConcurrentExecutions", 0))
