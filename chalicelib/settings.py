"""The one place that reads the environment."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from chalicelib.errors import InvalidSettings
from chalicelib.fields import partition_of

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
    api_url: str = ""  # of the stage's API, for the desk; looked up where it is not given
    own_networks: tuple[str, ...] = ()  # public networks of one's own: IPv6 of the VPCs, BYOIP
    guardrails: str = ""  # another file than the packaged one
    firewall_log_buckets: tuple[str, ...] = ()  # from which log objects are read, and no others

    def state_machine_arn(self, playbook: str) -> str:
        """Return the ARN of a playbook's state machine."""
        name = f"firebreak-{self.stage}-{playbook}"
        return f"arn:{self.partition}:states:{self.region}:{self.home_account}:stateMachine:{name}"

    @property
    def retry_queue(self) -> str:
        """Return the name of the queue of events that are tried again."""
        return f"firebreak-{self.stage}-retry-intake"

    @property
    def dead_letters(self) -> str:
        """Return the name of the queue of events that nothing is tried with any more."""
        return f"firebreak-{self.stage}-dead-letters"

    def queue_url(self, name: str) -> str:
        """Return the URL of one of the stage's queues."""
        return f"https://sqs.{self.region}.{self.dns_suffix}/{self.home_account}/{name}"

    @property
    def dns_suffix(self) -> str:
        """Return what the host names of the partition's services end in."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @property
    def audit_bucket(self) -> str:
        """Return the name of the bucket that keeps the audit trail outside the tables."""
        return f"firebreak-{self.stage}-audit-{self.home_account}-{self.region}"

    @property
    def seal_key(self) -> str:
        """Return the alias of the key that signs the audit trail's seals."""
        return f"alias/firebreak-{self.stage}-seal"

    @property
    def state_bucket(self) -> str:
        """Return the name of the bucket that keeps what was deployed."""
        return f"firebreak-{self.stage}-state-{self.home_account}-{self.region}"

    @property
    def stage_key(self) -> str:
        """Return the alias of the key that encrypts what the stage stores."""
        return f"alias/firebreak-{self.stage}"

    @property
    def firewall_logs(self) -> str:
        """Return the name of the stream and of the destinations that firewalls log to."""
        return f"firebreak-{self.stage}-firewall-logs"

    def member_role_arn(self, account: str) -> str:
        """Return the ARN of the role that is assumed in an account."""
        return f"arn:{self.partition}:iam::{account}:role/{self.member_role}"


def defaults(stage: str, account: str, region: str, partition: str = "") -> dict[str, str]:
    """Return the environment of a stage: names are derived, none is looked up.

    partition: the region's, where it is not given.
    """
    name, partition = f"firebreak-{stage}", partition or partition_of(region)
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


# What each variable has to look like, and how that is said. Stages are part of longer names: one
# that ends like these would have names of another stage (dev-sweep: the function sweep of dev).
ENDINGS = ("accounts", "reconcile", "seal", "sweep")
ACCOUNT = "[0-9]{12}"
WANTED: Mapping[str, tuple[str, str]] = {
    "STAGE": (
        rf"(?!.*-({'|'.join(ENDINGS)})$)[a-z][a-z0-9-]{{0,18}}",
        "lower-case letters, digits and -, at most 19, such as dev, "
        f"that do not end in -{', -'.join(ENDINGS)}",
    ),
    "HOME_ACCOUNT": (ACCOUNT, "the 12-digit id of the security account"),
    "REGION": ("[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", "an AWS region, such as eu-west-1"),
    "PARTITION": ("aws(-[a-z]+)*", "an AWS partition: aws, aws-cn, aws-us-gov"),
    "REMEDIATIONS_TABLE": ("[A-Za-z0-9_.-]{3,255}", "the name of a DynamoDB table"),
    "AUDIT_TABLE": ("[A-Za-z0-9_.-]{3,255}", "the name of a DynamoDB table"),
    "TOPIC_ARN": ("arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+", "the ARN of an SNS topic"),
    "MEMBER_ROLE": ("[A-Za-z0-9+=,.@_/-]{1,512}", "the name of an IAM role"),
    "EXTERNAL_ID": (
        "[A-Za-z0-9+=,.@:/_-]{2,1224}",
        "2 to 1224 letters, digits and + = , . @ : / _ -",
    ),
    "ACCOUNTS": (f"\\*|{ACCOUNT}", "12-digit account ids with commas between, or *"),
    "ADMINISTRATORS": (ACCOUNT, "12-digit account ids with commas between"),
    "RESPONDERS": (
        r"[!-~]+",
        "ARNs of users and roles or names of roles, commas between, * allowed",
    ),
    "APPLY_SAMPLES": ("true|false", "true or false"),
    "MODE": ("observe|approve", "empty, observe or approve"),
    "PLAYBOOKS": (".+", "a folder"),
    "API_URL": ("https://[!-~]+", "the URL of an API, beginning with https://"),
    "GUARDRAILS": (".+", "a file"),
    "OWN_NETWORKS": (".+", "networks in CIDR notation with commas between"),
    "FIREWALL_LOG_BUCKETS": (
        "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "names of S3 buckets with commas between",
    ),
}
LISTS = ("ACCOUNTS", "ADMINISTRATORS", "RESPONDERS", "OWN_NETWORKS", "FIREWALL_LOG_BUCKETS")
API = "api_handler"  # the function that API Gateway invokes, under Chalice's name for it
FUNCTIONS = (
    "on_event",
    "run_step",
    "on_execution_ended",
    "ingest_firewall_logs",
    API,
    "retry_intake",
    "sweep",
    "reconcile",
    "keep_audit",
    "seal_audit",
)
NEEDED = ("STAGE", "HOME_ACCOUNT", "REGION")


