from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import errors, machine, playbook, workflow
from chalicelib.playbook import Playbook
from chalicelib.workflow.passes import ANSWER_SECONDS
from chalicelib.workflow.states import CLOSE, START, UNDO
from firebreak.cloud import Cloud
from firebreak.cloud.asl import validate
from firebreak.cloud.calls import ProcessKilled
from firebreak.stage import definition_of
from tests import flow
from tests.worlds import playbook as made
from tests.worlds import refusal, step

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = playbook.load(ROOT / "playbooks")
LONG = "a" + "b" * 39  # the longest name a step may have
REASON = "A test of what rolling back does."
ITEMS = "$.finding.resources"
EVERYTHING = made(
    steps=[
        step("first"),
        {"parallel": [step("left", on_error="continue"), step("right", for_each=ITEMS)]},
        step("each", for_each=ITEMS, on_error="continue"),
        {"parallel": [step(LONG, when={"finding": {"direction": ["OUTBOUND"]}})]},
        step("last", for_each=ITEMS),
    ],
    on_failure="roll_back",
    on_failure_reason=REASON,
)

# --- every definition -----------------------------------------------------------------------------

STEPS = st.builds(
    lambda items, on_error, when: {
        "for_each": items,
        "on_error": on_error,
        "when": when,
    },
    st.none() | st.just(ITEMS),
    st.sampled_from(["stop", "continue"]),
    st.none() | st.just({"finding": {"direction": ["OUTBOUND"]}}),
)


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    """Draw a playbook of any shape."""
    names = (f"s{number}{'x' * draw(st.integers(0, 37))}" for number in range(10, 99))
    entries: list[dict[str, Any]] = []
    for count in draw(st.lists(st.integers(0, 3), min_size=1, max_size=5)):
        drawn = [
            step(next(names), **{k: v for k, v in draw(STEPS).items() if v is not None})
            for _ in range(count or 1)
        ]
        entries.append({"parallel": drawn} if count else drawn[0])
    rolls = draw(st.booleans())
    failure = {"on_failure": "roll_back", "on_failure_reason": REASON} if rolls else {}
    within = draw(st.sampled_from(["1s", "4h", "30d"]))
    return made(steps=entries, guardrails={"approve_within": within}, **failure)


