"""Everything that can be wrong with a playbook, all of it at once: where, what, what is right.

Every check looks at the file as it is, and passes over what has the wrong shape: that is said
already. To add a check, add a function to CHECKS, here or beside the others of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chalicelib import durations, paths
from chalicelib.actions import Action
from chalicelib.errors import Invalid, InvalidPlaybook, Problem
from chalicelib.paths import suggest
from chalicelib.playbook import explain, reading, schema, steps
from chalicelib.playbook.draft import Draft, Found, listed, mapping, read_pattern
from chalicelib.playbook.values import KEEP, ROLL_BACK
from chalicelib.text import one_line

ENVELOPE = frozenset(
    "version id detail-type source account time region resources detail replay-name".split()
)
EXPIRING = frozenset({"deny_in_network_acl", "block_in_network_firewall"})
"""The actions that block addresses or domains: all that may end unasked."""
NO_MATCH = "no_playbook"
TAGGED = frozenset(
    "Instance AccessKey S3Bucket S3Object Lambda EBSVolume EBSSnapshot EC2Image RDSDBInstance "
    "AWS::EC2::Instance AWS::EC2::SecurityGroup AWS::EC2::Volume AWS::S3::Bucket "
    "AWS::IAM::User AWS::IAM::Role AWS::Lambda::Function AWS::RDS::DBInstance".split()
)
"""The types whose tags are read, as GuardDuty and AWS Config name them."""


def problems(
    places: Iterable[Path], events: Path | None, actions: Mapping[str, Action]
) -> list[Problem]:
    """Return everything that is wrong with the playbooks in these files and folders."""
    found: set[Problem] = set()
    for path in _files(places, found):
        try:
            document = reading.read(path)
        except InvalidPlaybook as invalid:
            found.update(invalid.problems)
            continue
        folder = events or path.resolve().parent.parent / "tests" / "events"
        draft = Draft(path, document, actions, folder)
        found.update(Problem(str(path), where, what) for where, what in _of(draft))
    return sorted(_on_one_line(each) for each in found)


def _on_one_line(problem: Problem) -> Problem:
    return Problem(problem.file, one_line(problem.path, 500), one_line(problem.message, 1_000))


def _files(places: Iterable[Path], found: set[Problem]) -> Iterator[Path]:
    for place in places:
        if not place.is_dir():
            yield place
            continue
        try:
            yield from reading.files(place)
            found.update(reading.strays(place))
        except InvalidPlaybook as invalid:
            found.update(invalid.problems)


def _of(draft: Draft) -> Found:
    yield from explain.shape_problems(draft.document)
    for check in CHECKS:
        yield from check(draft)


def _name(draft: Draft) -> Found:
    name = draft.document.get("name")
    if draft.file.suffix != ".yaml":
        yield "", f"is not read: rename it to {draft.file.stem}.yaml"
    if isinstance(name, str) and name != draft.file.stem:
        yield "name", f"is {name:.60}, but has to be the name of the file: {draft.file.stem}"


def _match(draft: Draft) -> Found:
    pattern = draft.document.get("match")
    if not isinstance(pattern, Mapping):
        return
    found, fields = read_pattern(pattern, "match")
    yield from found
    for path in sorted({path for alternative in fields for path in alternative}):
        name = path.partition(".")[0]
        if name not in ENVELOPE:
            yield f"match.{name:.60}", f"is in no event: {suggest(name, ENVELOPE)}"
    if any("source" not in alternative for alternative in fields):
        yield "match.source", "is missing: name the sources, such as [aws.guardduty]"


def _accounts(draft: Draft) -> Found:
    """Say where an account is a number: it would never match, for events have texts."""
    whens = {f"{place.path}.when": place.step.get("when") for place in draft.places()}
    for at, pattern in {"match": draft.document.get("match"), **whens}.items():
        for path, number in _leaves(pattern, at):
            if isinstance(number, int) and len(str(number)) == 12:
                yield path, f"is the number {number}: write an account as text, in quotes"


def _leaves(value: Any, at: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(each, f"{at}.{name:.60}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, f"{at}[{index}]")
    else:
        yield at, value


def _target(draft: Draft) -> Found:
    target = draft.document.get("target")
    if paths.is_path(target):
        yield from steps.paths_in(target, paths.roots({}), "target")


def _durations(draft: Draft) -> Found:
    guardrails = mapping(draft.document.get("guardrails"))
    given = {f"guardrails.{name}": value for name, value in guardrails.items()}
    given["guardrails.limit.per"] = mapping(guardrails.get("limit")).get("per")
    for path, value in given.items():
        name = path.rpartition(".")[2]
        if name not in ("cooldown", "per", "review_after", "expires_after", "approve_within"):
            continue
        if not isinstance(value, str) or not schema.is_duration(value):
            continue  # its shape is wrong, which is said
        try:
            if durations.seconds(value) == 0 and name != "cooldown":
                yield path, f"is {value}, but has to be more than nothing: {durations.WANTED}"
        except Invalid as wrong:
            yield path, str(wrong)


def _tags(draft: Draft) -> Found:
    """Say where a filter of tags could never match."""
    wanted = mapping(mapping(draft.document.get("guardrails")).get("exempt_tags"))
    for key, value in wanted.items():
        where = f"guardrails.exempt_tags.{key:.60}"
        if not 1 <= len(key) <= 128 or key != key.strip():
            yield where, "matches nothing: a tag has a key of 1 to 128 characters, no blanks around"
        elif isinstance(value, str) and value != value.strip():
            yield where, "matches nothing: a tag has no blanks around its value"
    kinds = _kinds(mapping(draft.document.get("match")))
    if wanted and kinds and not kinds & TAGGED:
        names = ", ".join(sorted(kinds))
        yield (
            "guardrails.exempt_tags",
            f"matches nothing: {names} has no tags to read: leave it out",
        )


def _kinds(match: Mapping[str, Any]) -> set[str]:
    """Return the types of resource that a pattern narrows itself to, as its source names them."""
    if match.get("source") == ["firebreak.network-firewall"]:
        return {"a firewall"}
    detail = mapping(match.get("detail"))
    named = detail.get("resourceType") or mapping(detail.get("resource")).get("resourceType")
    types = listed(named)
    return set(types) if all(isinstance(each, str) for each in types) else set()


def _expiry(draft: Draft) -> Found:
    if "expires_after" not in mapping(draft.document.get("guardrails")):
        return
    names = ", ".join(name for name in _containing(draft) if name not in EXPIRING)
    if names:
        what = f"is only for steps that block addresses or domains, not for {names}"
        yield "guardrails.expires_after", f"{what}: write review_after, and a person is asked"


def _failure(draft: Draft) -> Found:
    if draft.document.get("on_failure", KEEP) != ROLL_BACK:
        if "on_failure_reason" in draft.document:
            yield "on_failure_reason", "is only read with on_failure: roll_back: leave it out"
        return
    if "on_failure_reason" not in draft.document:
        yield "on_failure_reason", "is missing: roll_back needs a written reason"
    if names := ", ".join(_containing(draft)):
        yield "on_failure", f"roll_back is never for containing steps ({names}): write keep"


def _containing(draft: Draft) -> list[str]:
    """Return the names of the containing actions that the steps use."""
    used = (draft.action(place) for place in draft.places())
    return sorted({action.name for action in used if action and action.contains})


def _examples(draft: Draft) -> Found:
    examples = [mapping(each) for each in listed(draft.document.get("examples"))]
    decisions = [mapping(each.get("expect")).get("decision") for each in examples]
    if examples and NO_MATCH not in decisions:
        yield "examples", f"have no event that does not match: add one with {NO_MATCH}"
    if examples and all(decision == NO_MATCH for decision in decisions):
        yield "examples", "have no event that matches: add one"
    for index, example in enumerate(examples):
        yield from _example(draft, example, f"examples[{index}]")


def _example(draft: Draft, example: Mapping[str, Any], at: str) -> Found:
    event = example.get("event")
    if isinstance(event, str) and schema.is_event(event) and not (draft.events / event).is_file():
        yield f"{at}.event", f"is no file under {draft.events.name}: {_beside(draft, event)}"
    names = {place.name for place in draft.places()} - {""}
    for name in mapping(mapping(example.get("expect")).get("steps")):
        if name not in names:
            yield f"{at}.expect.steps.{name:.60}", f"is no step: {suggest(name, names)}"


def _beside(draft: Draft, event: str) -> str:
    folder = draft.events / event.rpartition("/")[0]
    known = [path.name for path in folder.glob("*.json")] if folder.is_dir() else []
    return suggest(event.rpartition("/")[2], known) if known else "record the event there"


CHECKS: tuple[Callable[[Draft], Found], ...] = (
    _name,
    _match,
    _accounts,
    _target,
    _durations,
    _tags,
    _expiry,
    _failure,
    _examples,
    *steps.CHECKS,
)
