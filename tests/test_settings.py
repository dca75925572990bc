from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.errors import InvalidSettings
from chalicelib.settings import FUNCTIONS, PREFIX, WANTED, Settings, defaults, from_environment

ROOT = Path(__file__).resolve().parents[1]
LEAST = {"STAGE": "dev", "HOME_ACCOUNT": "111122223333", "REGION": "eu-west-1"}


def read(**variables: str) -> Settings:
    """Return the settings of the least environment with some variables changed."""
    given = {f"{PREFIX}{name}": value for name, value in {**LEAST, **variables}.items()}
    return from_environment({"HOME": "/root", **given})


def problems(**variables: str) -> list[str]:
    """Return the lines of what is wrong with variables."""
    with pytest.raises(InvalidSettings) as invalid:
        read(**variables)
    return str(invalid.value).splitlines()


def test_the_least_that_is_needed() -> None:
    """From stage, account and region all names are derived; nothing is allowed beyond them."""
    settings = read()

    assert (
        Settings(
            stage="dev",
            home_account="111122223333",
            region="eu-west-1",
            partition="aws",
            remediations_table="firebreak-dev-remediations",
            audit_table="firebreak-dev-audit",
            topic_arn="arn:aws:sns:eu-west-1:111122223333:firebreak-dev-notifications",
            member_role="firebreak-dev-member",
            external_id="firebreak-dev",
            responders=own_roles("firebreak-dev-member", "aws"),
        )
        == settings
    )
    assert "arn:aws:iam::222233334444:role/firebreak-dev-member" == settings.member_role_arn(
        "222233334444"
    )
    assert settings.state_machine_arn("contain") == (
        "arn:aws:states:eu-west-1:111122223333:stateMachine:firebreak-dev-contain"
    )


def own_roles(member: str, partition: str) -> tuple[str, ...]:
    """Return the roles of Firebreak's own, which are always responders."""
    home = f"arn:{partition}:iam::111122223333:role/firebreak-dev-"
    return (member, *(home + name for name in FUNCTIONS))


def test_every_variable_is_read() -> None:
    """Each variable has its field, lists are parted at commas, and blanks do not count."""
    settings = read(
        PARTITION="aws-cn",
        REMEDIATIONS_TABLE="state",
        AUDIT_TABLE="trail",
        TOPIC_ARN="arn:aws-cn:sns:cn-north-1:111122223333:topic",
        MEMBER_ROLE="path/role",
        EXTERNAL_ID="secret:1",
        ACCOUNTS=" 222233334444 , 333344445555,",
        ADMINISTRATORS="444455556666",
        RESPONDERS="arn:aws:iam::*:role/break-glass*, responder",
        APPLY_SAMPLES="true",
        MODE="approve",
        PLAYBOOKS="/var/task/mine",
        OWN_NETWORKS="203.0.113.0/24,2001:db8::/32",
    )

    assert ("aws-cn", "state", "trail", "path/role", "secret:1") == (
        settings.partition,
        settings.remediations_table,
        settings.audit_table,
        settings.member_role,
        settings.external_id,
    )
    assert ("222233334444", "333344445555") == settings.accounts
    assert ("444455556666",) == settings.administrators
    asked = ("arn:aws:iam::*:role/break-glass*", "responder")
    assert (*asked, *own_roles("role", "aws-cn")) == settings.responders
    assert (True, "approve", "/var/task/mine") == (
        settings.apply_samples,
        settings.mode,
        settings.playbooks,
    )
    assert ("203.0.113.0/24", "2001:db8::/32") == settings.own_networks


