"""The forms in which a log destination delivers records, and the alerts in them."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote_plus

from chalicelib.errors import Rejected
from chalicelib.fields import Fields
from chalicelib.firewall_logs.alert import Alert, alert, bounded, compact, cut, members

# What one piece (a subscription payload, a Kinesis or Firehose record, an S3 object) may unfold to.
# A record is at most 1 MB compressed and gzip packs up to 1,032 to 1, so a crafted one would unfold
# to a gigabyte and end the function; logs pack some 10 to 20 to 1. The largest honest piece is an
# S3 object, which AWS closes at 75 MB. Of a larger one what fits is read, and the rest is rejected.
PIECE_BYTES = 80 * 2**20
PRETTY_BYTES = 2**20  # a record written over several lines is looked for up to this size
REJECTIONS = 100  # told one by one; of any more the number
HOPELESS = 10_000  # of a piece; past it, it is no log, and its rest would only take time
RAW = 2000  # characters of what was rejected that are kept

# https://docs.aws.amazon.com/network-firewall/latest/developerguide/logging-s3.html: a prefix of
# one's own, then AWSLogs/account/network-firewall/type/region/firewall/…
OBJECT_KEY = re.compile(
    r"(?:.*/)?AWSLogs/([0-9]{12})/network-firewall/[a-z]+/([a-z0-9-]+)/.*", re.DOTALL
)
GZIP = b"\x1f\x8b"

ReadObject = Callable[[str, str, str], bytes]


class Rejection(NamedTuple):
    """Say what could not be read: where it was, why not, and how it begins."""

    where: str
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Hold what a delivery had: alerts, how many records were none, what could not be read."""

    records: tuple[Alert, ...]
    ignored: int
    rejected: tuple[Rejection, ...]


def records(payload: object, read_object: ReadObject | None = None) -> Batch:
    """Return the alerts in what a log destination delivers; the unreadable is told, not raised.

    Taken are a CloudWatch Logs subscription, a Kinesis batch, a Firehose batch, an S3 notification
    (read_object(bucket, key, account) reads the object, which its key says to be this account's
    log; what it raises passes through, but for Rejected), a record, a list of records, and text or
    bytes of records, one after the other, plain or gzip.

    https://docs.aws.amazon.com/network-firewall/latest/developerguide/firewall-logging-contents.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
    """
    delivery = _Delivery(read_object)
    delivery.guarded("$", lambda: delivery.take(payload))
    if delivery.untold:
        more = f"{delivery.untold} more could not be read"
        delivery.rejected.append(Rejection("$", more, ""))
    return Batch(tuple(delivery.alerts), delivery.ignored, tuple(delivery.rejected))


@dataclass(frozen=True, slots=True)
class _Place:
    """Says where in a delivery something is, and whose log that is."""

    where: str = ""
    account: str = ""
    region: str = ""

    def inside(self, part: str) -> _Place:
        return _Place(f"{self.where or '$'}{part}", self.account, self.region)


class _Hopeless(Exception):
    """Ends the reading of a piece that is no log."""


