"""What a deployment costs: findings replayed in the embedded AWS, and what AWS would bill of them.

    python -m benchmarks.bench_cost

One finding of each kind is replayed and counted; a thousand cost a thousand times that, and mixes
are sums. Counts are exact for what was replayed; benchmarks/metering.py says what is assumed, and
benchmarks/prices.py where each price comes from. Not counted: the services that find (GuardDuty,
Config, Network Firewall, CloudTrail), snapshots that are kept as evidence, data transfer, taxes.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.metering import CHUNK, RECORD_BYTES, Usage, metered
from benchmarks.prices import ASR_FINDINGS, ASR_USE, MONTHLY, PRICES
from firebreak import templates
from firebreak.event_files import EventFile, events
from firebreak.replay import Options, decide, deliver, load_playbooks, settle, world
from firebreak.report import remediations
from firebreak.stage import Stage

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "tests" / "events"
MINER = "guardduty/crypto_currency_ec2.json"
KINDS = {  # of a finding: its event, and what a person decides
    "not matched": ("guardduty/low_severity.json", ""),
    "repeat": (MINER, ""),
    "contained: instance, 7 steps": (MINER, ""),
    "contained after approval": ("guardduty/backdoor_c_and_c_dns.json", "approved"),
    "contained: credentials": ("guardduty/stolen_role_credentials.json", ""),
    "contained: security group": ("config/restricted_ssh_noncompliant.json", ""),
}
INSTANCE = "contained: instance, 7 steps"
MIXES: dict[str, dict[str, float]] = {  # of a thousand findings, but for the last
    "mix: 5 % contained, 25 % repeats": {INSTANCE: 50, "repeat": 250, "not matched": 700},
    "1,000 contained, 15,667 not matched": {
        INSTANCE: 1_000,
        "not matched": 1_000 * (ASR_FINDINGS - 1),
    },
}
SCHEDULES = {"sweep": 12 * 730, "reconcile": 4 * 730, "seal_audit": 730}  # runs a month
# Lambda asks an empty queue with five long polls of 20 seconds at a time:
# https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
POLLS = 5 * 3 * 60 * 730
KEYS = 2
SCHEDULED = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}


def alarm_metrics() -> int:
    """Return how many metrics the alarms of a stage look at, each of which is billed."""
    config = json.loads((ROOT / ".chalice" / "config.json").read_text("utf-8"))
    made = templates.build("operations", templates.of_config("dev", config))["Resources"].values()
    alarms = [each["Properties"] for each in made if each["Type"] == "AWS::CloudWatch::Alarm"]
    read = [
        [m for m in each["Metrics"] if "MetricStat" in m] for each in alarms if "Metrics" in each
    ]
    return len(alarms) - len(read) + sum(map(len, read))


# --- measuring ------------------------------------------------------------------------------------


def measured(kind: str) -> Usage:
    """Return what a finding of a kind uses, its forwarding from a member account with it."""
    path, decision = KINDS[kind]
    (event,) = events([EVENTS / path])
    with world(load_playbooks(None), Options()) as stage:
        feed = stage.provide_audit_store()
        if kind == "repeat":
            deliver(stage, event, Options())
            feed.poll()
        if decision:
            stage.api_url()
        with metered(stage) as usage:
            handled = deliver(stage, event, Options())
            if decision:
                decide(stage, remediations(handled), decision)
                settle(stage)
            records = feed.poll()
        _expect(kind, [each["decision"] for each in handled.decisions])
    return _with_records(usage, records, event)


def _expect(kind: str, decisions: list[str]) -> None:
    """Assert that a finding was decided as its kind says."""
    wanted = {"not matched": "no_playbook", "repeat": "duplicate"}.get(kind, "started")
    assert decisions == [wanted], f"{kind}: {decisions}"


def _with_records(usage: Usage, records: int, event: EventFile) -> Usage:
    """Count one invocation for each audit record, and the forwarding of the event."""
    more = records - usage.invocations["keep_audit"]
    usage.invocations["keep_audit"] += more
    for name in ("lambda_requests", "traces"):
        usage.billed[name] += more
    usage.billed["log_gb"] += more * RECORD_BYTES / 1e9
    size = len(json.dumps(event.value).encode())
    usage.billed["forwarded_events"] += math.ceil(size / CHUNK)
    return usage


def scheduled(stage: Stage, function: str) -> Usage:
    """Return what one run of a scheduled function uses."""
    with metered(stage) as usage:
        stage.cloud.session().client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(SCHEDULED)
        )
    return usage


def schedules() -> Mapping[str, Usage]:
    """Return what the scheduled functions use in a month, beside one instance that is contained."""
    (miner,) = events([EVENTS / MINER])
    with world(load_playbooks(None), Options()) as stage:
        feed = stage.provide_audit_store()
        deliver(stage, miner, Options())
        feed.poll()
        for function in SCHEDULES:
            scheduled(stage, function)  # what only the first run does is done
        return {name: scheduled(stage, name).times(runs) for name, runs in SCHEDULES.items()}


def mixed(kinds: Mapping[str, Usage], shares: Mapping[str, float]) -> Usage:
    """Return what a mix of findings uses."""
    total = Usage()
    for kind, count in shares.items():
        total = total.plus(kinds[kind].times(count))
    return total


# --- showing --------------------------------------------------------------------------------------


def show_prices() -> None:
    """Print the prices, with where they were found."""
    print("prices, us-east-1, dollars")
    for price in [*PRICES.values(), *MONTHLY.values()]:
        print(
            f"  {price.usd:9.4f} per {price.per:9,.0f}  {price.unit:45} {price.page}; {price.found}"
        )


def show_kinds(kinds: Mapping[str, Usage]) -> None:
    """Print what one finding of each kind uses."""
    print("\none finding uses")
    print(f"  {'':36}" + "".join(f"{name[:16]:>18}" for name in kinds))
    for name, price in PRICES.items():
        row = [usage.billed[name] for usage in kinds.values()]
        if any(row):
            print(f"  {price.unit:36}" + "".join(f"{each:18,.6g}" for each in row))
    for unit, attribute in (
        ("bytes stored in tables", "stored"),
        ("bytes kept in the audit bucket", "kept"),
        ("seconds of functions, as assumed", "seconds"),
        ("seconds of functions, on this machine", "measured"),
    ):
        row = [getattr(usage, attribute) for usage in kinds.values()]
        print(f"  {unit:36}" + "".join(f"{each:18,.4g}" for each in row))


def show_mixes(kinds: Mapping[str, Usage]) -> None:
    """Print what mixes cost, by service."""
    mixes = {name: mixed(kinds, shares) for name, shares in MIXES.items()}
    mixes |= {f"1,000 {kind}": usage.times(1_000) for kind, usage in kinds.items()}
    for name, usage in mixes.items():
        print(f"\n{name}: ${usage.dollars():.2f}")
        for unit, dollars in sorted(_lines(usage), key=lambda line: -line[1]):
            if dollars >= 0.005:
                print(f"  {dollars:8.3f}  {unit}")


def _lines(usage: Usage) -> Iterator[tuple[str, float]]:
    for name, quantity in usage.billed.items():
        yield f"{quantity:14,.3f} {PRICES[name].unit}", PRICES[name].of(quantity)


def show_month(by_schedule: Mapping[str, Usage]) -> None:
    """Print what a stage costs in a month without a finding."""
    lines = [(f"schedule {name}", usage.dollars()) for name, usage in by_schedule.items()]
    lines.append(("Lambda asking the retry queue", PRICES["sqs_requests"].of(POLLS)))
    lines.append((f"{KEYS} keys", MONTHLY["key"].of(KEYS)))
    lines.append((f"{alarm_metrics()} metrics of alarms", MONTHLY["alarm"].of(alarm_metrics())))
    lines.append(("dashboard", MONTHLY["dashboard"].of(1)))
    print(f"\na month without findings: ${sum(dollars for _, dollars in lines):.2f}")
    for name, dollars in lines:
        print(f"  {dollars:8.3f}  {name}")
    print("and, where they are used")
    for name in ("table_gb", "recovery_gb", "log_gb", "bucket_gb", "stream", "stream_gb", "shard"):
        print(f"  {MONTHLY[name].usd:8.3f}  {MONTHLY[name].unit}")


def show_asr() -> None:
    """Print what ASR's own page counts for its use."""
    print(f"\nASR, 1,000 remediations with {ASR_FINDINGS:.1f} findings each, by its own page")
    for name, dollars in ASR_USE:
        print(f"  {dollars * 1_000:8.3f}  {name}")
    total = sum(dollars for _, dollars in ASR_USE) * 1_000
    print(f"  {total:8.3f}  together, without what it lists by the month")


def main() -> None:
    """Measure, and print."""
    with contextlib.redirect_stdout(io.StringIO()):  # the lines that functions log
        for kind in KINDS:
            measured(kind)  # what only the first of a process does is done
        kinds = {kind: measured(kind) for kind in KINDS}
        by_schedule = schedules()
    show_prices()
    show_kinds(kinds)
    show_mixes(kinds)
    show_month(by_schedule)
    show_asr()


if __name__ == "__main__":
    main()
