from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import Invalid
from chalicelib.settings import FUNCTIONS
from chalicelib.workflow import FUNCTION_SECONDS
from firebreak.packaging import stage_config, stages
from firebreak.retry_queue import VISIBILITY
from tests.packaging import clones

ROOT = clones.ROOT
ROW = re.compile(r"\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \| [^|]+ \|")


def wrong(root: Path, stage: str = "dev") -> str:
    """Return what is said of a clone's configuration."""
    with pytest.raises(Invalid) as invalid:
        stage_config(stage, root)
    return str(invalid.value)


def test_the_projects_own_configuration_is_right() -> None:
    """Every stage has every function and no other, and nothing is wrong with it."""
    assert "dev" in stages()
    for stage in stages():
        assert set(FUNCTIONS) == set(stage_config(stage).functions)


def test_the_docs_say_what_is_configured() -> None:
    """The table of docs/deploy.md has each function's timeout, memory and reserved concurrency."""
    text = (ROOT / "docs/deploy.md").read_text("utf-8")
    said = {name: tuple(map(int, numbers)) for name, *numbers in ROW.findall(text)}
    names = ("lambda_timeout", "lambda_memory_size", "reserved_concurrency")
    functions = stage_config("dev").functions

    assert {name: tuple(f[n] for n in names) for name, f in functions.items()} == said
    reserved = sum(function["reserved_concurrency"] for function in functions.values())
    assert f"{reserved} of the\n1,000" in text


def test_the_numbers_fit_what_waits_for_them() -> None:
    """Machines, retry queue and API Gateway wait for as long as their functions may take."""
    functions = stage_config("dev").functions

    assert functions["run_step"]["lambda_timeout"] == FUNCTION_SECONDS
    assert VISIBILITY >= 6 * functions["retry_intake"]["lambda_timeout"]
    assert functions["api_handler"]["lambda_timeout"] <= 29
    assert functions["seal_audit"]["lambda_timeout"] == 900
    for single in ("sweep", "reconcile", "seal_audit"):
        assert functions[single]["reserved_concurrency"] == 1


Change = Callable[[dict[str, Any]], Any]
WRONG: list[tuple[Change, str, str]] = [
    (
        lambda s: s["environment_variables"].update(FIREBREAK_STAGE="prod"),
        "FIREBREAK_STAGE",
        "'dev'",
    ),
    (lambda s: s.pop("environment_variables"), "FIREBREAK_STAGE", "has to be 'dev'"),
    (lambda s: s["environment_variables"].update(FIREBREAK_MODE="obsreve"), "MODE", "observe"),
    (lambda s: s["environment_variables"].update(FIREBREAK_MOED="observe"), "MOED", "did you mean"),
    (lambda s: s["environment_variables"].update(FIREBREAK_MODE=1), "MODE", "in quotes"),
    (lambda s: s["lambda_functions"].pop("sweep"), "lambda_functions.sweep", "is not configured"),
    (lambda s: s.pop("lambda_functions"), "lambda_functions.seal_audit", "is not configured"),
    (lambda s: s["lambda_functions"].update(swep={}), "swep", "did you mean sweep?"),
    (lambda s: run_step(s).update(lambda_timeout=301), "run_step.lambda_timeout", "wait for 300"),
    (lambda s: run_step(s).pop("lambda_timeout"), "run_step.lambda_timeout", "from 1 to 900"),
    (lambda s: run_step(s).update(lambda_timeout=True), "run_step.lambda_timeout", "from 1 to 900"),
    (lambda s: run_step(s).update(lambda_memory_size=64), "run_step.lambda_memory", "from 128"),
    (lambda s: run_step(s).update(reserved_concurrency=800), "lambda_functions", "900 at most"),
    (lambda s: of(s, "api_handler").update(lambda_timeout=60), "api_handler", "waits for 29"),
    (lambda s: of(s, "retry_intake").update(lambda_timeout=301), "retry_intake", "1800"),
    (
        lambda s: run_step(s).update(iam_policy_file="policy.json"),
        "iam_policy_file",
        "policies/dev",
    ),
    (lambda s: s.update(api_gateway_stage="prod"), "api_gateway_stage", '"api"'),
    (lambda s: s.update(autogen_policy=True), "autogen_policy", "false"),
    (lambda s: s.pop("log_retention_in_days"), "log_retention_in_days", "365"),
    (lambda s: s.update(log_retention_in_days=364), "log_retention_in_days", "365"),
    (lambda s: s.update(lambda_timeot=3), "dev.lambda_timeot", "is no setting here"),
    (lambda s: s.update(manage_iam_role=False), "manage_iam_role", "is no setting here"),
    (lambda s: s.update(layers=["arn:aws:lambda:x"]), "layers", "is no setting here"),
    (lambda s: s.update(xray="false"), "xray", "without quotes"),
    (lambda s: s.update(tags={"team": 1}), "tags", "texts"),
    (lambda s: s.update(api_gateway_endpoint_type="PRIVATE"), "endpoint_type", "REGIONAL"),
    (
        lambda s: run_step(s).update(reserved_concurency=5),
        "run_step.reserved_concurency",
        "did you mean reserved_concurrency?",
    ),
    (
        lambda s: run_step(s).update(environment_variables={"FIREBREAK_STAGE": "prod"}),
        "run_step.environment_variables",
        "is no setting here",
    ),
    (lambda s: run_step(s).update(autogen_policy=True), "run_step.autogen", "is no setting"),
    (lambda s: run_step(s).update(iam_role_arn="arn:aws:x"), "iam_role_arn", "is no setting"),
]