def scopes(scope: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a machine and every branch and item processor in it."""
    yield scope
    for state in scope["States"].values():
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from scopes(inner)


def states(definition: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return every state with its name, those of branches included."""
    return [each for scope in scopes(definition) for each in scope["States"].items()]


def check(compiled: Playbook) -> None:
    """Check all that holds of the definition of any playbook."""
    definition = workflow.compile(compiled)
    assert [] == validate(definition)
    assert [] == flow.problems(definition)
    check_names(definition)
    check_ends(definition)
    check_branches(definition)
    check_errors(definition)
    check_begins(compiled, definition)


def check_names(definition: Mapping[str, Any]) -> None:
    """Check that no name is too long, none is there twice."""
    names = [name for name, _ in states(definition)]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 80


def check_ends(definition: Mapping[str, Any]) -> None:
    """Check that no way leads from the start to an end past Close, also not by an error."""
    found, waiting = set(), [START]
    while waiting:
        name = waiting.pop()
        if name in found or name == CLOSE:
            continue
        found.add(name)
        state = definition["States"][name]
        assert state["Type"] not in ("Succeed", "Fail")
        assert "End" not in state
        assert state["Type"] == "Choice" or catches_all(state), name
        waiting += flow.successors(state)


def check_branches(definition: Mapping[str, Any]) -> None:
    """Check that in a branch nothing fails, and each way ends with a status."""
    for scope in list(scopes(definition))[1:]:
        for name, state in scope["States"].items():
            assert state["Type"] in ("Task", "Pass", "Map", "Choice")
            if state["Type"] in ("Task", "Map"):
                assert catches_all(state), name
            if "End" in state:
                assert isinstance(state.get("Result"), str) or "$.status" == state["OutputPath"]


def catches_all(state: Mapping[str, Any]) -> bool:
    """Say whether a state's last catch, alone, is of all errors."""
    *others, last = state["Catch"]
    alone = all("States.ALL" not in each["ErrorEquals"] for each in others)
    return alone and last["ErrorEquals"] == ["States.ALL"]


PASSING = {"Transient", "Busy", "Fenced", "Lambda.TooManyRequestsException", "Runtime.ExitError"}
ANSWERED = {"StepFailed", "PlanChanged", "Halted", "Failed", "Refused", "NotApplicable", "Corrupt"}


def check_errors(definition: Mapping[str, Any]) -> None:
    """Check that faults that pass are tried again, answers never; a task outlasts its function."""
    for name, state in states(definition):
        if state["Type"] != "Task":
            continue
        tried = {error for retry in state["Retry"] for error in retry["ErrorEquals"]}
        waits = state["Resource"].endswith("waitForTaskToken")
        assert tried >= PASSING
        assert not tried & (ANSWERED | {"States.ALL", "States.TaskFailed", "AccessDenied"})
        assert ("States.Timeout" in tried) != waits
        assert waits or state["TimeoutSeconds"] > longest_function(), name


def longest_function() -> int:
    """Return the longest timeout that any stage gives the machines' function."""
    config = json.loads((ROOT / ".chalice/config.json").read_text("utf-8"))
    stages = config["stages"].values()
    return max(int(s["lambda_functions"]["run_step"]["lambda_timeout"]) for s in stages)


def check_begins(compiled: Playbook, definition: Mapping[str, Any]) -> None:
    """Check that the apply pass begins with the first step, one transition after the start."""
    default = definition["States"][START]["Default"]
    first = definition["States"][default]
    if first["Type"] == "Parallel":
        first = first["Branches"][0]["States"][first["Branches"][0]["StartAt"]]
    payload = first["Parameters"]["Payload"]
    assert (compiled.all_steps()[0].name, "apply") == (payload["step"], payload["pass"])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_playbook_makes_a_sound_machine(name: str) -> None:
    """Every shipped playbook compiles to a machine that AWS takes and that always closes."""
    check(SHIPPED[name])


def test_a_playbook_of_everything_makes_a_sound_machine() -> None:
    """Parallels, for_each, both together, passed-over errors and roll-back go together."""
    check(EVERYTHING)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(playbooks())
def test_any_playbook_makes_a_sound_machine(compiled: Playbook) -> None:
    """Whatever shape a playbook has, its machine is sound."""
    check(compiled)


def test_a_machine_of_sixty_steps_fits() -> None:
    """Sixty steps of the longest names, each for a list, fit the megabyte a definition may have."""
    long = [step(f"{LONG[:-2]}{n}", for_each=ITEMS, on_error="continue") for n in range(10, 70)]
    definition = workflow.compile(made(steps=long))

    assert [] == validate(definition)
    assert len(json.dumps(definition).encode()) < 2**20


CODE = """
import hashlib, json
from chalicelib import workflow
from tests.test_workflow import EVERYTHING, SHIPPED
text = json.dumps([workflow.compile(each) for each in (*SHIPPED.values(), EVERYTHING)])
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_playbook_gives_the_same_bytes() -> None:
    """A machine is the same in every process, so that bringing machines in line changes nothing."""
    text = json.dumps([workflow.compile(each) for each in (*SHIPPED.values(), EVERYTHING)])
    here = hashlib.sha256(text.encode()).hexdigest()
    found = {
        subprocess.run(  # noqa: S603  # our own interpreter, our own code
            [sys.executable, "-c", CODE],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout.strip()
        for seed in ("0", "4711")
    }

    assert {here} == found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s["Seal plan"].update(ResultPath=None), "Planned?: $.sealed.next"),
        (lambda s: s["each items"].pop("ResultPath"), "each each: $.items.indices"),
        (lambda s: s["first"].update(ResultPath="$"), "$.remediation is not set"),
        (lambda s: s["each each"]["ItemSelector"].pop("index.$"), "each: $.index"),
        (lambda s: s["Undo"].update(ResultSelector={"more.$": "$.Payload.mode"}), "$.Payload.mode"),
    ],
)
def test_the_check_of_data_finds_what_is_missing(
    change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    """A state that refers to what an earlier one no longer sets is found."""
    definition = copy.deepcopy(workflow.compile(EVERYTHING))
    change(definition["States"])

    assert any(problem in each for each in flow.problems(definition))


def test_the_check_of_data_knows_what_the_function_answers() -> None:
    """Everything the function can be asked to do is known to the check."""
    assert set(flow.ANSWERS) == set(machine.TASKS)


# --- machines at work -----------------------------------------------------------------------------


class Script:
    """A `run_step` that answers as told, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, list[Any]] = defaultdict(list)
        self.always: dict[str, Any] = {
            "plan": {"status": "planned"},
            "apply": {"status": "done"},
            "seal": {"next": "apply"},
            "items": {"indices": [0, 1, 2, 3, 4]},
            "undo": {"more": False},
            "close": {"status": "contained"},
            "park": {},
            "ask": {},
        }
        self.tokens: dict[str, str] = {}

    def __call__(self, event: dict[str, Any], _context: Any) -> Any:
        """Answer, or raise what was told."""
        name = said(event)
        self.asked.append(event)
        if "token" in event:
            self.tokens[name] = event["token"]
        usual = self.always[event["pass"] if event["do"] == "step" else event["do"]]
        answer = self.answers[name].pop(0) if self.answers[name] else usual
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def said(self) -> list[str]:
        """Return what was asked, in words."""
        return [said(event) for event in self.asked]