def function_name(stage: str, function: str) -> str:
    """Return the name that Chalice gives to a function; the API's is the stage's own."""
    return f"firebreak-{stage}" if function == API else f"firebreak-{stage}-{function}"


def function_role(stage: str, function: str) -> str:
    """Return the name of the role that Chalice makes for a function."""
    return f"firebreak-{stage}-{function}"


def machine_role(stage: str) -> str:
    """Return the name of the role that the state machines have."""
    return f"firebreak-{stage}-machines"


def forwarding_rule(stage: str) -> str:
    """Return the name of the rule that forwards a member account's events, and of its queue."""
    return f"firebreak-{stage}-forwarding"


def forwarding_role(stage: str, region: str) -> str:
    """Return the name of the role in which the rule of a region forwards."""
    return f"{forwarding_rule(stage)}-{region}"


def take_home_from(function_arn: str) -> None:
    """Take the security account from the ARN of the function that runs, if it is not set."""
    os.environ.setdefault(f"{PREFIX}HOME_ACCOUNT", function_arn.split(":")[4])


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings. Raise InvalidSettings with a line for each variable that is wrong."""
    env = os.environ if environ is None else environ
    given = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in env.items()
        if name.startswith(PREFIX) and value.strip()
    }
    given.setdefault("REGION", env.get("AWS_REGION", "").strip())
    if problems := sorted(_problems(given)):
        raise InvalidSettings("\n".join(problems))
    known = defaults(
        given["STAGE"], given["HOME_ACCOUNT"], given["REGION"], given.get("PARTITION", "")
    )
    return _settings({name.removeprefix(PREFIX): value for name, value in known.items()} | given)


def _problems(given: Mapping[str, str]) -> Iterator[str]:
    for name in NEEDED:
        if not given.get(name):
            also = " (AWS_REGION is taken too)" if name == "REGION" else ""
            yield f"{PREFIX}{name}: is not set; give {WANTED[name][1]}{also}"
    for name, value in given.items():
        if name not in WANTED:
            near = difflib.get_close_matches(name, WANTED, n=1, cutoff=0.75)
            yield from (f"{PREFIX}{name}: is not known; did you mean {PREFIX}{n}?" for n in near)
            continue
        for part in _parts(value) if name in LISTS else (value,) if value else ():
            if not re.fullmatch(WANTED[name][0], part) or (
                name == "OWN_NETWORKS" and not _is_network(part)
            ):
                yield f"{PREFIX}{name}: is {part!r:.100}; give {WANTED[name][1]}"


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return True


def _own_roles(value: Callable[[str], str]) -> tuple[str, ...]:
    """Return Firebreak's own roles, each by its whole name: it must never lock itself out."""
    home = f"arn:{value('PARTITION')}:iam::{value('HOME_ACCOUNT')}:role/"
    names = [function_role(value("STAGE"), name) for name in FUNCTIONS]
    return (value("MEMBER_ROLE").rpartition("/")[2], *(home + name for name in names))


def _settings(given: Mapping[str, str]) -> Settings:
    def value(name: str) -> str:
        return given.get(name, "")

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
        accounts=_parts(value("ACCOUNTS")) or ("*",),
        administrators=_parts(value("ADMINISTRATORS")),
        responders=(*_parts(value("RESPONDERS")), *_own_roles(value)),
        apply_samples=value("APPLY_SAMPLES") == "true",
        mode=value("MODE"),
        playbooks=value("PLAYBOOKS"),
        api_url=value("API_URL"),
        own_networks=_parts(value("OWN_NETWORKS")),
        guardrails=value("GUARDRAILS"),
        firewall_log_buckets=_parts(value("FIREWALL_LOG_BUCKETS")),
    )