def of(stage: dict[str, Any], function: str) -> dict[str, Any]:
    found: dict[str, Any] = stage["lambda_functions"][function]
    return found


def run_step(stage: dict[str, Any]) -> dict[str, Any]:
    return of(stage, "run_step")


@pytest.mark.parametrize(("change", "where", "right"), WRONG)
def test_what_is_wrong_is_said_in_one_line(
    clone: Path, change: Change, where: str, right: str
) -> None:
    """A wrong entry is refused: the line names the file, the place, and what would be right."""
    document = clones.config(clone)
    change(document["stages"]["dev"])
    clones.write_config(clone, document)
    lines = wrong(clone).splitlines()

    assert all(line.startswith(".chalice/config.json: stages.dev") for line in lines)
    assert [] != [line for line in lines if where in line and right in line]


def test_what_stands_beside_the_stages_and_is_not_read_is_refused(clone: Path) -> None:
    """A setting for all stages that nothing reads is named."""
    clones.write_config(clone, {**clones.config(clone), "subnet_ids": ["subnet-1"]})

    assert ".chalice/config.json: subnet_ids: is no setting here" in wrong(clone)


def test_reservations_may_be_left_out(clone: Path) -> None:
    """An account with a small quota reserves nothing."""
    document = clones.config(clone)
    for function in document["stages"]["dev"]["lambda_functions"].values():
        del function["reserved_concurrency"]
    clones.write_config(clone, document)

    assert stage_config("dev", clone).functions["sweep"]["lambda_timeout"] == 240


def test_a_stage_that_is_missing_is_named_with_those_there_are(clone: Path) -> None:
    """Whoever names a stage that is not there is told which are, and how to add one."""
    said = wrong(clone, "prod")

    assert "no stage 'prod': there is dev;" in said
    assert "to add prod, copy the entry" in said


def test_a_stage_is_added_as_the_docs_say(clone: Path) -> None:
    """A copy of an entry under another name, changed wherever it stands, is another stage."""
    document = clones.config(clone)
    copied = json.dumps(document["stages"]["dev"]).replace("policies/dev/", "policies/prod/")
    document["stages"]["prod"] = json.loads(copied.replace('"dev"', '"prod"'))
    clones.write_config(clone, document)
    (clone / ".chalice/policies/dev").rename(clone / ".chalice/policies/prod")

    assert "prod" == stage_config("prod", clone).environment["FIREBREAK_STAGE"]
    assert ("dev", "prod") == stages(clone)


def test_a_stage_whose_name_would_not_fit_is_refused(clone: Path) -> None:
    """A stage's name is part of longer names, so it is short and plain."""
    document = clones.config(clone)
    document["stages"]["Prod_1"] = document["stages"]["dev"]
    clones.write_config(clone, document)

    assert "stages.Prod_1: is no name of a stage: give lower-case letters" in wrong(clone, "Prod_1")


TEXTS = [
    ('{\n  "version": "2.0",\n  "stages": {,}\n}', "line 3, column 14: is no JSON"),
    ('{"stages": {}, "stages": {}}', "'stages' is given twice"),
    ("[]", "has to be one object"),
    ('{"stages": []}', "there is none"),
    ('{"stages": {"dev": 1}}', "stages.dev: has to be an object"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_a_file_that_is_no_configuration_is_refused(clone: Path, text: str, said: str) -> None:
    """A file that cannot be read as one is refused, with the line where there is one."""
    clones.write_config(clone, text)

    assert said in wrong(clone)


def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    """Outside of a clone there is no configuration."""
    assert ".chalice/config.json: cannot be read: No such file or directory" == wrong(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("{}", "is no IAM policy"),
        ("[]", "is no IAM"),
    ],
)
def test_a_policy_file_that_is_none_is_refused(clone: Path, text: str | None, said: str) -> None:
    """A policy file that is missing or no policy is named, with how it is written anew."""
    path = clone / ".chalice/policies/dev/sweep.json"
    path.unlink()
    if text is not None:
        path.write_text(text, "utf-8")

    assert f"sweep.iam_policy_file: policies/dev/sweep.json {said}" in wrong(clone)
    assert "firebreak iam --write" in wrong(clone)