def said(event: Mapping[str, Any]) -> str:
    """Return a request in words: what to do, in which pass but apply, which step and item."""
    phase = "" if event.get("pass") in (None, "apply") else event["pass"]
    index = f"[{event['index']}]" if "index" in event else ""
    do = "" if event["do"] == "step" else event["do"]
    return " ".join(part for part in (do, phase, event.get("step", "")) if part) + index


class Bench:
    """A machine in an embedded AWS, whose function is a script."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.script = cloud, Script()
        self.client = cloud.session().client("stepfunctions")
        self.function = cloud.add_function("run_step", self.script, timeout=300)
        self.execution = ""

    def run(self, compiled: Playbook, first: str = "apply") -> dict[str, Any]:
        """Start a machine in a pass; wait until it ends or waits for somebody."""
        definition = definition_of(compiled, self.function)
        arn = self.cloud.create_state_machine(compiled.name, definition)
        given = json.dumps({"remediation": "r", "pass": first})
        started = self.client.start_execution(stateMachineArn=arn, input=given)
        self.execution = started["executionArn"]
        return self.wait()

    def wait(self) -> dict[str, Any]:
        """Wait until the execution ends or waits for somebody."""
        return self.cloud.wait(self.execution)

    def answer(self, name: str, output: Any = None) -> dict[str, Any]:
        """Send an answer to who waits under a name; wait again."""
        token = self.script.tokens[name]
        self.client.send_task_success(taskToken=token, output=json.dumps(output or {}))
        return self.wait()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench in a fresh embedded AWS."""
    with Cloud() as cloud:
        yield Bench(cloud)


