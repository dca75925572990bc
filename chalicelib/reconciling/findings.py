"""Active findings of GuardDuty whose events never arrived: they are handed in.

https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from chalicelib import clock, remembering, undelivered
from chalicelib.reconciling import Run
from chalicelib.sources.guardduty.envelope import FINDING, SOURCE

ORDER = 40
PERMISSIONS = ("guardduty:GetFindings", "guardduty:ListDetectors", "guardduty:ListFindings")
WINDOW = 86_400  # seconds: what was updated in them is active
PAGE = 50  # findings that GetFindings takes
PAGES = 4  # of one detector in a run; the next run goes on from there


def find(run: Run) -> None:
    """Look through the detectors of every account that is known by its id."""
    run.each(run.accounts(), "GuardDuty of", lambda account: _account(run, account))


def _account(run: Run, account: str) -> None:
    client = run.client("guardduty", account, PERMISSIONS)
    for detector in client.list_detectors()["DetectorIds"]:
        undelivered.hand_in(run, _events(run, client, account, detector))


def _events(run: Run, client: Any, account: str, detector: str) -> Iterator[dict[str, Any]]:
    """Yield a detector's findings as events, from where the last run stopped, oldest first."""
    name, start = f"guardduty#{detector}", clock.text(run.now - WINDOW)
    reached, token, last = max(remembering.cursor(run.desk, name), start), "", ""
    for _ in range(PAGES):
        listed = _listed(client, detector, reached=reached, token=token)
        found = _got(client, detector, listed["FindingIds"])
        for each in found:
            if each.get("AccountId") == account or account in run.desk.settings.administrators:
                yield _event(run, account, each)
        token = listed.get("NextToken", "")
        if not token:
            remembering.come_to(run.desk, name, "")
            return
        last = max((str(each.get("UpdatedAt", "")) for each in found), default=last)
    remembering.come_to(run.desk, name, last)


def _listed(client: Any, detector: str, *, reached: str, token: str) -> dict[str, Any]:
    since = int(datetime.fromisoformat(reached).timestamp() * 1_000)
    criterion = {
        "service.archived": {"Equals": ["false"]},
        "updatedAt": {"GreaterThanOrEqual": since},
    }
    answer: dict[str, Any] = client.list_findings(
        DetectorId=detector,
        FindingCriteria={"Criterion": criterion},
        SortCriteria={"AttributeName": "updatedAt", "OrderBy": "ASC"},
        MaxResults=PAGE,
        NextToken=token,
    )
    return answer


def _got(client: Any, detector: str, ids: list[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    answer = client.get_findings(DetectorId=detector, FindingIds=ids)["Findings"]
    found: list[dict[str, Any]] = undelivered.plain(answer)
    return sorted(found, key=lambda each: str(each.get("UpdatedAt", "")))


def _event(run: Run, account: str, finding: dict[str, Any]) -> dict[str, Any]:
    """Return a finding as EventBridge would deliver it from an account."""
    return {
        "version": "0",
        "id": str(finding.get("Id", "")),
        "detail-type": FINDING,
        "source": SOURCE,
        "account": account,
        "time": finding.get("UpdatedAt", ""),
        "region": run.desk.settings.region,
        "resources": [],
        "detail": finding,
    }
