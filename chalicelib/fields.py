"""A typed view of JSON that others wrote: a value of the wrong type is rejected, with its path."""

from __future__ import annotations

import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Literal, NoReturn, TypeVar

from chalicelib.errors import Rejected

Read = TypeVar("Read")
Default = TypeVar("Default")


class _Needed(Enum):
    """Stand for "no default": the value has to be there."""

    NEEDED = "needed"


NEEDED: Final = _Needed.NEEDED
Needed = Literal[_Needed.NEEDED]

TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)  # ISO 8601, as AWS writes it
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
PARTITIONS: Mapping[str, str] = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}  # by how the region's name starts
NAMES: Mapping[type, str] = {
    dict: "an object", list: "a list", str: "a text", bool: "true or false",
    int: "a number", float: "a number", type(None): "null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fields:
    """View one JSON value, `path` being its dotted place in the event.

    A key may be dotted (`service.action`) and may hold spaces; the empty key is the value itself.
    A value that is missing or null is the default, and without one is rejected.
    """

    value: Any
    path: str = ""

    def reject(self, reason: str) -> NoReturn:
        """Raise Rejected for this value."""
        raise Rejected(self.path or "$", reason)

    def at(self, key: str) -> Fields:
        """Return the view of the value under the key, there or not: all is missing in what is."""
        found = self
        for name in key.split(".") if key else ():
            found = found._member(name)
        return found

    def optional(self, key: str) -> Fields | None:
        """Return the view of the value under the key, None where it is missing or null."""
        found = self.at(key)
        return None if found.value is None else found

    def child(self, key: str) -> Fields:
        """Return the view of the value under the key."""
        found = self.at(key)
        return found.reject("is missing") if found.value is None else found

    def text(
        self, key: str = "", default: Default | Needed = NEEDED, *, max_length: int = 1024
    ) -> str | Default:
        """Return a text: it may be empty, and hold any character but half a surrogate pair."""
        return self._read(key, default, lambda at: at._text(max_length))

    def identifier(
        self, key: str = "", default: Default | Needed = NEEDED, *, max_length: int = 1024
    ) -> str | Default:
        """Return a text without control characters; an empty one counts as missing."""
        return self._filled(key)._read("", default, lambda at: at._identifier(max_length))

    def number(
        self,
        key: str = "",
        default: Default | Needed = NEEDED,
        *,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> float | Default:
        """Return a finite number within the bounds."""
        return self._read(key, default, lambda at: at._number(least, most))

    def integer(
        self,
        key: str = "",
        default: Default | Needed = NEEDED,
        *,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> int | Default:
        """Return a whole number within the bounds."""
        return self._read(key, default, lambda at: at._integer(least, most))

    def flag(self, key: str = "", default: Default | Needed = NEEDED) -> bool | Default:
        """Return true or false."""
        return self._read(key, default, Fields._flag)

    def address(self, key: str = "", default: Default | Needed = NEEDED) -> str | Default:
        """Return an IP address in its shortest form, IPv4 where IPv6 only carries it.

        An empty text counts as missing. Networks, zones (`%eth0`) and names are rejected.
        """
        return self._filled(key)._read("", default, Fields._address)

    def time(self, key: str = "", default: Default | Needed = NEEDED) -> str | Default:
        """Return an ISO 8601 time in UTC; one without an offset is taken to be in UTC."""
        return self._filled(key)._read("", default, Fields._time)

    def account(self, key: str = "") -> str:
        """Return an AWS account id: twelve digits."""
        return self._shaped(key, ACCOUNT, "a 12-digit account id")

    def region(self, key: str = "") -> str:
        """Return the name of an AWS region, which becomes part of a host name."""
        return self._shaped(key, REGION, "a region's name")

    def each(self, key: str = "") -> Iterator[Fields]:
        """Yield a view of each item of a list; none where the list is missing."""
        found = self.at(key)
        if found.value is None:
            return
        if not isinstance(found.value, list):
            found._wrong("a list")
        for index, item in enumerate(found.value):
            yield Fields(item, f"{found.path}[{index}]")

    def texts(self, key: str = "", *, max_length: int = 1024) -> list[str]:
        """Return a list of texts without control characters; empty where the list is missing."""
        return [item.identifier(max_length=max_length) for item in self.each(key)]

    def _member(self, name: str) -> Fields:
        if self.value is not None and not isinstance(self.value, Mapping):
            self._wrong("an object")
        value = None if self.value is None else self.value.get(name)
        return Fields(value, f"{self.path}.{name}" if self.path else name)

    def _filled(self, key: str) -> Fields:
        found = self.at(key)
        return Fields(None, found.path) if found.value == "" else found

    def _read(
        self, key: str, default: Default | Needed, read: Callable[[Fields], Read]
    ) -> Read | Default:
        found = self.at(key)
        if found.value is not None:
            return read(found)
        return found.reject("is missing") if default is NEEDED else default

    def _wrong(self, wanted: str) -> NoReturn:
        name = NAMES.get(type(self.value), type(self.value).__name__)
        self.reject(f"has to be {wanted}, not {name}")

    def _text(self, max_length: int) -> str:
        if not isinstance(self.value, str):
            self._wrong("a text")
        if len(self.value) > max_length:
            self.reject(f"is longer than {max_length} characters")
        if any("\ud800" <= character <= "\udfff" for character in self.value):
            self.reject("holds half a surrogate pair, which is no text")
        return self.value

    def _identifier(self, max_length: int) -> str:
        text = self._text(max_length)
        if any(unicodedata.category(character) == "Cc" for character in text):
            self.reject("holds a control character")
        return text

    def _number(self, least: float, most: float) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self._wrong("a number")
        if not -math.inf < self.value < math.inf:
            self.reject("has to be a finite number")
        if not least <= self.value <= most:
            self.reject(f"has to be from {least:g} to {most:g}")
        try:
            return float(self.value)
        except OverflowError:
            self.reject("is too large a number")

    def _integer(self, least: float, most: float) -> int:
        number = self._number(least, most)
        if not number.is_integer():
            self.reject("has to be a whole number")
        return int(self.value)

    def _shaped(self, key: str, shape: re.Pattern[str], meant: str) -> str:
        text = self.text(key)
        if not shape.fullmatch(text):
            self.child(key).reject(f"'{text[:80]}' is not {meant}")
        return text

    def _flag(self) -> bool:
        return self.value if isinstance(self.value, bool) else self._wrong("true or false")

    def _address(self) -> str:
        text = self._text(64)
        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            self.reject(f"'{text}' is not an IP address")
        if isinstance(found, ipaddress.IPv6Address):
            if found.scope_id is not None:
                self.reject(f"'{text}' is an address within a zone, which no rule can name")
            return str(found.ipv4_mapped or found)
        return str(found)

    def _time(self) -> str:
        text = self._text(64)
        if not TIME.fullmatch(text):
            self.reject(f"'{text}' is not an ISO 8601 time")
        try:
            moment = datetime.fromisoformat(text)
            utc = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            self.reject(f"'{text}' is not an ISO 8601 time")
        return text if text.endswith("Z") else utc.isoformat().replace("+00:00", "Z")


def partition_of(region: str) -> str:
    """Return the partition of a region."""
    return next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's members, for `json.loads`. Raise ValueError where a key stands twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return members
