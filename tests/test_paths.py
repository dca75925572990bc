import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import paths
from chalicelib.errors import Invalid
from chalicelib.finding import FIELDS
from chalicelib.paths import EVERY, Kind, Path

DOCUMENT: dict[str, Any] = {
    "finding": {
        "title": "x {$.finding.id} y",
        "id": "f-1",
        "severity": 8.5,
        "archived": False,
        "remote_cidrs": ["198.51.100.7/32", "2001:db8::1/128"],
        "resource": {"id": "i-1", "attributes": {"tags": {"a": 1}, "profile_arn": None}},
        "resources": [
            {"id": "a", "attributes": {"interfaces": [{"id": "eni-1"}, {"id": "eni-2"}]}},
            {"id": "b", "attributes": {}},
            {"attributes": {"interfaces": [{"id": "eni-3"}]}},
        ],
        "detail": {"Availability Zone": "us-east-1a", "empty": []},
    },
    "steps": {"keep": {"volumes": ["vol-1"]}},
    "item": "10.0.0.1/32",
    "remediation": {"id": "r-1", "playbook": "p"},
}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("$.finding.resource.id", ("finding", "resource", "id")),
        ("$.finding.remote_cidrs[0]", ("finding", "remote_cidrs", 0)),
        ("$.finding.resources[*].arn", ("finding", "resources", EVERY, "arn")),
        ("$.finding.detail['Availability Zone']", ("finding", "detail", "Availability Zone")),
        ("$.item", ("item",)),
    ],
)
def test_a_path_is_read_and_written_again(text: str, parts: tuple[paths.Part, ...]) -> None:
    """Each form of a part is read, and the path writes itself as it was."""
    assert paths.parse(text) == Path(parts)
    assert str(Path(parts)) == text


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("$.", 2),
        ("$..a", 2),
        ("$.a.", 4),
        ("$.a[-1]", 4),
        ("$.a[01]", 4),
        ("$.a[99999]", 4),
        ("$.a[?x]", 4),
        ("$.a b", 4),
        ("$.a\n", 4),
        ("$.1a", 2),
        ("$.a['x'", 4),
        ('$.a["x"]', 4),
    ],
)
def test_what_is_no_path_is_refused_with_the_position(text: str, position: int) -> None:
    """The message says at which character something else had to stand."""
    with pytest.raises(Invalid, match=rf"at character {position} write \.name"):
        paths.parse(text)


@pytest.mark.parametrize("text", ["", "$", "finding.id", "$finding", "$['a']"])
def test_a_path_starts_with_a_name(text: str) -> None:
    """A text that does not start with `$.` is no path."""
    assert not paths.is_path(text)
    with pytest.raises(Invalid, match="starts with"):
        paths.parse(text)


def test_a_path_has_a_longest_length() -> None:
    """A path of thousands of characters is refused before it is read."""
    with pytest.raises(Invalid, match="longer than 512"):
        paths.parse("$" + ".a" * 5_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.finding.id", "f-1"),
        ("$.finding.severity", 8.5),
        ("$.finding.archived", False),
        ("$.finding.remote_cidrs", ["198.51.100.7/32", "2001:db8::1/128"]),
        ("$.finding.remote_cidrs[1]", "2001:db8::1/128"),
        ("$.finding.remote_cidrs[2]", None),
        ("$.finding.remote_cidrs[*]", ["198.51.100.7/32", "2001:db8::1/128"]),
        ("$.finding.resources[*].id", ["a", "b"]),
        ("$.finding.resources[*].attributes.interfaces[*].id", ["eni-1", "eni-2", "eni-3"]),
        ("$.finding.resource.attributes.tags", {"a": 1}),
        ("$.finding.resource.attributes.profile_arn", None),
        ("$.finding.resource.attributes.nothing", None),
        ("$.finding.id.beneath", None),
        ("$.finding.id[0]", None),
        ("$.finding.id[*]", None),
        ("$.finding[0]", None),
        ("$.finding.nothing[*].id", None),
        ("$.finding.detail.empty[*]", []),
        ("$.finding.detail['Availability Zone']", "us-east-1a"),
        ("$.steps.keep.volumes[0]", "vol-1"),
        ("$.steps.other.volumes", None),
        ("$.item", "10.0.0.1/32"),
        ("$.remediation.id", "r-1"),
    ],
)
def test_a_path_stands_for_what_lies_there(text: str, value: Any) -> None:
    """Any JSON value is found; what is missing, or lies in something else, is null."""
    assert paths.resolve(paths.parse(text), DOCUMENT) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{$.finding.id}", "f-1"),
        ("a {$.finding.id} b {$.item}", "a f-1 b 10.0.0.1/32"),
        ("[{$.finding.nothing}]", "[]"),
        ("{$.finding.remote_cidrs}", "198.51.100.7/32, 2001:db8::1/128"),
        ("{$.finding.severity} {$.finding.archived}", "8.5 false"),
        ("{$.finding.resource.attributes.tags}", '{"a": 1}'),
        ("{{$.finding.id}", "{$.finding.id}"),
        ("{{{$.finding.id}", "{{$.finding.id}"),
        ("$$.finding.id", "$.finding.id"),
        ("$5 {a} {{b}} {", "$5 {a} {{b}} {"),
    ],
)
def test_a_text_inserts_paths(text: str, value: str) -> None:
    """`{$.path}` is replaced by what lies there, as text; all else stays, and can be escaped."""
    assert paths.resolve_value(text, DOCUMENT) == value


