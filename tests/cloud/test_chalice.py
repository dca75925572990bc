"""Test that Chalice's own deployer works on the embedded AWS: deploy, deploy again, delete."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from firebreak.cloud import Cloud
from tests.cloud.conftest import HOME

ROOT = Path(__file__).resolve().parents[2]
STAGE = "dev"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the app without its dependencies, with a policy, tracing and log retention."""
    shutil.copy(ROOT / "app.py", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "chalicelib", tmp_path / "chalicelib", ignore=ignored)
    (tmp_path / "requirements.txt").touch()
    config = json.loads((ROOT / ".chalice/config.json").read_text("utf-8"))
    stage = config["stages"][STAGE] | {"xray": True, "log_retention_in_days": 30}
    for function in stage["lambda_functions"].values():
        function |= {"iam_policy_file": "policy.json", "reserved_concurrency": 5}
    config["stages"] = {STAGE: stage}
    folder = tmp_path / ".chalice"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "policy.json").write_text(json.dumps(POLICY), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "app", raising=False)
    return tmp_path


class Chalice:
    """Chalice's command line in this process, without its output."""

    def __init__(self, folder: Path) -> None:
        from chalice.cli.factory import CLIFactory
        from chalice.utils import UI

        self._factory: Any = CLIFactory(str(folder), environ=os.environ)
        self._ui = UI(out=io.StringIO(), err=io.StringIO())
        self.config: Any = self._factory.create_config_obj(STAGE)
        self._session: Any = self._factory.create_botocore_session()

    def deploy(self) -> None:
        """Deploy the stage."""
        deployer = self._factory.create_default_deployer(
            session=self._session, config=self.config, ui=self._ui
        )
        deployer.deploy(self.config, STAGE)

    def delete(self) -> None:
        """Delete what was deployed."""
        deployer = self._factory.create_deletion_deployer(session=self._session, ui=self._ui)
        deployer.deploy(self.config, STAGE)


def state(cloud: Cloud) -> dict[str, Any]:
    """Return what Chalice made, by what identifies it."""
    client = cloud.session().client
    functions, apis = client("lambda"), client("apigateway").get_rest_apis()["items"]
    listed = functions.list_functions()["Functions"]
    rules = client("events").list_rules(NamePrefix="firebreak-")["Rules"]
    return {
        "functions": {each["FunctionName"]: each["CodeSha256"] for each in listed},
        "traced": {each["TracingConfig"]["Mode"] for each in listed},
        "reserved": {
            functions.get_function_concurrency(FunctionName=each["FunctionName"])[
                "ReservedConcurrentExecutions"
            ]
            for each in listed
        },
        "roles": sorted(each["RoleName"] for each in client("iam").list_roles()["Roles"]),
        "targets": {
            rule["Name"]: client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
            for rule in rules
        },
        "apis": [each["id"] for each in apis],
    }


def test_deployed_twice_and_deleted(cloud: Cloud, project: Path) -> None:
    """The second time makes nothing new; afterwards nothing is left."""
    Chalice(project).deploy()
    first = state(cloud)
    with cloud.recording() as calls:
        Chalice(project).deploy()
    second = state(cloud)

    assert first == second
    assert set() == {
        (c.service, c.operation) for c in calls if c.operation.startswith("Create")
    } - {("apigateway", "CreateDeployment")}
    assert 0 == Counter(c.operation for c in calls)["AddPermission"]
    assert ({"Active"}, {5}) == (first["traced"], first["reserved"])
    assert len(first["functions"]) == len(first["roles"]) == 10
    arn = f"arn:aws:lambda:us-east-1:{HOME}:function:firebreak-dev-on_event"
    assert [{"Id": "1", "Arn": arn}] == first["targets"]["firebreak-dev-on_event-event"]
    Chalice(project).delete()
    assert {"functions": {}, "traced": set(), "reserved": set()} == {
        key: state(cloud)[key] for key in ("functions", "traced", "reserved")
    }
    assert {"roles": [], "targets": {}, "apis": []} == {
        key: state(cloud)[key] for key in ("roles", "targets", "apis")
    }


def test_the_api_asks_for_signatures(cloud: Cloud, project: Path) -> None:
    """Every method of the deployed API is authorized by IAM and goes to the API's function."""
    Chalice(project).deploy()
    client = cloud.session().client("apigateway")
    (api,) = [each["id"] for each in client.get_rest_apis()["items"]]
    methods = [
        client.get_method(restApiId=api, resourceId=resource["id"], httpMethod=name)
        for resource in client.get_resources(restApiId=api, embed=["methods"])["items"]
        for name in resource.get("resourceMethods", {})
    ]

    assert methods
    assert {"AWS_IAM"} == {each["authorizationType"] for each in methods}
    uris = {each["methodIntegration"]["uri"] for each in methods}
    assert all(uri.endswith("function:firebreak-dev/invocations") for uri in uris)
    assert ["api"] == [each["stageName"] for each in client.get_stages(restApiId=api)["item"]]