WRONG = [
    ("STAGE", "Dev", "lower-case"),
    ("STAGE", "a" * 20, "at most 19"),
    ("STAGE", "a_b", "lower-case"),
    ("STAGE", "dev-sweep", "do not end in -accounts, -reconcile, -seal, -sweep"),
    ("HOME_ACCOUNT", "12345", "12-digit"),
    ("HOME_ACCOUNT", "١١١١٢٢٢٢٣٣٣٣", "12-digit"),
    ("REGION", "Ireland", "an AWS region"),
    ("PARTITION", "amazon", "an AWS partition"),
    ("REMEDIATIONS_TABLE", "a table", "DynamoDB table"),
    ("AUDIT_TABLE", "x", "DynamoDB table"),
    ("TOPIC_ARN", "topic", "ARN of an SNS topic"),
    ("MEMBER_ROLE", "a role", "IAM role"),
    ("EXTERNAL_ID", "x", "2 to 1224"),
    ("ACCOUNTS", "111122223333,12", "12-digit account ids with commas"),
    ("ACCOUNTS", "**", "or *"),
    ("ADMINISTRATORS", "*", "12-digit account ids with commas"),
    ("RESPONDERS", "arn:aws:iam::*:user/a b", "ARNs of users and roles"),
    ("APPLY_SAMPLES", "True", "true or false"),
    ("APPLY_SAMPLES", "yes", "true or false"),
    ("MODE", "enforce", "observe or approve"),
    ("MODE", "Observe", "observe or approve"),
    ("OWN_NETWORKS", "10.0.0.1/8", "CIDR"),
    ("OWN_NETWORKS", "10.0.0.0/8, nowhere", "CIDR"),
]


@pytest.mark.parametrize(("name", "value", "right"), WRONG)
def test_a_wrong_variable_is_one_clear_line(name: str, value: str, right: str) -> None:
    """Each wrong variable is named with its value and what would be right, on a line of its own."""
    (line,) = problems(**{name: value})

    assert line.startswith(f"{PREFIX}{name}: is ")
    assert right in line
    assert len(line) < 300


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", ["", "  "])
def test_a_missing_variable_is_one_clear_line(name: str, value: str) -> None:
    """A needed variable that is empty is as good as not set, and said so."""
    (line,) = problems(**{name: value})

    assert line.startswith(f"{PREFIX}{name}: is not set; give ")


def test_everything_wrong_is_told_at_once() -> None:
    """Nobody has to deploy three times to learn of three mistakes."""
    with pytest.raises(InvalidSettings) as invalid:
        from_environment({f"{PREFIX}MODE": "off", f"{PREFIX}ACCOUNTS": "all,1"})
    lines = str(invalid.value).splitlines()

    assert ["ACCOUNTS", "ACCOUNTS", "HOME_ACCOUNT", "MODE", "REGION", "STAGE"] == [
        line.removeprefix(PREFIX).partition(":")[0] for line in lines
    ]


@pytest.mark.parametrize(
    ("name", "meant"), [("RESPONDER", "RESPONDERS"), ("ACOUNTS", "ACCOUNTS"), ("MODES", "MODE")]
)
def test_a_misspelt_variable_is_not_passed_over(name: str, meant: str) -> None:
    """A responder who is not protected because of a typing error is found at the start."""
    assert [f"{PREFIX}{name}: is not known; did you mean {PREFIX}{meant}?"] == problems(
        **{name: "x"}
    )


def test_variables_of_others_are_left_alone() -> None:
    """What is not Firebreak's, or is a name of its own, is nobody's mistake."""
    assert "dev" == read(SOMETHING_ELSE_ALTOGETHER="x").stage


def test_the_region_may_come_from_lambda() -> None:
    """Lambda says its region; an empty variable of ours does not hide it."""
    given = {f"{PREFIX}{name}": value for name, value in LEAST.items() if name != "REGION"}
    for empty in ({}, {f"{PREFIX}REGION": ""}):
        settings = from_environment({**given, **empty, "AWS_REGION": "us-west-2"})

        assert "us-west-2" == settings.region
        assert ":us-west-2:" in settings.topic_arn


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_is_the_regions(region: str, partition: str) -> None:
    """In China and GovCloud every ARN is of their partition without being told."""
    settings = read(REGION=region)

    assert partition == settings.partition
    assert settings.topic_arn.startswith(f"arn:{partition}:")


def test_defaults_are_right_settings() -> None:
    """The environment that a deployment derives is one that the functions take."""
    made = defaults("dev", "111122223333", "eu-west-1")

    assert read() == from_environment(made)


def test_every_variable_is_documented() -> None:
    """docs/settings.md names every variable that is read."""
    text = (ROOT / "docs/settings.md").read_text("utf-8")

    assert [] == [name for name in WANTED if f"`{PREFIX}{name}`" not in text]