@pytest.mark.parametrize("text", ["{$.finding.id", "a {$.b {$.c}", "{$.}", "{$.a..b}"])
def test_an_insertion_without_an_end_is_refused(text: str) -> None:
    """A brace that opens a path closes it, or the text is refused."""
    with pytest.raises(Invalid):
        paths.resolve_value(text, DOCUMENT)


def test_what_is_inserted_is_never_read_as_a_path() -> None:
    """A finding whose text holds a path inserts that text, and nothing else."""
    assert paths.resolve_value("<{$.finding.title}>", DOCUMENT) == "<x {$.finding.id} y>"
    assert paths.resolve_value("$.finding.title", DOCUMENT) == "x {$.finding.id} y"


def test_what_is_inserted_is_bounded() -> None:
    """However long the finding's text is, at most 1,024 characters come into a message."""
    text = paths.resolve_value("{$.finding.id}", {"finding": {"id": "é" * 100_000}})
    assert text == "é" * 1_023 + "…"


def test_objects_and_lists_are_resolved_inside() -> None:
    """Every text in a value is resolved; names, numbers and null stay as they are."""
    value = {"$.item": ["$.item", 5, None, {"a": "n {$.item}"}]}
    wanted = {"$.item": ["10.0.0.1/32", 5, None, {"a": "n 10.0.0.1/32"}]}
    assert paths.resolve_value(value, DOCUMENT) == wanted


def test_every_path_of_a_value_is_found() -> None:
    """Whole and inserted paths are found, escaped ones are not."""
    value = {"a": ["$.item", "x {$.finding.id} {{$.finding.title}"], "b": "$$.finding"}
    assert [str(path) for path in paths.paths_of(value)] == ["$.item", "$.finding.id"]


# --- checking -------------------------------------------------------------------------------------

KNOWN = paths.roots(
    {"keep": {"volumes": Kind.ANY}, "late": paths.Absent("runs later")}, paths.FINDING["resource"]
)


@pytest.mark.parametrize(
    "text",
    [
        *(f"$.finding.{name}" for name in sorted(FIELDS)),
        "$.finding.resource.attributes.role_name",
        "$.finding.resource.attributes.interfaces[0].vpc_id",
        "$.finding.resources[*].attributes.vpc_ids[*]",
        "$.finding.resources[1].kind",
        "$.finding.indicators[*].value",
        "$.finding.remote_cidrs[0]",
        "$.finding.detail.whatever[0].there['is it']",
        "$.steps.keep.volumes[0]",
        "$.item.arn",
        "$.remediation.playbook",
    ],
)
def test_a_path_that_may_lead_somewhere_is_fine(text: str) -> None:
    """Every field of a finding, and what may lie beneath, is known."""
    assert paths.check(paths.parse(text), KNOWN) is None


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("$.findings.id", "did you mean finding?"),
        ("$.finding.remote_cidr", "did you mean remote_cidrs"),
        ("$.finding.resource.name", "there is arn, attributes, id, kind"),
        ("$.finding.resource.attributes.rolename", "did you mean role_name"),
        ("$.finding.resource[0]", "$.finding.resource is no list: leave out [0]"),
        ("$.finding.resources.id", "write $.finding.resources[*].id or $.finding.resources[0].id"),
        ("$.finding.indicators[*].direct", "did you mean direction"),
        ("$.finding.id.x", "$.finding.id is a single value"),
        ("$.finding.id[0]", "$.finding.id is no list"),
        ("$.finding.remote_cidrs[*].x", "is a single value"),
        ("$.steps.late.volumes", "$.steps.late runs later"),
        ("$.steps.kept.volumes", "did you mean keep?"),
        ("$.steps.keep.volume", "did you mean volumes?"),
        ("$.remediation.name", "there is id, playbook"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_what_would_be_right(text: str, right: str) -> None:
    """The message names the place and what there is."""
    assert right in (paths.check(paths.parse(text), KNOWN) or "")


def test_an_item_is_only_known_in_a_for_each() -> None:
    """Without for_each, `$.item` is told where it belongs."""
    wrong = paths.check(paths.parse("$.item"), paths.roots({}))
    assert wrong == "$.item is known only in a step with for_each"


# --- whatever comes -------------------------------------------------------------------------------

TEXTS = st.text(alphabet="$.{}[]*'ab01 \n", max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab01"), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(TEXTS, JSON)
def test_a_text_is_resolved_or_refused(text: str, document: Any) -> None:
    """No text and no document raise anything but Invalid."""
    with contextlib.suppress(Invalid):
        paths.resolve_value(text, document)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", 0, 1, EVERY]), max_size=5), JSON)
def test_resolving_never_raises(parts: list[paths.Part], document: Any) -> None:
    """A path leads somewhere or to null in any document, and what it leads to is JSON."""
    json.dumps(paths.resolve(Path(("a", *parts)), {"a": document}))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_findings_text_is_inserted_as_it_is(text: str) -> None:
    """Nothing a finding says is read as a path or an escape."""
    assert paths.resolve_value("{$.a}", {"a": text}) == text
