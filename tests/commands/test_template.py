from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from chalicelib.errors import InvalidSettings
from firebreak import templates
from firebreak.cli import firebreak


def told(*arguments: str) -> str:
    """Return what a command prints."""
    result = CliRunner().invoke(firebreak, arguments, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return result.output


@pytest.mark.parametrize("name", templates.names())
def test_template_prints_a_template(name: str) -> None:
    """Each template is printed as JSON, for stage dev where none is named."""
    assert templates.build(name, templates.wanted("dev")) == json.loads(told("template", name))


def test_member_template_prints_the_member_s() -> None:
    """`firebreak member-template` is the template of member accounts."""
    assert told("template", "member", "--stage", "prod") == told(
        "member-template", "--stage", "prod"
    )
    assert "firebreak-prod-member" in told("member-template", "--stage", "prod")


def test_an_unknown_template_is_told_with_those_there_are() -> None:
    """A name that is none is one line that says what is right."""
    with pytest.raises(InvalidSettings, match=r"did you mean member\?.*data, firewall_logs"):
        told("template", "membr")


def test_a_stage_s_name_is_checked() -> None:
    """What is no name of a stage gets into no template."""
    with pytest.raises(InvalidSettings, match="the stage is 'Not A Stage'; give lower-case"):
        told("template", "member", "--stage", "Not A Stage")


def test_a_command_s_module_has_underscores_for_its_hyphens() -> None:
    """The command is found as `member-template`, and not by its module's name."""
    done = subprocess.run(  # our own interpreter, our own code
        [sys.executable, "-m", "firebreak.cli", "member_template"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 2 == done.returncode
    assert "No such command 'member_template'" in done.stderr