class _Delivery:
    """Collects what is read of one delivery."""

    def __init__(self, read_object: ReadObject | None) -> None:
        self.alerts: list[Alert] = []
        self.ignored = 0
        self.rejected: list[Rejection] = []
        self.untold = 0
        self._failures = 0
        self._read_object = read_object

    def guarded(self, where: str, read: Callable[[], None]) -> None:
        self._failures = 0
        try:
            read()
        except _Hopeless:
            reason = f"more than {HOPELESS} records cannot be read; the rest is not tried"
            self.rejected.append(Rejection(where, reason, ""))
        self._failures = 0

    def take(self, payload: object) -> None:
        if isinstance(payload, str):
            self._piece(payload.encode("utf-8", "surrogatepass"), _Place())
        elif isinstance(payload, bytes | bytearray):
            self._piece(bytes(payload), _Place())
        elif isinstance(payload, Mapping):
            self._envelope(payload)
        else:
            self._value(payload, _Place())

    def _envelope(self, payload: Mapping[Any, Any]) -> None:
        several = next((key for key in ("Records", "records") if key in payload), None)
        if "awslogs" in payload:
            self._packed(Fields(payload), "awslogs.data")
        elif several:
            self._each(Fields(payload), several)
        elif payload.get("Event") == "s3:TestEvent":  # S3 sends it when notifications are set up
            self.ignored += 1
        else:
            self._value(payload, _Place())

    def _each(self, payload: Fields, key: str) -> None:
        try:
            for item in payload.each(key):
                self._item(item)
        except Rejected as wrong:
            self._reject(wrong.path, wrong.reason, payload.value)

    def _item(self, item: Fields) -> None:
        inside = members(item.value)
        if "s3" in inside:
            self._object(item)
        else:
            self._packed(item, "kinesis.data" if "kinesis" in inside else "data")

    def _packed(self, item: Fields, key: str) -> None:
        try:
            packed = item.child(key)
            if not isinstance(packed.value, str):
                packed.reject("has to be base64")
            data = base64.b64decode(packed.value, validate=True)
        except Rejected as wrong:
            self._reject(wrong.path, wrong.reason, item.value)
        except (binascii.Error, ValueError):
            self._reject(packed.path, "is not base64", packed.value)
        else:
            self._piece(data, _Place(packed.path))

    def _object(self, item: Fields) -> None:
        try:
            bucket = item.identifier("s3.bucket.name")
            key = unquote_plus(item.text("s3.object.key", max_length=4096))
            if self._read_object is None:
                item.reject("is an S3 object, and nothing was given to read it with")
            owner = OBJECT_KEY.fullmatch(key)
            if owner is None:
                item.child("s3.object.key").reject("is none under which Network Firewall logs")
            data = self._read_object(bucket, key, owner[1])
        except Rejected as wrong:
            self._reject(wrong.path, wrong.reason, item.value)
        else:
            self._piece(data, _Place(f"s3://{bucket}/{key}", owner[1], owner[2]))

    def _piece(self, data: bytes, place: _Place) -> None:
        try:
            text = _inflate(data) if data[:2] == GZIP else data
        except zlib.error as wrong:
            self._reject(place.where, f"is not gzip: {wrong}", data)
            return
        if len(text) > PIECE_BYTES:
            self._reject(place.where, f"the rest past {PIECE_BYTES} bytes is not read", data)
        self.guarded(place.where or "$", lambda: self._text(text[:PIECE_BYTES], place))

    def _text(self, text: bytes, place: _Place) -> None:
        whole = _whole(text)
        if whole is not None:
            self._value(whole, place)
            return
        for number, line in enumerate(io.BytesIO(text), 1):
            if not line.isspace():
                self._line(line, place.inside(f":{number}"), self._value)

    def _line(self, line: bytes, place: _Place, read: Callable[[object, _Place], None]) -> None:
        try:
            for value in _values(line.decode("utf-8-sig").strip()):
                read(value, place)
        except (ValueError, RecursionError) as wrong:
            self._reject(place.where, f"is not JSON: {wrong}"[:200], line)

    def _value(self, value: object, place: _Place) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                self._document(item, place.inside(f"[{index}]"))
        else:
            self._document(value, place)

    def _document(self, value: object, place: _Place) -> None:
        if "logEvents" in members(value):
            self._subscription(Fields(value, place.where), place)
        else:
            self._record(value, place)

    def _subscription(self, payload: Fields, place: _Place) -> None:
        try:
            kind = payload.identifier("messageType")
            if kind == "CONTROL_MESSAGE":
                self.ignored += 1
                return
            if kind != "DATA_MESSAGE":
                payload.reject(f"'{kind[:40]}' is no messageType of a subscription")
            owner = replace(place, account=place.account or payload.account("owner"))
            for item in payload.each("logEvents"):
                self._message(item, owner)
        except Rejected as wrong:
            self._reject(wrong.path, wrong.reason, payload.value)

    def _message(self, item: Fields, place: _Place) -> None:
        """Read one record; whoever may write into a log must not name another owner in it."""
        message = members(item.value).get("message")
        inner = replace(place, where=f"{item.path}.message")
        if isinstance(message, str):
            self._line(message.encode("utf-8", "surrogatepass"), inner, self._record)
        else:
            self._reject(inner.where, "has to be a text", item.value)

    def _record(self, value: object, place: _Place) -> None:
        try:
            if Fields(value).text("event.event_type") == "alert":
                self.alerts.append(alert(Fields(bounded(value)), place.account, place.region))
            else:
                self.ignored += 1
        except Rejected as wrong:
            self._reject(place.where, str(wrong), value)

    def _reject(self, where: str, reason: str, raw: object) -> None:
        self._failures += 1
        if self._failures > HOPELESS:
            raise _Hopeless
        if len(self.rejected) >= REJECTIONS:
            self.untold += 1
            return
        if isinstance(raw, bytes):
            raw = raw[:RAW].decode("utf-8", "backslashreplace")
        text = raw if isinstance(raw, str) else compact(bounded(raw))
        self.rejected.append(Rejection(where or "$", reason, cut(text, RAW)))


def _inflate(data: bytes) -> bytes:
    """Return what gzip members in a row unfold to, at most one byte more than allowed."""
    parts, room, rest = [], PIECE_BYTES + 1, data
    while rest[:2] == GZIP and room > 0:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        part = member.decompress(rest, room)
        if not member.eof and len(part) < room:
            raise zlib.error("it is cut off")
        parts.append(part)
        room -= len(part)
        rest = member.unused_data
    return b"".join(parts)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_no_constant)


def _whole(text: bytes) -> Any:
    """Return the one JSON value that is written over several lines, None where there is none."""
    if len(text) > PRETTY_BYTES or b"\n" not in text:
        return None
    try:
        return _decoder.decode(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON values of a line; Firehose puts no newline between records."""
    at = 0
    while at < len(text):
        value, at = _decoder.raw_decode(text, at)
        yield value
        while at < len(text) and text[at].isspace():
            at += 1
