import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib import paths, playbook, sources
from chalicelib.actions import Action, actions
from chalicelib.errors import Corrupt, InvalidPlaybook, Problem
from chalicelib.parameters import CIDRS, INSTANCE_ID
from chalicelib.pattern import EventPattern
from chalicelib.playbook import Guardrails, Limit, Parallel, Playbook, Step, reading, schema


def fake(
    name: str,
    *,
    facts: tuple[str, ...] = (),
    contains: bool = True,
    final: str | None = None,
    **params: Any,
) -> Action:
    return Action(
        name, lambda: None, params, (), facts, "resource", contains, final, {}, f"Do {name}."
    )


KNOWN = {
    action.name: action
    for action in (
        fake("isolate_instance", facts=("interfaces",), instance_id=INSTANCE_ID,
             cut_tracked={"enum": ["none", "two_step"], "default": "none"}),
        fake("deny_in_network_acl", facts=("entries",), cidrs=CIDRS),
        fake("delete_thing", final="deleted for good", names={"type": "object", "default": {}}),
        fake("notify", contains=False, subject={"type": "string", "description": "a few words"},
             text={"type": "string", "default": ""},
             severity={"type": ["number", "null"], "maximum": 10, "default": None}),
    )
}  # fmt: skip

GOOD = """
name: good
title: A good playbook
match:
  source: [aws.guardduty]
  detail: {severity: [{numeric: [">=", 7]}]}
target: $.finding.resource
steps:
  - {name: isolate, action: isolate_instance, with: {instance_id: $.finding.resource.id}}
  - parallel:
      - name: deny
        action: deny_in_network_acl
        with: {cidrs: $.finding.remote_cidrs}
        when: {finding: {direction: [OUTBOUND]}, steps: {isolate: {interfaces: [{exists: true}]}}}
      - {name: tell, action: notify, with: {subject: "Isolated {$.steps.isolate.interfaces}"}}
  - name: each
    action: notify
    with: {subject: "{$.item.kind}", text: $.item.value, severity: 7.5}
    for_each: $.finding.indicators
examples:
  - {event: a/yes.json, expect: {decision: remediated, steps: {deny: skipped}}}
  - {event: a/no.json, expect: {decision: no_playbook}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder of playbooks, with two events beside it."""
    events = tmp_path / "tests" / "events" / "a"
    events.mkdir(parents=True)
    for name in ("yes", "no"):
        (events / f"{name}.json").write_text("{}")
    (tmp_path / "playbooks").mkdir()
    return tmp_path / "playbooks"


def problems(folder: Path) -> list[tuple[str, str, str]]:
    found = playbook.problems([folder], registry=KNOWN)
    return [(Path(each.file).name, each.path, each.message) for each in found]


