"""A remediation that waits for a person, and people of every kind who decide on it by the API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from chalicelib import lifecycle
from chalicelib.playbook import Playbook
from chalicelib.store import Remediation
from firebreak import api
from firebreak.replay import settle
from firebreak.stage import Stage
from tests.worlds import HOME, MEMBER, finding_event, playbook, recorded, world

RESERVED = "/aws-reserved/sso.amazonaws.com/eu-west-1/"
PERMISSION_SET = "AWSReservedSSO_Responder_0123456789abcdef"
BOOK = playbook("test", guardrails={"mode": "approve"})
Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Waiting:
    """Hold a stage and the remediation in it that waits."""

    stage: Stage
    identity: str

    @property
    def head(self) -> Remediation:
        """Return the remediation's head as it is now."""
        return lifecycle.head_of(self.stage.desk, self.identity)

    @property
    def kinds(self) -> list[str]:
        """Return what is on record."""
        return [record.kind for record in self.stage.desk.tables.records(self.identity)]

    def user(
        self, name: str = "alice", path: str = "/", may: str = "execute-api:Invoke"
    ) -> ReadOnlyCredentials:
        """Make a user who may decide; return the credentials."""
        iam = self.stage.cloud.session().client("iam")
        iam.create_user(UserName=name, Path=path)
        policy = json.dumps(allowing(may))
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return ReadOnlyCredentials(key["AccessKeyId"], key["SecretAccessKey"], None)

    def session(self, role: str, session: str, path: str = "/") -> ReadOnlyCredentials:
        """Return the credentials of a session of a role, made where it is not, that may decide."""
        iam = self.stage.cloud.session().client("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        if role in [each["RoleName"] for each in iam.list_roles()["Roles"]]:
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
        else:
            iam.create_role(RoleName=role, Path=path, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(allowing()))
        given = (
            self.stage.cloud.session()
            .client("sts")
            .assume_role(
                RoleArn=iam.get_role(RoleName=role)["Role"]["Arn"], RoleSessionName=session
            )["Credentials"]
        )
        return ReadOnlyCredentials(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        )

    def decide(
        self,
        who: ReadOnlyCredentials,
        decision: str = "approved",
        *,
        settled: bool = True,
        **more: Any,
    ) -> Answer:
        """Send a decision; keywords replace or add to the body. settled: wait for what follows."""
        body = {"decision": decision, "plan": self.head.plan.get("hash", "0" * 64), **more}
        answer = self.send(who, body)
        if settled:
            settle(self.stage)
        return answer

    def send(self, who: ReadOnlyCredentials, body: Any, identity: str = "") -> Answer:
        """Send a body to the remediation's decision, or that of another."""
        place = f"/remediations/{identity or self.identity}/decision"
        return api.post(self.stage.api_url() + place, body, who, self.stage.cloud.region)


TRUST = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"},
    "Action": "sts:AssumeRole",
}


def allowing(may: str = "execute-api:Invoke") -> dict[str, Any]:
    """Return a policy that allows one action."""
    statement = {"Effect": "Allow", "Action": may, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@contextmanager
def waiting(event: Mapping[str, Any] | None = None, book: Playbook = BOOK) -> Iterator[Waiting]:
    """Give a stage in which an event's remediation waits for a person."""
    given = dict(event or finding_event())
    with world({book.name: book}) as stage:
        stage.admit_account(given["detail"].get("accountId", MEMBER))
        (answer,) = stage.cloud.emit(given)
        settle(stage)
        yield Waiting(stage, answer["decisions"][0]["remediation"])


def key_event(**details: Any) -> dict[str, Any]:
    """Return an event about an access key of the security account; keywords replace its details."""
    event = recorded("guardduty/stolen_access_key_user.json")
    event["account"] = event["detail"]["accountId"] = HOME
    known = {"accessKeyId": "ASIAIOSFODNN7STOLEN0", "principalId": "AROAIOSFODNN7OTHER00:x"}
    event["detail"]["resource"]["accessKeyDetails"] = {**known, **details}
    return event
