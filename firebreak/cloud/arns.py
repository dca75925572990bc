"""The ARNs that stand in the parameters of a call, or follow from a name in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.cloud.calls import CallInfo

ANY = "*"
_PREFIXES = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "s3control": "s3",
    "stepfunctions": "states",
}

# Parameters that name a resource, and the rest of its ARN.
_NAMED: dict[str, dict[str, str]] = {
    "cloudformation": {"StackName": "stack/{}/*"},
    "events": {"Name": "rule/{}", "Rule": "rule/{}"},
    "rds": {"DBInstanceIdentifier": "db:{}", "DBClusterIdentifier": "cluster:{}"},
    "secretsmanager": {"SecretId": "secret:{}"},
    "guardduty": {"DetectorId": "detector/{}"},
    "ssm": {"Name": "parameter/{}", "DocumentName": "document/{}"},
    "elb": {"LoadBalancerName": "loadbalancer/{}"},
    "lambda": {"FunctionName": "function:{}"},
    "network-firewall": {
        "FirewallName": "firewall/{}",
        "FirewallPolicyName": "firewall-policy/{}",
    },
}


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a request's parameters."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)


def by_name(info: CallInfo, types: tuple[str, ...]) -> Iterator[str]:
    """Take ARNs of the service from the parameters, and names where a table says how."""
    prefix = _PREFIXES.get(info.service, info.service)
    yield from arns_in(info, prefix)
    for parameter, rest in _NAMED.get(info.service, {}).items():
        name = info.params.get(parameter)
        if isinstance(name, str) and not name.startswith("arn:"):
            yield arn_of(info, prefix, rest.format(name))


def arns_in(info: CallInfo, prefix: str) -> Iterator[str]:
    """Yield the ARNs of a service in the parameters."""
    yield from (text for text in strings(info.params) if text.startswith(f"arn:aws:{prefix}:"))


def arn_of(info: CallInfo, prefix: str, rest: str) -> str:
    """Return the ARN of a resource in the account and region that are called."""
    return f"arn:aws:{prefix}:{info.region}:{info.account}:{rest}"