def changed(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(GOOD)
    for path, value in changes.items():
        *way, last = (int(part) if part.isdigit() else part for part in path.split("__"))
        node: Any = document
        for part in way:
            node = node.setdefault(part, {}) if isinstance(node, dict) else node[part]
        node[last] = value
    return document


# --- loading --------------------------------------------------------------------------------------


def test_a_good_playbook_has_no_problems_and_is_loaded(folder: Path) -> None:
    """Every part of a playbook is read, with defaults for what it does not say."""
    (folder / "good.yaml").write_text(GOOD)
    assert problems(folder) == []

    found = playbook.load(folder, validate=True, registry=KNOWN)["good"]
    assert found.guardrails == Guardrails("observe", 3_600, None, {}, None, None, 14_400)
    assert (found.on_failure, found.target) == ("keep", "$.finding.resource")
    assert [type(entry) for entry in found.steps] == [Step, Parallel, Step]
    assert [step.name for step in found.all_steps()] == ["isolate", "deny", "tell", "each"]
    assert found.step("deny").when is not None
    assert found.step("each").for_each == "$.finding.indicators"
    assert found.examples[0].steps == {"deny": "skipped"}


def test_a_failure_is_passed_over_only_where_the_action_does_not_contain(folder: Path) -> None:
    """Messages and evidence go on by default, containment stops; a playbook may say otherwise."""
    document = changed(steps__0__on_error="continue")
    (folder / "good.yaml").write_text(yaml.safe_dump(document))
    found = playbook.load(folder, registry=KNOWN)["good"]
    said = {step.name: step.on_error for step in found.all_steps()}
    assert said == {"isolate": "continue", "deny": "stop", "tell": "continue", "each": "continue"}


def test_guardrails_are_read_in_seconds(folder: Path) -> None:
    """Durations and the limit come as numbers."""
    given_ = {
        "mode": "enforce", "cooldown": "7h", "limit": {"count": 10, "per": "1h"},
        "exempt_tags": {"firebreak": "exempt"}, "review_after": "72h", "approve_within": "30m",
    }  # fmt: skip
    (folder / "good.yaml").write_text(yaml.safe_dump(changed(guardrails=given_)))
    found = playbook.load(folder, validate=True, registry=KNOWN)["good"].guardrails
    tags = {"firebreak": "exempt"}
    assert found == Guardrails("enforce", 25_200, Limit(10, 3_600), tags, 259_200, None, 1_800)


def test_the_indicators_are_what_steps_act_upon(folder: Path) -> None:
    """Whole values of remote ends and detail count, the target and mentions in texts do not."""
    (folder / "good.yaml").write_text(GOOD)
    found = playbook.load(folder, registry=KNOWN)["good"]
    assert found.indicators == ("$.finding.indicators", "$.finding.remote_cidrs")


def test_a_playbook_goes_into_a_record_and_back(folder: Path) -> None:
    """What is stored with a remediation is the playbook, and reads as a playbook's file would."""
    document = changed(
        description="Long.",
        guardrails={"limit": {"count": 1, "per": "90s"}, "exempt_tags": {"a": "b"}},
        steps__0__accept_irreversible=True,
        on_failure_reason="there is a reason",
    )
    (folder / "good.yaml").write_text(yaml.safe_dump(document))
    found = playbook.load(folder, registry=KNOWN)["good"]

    stored = json.loads(json.dumps(playbook.document(found)))
    assert playbook.from_document(stored) == found
    assert playbook.from_document(stored).version == found.version
    stored.pop("on_failure_reason")
    (folder / "good.yaml").write_text(yaml.safe_dump(stored))
    assert problems(folder) == []


def test_the_version_changes_with_the_content() -> None:
    """Two playbooks that differ in one step have different versions, the same ones the same."""
    first = Playbook("p", "t", {"a": ["b"]}, "$.finding.id", (Step("s", "a"),))
    same = Playbook("p", "t", {"a": ["b"]}, "$.finding.id", (Step("s", "a"),))
    other = Playbook("p", "t", {"a": ["b"]}, "$.finding.id", (Step("s", "b"),))
    assert first.version == same.version != other.version
    assert len(first.version) == 16


@pytest.mark.parametrize(
    "stored", [{}, {"name": "x"}, [], None, changed(steps=5), changed(match=[1])]
)
def test_a_record_that_is_no_playbook_is_corrupt(stored: Any) -> None:
    """What was not written by `document` is refused by name."""
    with pytest.raises(Corrupt):
        playbook.from_document(stored)


def test_loading_needs_no_jsonschema() -> None:
    """What runs in Lambda reads playbooks without the library that validates them."""
    code = (
        "import sys; from chalicelib import playbook; playbook.load();"
        "sys.exit('jsonschema' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603  # our own code

    assert 0 == done.returncode


def test_loading_refuses_another_name_than_the_files(folder: Path) -> None:
    """Also unvalidated, two files cannot both be one playbook."""
    (folder / "other.yaml").write_text(GOOD)
    with pytest.raises(InvalidPlaybook, match="name of the file: other"):
        playbook.load(folder, registry=KNOWN)


def test_loading_lists_the_problems_of_every_file(folder: Path) -> None:
    """One exception names every file and everything wrong with it."""
    (folder / "a.yaml").write_text("a: [")
    (folder / "b.yaml").write_text("name: b")
    with pytest.raises(InvalidPlaybook) as refused:
        playbook.load(folder, registry=KNOWN)
    assert [Path(each.file).name for each in refused.value.problems] == ["a.yaml", "b.yaml"]
    with pytest.raises(InvalidPlaybook) as refused:
        playbook.load(folder, validate=True, registry=KNOWN)
    assert {each.path for each in refused.value.problems} >= {"", "title", "match", "steps"}


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """No playbooks at all is never the answer to a wrong path."""
    with pytest.raises(InvalidPlaybook, match="cannot be read as a folder"):
        playbook.load(tmp_path / "nowhere", registry=KNOWN)
    found = playbook.problems([tmp_path / "nowhere"], registry=KNOWN)
    assert "No such file" in found[0].message


# --- files ----------------------------------------------------------------------------------------

FILES = [
    ("not UTF-8", b"name: good\ntitle: \xff", "line 2: is not UTF-8"),
    ("syntax", b"name: good\ntitle: [", "line 3: is no YAML"),
    ("tab", b"name:\n\t- x", "line 2: is no YAML"),
    ("empty", b"", "is empty"),
    ("only comments", b"# nothing\n", "is empty"),
    ("a list", b"- name: good", "has to be one object"),
    ("a text", b"good", "has to be one object"),
    ("a key twice", b"name: good\ntitle: x\nname: good", "line 3: 'name' is given twice: keep one"),
    ("a key twice, deep", b"a: {b: {c: 1, c: 2}}", "line 1: 'c' is given twice"),
    ("a key that is no text", b"1: x", "line 1: a key has to be a text"),
    ("a key that is a list", b"? [a]\n: x", "line 1: a key has to be a text"),
    ("an alias", b"a: &x [1]\nb: *x", "line 2: *x is an alias: write the value out"),
    ("an alias of itself", b"a: &x [*x]", "is an alias"),
    (
        "an alias bomb",
        b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]",
        "line 2: *a is an alias",
    ),
    ("a tag", b"a: !!python/object/apply:os.system [id]", "is a tag: leave it out"),
    ("binary", b"a: !!binary aGk=", "is a tag"),
    ("two documents", b"a: b\n---\nc: d", "is no YAML"),
    ("too deep", b"[" * 10_000, "is nested more than 32 deep"),
    ("too large", b"#" * 200_000, "is larger than 131,072 bytes"),
    ("a control character", b"a: \x00", "is no YAML"),
    ("half a surrogate pair", b'a: "\\ud800"', "line 1: "),
    ("a reserved character", b'a: "\\ue000"', "line 1: holds a character that is reserved"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_that_cannot_be_read_says_where(folder: Path, content: bytes, message: str) -> None:
    """Whatever a file holds, the problem names the line and what to do."""
    (folder / "good.yaml").write_bytes(content)
    ((file, path, found),) = problems(folder)
    assert (file, path) == ("good.yaml", "")
    assert message in found
    with pytest.raises(InvalidPlaybook):
        playbook.load(folder, registry=KNOWN)


def test_texts_stay_texts(tmp_path: Path) -> None:
    """What YAML 1.1 would turn into booleans, dates or octal numbers is read as it is written."""
    path = tmp_path / "x.yaml"
    path.write_text(
        "{a: no, b: on, c: 2026-11-21, d: 1:30, e: 012345678901, f: 0x1f, g: .inf, h: 1_0, i: y, "
        f"j: {'9' * 5_000}, k: 1e999, <<: '=', l: true, m: 7, n: -1.5, o: null, p: 1e3, q: '7'}}"
    )
    found = reading.read(path)
    texts = {"a": "no", "b": "on", "c": "2026-11-21", "d": "1:30", "e": "012345678901"}
    texts |= {"f": "0x1f", "g": ".inf", "h": "1_0", "i": "y", "j": "9" * 5_000, "k": "1e999"}
    rest = {"l": True, "m": 7, "n": -1.5, "o": None, "p": 1_000.0, "q": "7", "<<": "="}
    assert found == texts | rest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("good.yml", "rename it to good.yaml"),
        ("good.YAML", "rename it to good.yaml"),
        ("good.json", "rename it to good.yaml"),
    ],
)
def test_a_file_that_would_be_passed_over_is_a_problem(
    folder: Path, name: str, message: str
) -> None:
    """A playbook that nobody reads protects nobody."""
    (folder / name).write_text(GOOD)
    ((file, _, found),) = problems(folder)
    assert file == name
    assert message in found
    alone = playbook.problems([folder / name], registry=KNOWN)
    assert [message in each.message for each in alone] == [True]


def test_folders_are_a_problem_and_other_files_are_not(folder: Path) -> None:
    """Playbooks lie side by side; a README may lie among them."""
    (folder / "README.md").write_text("# Playbooks")
    (folder / ".hidden.yml").write_text("")
    (folder / "more").mkdir()
    (folder / "odd.yaml").mkdir()
    found = {file: message for file, _, message in problems(folder)}
    assert set(found) == {"more", "odd.yaml"}
    assert "cannot be read" in found["odd.yaml"]


def test_a_link_to_nowhere_is_a_problem(folder: Path) -> None:
    """A dangling link, or one to itself, is said to be unreadable."""
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    assert ["cannot be read" in message for _, _, message in problems(folder)] == [True, True]


# --- every kind of problem ------------------------------------------------------------------------

STEP = {"name": "isolate", "action": "isolate_instance", "with": {"instance_id": "$.item"}}
TELL = {"name": "tell", "action": "notify", "with": {"subject": "x"}}


def step(**more: Any) -> dict[str, Any]:
    return {"name": "one", "action": "notify", "with": {"subject": "x"}, **more}


def one(path: str = "", /, **more: Any) -> dict[str, Any]:
    """Return the changes that make a playbook of one step, without expectations of the others."""
    return {"steps": [step(**more)], "examples__0__expect": {"decision": "remediated"}}


def wide(**parameters: Any) -> dict[str, Any]:
    return one(**{"with": {"subject": "x", **parameters}})


PROBLEMS: list[tuple[str, dict[str, Any], str, str]] = [
    # the shape
    ("an unknown key", {"stepss": []}, "stepss", "did you mean steps?"),
    ("a missing title", {"title": None}, "title", "is null, but has to be a text"),
    ("an empty title", {"title": ""}, "title", "is too short: one line for people"),
    ("a title that is a list", {"title": ["x"]}, "title", 'is ["x"], but has to be a text'),
    ("a bad name", {"name": "Good-One"}, "name", "lower-case letters, digits and _"),
    ("a target that is no path", {"target": "resource"}, "target", "such as $.finding.resource"),
    ("no steps", {"steps": []}, "steps", "is too short: at least one step"),
    ("steps that are an object", {"steps": {}}, "steps", "has to be a list"),
    ("a step that is a text", {"steps__0": "isolate"}, "steps[0]", "has to be an object"),
    ("a step without a name", {"steps__0": {"action": "notify"}}, "steps[0].name", "is missing"),
    ("a step without action", {"steps__0": {"name": "isolate"}}, "steps[0].action", "is missing"),
    ("an unknown key of a step", {"steps__0__parms": {}}, "steps[0].parms", "is not known here"),
    ("a bad step name", {"steps__2__name": "Each-1"}, "steps[2].name", "at most 40"),
    ("an empty parallel", {"steps__1": {"parallel": []}}, "steps[1].parallel", "at least one step"),
    ("a nested parallel", {"steps__1__parallel__1": {"parallel": [TELL]}},
     "steps[1].parallel[1].parallel", "is not known here"),
    ("a parallel with a name", {"steps__1__name": "x"}, "steps[1].name", "there is parallel"),
    ("an unknown on_error", {"steps__0__on_error": "ignore"}, "steps[0].on_error",
     "one of stop, continue"),
    ("on_error as YAML 1.1 has it", {"steps__0__accept_irreversible": "yes"},
     "steps[0].accept_irreversible", "has to be true or false"),
    ("a for_each that is no path", {"steps__2__for_each": "indicators"}, "steps[2].for_each",
     "has to be path of the list"),
    ("an unknown mode", {"guardrails": {"mode": "act"}}, "guardrails.mode",
     "one of observe, approve, enforce"),
    ("an unknown guardrail", {"guardrails": {"cooldwn": "1h"}}, "guardrails.cooldwn",
     "did you mean cooldown?"),
    ("a duration in words", {"guardrails": {"cooldown": "7 hours"}}, "guardrails.cooldown",
     "such as 30s, 5m, 6h or 3d"),
    ("a duration as a number", {"guardrails": {"cooldown": 3_600}}, "guardrails.cooldown",
     "has to be a text"),
    ("a duration of years", {"guardrails": {"cooldown": "800d"}}, "guardrails.cooldown",
     "longer than a year"),
    ("a review after nothing", {"guardrails": {"review_after": "0s"}}, "guardrails.review_after",
     "more than nothing"),
    ("a limit of none", {"guardrails": {"limit": {"count": 0, "per": "1h"}}},
     "guardrails.limit.count", "at least 1"),
    ("a limit per nothing", {"guardrails": {"limit": {"count": 1, "per": "0m"}}},
     "guardrails.limit.per", "more than nothing"),
    ("half a limit", {"guardrails": {"limit": {"count": 1}}}, "guardrails.limit.per", "is missing"),
    ("a limit with a fraction", {"guardrails": {"limit": {"count": 1.5, "per": "1h"}}},
     "guardrails.limit.count", "has to be a whole number"),
    ("tags that are no texts", {"guardrails": {"exempt_tags": {"a": 1}}},
     "guardrails.exempt_tags.a", "has to be a text"),
    ("a limit that no item holds", {"guardrails": {"limit": {"count": 1_001, "per": "1h"}}},
     "guardrails.limit.count", "at most 1000"),
    ("a filter without a tag", {"guardrails": {"exempt_tags": {}}}, "guardrails.exempt_tags",
     "is too short"),
    ("a tag without a key", {"guardrails": {"exempt_tags": {"": "x"}}},
     "guardrails.exempt_tags.", "matches nothing: a tag has a key"),
    ("a tag with a blank", {"guardrails": {"exempt_tags": {"a": "x "}}},
     "guardrails.exempt_tags.a", "no blanks around its value"),
    ("a filter of tags on what has none",
     {"guardrails": {"exempt_tags": {"a": "b"}},
      "match": {"source": ["firebreak.network-firewall"]}},
     "guardrails.exempt_tags", "a firewall has no tags to read"),
    ("a filter of tags on types without tags",
     {"guardrails": {"exempt_tags": {"a": "b"}}, "match": {"source": ["aws.guardduty"],
      "detail": {"resource": {"resourceType": ["EKSCluster", "RecoveryPoint"]}}}},
     "guardrails.exempt_tags", "EKSCluster, RecoveryPoint has no tags to read"),
    ("an unknown on_failure", {"on_failure": "rollback"}, "on_failure", "one of keep, roll_back"),
    # the name and the patterns
    ("another name", {"name": "better"}, "name", "has to be the name of the file: good"),
    ("a pattern AWS refuses", {"match__detail": {"severity": 7}}, "match.detail.severity",
     "must be a list"),
    ("an operator AWS has not", {"match__detail": {"type": [{"like": "x"}]}},
     "match.detail.type[0]", ""),
    ("an empty pattern", {"match": {}}, "match", "must name at least one field"),
    ("a field that no event has", {"match__detial": {"type": ["x"]}}, "match.detial",
     "did you mean detail?"),
    ("a pattern without source", {"match": {"detail-type": ["x"]}}, "match.source",
     "is missing: name the sources"),
    ("an alternative without source",
     {"match": {"$or": [{"source": ["a"]}, {"account": ["1"]}]}}, "match.source", "is missing"),
    ("an account as a number", {"match__account": [111122223333]}, "match.account[0]",
     "write an account as text, in quotes"),
    ("a when AWS refuses", one(when={"finding": {"type": []}}), "steps[0].when.finding.type",
     "at least one value"),
    ("a when over an unknown root", one(when={"resource": {"id": ["x"]}}),
     "steps[0].when.resource.id", "there is finding, steps"),
    ("a when over an unknown field", one(when={"finding": {"directon": ["OUTBOUND"]}}),
     "steps[0].when.finding.directon", "did you mean direction"),
    ("a when over an unknown attribute",
     one(when={"finding": {"resource": {"attributes": {"usertype": ["x"]}}}}),
     "steps[0].when.finding.resource.attributes.usertype", "did you mean user_type"),
    ("a when over an object", one(when={"finding": {"resource": ["x"]}}),
     "steps[0].when.finding.resource", "ask for one of its fields"),
    ("a when beneath a single value", one(when={"finding": {"id": {"x": ["y"]}}}),
     "steps[0].when.finding.id.x", "is a single value"),
    ("a when over a later step",
     {"steps__0__when": {"steps": {"deny": {"entries": ["x"]}}}},
     "steps[0].when.steps.deny.entries", "only earlier steps have facts"),
    ("a when over an item that is not", one(when={"item": ["x"]}), "steps[0].when.item",
     "only in a step with for_each"),
    # actions and their parameters
    ("an unknown action", one(action="notfy"), "steps[0].action", "did you mean notify?"),
    ("an action far from any", one(action="x"), "steps[0].action",
     "there is delete_thing, deny_in_network_acl, isolate_instance, notify"),
    ("a missing parameter", one(**{"with": {}}), "steps[0].with.subject",
     "is missing: notify needs it, a few words"),
    ("no parameters", {"steps__0": {"name": "isolate", "action": "isolate_instance"}},
     "steps[0].with.instance_id", "is missing: isolate_instance needs it, id of an EC2 instance"),
    ("an unknown parameter", wide(subjct="x"), "steps[0].with.subjct",
     "is no parameter of notify: did you mean subject?"),
    ("a literal of another type", wide(text=5), "steps[0].with.text", "is 5, but has to be a text"),
    ("a literal past the bound", wide(severity=11), "steps[0].with.severity", "at most 10"),
    ("a literal none of those", {"steps__0__with__cut_tracked": "all"},
     "steps[0].with.cut_tracked", "one of none, two_step"),
    ("a literal of another form", {"steps__0__with__instance_id": "i-1"},
     "steps[0].with.instance_id", "id of an EC2 instance, i-…"),
    ("an item of another form", {"steps__1__parallel__0__with__cidrs": ["10.0.0.1/32", "x"]},
     "steps[1].parallel[0].with.cidrs[1]", 'is "x", but has to be'),
    ("null for a parameter", {"steps__0__with__instance_id": None}, "steps[0].with.instance_id",
     "is null, but has to be a text"),
    ("a text inserted into no text", wide(severity="{$.finding.severity}"),
     "steps[0].with.severity", "has to be a number or null"),
    ("a list for one value", {"steps__0__with__instance_id": "$.finding.remote_cidrs"},
     "steps[0].with.instance_id", "add [0], or run for_each of it"),
    ("one value for a list", {"steps__1__parallel__0__with__cidrs": "$.finding.id"},
     "steps[1].parallel[0].with.cidrs", "write [$.finding.id]"),
    ("an object for one value", {"steps__0__with__instance_id": "$.finding.resource"},
     "steps[0].with.instance_id", "takes one of its fields"),
    ("an irreversible action", one(action="delete_thing", **{"with": {}}),
     "steps[0].accept_irreversible",
     "delete_thing cannot be taken back (deleted for good); write accept_irreversible: true"),
    ("an irreversible action denied",
     one(action="delete_thing", accept_irreversible=False, **{"with": {}}),
     "steps[0].accept_irreversible", "cannot be taken back"),
    # paths
    ("a path that is none", {"steps__0__with__instance_id": "$.finding..id"},
     "steps[0].with.instance_id", "at character 10 write"),
    ("a path no finding has", {"steps__0__with__instance_id": "$.finding.resource.name"},
     "steps[0].with.instance_id", "there is arn, attributes, id, kind"),
    ("a path inside a text", wide(text="x {$.finding.titel}"), "steps[0].with.text",
     "did you mean title"),
    ("an insertion without an end", wide(text="x {$.finding.title"), "steps[0].with.text",
     "has no end"),
    ("a path inside an object",
     one(action="delete_thing", accept_irreversible=True, **{"with": {"names": {"a": ["$.x"]}}}),
     "steps[0].with.names.a[0]", "$ has no 'x'"),
    ("a path of a later step", {"steps__0__with__instance_id": "$.steps.deny.entries[0]"},
     "steps[0].with.instance_id", "only earlier steps have facts"),
    ("a path of a step beside", {"steps__1__parallel__1__with__subject": "{$.steps.deny.entries}"},
     "steps[1].parallel[1].with.subject", "runs beside this step"),
    ("a path of the step itself", {"steps__0__with__instance_id": "$.steps.isolate.interfaces"},
     "steps[0].with.instance_id", "runs beside this step or after it"),
    ("a path of no step", wide(text="{$.steps.isolat.x}"), "steps[0].with.text", "has no 'isolat'"),
    ("a fact the action has not", {"steps__1__parallel__1__with__subject": "$.steps.isolate.eni"},
     "steps[1].parallel[1].with.subject", "interfaces"),
    ("facts of a for_each",
     {"steps__3": step(name="last", **{"with": {"subject": "{$.steps.each.subject}"}}),
      "steps__2__for_each": "$.finding.indicators"},
     "steps[3].with.subject", "has no facts of its own"),
    ("an item without for_each", wide(text="$.item"), "steps[0].with.text",
     "only in a step with for_each"),
    ("a field the items have not", {"steps__2__with__text": "$.item.port"}, "steps[2].with.text",
     "there is direction, kind, value"),
    ("a for_each of one value", {"steps__2__for_each": "$.finding.title"}, "steps[2].for_each",
     "is no list"),
    ("a for_each of nothing", {"steps__2__for_each": "$.finding.things"}, "steps[2].for_each",
     "has no 'things'"),
    ("a for_each of its own item", {"steps__2__for_each": "$.item"}, "steps[2].for_each",
     "only in a step with for_each"),
    ("a target none has", {"target": "$.finding.ressource"}, "target", "did you mean resource"),
    ("a target of steps", {"target": "$.steps.isolate.interfaces"}, "target", "has no 'isolate'"),
    # step names
    ("a step name twice", {"steps__2__name": "isolate"}, "steps[2].name",
     "isolate is also steps[0]: give it another name"),
    ("a step name twice in a parallel", {"steps__1__parallel__1__name": "deny"},
     "steps[1].parallel[1].name", "deny is also steps[1].parallel[0]"),
    # failure and expiry
    ("a roll-back without reason", {"on_failure": "roll_back", **one()}, "on_failure_reason",
     "needs a written reason"),
    ("a roll-back of containment",
     {"on_failure": "roll_back", "on_failure_reason": "because it is so"}, "on_failure",
     "never for containing steps (deny_in_network_acl, isolate_instance)"),
    ("a reason for nothing", {"on_failure_reason": "because it is so"}, "on_failure_reason",
     "only read with on_failure: roll_back"),
    ("an expiry of containment", {"guardrails": {"expires_after": "7d"}},
     "guardrails.expires_after", "write review_after"),
    # examples
    ("no examples", {"examples": []}, "examples", "an event that matches and one that does not"),
    ("no example that matches",
     {"examples": [{"event": "a/no.json", "expect": {"decision": "no_playbook"}}]},
     "examples", "have no event that matches"),
    ("no example that does not",
     {"examples": [{"event": "a/yes.json", "expect": {"decision": "remediated"}}]},
     "examples", "have no event that does not match"),
    ("an example without event", {"examples__0__event": "a/yess.json"}, "examples[0].event",
     "is no file under events: did you mean yes.json"),
    ("an example of no folder", {"examples__0__event": "b/yes.json"}, "examples[0].event",
     "record the event there"),
    ("an example outside", {"examples__0__event": "../../playbooks/good.json"}, "examples[0].event",
     "a file under tests/events"),
    ("an example without expectation", {"examples__0": {"event": "a/yes.json"}},
     "examples[0].expect", "is missing"),
    ("an example without decision", {"examples__0__expect": {}}, "examples[0].expect.decision",
     "is missing: what replay is to report"),
    ("an example of no step", {"examples__0__expect__steps": {"denied": "done"}},
     "examples[0].expect.steps.denied", "did you mean deny?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "path", "message"), [p[1:] for p in PROBLEMS], ids=[p[0] for p in PROBLEMS]
)
def test_a_problem_names_file_and_path_and_what_would_be_right(
    folder: Path, changes: dict[str, Any], path: str, message: str
) -> None:
    """Every kind of problem is found, where it is, and with its cure."""
    document = changed(**{key: value for key, value in changes.items() if key != "steps__3"})
    if "steps__3" in changes:
        document["steps"].append(changes["steps__3"])
    (folder / "good.yaml").write_text(yaml.safe_dump(document))
    found = problems(folder)
    said = [said for file, where, said in found if (file, where) == ("good.yaml", path)]
    assert any(message in each for each in said), found


def test_every_problem_of_every_file_is_found_at_once(folder: Path) -> None:
    """Nothing hides behind something else: shape, steps, patterns and examples of all files."""
    document = changed(
        title=5,
        match__detail={"type": "x"},
        steps__0__action="isolate",
        steps__1__parallel__0__with__cidrs="$.finding.cidrs",
        guardrails={"mode": "act", "cooldown": "x"},
        examples__1__event="a/other.json",
    )
    (folder / "good.yaml").write_text(yaml.safe_dump(document))
    (folder / "bad.yaml").write_text("name: x\nname: y")
    (folder / "ugly.yml").write_text("")
    assert [(file, path) for file, path, _ in problems(folder)] == [
        ("bad.yaml", ""),
        ("good.yaml", "examples[1].event"),
        ("good.yaml", "guardrails.cooldown"),
        ("good.yaml", "guardrails.mode"),
        ("good.yaml", "match.detail.type"),
        ("good.yaml", "steps[0].action"),
        ("good.yaml", "steps[1].parallel[0].with.cidrs"),
        ("good.yaml", "title"),
        ("ugly.yml", ""),
    ]


FINE: list[tuple[str, dict[str, Any]]] = [
    ("an accepted irreversible action",
     one(action="delete_thing", accept_irreversible=True, **{"with": {}})),
    ("a roll-back of messages",
     {"on_failure": "roll_back", "on_failure_reason": "people are only told", **one()}),
    ("an expiry of address blocks",
     {"guardrails": {"expires_after": "7d"},
      "steps__0": step(name="isolate", action="deny_in_network_acl",
                       **{"with": {"cidrs": ["$.finding.remote_cidrs[0]"]}}),
      "steps__1__parallel__0__when": {"finding": {"id": ["x"]}},
      "steps__1__parallel__1__with__subject": "x"}),
    ("a list of paths",
     {"steps__1__parallel__0__with__cidrs": ["$.finding.remote_cidrs[0]", "10.0.0.1/32"]}),
    ("a literal as it should be", {"steps__0__with__instance_id": "i-0a1b2c3d"}),
    ("detail is free", wide(text="{$.finding.detail.any['thing at all'][0]}")),
    ("a brace that is one", wide(text="{{$.x} {a} $$.x")),
    ("a cooldown of none", {"guardrails": {"cooldown": "0s"}}),
    ("a when of every root", {"steps__2__when": {
        "item": {"kind": ["address"]},
        "finding": {"resources": {"kind": ["x"]}, "detail": {"a": {"b": ["c"]}}},
        "steps": {"isolate": {"interfaces": [{"exists": True}]}}}}),
    ("a for_each of every id", {"steps__2__for_each": "$.finding.resources[*].id",
                                "steps__2__with": {"subject": "{$.item}"}}),
    ("a for_each of facts", {"steps__2__for_each": "$.steps.isolate.interfaces",
                             "steps__2__with": {"subject": "{$.item.anything}"}}),
]  # fmt: skip


@pytest.mark.parametrize("changes", [f[1] for f in FINE], ids=[f[0] for f in FINE])
def test_what_is_right_is_no_problem(folder: Path, changes: dict[str, Any]) -> None:
    """What the language allows passes without a word."""
    (folder / "good.yaml").write_text(yaml.safe_dump(changed(**changes)))
    assert problems(folder) == []


# --- the schema -----------------------------------------------------------------------------------


def test_the_schema_is_one_and_takes_what_lint_takes(folder: Path) -> None:
    """With the actions composed in it is valid JSON Schema, and passes a good playbook."""
    composed = schema.schema(KNOWN)
    Draft202012Validator.check_schema(composed)
    assert list(Draft202012Validator(composed).iter_errors(yaml.safe_load(GOOD))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"steps__0__action": "isolate"},
        {"steps__0__with": {}},
        {"steps__0__with__other": 1},
        {"steps__0__with__cut_tracked": "all"},
        {"steps__0__with__instance_id": "i-1"},
        {"steps__0": {"name": "isolate", "action": "isolate_instance"}},
        one(action="delete_thing", **{"with": {}}),
        {"steps__1__parallel__0__with__cidrs": "10.0.0.1/32"},
    ],
)
def test_the_schema_knows_the_parameters_of_each_action(changes: dict[str, Any]) -> None:
    """An editor sees unknown actions, and missing, unknown and wrong parameters."""
    errors = Draft202012Validator(schema.schema(KNOWN)).iter_errors(changed(**changes))
    assert [error.absolute_path[0] for error in errors][:1] == ["steps"]