TWO = made(steps=[step("one"), step("two")])
BESIDE = made(steps=[{"parallel": [step("left"), step("right")]}, step("after")])
EACH = made(steps=[step("each", for_each=ITEMS), step("after")])
EACH_BESIDE = made(steps=[{"parallel": [step("each", for_each=ITEMS), step("right")]}])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_playbook_runs_to_its_end(bench: Bench, name: str) -> None:
    """Each step is asked for, the remediation is closed, the execution succeeds."""
    ended = bench.run(SHIPPED[name])
    steps = [each.name for each in SHIPPED[name].all_steps()]

    assert ("SUCCEEDED", [*sorted(steps), "close"]) == (
        ended["status"],
        [*sorted(bench.script.said[:-1]), bench.script.said[-1]],
    )
    assert len(json.dumps(ended["output"])) < 200


def test_the_function_is_told_ids_and_names_only(bench: Bench) -> None:
    """What a machine carries is ids, names, passes, indices and tokens."""
    bench.run(EVERYTHING, "plan")
    names = {name for event in bench.script.asked for name in event}

    assert names == {"do", "remediation", "pass", "step", "index"}
    assert {"r"} == {event["remediation"] for event in bench.script.asked}


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("contained", "SUCCEEDED"),
        ("partly_contained", "SUCCEEDED"),
        ("rolled_back", "SUCCEEDED"),
        ("failed", "FAILED"),
        ("partly_rolled_back", "FAILED"),
    ],
)
def test_an_execution_shows_how_its_remediation_ended(
    bench: Bench, status: str, ended: str
) -> None:
    """An execution fails where its remediation did."""
    bench.script.always["close"] = {"status": status}

    assert ended == bench.run(TWO)["status"]


# --- errors ---


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.StepFailed("x"), ["one", "close"]),
        (errors.Failed("x"), ["one", "close"]),
        (KeyError("a bug"), ["one", "close"]),
        (refusal("AccessDenied"), ["one", "close"]),
        (errors.Transient("x"), ["one", "one", "two", "close"]),
        (errors.Busy("x"), ["one", "one", "two", "close"]),
        (errors.Fenced("x"), ["one", "one", "two", "close"]),
        (ProcessKilled(), ["one", "one", "two", "close"]),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_error_of_a_step_stops_or_is_tried_again(
    bench: Bench, error: BaseException, said: list[str]
) -> None:
    """A failed step ends in Close, and the next is not run; a passing fault is tried again."""
    bench.script.answers["one"] = [error]
    bench.run(TWO)

    assert said == bench.script.said


@pytest.mark.parametrize("error", [errors.Failed("x"), KeyError("a bug"), errors.Corrupt("x")])
def test_a_step_may_be_passed_over(bench: Bench, error: Exception) -> None:
    """With on_error: continue the next step runs, whatever became of this one."""
    bench.script.answers["one"] = [error]
    bench.run(made(steps=[step("one", on_error="continue"), step("two")]))

    assert ["one", "two", "close"] == bench.script.said


def test_a_fault_that_does_not_pass_ends_in_close(bench: Bench) -> None:
    """Retries are bounded; then the remediation is closed."""
    bench.script.answers["one"] = [errors.Transient("x")] * 50
    bench.run(TWO)

    assert ["one"] * 7 + ["close"] == bench.script.said


def test_busy_outlasts_a_lease(bench: Bench) -> None:
    """A step whose worker was killed is tried again until the lease is surely over."""
    bench.script.answers["one"] = [errors.Busy("x")] * 100
    bench.run(TWO)

    assert sum(seconds for name, seconds in bench.cloud.waited if name == "one") > 2 * 330


def test_a_remediation_that_cannot_be_closed_fails_the_execution(bench: Bench) -> None:
    """Where Close itself fails the execution does, which a rule on its status answers."""
    bench.script.answers["close"] = [KeyError("x")]

    assert "FAILED" == bench.run(TWO)["status"]


# --- beside each other ---


def test_branches_run_and_join(bench: Bench) -> None:
    """All branches run, then what comes after them."""
    bench.run(BESIDE)

    assert ["left", "right"] == sorted(bench.script.said[:2])
    assert ["after", "close"] == bench.script.said[2:]


