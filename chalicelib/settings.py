"""The one place that reads the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.errors import InvalidSettings

PREFIX = "FIREBREAK_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what a stage is told by its environment.

    accounts: the account ids acted in, besides home; `*` for every account of the organisation,
    which the member role's trust then decides. administrators: accounts that may deliver other
    accounts' findings. responders: ARN patterns that are never contained. apply_samples: act on
    the findings that AWS makes as samples (a replay does, a deployment plans them).
    """

    stage: str
    home_account: str
    region: str
    partition: str = "aws"
    remediations_table: str = ""
    audit_table: str = ""
    topic_arn: str = ""
    member_role: str = ""
    external_id: str = ""
    accounts: tuple[str, ...] = ("*",)
    administrators: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    apply_samples: bool = False
    mode: str = ""  # `observe` or `approve` lowers every playbook of the stage to it
    playbooks: str = ""
    own_networks: tuple[str, ...] = ()  # public networks of one's own: IPv6 of the VPCs, BYOIP

    def state_machine_arn(self, playbook: str) -> str:
        """Return the ARN of a playbook's state machine."""
        name = f"firebreak-{self.stage}-{playbook}"
        return f"arn:{self.partition}:states:{self.region}:{self.home_account}:stateMachine:{name}"

    def member_role_arn(self, account: str) -> str:
        """Return the ARN of the role that is assumed in an account."""
        return f"arn:{self.partition}:iam::{account}:role/{self.member_role}"


def defaults(stage: str, account: str, region: str, partition: str = "aws") -> dict[str, str]:
    """Return the environment of a stage: names are derived, none is looked up."""
    name = f"firebreak-{stage}"
    values = {
        "STAGE": stage,
        "HOME_ACCOUNT": account,
        "REGION": region,
        "PARTITION": partition,
        "REMEDIATIONS_TABLE": f"{name}-remediations",
        "AUDIT_TABLE": f"{name}-audit",
        "TOPIC_ARN": f"arn:{partition}:sns:{region}:{account}:{name}-notifications",
        "MEMBER_ROLE": f"{name}-member",
        "EXTERNAL_ID": name,
    }
    return {PREFIX + key: value for key, value in values.items()}


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. Raise InvalidSettings naming every variable that is missing or wrong."""
    env = os.environ if environ is None else environ
    missing = [PREFIX + name for name in ("STAGE", "HOME_ACCOUNT") if not env.get(PREFIX + name)]
    if missing:
        raise InvalidSettings(f"not set: {', '.join(missing)} (see docs/settings.md)")
    stage, account = env[PREFIX + "STAGE"], env[PREFIX + "HOME_ACCOUNT"]
    if not re.fullmatch(r"\d{12}", account):
        raise InvalidSettings(f"{PREFIX}HOME_ACCOUNT: {account!r} is not a 12-digit account id")
    region = env.get(PREFIX + "REGION") or env.get("AWS_REGION") or ""
    if not region:
        raise InvalidSettings(f"not set: {PREFIX}REGION or AWS_REGION")
    known = defaults(stage, account, region, env.get(PREFIX + "PARTITION") or "aws")
    return _settings({**known, **{k: v for k, v in env.items() if k.startswith(PREFIX)}})


def _settings(env: Mapping[str, str]) -> Settings:
    def value(name: str) -> str:
        return env.get(PREFIX + name, "")

    def values(name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in value(name).split(",") if part.strip())

    if value("MODE") not in ("", "observe", "approve"):
        raise InvalidSettings(
            f"{PREFIX}MODE: {value('MODE')!r}; empty, observe or approve is right"
        )
    return Settings(
        stage=value("STAGE"),
        home_account=value("HOME_ACCOUNT"),
        region=value("REGION"),
        partition=value("PARTITION"),
        remediations_table=value("REMEDIATIONS_TABLE"),
        audit_table=value("AUDIT_TABLE"),
        topic_arn=value("TOPIC_ARN"),
        member_role=value("MEMBER_ROLE"),
        external_id=value("EXTERNAL_ID"),
        accounts=values("ACCOUNTS") or ("*",),
        administrators=values("ADMINISTRATORS"),
        responders=values("RESPONDERS"),
        apply_samples=value("APPLY_SAMPLES") == "true",
        mode=value("MODE"),
        playbooks=value("PLAYBOOKS"),
        own_networks=_networks(values("OWN_NETWORKS")),
    )


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError as wrong:
            raise InvalidSettings(f"{PREFIX}OWN_NETWORKS: {wrong}") from wrong
    return values
