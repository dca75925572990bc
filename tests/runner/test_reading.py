"""What actions read: live state, canonical; in a plan nothing that is not known yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.actions import actions
from chalicelib.aws import Place
from chalicelib.effect import Probe, placeholder
from chalicelib.errors import Failed
from chalicelib.runner.reading import (
    ActionReader,
    Depends,
    LiveReader,
    PlanReader,
    look_until,
    recorded_probe,
)
from chalicelib.runner.work import Lease, Work
from tests.runner.bench import ACCOUNT, LAG, MADE, REGION, Bench


@pytest.fixture
def reader(bench: Bench) -> LiveReader:
    """Give a live reader of the account acted in."""
    identity = bench.admit({"action": "set_value", "with": {"name": "a", "want": "x"}})
    work = Work(bench.desk, bench.head(identity), {"id": "f"}, Lease("", "", 0), {})
    return work.reader(actions()["set_value"], {"name": "a"}, ACCOUNT, REGION, "step")


def as_(kind: Any, reader: LiveReader, **more: Any) -> Any:
    """Return a reader of another kind of the same place."""
    known = {name: getattr(reader, name) for name in LiveReader.__dataclass_fields__}
    return kind(**known, **more)


def test_a_reader_says_on_whose_behalf_it_reads(bench: Bench, reader: LiveReader) -> None:
    """Account, region, stage, step and remediation are there for the action."""
    assert (ACCOUNT, REGION, "aws") == (reader.account, reader.region, reader.partition)
    assert ("test", "step", "replay") == (reader.playbook, reader.step, reader.stage)
    assert bench.desk.settings.topic_arn == reader.topic_arn
    assert {"id": "f"} == reader.finding


def test_this_moment_is_told_to_the_second(reader: LiveReader) -> None:
    """`now` is UTC, as AWS writes it."""
    assert 20 == len(reader.now())
    assert reader.now().endswith("Z")


def test_a_probe_reads_canonically(reader: LiveReader) -> None:
    """Sets come as sorted lists, so that what is recorded can be compared."""
    from chalicelib.effect import PROBES, REGISTRY

    REGISTRY.probes["set"] = lambda aws: {"b", "a"}
    PROBES["set"] = lambda: Probe("set", {}, "set")

    assert ["a", "b"] == reader.look(Probe("set", {}, "set"))


def test_pages_are_read_to_their_end(bench: Bench, reader: LiveReader) -> None:
    """Every page of a paginated call is read, and the one answer of a call that has no pages."""
    home = bench.cloud.session().client("ssm")
    for n in range(60):
        home.put_parameter(Name=f"p{n}", Value="x", Type="String")
    settings = bench.desk.settings
    at_home = replace(reader, place=Place(settings.home_account, settings.region))

    found = at_home.pages("ssm", "describe_parameters", "Parameters")
    single = at_home.pages("ssm", "get_parameters", "Parameters", Names=["p1", "p2"])

    assert (60, 2) == (len(found), len(single))


def test_a_key_says_where_it_is_of(reader: LiveReader) -> None:
    """A state-key holds account and region; what is global in an account is of no region."""
    assert f"{ACCOUNT}/{REGION}/k" == reader.key(Probe("p", {}, "k"))
    assert f"{ACCOUNT}/-/k" == reader.key(Probe("p", {}, "k", scope="account"))


def test_what_an_action_sees_is_kept(bench: Bench, reader: LiveReader) -> None:
    """The state that a way back builds on is known when its intent is written."""
    bench.set("a", "open")
    noting = as_(ActionReader, reader)

    assert "open" == noting.look(MADE.value(name="a"))
    assert {f"{ACCOUNT}/{REGION}/test:value:a": "open"} == noting.seen


# --- in a plan ------------------------------------------------------------------------------------


def test_a_plan_does_not_know_this_moment(reader: LiveReader) -> None:
    """In a plan `now` is a placeholder."""
    assert placeholder("now") == as_(PlanReader, reader).now()


@pytest.mark.parametrize(
    "params",
    [
        {"Name": placeholder("x")},
        {"Name": f"a{placeholder('x')}b"},
        {"Names": ["a", placeholder("x")]},
        {"Filter": {"Key": {placeholder("x"): 1}}},
    ],
)
def test_a_plan_sends_no_placeholder(
    bench: Bench, reader: LiveReader, params: dict[str, Any]
) -> None:
    """A read with a placeholder anywhere in it is not sent, paged or not."""
    plan = as_(PlanReader, reader)
    calls = len(bench.cloud.calls)

    with pytest.raises(Depends):
        plan.read("ssm", "get_parameter", **params)
    with pytest.raises(Depends):
        plan.pages("ssm", "describe_parameters", "Parameters", **params)
    assert calls == len(bench.cloud.calls)


def test_a_plan_shows_what_earlier_steps_want(bench: Bench, reader: LiveReader) -> None:
    """An element is as an earlier step would leave it, any other as it is."""
    bench.set("a", "open")
    bench.set("b", "open")
    plan = as_(PlanReader, reader, planned={f"{ACCOUNT}/{REGION}/test:value:a": "shut"})

    assert ["shut", "open"] == [plan.look(MADE.value(name=name)) for name in "ab"]


# --- reading again --------------------------------------------------------------------------------


def test_looking_until_it_shows_stops_when_it_does(bench: Bench, reader: LiveReader) -> None:
    """Read again with growing pauses, on the clock, until it is as wanted."""
    bench.set("a", "shut")
    LAG["a"] = ["open"] * 4
    slept = len(bench.desk.clock.slept)

    assert "shut" == look_until(reader, MADE.value(name="a"), lambda live: live == "shut", 10.0)
    pauses = bench.desk.clock.slept[slept:]
    assert 4 == len(pauses)
    assert pauses == sorted(pauses)


def test_looking_until_patience_ends_shows_what_is_there(bench: Bench, reader: LiveReader) -> None:
    """What never shows is returned as it is, after about the time that was given."""
    slept = sum(bench.desk.clock.slept)

    assert look_until(reader, MADE.value(name="a"), lambda live: live == "shut", 10.0) is None
    assert 10 <= sum(bench.desk.clock.slept) - slept < 14


def test_without_patience_there_is_one_look(bench: Bench, reader: LiveReader) -> None:
    """No settling time, no second read."""
    calls = len(bench.cloud.calls)
    look_until(reader, MADE.value(name="a"), lambda live: False, 0.0)

    made = [call.operation for call in bench.cloud.calls[calls:]]
    assert 1 == made.count("GetParameter")


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"name": "bench.gone", "args": {}},
        {"name": "bench.value", "args": {"other": "a"}},
        {"name": "bench.value"},
    ],
)
def test_a_recorded_probe_that_is_not_known_fails_by_name(document: dict[str, Any] | None) -> None:
    """A record of another version, or of other arguments, ends its step and not the process."""
    with pytest.raises(Failed, match="not known to this version"):
        recorded_probe(document)