@pytest.mark.parametrize("error", [errors.StepFailed("x"), KeyError("a bug")])
def test_a_stopped_branch_lets_the_others_end(bench: Bench, error: Exception) -> None:
    """A branch that must stop the playbook does so after the join."""
    bench.script.answers["left"] = [error]

    assert "SUCCEEDED" == bench.run(BESIDE)["status"]
    assert (["left", "right"], ["close"]) == (sorted(bench.script.said[:2]), bench.script.said[2:])


def test_a_branch_may_be_passed_over(bench: Bench) -> None:
    """A branch with on_error: continue stops nothing."""
    bench.script.answers["left"] = [KeyError("a bug")]
    bench.run(made(steps=[{"parallel": [step("left", on_error="continue")]}, step("after")]))

    assert ["left", "after", "close"] == bench.script.said


def test_a_branch_is_tried_again_by_itself(bench: Bench) -> None:
    """A passing fault in a branch repeats that step alone."""
    bench.script.answers["left"] = [errors.Transient("x"), ProcessKilled()]
    bench.run(BESIDE)

    assert ["left"] * 3 + ["right"] == sorted(bench.script.said[:4])


# --- plans ---


@pytest.mark.parametrize("where", ["one", "two"])
def test_another_plan_is_made_where_it_changed(bench: Bench, where: str) -> None:
    """PlanChanged leads to the plan pass, its seal, and the apply pass again from its start."""
    bench.script.answers[where] = [errors.PlanChanged("x")]
    bench.run(TWO)
    before = ["one", "two"][: ["one", "two"].index(where) + 1]

    assert [*before, "plan one", "plan two", "seal", "one", "two", "close"] == bench.script.said


def test_another_plan_is_made_where_it_changed_in_a_branch(bench: Bench) -> None:
    """PlanChanged in a branch is heard after the join; the plan pass has no branches."""
    bench.script.answers["right"] = [errors.PlanChanged("x")]
    bench.run(BESIDE)

    assert ["plan left", "plan right", "plan after", "seal"] == bench.script.said[2:6]
    assert ["after", "close"] == bench.script.said[-2:]


def test_a_stop_outweighs_another_plan(bench: Bench) -> None:
    """Where one branch must stop the playbook, another's changed plan is not made again."""
    bench.script.answers["left"] = [errors.StepFailed("x")]
    bench.script.answers["right"] = [errors.PlanChanged("x")]
    bench.run(BESIDE)

    assert ["close"] == bench.script.said[2:]


def test_a_plan_that_is_only_observed_is_closed(bench: Bench) -> None:
    """Where the seal says so, the execution ends after the plan pass."""
    bench.script.always["seal"] = {"next": "close"}
    bench.run(TWO, "plan")

    assert ["plan one", "plan two", "seal", "close"] == bench.script.said


@pytest.mark.parametrize("name", ["plan one", "seal"])
def test_a_plan_that_fails_is_closed(bench: Bench, name: str) -> None:
    """A plan that cannot be made or sealed is not applied."""
    bench.script.answers[name] = [KeyError("a bug")]
    bench.run(TWO, "plan")

    assert ["close"] == bench.script.said[-1:]
    assert "one" not in bench.script.said


# --- approval ---

ASKED = ["plan one", "plan two", "seal", "ask"]


@pytest.mark.parametrize(
    ("answer", "applied"),
    [
        ({"decision": "approved"}, ["one", "two", "close"]),
        ({"decision": "approved", "by": "x" * 1_000}, ["one", "two", "close"]),
        ({"decision": "denied"}, ["close"]),
        ({"decision": True}, ["close"]),
        ({"decision": ["approved"]}, ["close"]),
        ({}, ["close"]),
        ("approved", ["close"]),
        (["approved"], ["close"]),
    ],
    ids=str,
)
def test_only_approval_leads_on(bench: Bench, answer: Any, applied: list[str]) -> None:
    """A plan waits until somebody answers; any answer but approval applies nothing."""
    bench.script.always["seal"] = {"next": "ask"}
    assert "RUNNING" == bench.run(TWO, "plan")["status"]
    assert ASKED == bench.script.said

    assert "SUCCEEDED" == bench.answer("ask", answer)["status"]
    assert ASKED + applied == bench.script.said


