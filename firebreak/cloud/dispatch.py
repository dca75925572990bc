"""Route a request to the embedded backend that answers it, compiling each route once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from moto import backend_index, backends
from moto.core.base_backend import BackendDict
from moto.core.request import normalize_request
from moto.core.utils import get_equivalent_url_in_aws_domain
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

Answer = tuple[int, dict[str, str], str | bytes]
Handler = Callable[[Any, str, Any], Answer]

NOT_EMBEDDED: Answer = (404, {}, "This service or operation is not embedded")


def process_request(stubber: object, request: AWSPreparedRequest) -> Answer:
    """Answer a request, as `BotocoreStubber.process_request` does, without making new backends."""
    parts, _ = get_equivalent_url_in_aws_domain(request.url)
    url = f"{parts.scheme}://{parts.netloc}{parts.path}"
    handler = _handler(url)
    if handler is None:
        return NOT_EMBEDDED
    plain = normalize_request(request)
    try:
        return handler(plain, plain.raw_url, plain.headers)
    except HTTPException as error:
        return error.code, error.get_headers(), error.get_body()  # type: ignore[return-value]


def _handler(url: str) -> Handler | None:
    for service, pattern in backend_index.backend_url_patterns:
        if pattern.match(url):
            for route, handler in _routes(service):
                if route.match(url):
                    return handler
    return None


@cache
def _routes(service: str) -> tuple[tuple[re.Pattern[str], Handler], ...]:
    """Read a service's routes from its backend's class: an instance would be built for nothing."""
    registry: Any = backends.get_backend(service)  # type: ignore[call-overload]
    if isinstance(registry, BackendDict):
        backend: Any = registry.backend
        urls = object.__new__(backend).urls
    else:
        urls = registry["global"].urls
    return tuple((re.compile(url), handler) for url, handler in urls.items())
