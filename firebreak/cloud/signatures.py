"""Verify Signature Version 4 as AWS does: whose key signed exactly this request, and when.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = dt.timedelta(minutes=5)
AUTHORIZATION = re.compile(
    rf"{ALGORITHM} +Credential=(?P<key>[^/, ]+)/(?P<date>\d{{8}})/(?P<region>[^/, ]+)/"
    r"(?P<service>[^/, ]+)/aws4_request, *SignedHeaders=(?P<headers>[^, ]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Secret:
    """What belongs to an access key: its secret and, for a session, the token sent with it."""

    key: str
    token: str = ""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came in; names of headers in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Unsigned(Exception):
    """A request whose signature is missing or wrong; the text is what AWS answers."""


@dataclass(frozen=True)
class Scope:
    """What a signature says it is good for."""

    region: str
    service: str


def scope(request: HttpRequest) -> Scope:
    """Return the region and service a request was signed for. Raise Unsigned where it was not."""
    match = _claim(request)
    return Scope(match["region"], match["service"])


def _claim(request: HttpRequest) -> re.Match[str]:
    said = request.headers.get("authorization")
    if not said:
        raise Unsigned("Missing Authentication Token")
    match = AUTHORIZATION.fullmatch(said)
    if match is None:
        raise Unsigned("Authorization header is not of Signature Version 4")
    return match


def signer(
    request: HttpRequest, region: str, service: str, secret_of: Callable[[str], Secret | None]
) -> str:
    """Return the access key id that signed a request. Raise Unsigned where none did."""
    match = _claim(request)
    secret = secret_of(match["key"])
    if secret is None or request.headers.get("x-amz-security-token", "") != secret.token:
        raise Unsigned("The security token included in the request is invalid.")
    if (match["region"], match["service"]) != (region, service):
        raise Unsigned("Credential should be scoped to a valid region and correct service")
    moment = _moment(request.headers.get("x-amz-date", ""))
    if abs(dt.datetime.now(dt.UTC) - moment) > SKEW:
        raise Unsigned(f"Signature expired: {moment:%Y%m%dT%H%M%SZ} is not within 5 minutes")
    if not hmac.compare_digest(_signature(request, match, moment, secret), match["signature"]):
        raise Unsigned("The request signature we calculated does not match the one you provided.")
    return match["key"]


def _moment(text: str) -> dt.datetime:
    try:
        return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        raise Unsigned("Date in X-Amz-Date must be like 20261121T100000Z") from None


def _signature(
    request: HttpRequest, said: re.Match[str], moment: dt.datetime, secret: Secret
) -> str:
    scope = f"{said['date']}/{said['region']}/{said['service']}/aws4_request"
    if said["date"] != f"{moment:%Y%m%d}":
        raise Unsigned("Date in Credential scope does not match the request's")
    canonical = sha256(_canonical(request, said).encode()).hexdigest()
    key = f"AWS4{secret.key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), sha256).digest()
    text = "\n".join([ALGORITHM, f"{moment:%Y%m%dT%H%M%SZ}", scope, canonical])
    return hmac.new(key, text.encode(), sha256).hexdigest()


def _canonical(request: HttpRequest, said: re.Match[str]) -> str:
    parts, names = urlsplit(request.url), said["headers"].split(";")
    if not {"host", "x-amz-date"} <= set(names):
        raise Unsigned("Host and X-Amz-Date must be signed")
    sent = {**request.headers, "host": parts.netloc}
    headers = [f"{name}:{' '.join(sent.get(name, '').split())}\n" for name in names]
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    path = parts.path or "/"
    return "\n".join(
        [
            request.method,
            path if said["service"] == "s3" else quote(path, safe="/~"),  # S3 encodes once only
            "&".join(f"{name}={value}" for name, value in query),
            "".join(headers),
            said["headers"],
            _payload_hash(request),
        ]
    )


def _payload_hash(request: HttpRequest) -> str:
    """Return what was signed for the body: its hash, or that S3 need not know it."""
    told = request.headers.get("x-amz-content-sha256", "")
    if told == "UNSIGNED-PAYLOAD" or told.startswith("STREAMING-"):
        return told
    return sha256(request.body).hexdigest()
