"""`firebreak playbook promote`, against a stage in the embedded AWS."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chalicelib import playbook
from firebreak.cli import firebreak
from firebreak.stage import Stage
from tests.guarded import admitted, guarded, made, on_instance

EVENTS = Path(__file__).parents[1] / "events"
OBSERVED = """# Keep the evidence.
name: keep
title: "Keep"   # in two words
match: {source: [aws.guardduty]}
target: $.finding.resource
guardrails:
  # watched since yesterday
  mode: observe   # not yet
  cooldown: 1h
  limit: {count: 2, per: 1h}
steps:
  - name: hold
    action: protect_from_termination
    with: {instance_id: $.finding.resource.id}
examples:
  - {event: guardduty/crypto_currency_ec2.json, expect: {decision: planned}}
  - {event: config/s3_public_read_noncompliant.json, expect: {decision: no_playbook}}
"""


def run(*arguments: str | Path, answer: str = "y\n") -> Result:
    return CliRunner().invoke(firebreak, [str(each) for each in arguments], input=answer)


def written(folder: Path, text: str = OBSERVED) -> Path:
    """Return the folder of a playbook whose file says this, its examples' events beside it."""
    place = folder / "playbooks"
    place.mkdir(exist_ok=True)
    if not (folder / "tests").exists():
        (folder / "tests").mkdir()
        (folder / "tests" / "events").symlink_to(EVENTS)
    (place / "keep.yaml").write_bytes(text.encode())
    return place


def observe(stage: Stage, *numbers: int) -> None:
    for number in numbers:
        assert "planned" == admitted(stage, made(stage, on_instance(number))).status


def test_an_observed_playbook_is_shown_and_promoted(tmp_path: Path) -> None:
    """What it would have done is told, then its mode is changed in its file, and nothing else."""
    place = written(tmp_path)
    with guarded(tmp_path, {}, playbook.load(place)) as stage:
        observe(stage, 1, 2, 3, 1)
        result = run("playbook", "promote", "keep", "--folder", place)

        assert 0 == result.exit_code
        assert "4 remediations were planned" in result.output
        assert "1 of them would have been repeats" in result.output
        assert "target  instance/i-00000000000000001  (2 times)" in result.output
        assert "account  222233334444 us-east-1  (4 times)" in result.output
        assert "step hold (protect_from_termination): 4 planned" in result.output
        assert "ec2.modify_instance_attribute" in result.output
        assert "limit playbook/keep (2 per 1h) would have tripped" in result.output
        assert "by instance/i-00000000000000003" in result.output
        assert "Its examples expect planned" in result.output
        assert (
            OBSERVED.replace("mode: observe", "mode: approve").encode()
            == (place / "keep.yaml").read_bytes()
        )
        assert ["keep.yaml"] == [path.name for path in place.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "wanted"), [((), "enforce"), (("--to", "enforce", "--yes"), "enforce")]
)
def test_one_step_at_a_time(tmp_path: Path, arguments: tuple[str, ...], wanted: str) -> None:
    """From approve it goes to enforce; what was observed of the same content counts still."""
    place = written(tmp_path)
    with guarded(tmp_path, {}, playbook.load(place)) as stage:
        observe(stage, 1)
        written(tmp_path, OBSERVED.replace("mode: observe", "mode: approve"))
        result = run("playbook", "promote", "keep", "--folder", place, *arguments)

        assert 0 == result.exit_code, result.output
        assert wanted == playbook.load(place)["keep"].guardrails.mode


def test_what_was_observed_of_another_content_does_not_count(tmp_path: Path) -> None:
    """A playbook that was changed since has shown nothing yet."""
    place = written(tmp_path)
    with guarded(tmp_path, {}, playbook.load(place)) as stage:
        observe(stage, 1)
        written(tmp_path, OBSERVED.replace("cooldown: 1h", "cooldown: 2h"))
        result = run("playbook", "promote", "keep", "--folder", place)
        unseen = run("playbook", "promote", "keep", "--folder", place, "--unseen")

        assert 1 == result.exit_code
        assert "1 more were of another content" in result.output
        assert "nothing that keep would have done was observed" in result.output
        assert 0 == unseen.exit_code
        assert "approve" == playbook.load(place)["keep"].guardrails.mode


