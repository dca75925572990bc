"""A served world, a client in another process, and tiny functions that are uploaded to it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firebreak.cloud import Cloud
from firebreak.cloud.identity import SECRET, administrator_key
from firebreak.cloud.roles import Keys
from firebreak.cloud.server import serve

HOME = "111122223333"
MEMBER = "444455556666"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
CALLER = Path(__file__).with_name("caller.py")


class Refused(Exception):
    """A call that a client in another process saw refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Outside:
    """Calls made by a process that knows of the embedded AWS its URL alone."""

    def __init__(self) -> None:
        unset = ("AWS_PROFILE", "AWS_ENDPOINT_URL")
        environment = {name: v for name, v in os.environ.items() if name not in unset}
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, str(CALLER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def call(self, place: dict[str, str], service: str, operation: str, **params: Any) -> Any:
        """Make a call; raise Refused where it was."""
        asked = {"place": place, "service": service, "operation": operation, "params": params}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            json.dumps(asked, default=lambda blob: {"hex": blob.hex()}) + "\n"
        )
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return answer["response"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@dataclass(frozen=True)
class Served:
    """A world that is served, and who calls it from outside."""

    cloud: Cloud
    url: str
    outside: Outside

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """Make a call as the home account's administrator."""
        return self.outside.call(
            self.place(administrator_key(HOME), SECRET), service, operation, **params
        )

    def call_as(self, keys: Keys, service: str, operation: str, **params: Any) -> Any:
        """Make a call in a session of a role."""
        place = self.place(keys.access_key, keys.secret) | {"aws_session_token": keys.token}
        return self.outside.call(place, service, operation, **params)

    def place(self, key: str, secret: str) -> dict[str, str]:
        """Return what a client is made with."""
        return {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
        }

    def role(self, name: str, *statements: dict[str, Any], service: str = "lambda") -> str:
        """Make a role that a service may assume, with these statements; return its ARN."""
        iam = self.cloud.session().client("iam")
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        if statements:
            iam.put_role_policy(
                RoleName=name, PolicyName="only", PolicyDocument=policy(*statements)
            )
        return str(made["Role"]["Arn"])

    def function(
        self, code: str, *statements: dict[str, Any], name: str = "tiny", **settings: Any
    ) -> str:
        """Upload a function whose module is `code`; return its ARN."""
        made = (
            self.cloud.session()
            .client("lambda")
            .create_function(
                FunctionName=name,
                Runtime=f"python3.{sys.version_info.minor}",
                Role=self.role(f"{name}-role", *statements),
                Handler="app.handler",
                Code={"ZipFile": package(code)},
                **settings,
            )
        )
        return str(made["FunctionArn"])

    def invoke(self, event: Any, name: str = "tiny") -> Any:
        """Invoke a function and return what it answered."""
        answer = (
            self.cloud.session()
            .client("lambda")
            .invoke(FunctionName=name, Payload=json.dumps(event))
        )
        return json.loads(answer["Payload"].read())


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str, resource: str = "*") -> dict[str, Any]:
    """Return a statement that allows an action."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def package(code: str) -> bytes:
    """Return a function's package with one module, app."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("app.py", code)
    return archive.getvalue()


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    """Start a process of boto3 clients, once for every test."""
    process = Outside()
    yield process
    process.close()


@pytest.fixture
def served(outside: Outside) -> Iterator[Served]:
    """Serve an empty world for one test."""
    with Cloud(HOME) as cloud, serve(cloud) as url:
        yield Served(cloud, url, outside)
