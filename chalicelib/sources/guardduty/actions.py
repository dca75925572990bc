"""Who was on the other end: the remote addresses, domains and ports of `service.action`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chalicelib.fields import Fields
from chalicelib.finding import DIRECTIONS, Indicator


def indicators(detail: Fields) -> tuple[Indicator, ...]:
    """Return the indicators of every action of the finding and of its attack sequence.

    https://docs.aws.amazon.com/guardduty/latest/APIReference/API_Action.html
    """
    found: list[Indicator] = []
    for name, read in ACTIONS.items():
        action = detail.optional(f"service.action.{name}")
        if action is not None:
            found.extend(read(action))
    for endpoint in detail.each("service.detection.sequence.endpoints"):
        found.extend(_endpoint(endpoint))
    return tuple(dict.fromkeys(found))


def _direction(at: Fields, key: str) -> str:
    stated = at.text(key, "UNKNOWN").upper()
    return stated if stated in DIRECTIONS else "UNKNOWN"


def _address(at: Fields, key: str, way: str) -> Iterator[Indicator]:
    address = at.address(key, None)
    if address is not None:
        yield Indicator("address", address, way)


def _remote(at: Fields, way: str) -> Iterator[Indicator]:
    yield from _address(at, "remoteIpDetails.ipAddressV4", way)
    yield from _address(at, "remoteIpDetails.ipAddressV6", way)


def _port(at: Fields, key: str, kind: str, way: str) -> Iterator[Indicator]:
    port = at.integer(key, None, least=0, most=65535)
    if port is not None:
        yield Indicator(kind, str(port), way)


def _domain(at: Fields, way: str) -> Iterator[Indicator]:
    domain = at.text("domain", "", max_length=255)
    if domain:
        yield Indicator("domain", domain, way)


def _network_connection(action: Fields) -> Iterator[Indicator]:
    way = _direction(action, "connectionDirection")
    yield from _remote(action, way)
    yield from _port(action, "remotePortDetails.port", "port", way)
    yield from _port(action, "localPortDetails.port", "local_port", way)


def _port_probe(action: Fields) -> Iterator[Indicator]:
    for probe in action.each("portProbeDetails"):
        yield from _remote(probe, "INBOUND")
        yield from _port(probe, "localPortDetails.port", "local_port", "INBOUND")


def _dns_request(action: Fields) -> Iterator[Indicator]:
    yield from _domain(action, "OUTBOUND")


def _call(action: Fields) -> Iterator[Indicator]:
    yield from _remote(action, "INBOUND")


def _kubernetes_call(action: Fields) -> Iterator[Indicator]:
    """Yield the caller's address.

    Of sourceIPs only the last is what the API server saw: the client can set the ones before
    it, and would choose whom Firebreak blocks.
    https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
    """
    yield from _remote(action, "INBOUND")
    for last in list(action.each("sourceIPs"))[-1:]:
        yield from _address(last, "", "INBOUND")


def _endpoint(endpoint: Fields) -> Iterator[Indicator]:
    way = _direction(endpoint, "connection.direction")
    yield from _address(endpoint, "ip", way)
    yield from _domain(endpoint, way)
    yield from _port(endpoint, "port", "port", way)


ACTIONS: Mapping[str, Callable[[Fields], Iterator[Indicator]]] = {
    "networkConnectionAction": _network_connection,
    "portProbeAction": _port_probe,
    "dnsRequestAction": _dns_request,
    "awsApiCallAction": _call,
    "kubernetesApiCallAction": _kubernetes_call,
    "rdsLoginAttemptAction": _call,
}

# What was done, for messages: its name in the finding's detail, where GuardDuty has it.
DESCRIBED: Mapping[str, str] = {
    "type": "actionType",
    "api": "awsApiCallAction.api",
    "service": "awsApiCallAction.serviceName",
    "error": "awsApiCallAction.errorCode",
    "user_agent": "awsApiCallAction.userAgent",
    "remote_account": "awsApiCallAction.remoteAccountDetails.accountId",
    "protocol": "networkConnectionAction.protocol",
    "verb": "kubernetesApiCallAction.verb",
    "request_uri": "kubernetesApiCallAction.requestUri",
}


def described_action(detail: Fields) -> dict[str, str]:
    """Return what was done, in texts; they are the attacker's in part."""
    action = detail.optional("service.action")
    if action is None:
        return {}
    texts = {name: action.text(path, "", max_length=8192) for name, path in DESCRIBED.items()}
    return {name: text for name, text in texts.items() if text}