def test_what_is_older_does_not_count(tmp_path: Path) -> None:
    """Only what was observed since then is evidence."""
    place = written(tmp_path)
    with guarded(tmp_path, {}, playbook.load(place)) as stage:
        observe(stage, 1)
        stage.desk.clock.sleep(3 * 86_400)
        found = [
            run("playbook", "promote", "keep", "--folder", place, "--since", since, answer="n\n")
            for since in ("2d", "4d")
        ]

        assert "was observed in the last 2d" in found[0].output
        assert "Nothing was changed." in found[1].output


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        (OBSERVED, ("other",), "other is no playbook"),
        (OBSERVED, ("keep", "--to", "observe"), "is not one of"),
        (OBSERVED.replace("observe", "enforce"), ("keep",), "is set to enforce already"),
        (OBSERVED.replace("observe", "approve"), ("keep", "--to", "approve"), "is no step up"),
        (OBSERVED.replace("cooldown: 1h", "cooldown: soon"), ("keep",), "guardrails.cooldown"),
        (OBSERVED, ("keep", "--since", "soon"), "is no duration"),
    ],
)
def test_what_cannot_be_promoted(
    tmp_path: Path, text: str, arguments: tuple[str, ...], said: str
) -> None:
    """What is wrong is one clear line, and the file stays as it is."""
    place = written(tmp_path, text)
    with guarded(tmp_path, {}):
        result = run("playbook", "promote", *arguments, "--folder", place)

        assert 0 != result.exit_code
        assert said in f"{result.output} {result.exception}"
        assert text.encode() == (place / "keep.yaml").read_bytes()


def test_who_says_no_changes_nothing(tmp_path: Path) -> None:
    """Without a yes the file stays as it is."""
    place = written(tmp_path)
    with guarded(tmp_path, {}, playbook.load(place)) as stage:
        observe(stage, 1)
        result = run("playbook", "promote", "keep", "--folder", place, answer="n\n")

        assert (1, True) == (result.exit_code, "Nothing was changed." in result.output)
        assert OBSERVED.encode() == (place / "keep.yaml").read_bytes()


BLOCK = OBSERVED[OBSERVED.index("guardrails:") : OBSERVED.index("steps:")]


@pytest.mark.parametrize(
    ("guardrails", "wanted"),
    [
        ("guardrails:\n  cooldown: 1h # x\n", "guardrails:\n  mode: approve\n  cooldown: 1h # x\n"),
        ("guardrails: {cooldown: 1h}\n", "guardrails: {mode: approve, cooldown: 1h}\n"),
        ("guardrails: {}\n", "guardrails: {mode: approve}\n"),
        ('guardrails: {mode: "observe"}\n', "guardrails: {mode: approve}\n"),
    ],
)
def test_a_mode_is_written_where_it_belongs(tmp_path: Path, guardrails: str, wanted: str) -> None:
    """Where the file leaves the mode out it is put in; the rest keeps its layout, CRLF too."""
    for newline in ("\n", "\r\n"):
        text = OBSERVED.replace(BLOCK, guardrails).replace("\n", newline)
        place = written(tmp_path, text)
        with guarded(tmp_path, {}, playbook.load(place)):
            result = run("playbook", "promote", "keep", "--folder", place, "--unseen", "--yes")

        assert 0 == result.exit_code, result.output
        assert (
            OBSERVED.replace(BLOCK, wanted).replace("\n", newline).encode()
            == (place / "keep.yaml").read_bytes()
        )


@pytest.mark.parametrize("mode", ["mode: >-\n    observe", "mode: |-\n    observe"])
def test_a_mode_that_cannot_be_changed_alone_is_left_to_a_person(tmp_path: Path, mode: str) -> None:
    """It is said of the file that there is; nothing is written, nothing left beside it."""
    text = OBSERVED.replace("mode: observe   # not yet", mode)
    place = written(tmp_path, text)
    with guarded(tmp_path, {}, playbook.load(place)):
        result = run("playbook", "promote", "keep", "--folder", place, "--unseen", "--yes")

    assert f"{place / 'keep.yaml'}: its mode could not be changed alone" in str(result.exception)
    assert text.encode() == (place / "keep.yaml").read_bytes()
    assert ["keep.yaml"] == [path.name for path in place.iterdir()]


def test_a_file_without_guardrails_gets_them(tmp_path: Path) -> None:
    """The default is observe: the guardrails that change it are written."""
    place = written(tmp_path, OBSERVED.replace(BLOCK, ""))
    with guarded(tmp_path, {}, playbook.load(place)):
        result = run("playbook", "promote", "keep", "--folder", place, "--unseen", "--yes")

        assert 0 == result.exit_code, result.output
        assert "approve" == playbook.load(place)["keep"].guardrails.mode
        assert "# Keep the evidence.\n" in (place / "keep.yaml").read_text()