def test_an_approval_that_nobody_gives_expires(bench: Bench) -> None:
    """When the time is over the remediation is closed, and nobody is asked a second time."""
    bench.script.always["seal"] = {"next": "ask"}
    bench.run(made(steps=[step("one")], guardrails={"approve_within": "2h"}), "plan")
    bench.cloud.expire_tasks()
    bench.wait()

    assert ["plan one", "seal", "ask", "close"] == bench.script.said
    assert ("Ask", 7_200 + ANSWER_SECONDS) in bench.cloud.waited


def test_an_approval_that_cannot_be_asked_for_is_asked_again(bench: Bench) -> None:
    """A fault while asking is tried again with a new token; the old one is worth nothing."""
    bench.script.always["seal"] = {"next": "ask"}
    bench.script.answers["ask"] = [errors.Transient("x")]
    bench.run(TWO, "plan")
    bench.answer("ask", {"decision": "approved"})

    assert [*ASKED, "ask", "one", "two", "close"] == bench.script.said


# --- waiting ---


def test_a_halted_step_waits_and_goes_on(bench: Bench) -> None:
    """Under the kill switch a step waits beside itself; woken, it is run again, then the next."""
    bench.script.answers["one"] = [errors.Halted("x")]
    assert "RUNNING" == bench.run(TWO)["status"]
    assert ["one", "park one"] == bench.script.said
    bench.answer("park one")

    assert ["one", "park one", "one", "two", "close"] == bench.script.said


def test_a_halted_step_that_nobody_wakes_looks_again(bench: Bench) -> None:
    """After an hour a waiting step looks by itself."""
    bench.script.answers["one"] = [errors.Halted("x"), errors.Halted("x")]
    bench.run(TWO)
    bench.cloud.expire_tasks()
    assert "RUNNING" == bench.wait()["status"]
    bench.cloud.expire_tasks()

    assert "SUCCEEDED" == bench.wait()["status"]
    assert ["one", "park one"] * 2 + ["one", "two", "close"] == bench.script.said


def test_halted_branches_wait_each_for_themselves(bench: Bench) -> None:
    """A branch that waits does not hold up another, and what comes after waits for both."""
    bench.script.answers["left"] = [errors.Halted("x")]
    assert "RUNNING" == bench.run(BESIDE)["status"]
    assert ["left", "park left", "right"] == sorted(bench.script.said)
    bench.answer("park left")

    assert ["left", "after", "close"] == bench.script.said[-3:]


def test_halted_items_wait_each_for_themselves(bench: Bench) -> None:
    """An item that waits is woken by its own token."""
    bench.script.answers["each[3]"] = [errors.Halted("x")]
    assert "RUNNING" == bench.run(EACH)["status"]
    assert "park each[3]" in bench.script.said
    bench.answer("park each[3]")

    assert ["each[3]", "after", "close"] == bench.script.said[-3:]


def test_a_step_that_cannot_be_parked_stops(bench: Bench) -> None:
    """Where the wait itself fails nothing more is done."""
    bench.script.answers["one"] = [errors.Halted("x")]
    bench.script.answers["park one"] = [KeyError("a bug")]
    bench.run(TWO)

    assert ["one", "park one", "close"] == bench.script.said


# --- for each ---


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("compiled", [EACH, EACH_BESIDE], ids=["alone", "beside"])
def test_a_step_is_run_for_each_item(bench: Bench, compiled: Playbook, count: int) -> None:
    """The step runs once per item, also for none, and in a branch; then the playbook goes on."""
    bench.script.always["items"] = {"indices": list(range(count))}
    bench.run(compiled)
    items = [name for name in bench.script.said if name.startswith("each[")]

    assert [f"each[{n}]" for n in range(count)] == sorted(items)
    assert "items each" in bench.script.said
    assert "close" == bench.script.said[-1]


