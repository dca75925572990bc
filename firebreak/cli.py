"""The `firebreak` command: one group or command per module of `commands/`."""

from __future__ import annotations

import os
import pkgutil
import sys
from importlib import import_module

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import FirebreakError
from chalicelib.text import readable
from firebreak import commands

ABSENT = ("ResourceNotFoundException", "NonExistentQueue", "QueueDoesNotExist")
LONGEST = 100_000  # characters of an error: every problem of many files has its line


class Commands(click.Group):
    """Find commands in the modules of `commands/`, importing one only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click calls it so
        """Return the names of all commands, sorted."""
        modules = pkgutil.iter_modules(commands.__path__)
        return sorted(module.name.replace("_", "-") for module in modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = import_module(f"firebreak.commands.{module}").command
        return command


@click.group(cls=Commands)
@click.version_option(package_name="firebreak")
def firebreak() -> None:
    """Contain security incidents on AWS: write playbooks, replay findings, see what was done."""


def main() -> None:
    """Run the command; an error is one clear line and exit status 1."""
    try:
        firebreak(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("firebreak: stopped; what was begun is finished by running it again", err=True)
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except FirebreakError as wrong:
        click.echo(f"firebreak: {readable(str(wrong), LONGEST)}", err=True)
        sys.exit(1)
    except (BotoCoreError, ClientError) as wrong:
        click.echo(f"firebreak: AWS: {readable(str(wrong), LONGEST)}{_hint(wrong)}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of a pipe went away: `firebreak … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as wrong:
        click.echo(f"firebreak: {wrong}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _hint(wrong: BotoCoreError | ClientError) -> str:
    """Return what to look at where AWS knows nothing of a stage's tables or queues."""
    code = wrong.response["Error"]["Code"] if isinstance(wrong, ClientError) else ""
    if not code.endswith(ABSENT):
        return ""
    return " (is there such a stage in this account and region? --stage and AWS_REGION name them)"


if __name__ == "__main__":
    main()