def test_the_schemas_file_is_up_to_date() -> None:
    """The schema's file is what the actions make of it; `firebreak playbook schema` writes it."""
    assert schema.is_current(schema.FILE, actions())


# --- the playbooks that come with the project -----------------------------------------------------


def test_the_projects_playbooks_have_no_problems() -> None:
    """Every playbook in the project passes its own lint."""
    assert playbook.problems([playbook.FOLDER]) == []


def test_the_projects_playbooks_name_their_schema_first() -> None:
    """Editors find the schema by the first line."""
    line = "# yaml-language-server: $schema=../chalicelib/playbook.schema.json"
    firsts = {path.read_text().partition("\n")[0] for path in playbook.FOLDER.glob("*.yaml")}
    assert firsts == {line}


def test_the_projects_playbooks_fit_the_schema_of_editors() -> None:
    """What an editor shows as wrong is wrong: nothing in the project's own playbooks is."""
    validator = Draft202012Validator(schema.schema(actions()))
    for path in reading.files(playbook.FOLDER):
        assert [error.message for error in validator.iter_errors(reading.read(path))] == []


@pytest.mark.parametrize("name", sorted(path.stem for path in playbook.FOLDER.glob("*.yaml")))
def test_the_projects_examples_match_as_they_say(name: str) -> None:
    """Each example's event matches its playbook exactly where something else is expected of it."""
    found = playbook.load()[name]
    pattern = EventPattern(found.match)
    for example in found.examples:
        event = json.loads((playbook.FOLDER.parent / "tests/events" / example.event).read_text())
        matches = pattern.matches(sources.read(event).envelope)
        assert matches == (example.decision != "no_playbook"), example.event