@pytest.mark.parametrize("error", [errors.StepFailed("x"), KeyError("a bug")])
def test_a_stopped_item_lets_the_others_end(bench: Bench, error: Exception) -> None:
    """One item that fails stops the playbook once the others have ended."""
    bench.script.answers["each[1]"] = [error]
    bench.run(EACH)

    assert [f"each[{n}]" for n in range(5)] == sorted(bench.script.said[1:-1])
    assert "after" not in bench.script.said


def test_a_stopped_item_in_a_branch_stops_after_the_join(bench: Bench) -> None:
    """An item's failure inside a branch is heard after the join of the branches."""
    bench.script.answers["each[1]"] = [errors.StepFailed("x")]
    compiled = made(
        steps=[{"parallel": [step("each", for_each=ITEMS), step("right")]}, step("after")]
    )
    bench.run(compiled)

    assert {"right", "close"} <= set(bench.script.said)
    assert "after" not in bench.script.said


@pytest.mark.parametrize("name", ["items each", "each[2]"])
def test_items_may_be_passed_over(bench: Bench, name: str) -> None:
    """With on_error: continue neither an item nor the count of them stops the playbook."""
    bench.script.answers[name] = [KeyError("a bug")]
    bench.run(made(steps=[step("each", for_each=ITEMS, on_error="continue"), step("after")]))

    assert ["after", "close"] == bench.script.said[-2:]


@pytest.mark.parametrize("name", ["items each", "each[2]"])
def test_another_plan_is_made_where_it_changed_in_an_item(bench: Bench, name: str) -> None:
    """PlanChanged in an item, or in the count of them, leads to the plan pass."""
    bench.script.answers[name] = [errors.PlanChanged("x")]
    bench.run(EACH_BESIDE)
    begin = bench.script.said.index("items plan each")

    planned = [*(f"plan each[{n}]" for n in range(5)), "plan right", "seal"]
    assert planned == bench.script.said[begin + 1 : begin + 8]
    assert "close" == bench.script.said[-1]


# --- taking back ---

ROLLING = made(steps=[step("one"), step("two")], on_failure="roll_back", on_failure_reason=REASON)


def test_rolling_back_goes_on_until_it_is_done(bench: Bench) -> None:
    """A failed step takes back what was done, in as many turns as that needs."""
    bench.script.answers["two"] = [errors.StepFailed("x")]
    bench.script.answers["undo"] = [{"more": True}, {"more": True}]
    bench.run(ROLLING)

    assert ["one", "two", "undo", "undo", "undo", "close"] == bench.script.said


def test_rolling_back_that_fails_is_closed(bench: Bench) -> None:
    """Where taking back fails, the remediation is closed as it is."""
    bench.script.answers["two"] = [errors.StepFailed("x")]
    bench.script.answers["undo"] = [{"more": True}, KeyError("a bug")]
    bench.run(ROLLING)

    assert ["one", "two", "undo", "undo", "close"] == bench.script.said


def test_a_branch_rolls_back_after_the_join(bench: Bench) -> None:
    """Only when nothing runs any more is anything taken back."""
    bench.script.answers["left"] = [errors.StepFailed("x")]
    beside = [{"parallel": [step("left"), step("right")]}]
    bench.run(made(steps=beside, on_failure="roll_back", on_failure_reason=REASON))

    assert ["undo", "close"] == bench.script.said[2:]


def test_the_undo_pass_only_takes_back(bench: Bench) -> None:
    """An execution may begin with taking back, whatever the playbook does on failure."""
    assert UNDO in workflow.compile(TWO)["States"]
    bench.run(TWO, "undo")

    assert ["undo", "close"] == bench.script.said
