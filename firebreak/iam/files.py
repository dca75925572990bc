"""The policy files that Chalice gives to functions: written, and compared with what they should be.

https://aws.github.io/chalice/topics/configfile.html#iam-policy-file
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chalicelib.fields import partition_of
from chalicelib.settings import FUNCTIONS, PREFIX
from firebreak.iam.documents import text
from firebreak.iam.home import function_policy
from firebreak.iam.place import ANYWHERE, Place

CHALICE = ".chalice"


def policy_file(stage: str, function: str) -> str:
    """Return where a function's policy lies, below `.chalice`."""
    return f"policies/{stage}/{function}.json"


def place_of(stage: str, variables: Mapping[str, str], given: Mapping[str, str]) -> Place:
    """Return where a stage's policies hold: as given, as it sets itself, or left open."""
    region = given.get("region") or variables.get(f"{PREFIX}REGION") or ANYWHERE
    account = given.get("account") or variables.get(f"{PREFIX}HOME_ACCOUNT") or ANYWHERE
    known = given.get("partition") or variables.get(f"{PREFIX}PARTITION")
    return Place(known or partition_of(region), account, region, stage)


def log_buckets(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the buckets of which a stage reads log objects."""
    named = variables.get(f"{PREFIX}FIREWALL_LOG_BUCKETS", "")
    return tuple(each.strip() for each in named.split(",") if each.strip())


def wanted(place: Place, buckets: tuple[str, ...]) -> Mapping[Path, str]:
    """Return what each function's policy file has to hold, by its path within the project."""
    return {
        Path(CHALICE, policy_file(place.stage, name)): text(function_policy(name, place, buckets))
        for name in FUNCTIONS
    }


def outdated(files: Mapping[Path, str], root: Path) -> list[str]:
    """Return a line for each file that is not as it has to be, or should not be there."""
    found = [_differs(file, content, root) for file, content in files.items()]
    there = [each for file in files for each in (root / file.parent).glob("*.json")]
    extra = sorted({each.relative_to(root) for each in there} - set(files))
    return [*filter(None, found), *(f"{each}: belongs to no function" for each in extra)]


def _differs(file: Path, content: str, root: Path) -> str:
    if not (root / file).is_file():
        return f"{file}: is missing"
    same = (root / file).read_text(encoding="utf-8") == content
    return "" if same else f"{file}: is out of date"


def write(files: Mapping[Path, str], root: Path) -> list[Path]:
    """Write the files that are not as they have to be; return them."""
    changed = [file for file, content in files.items() if _differs(file, content, root)]
    for file in changed:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(files[file], encoding="utf-8")
    return changed