# --- whatever comes -------------------------------------------------------------------------------

WORDS = st.sampled_from(
    "name title match target steps parallel with when for_each on_error guardrails limit count "
    "per examples event expect decision action isolate_instance notify delete_thing good "
    "a/yes.json no_playbook $.finding.id $.item $.steps.x {$.finding {$.item.x} $or source "
    "finding numeric 1h 0s instance_id cidrs subject cooldown expires_after on_failure "
    "roll_back".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
PLACES = st.sampled_from(
    "name title match match__detail target steps steps__0 steps__0__with steps__0__name "
    "steps__0__action steps__0__with__instance_id steps__1__parallel steps__1__parallel__0 "
    "steps__1__parallel__0__when steps__2__for_each steps__2__when guardrails guardrails__limit "
    "guardrails__cooldown examples examples__0 examples__0__event examples__0__expect "
    "examples__0__expect__steps on_failure on_failure_reason description extra".split()
)
HOSTILE = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def judged(folder: Path, content: bytes) -> list[Problem]:
    """Return the problems of a file; loading it gives a playbook or is refused."""
    (folder / "good.yaml").write_bytes(content)
    found = playbook.problems([folder], registry=KNOWN)
    try:
        loaded = playbook.load(folder, registry=KNOWN)["good"]
    except InvalidPlaybook:
        assert found
        return found
    if not found:
        assert playbook.from_document(playbook.document(loaded)) == loaded
    return found


@HOSTILE
@given(
    st.binary(max_size=200)
    | st.text(alphabet="ab:-[]{}&*!|>'\"#%@,? \n\t\\", max_size=80).map(str.encode)
)
def test_any_bytes_are_read_or_refused(folder: Path, content: bytes) -> None:
    """A file of anything at all is a list of problems, never another exception."""
    assert judged(folder, content)


@HOSTILE
@given(PLACES, VALUES)
def test_any_value_anywhere_is_a_problem_or_fine(folder: Path, place: str, value: Any) -> None:
    """Whatever stands anywhere in a playbook, lint says what is wrong and does not fail."""
    content = json.dumps(changed(**{place: value}), allow_nan=True)
    judged(folder, content.encode())


@HOSTILE
@given(VALUES)
def test_any_document_is_a_problem(folder: Path, value: Any) -> None:
    """A file that holds any JSON value gives problems, each on one line."""
    found = judged(folder, json.dumps(value).encode())
    assert found
    assert all("\n" not in str(problem) for problem in found)


def test_lint_takes_files_and_folders_and_another_place_of_events(folder: Path) -> None:
    """Files are checked by themselves, and examples may lie elsewhere."""
    (folder / "good.yaml").write_text(GOOD)
    here = os.fspath(folder)
    assert playbook.problems([Path(here) / "good.yaml"], registry=KNOWN) == []
    elsewhere = playbook.problems([folder], folder, registry=KNOWN)
    assert [each.path for each in elsewhere] == ["examples[0].event", "examples[1].event"]
    assert isinstance(elsewhere[0], Problem)


def test_paths_of_the_documentation_are_read() -> None:
    """The example in the documentation of paths is one that the parser takes."""
    lines = textwrap.dedent(paths.__doc__ or "").splitlines()
    for line in lines:
        if line.strip().startswith("$.finding"):
            text = line.strip().split("   ")[0]
            assert paths.check(paths.parse(text), paths.roots({})) is None
