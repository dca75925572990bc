"""Rule groups and firewall policies of AWS Network Firewall, which moto does not have.

AWS Network Firewall API reference, CreateRuleGroup, UpdateRuleGroup, CreateFirewallPolicy,
UpdateFirewallPolicy; developer guide, "AWS Network Firewall quotas".
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.networkfirewall.responses import NetworkFirewallResponse

from firebreak.cloud.patching import Patch

STATEFUL_GROUPS = 20  # per policy
ACTION_ORDER, STRICT_ORDER = "DEFAULT_ACTION_ORDER", "STRICT_ORDER"
FIELDS = ("Description", "EncryptionConfiguration")
RULE = re.compile(
    r"(alert|drop|pass|reject) \S+ (\[.*?\]|\S+) (\[.*?\]|\S+) (->|<>)"
    r" (\[.*?\]|\S+) (\[.*?\]|\S+) \((.*;)\s*\)"
)
SID = re.compile(r"\bsid\s*:\s*(\d+)\s*;")


@dataclass
class Resource:
    """Hold a rule group or a policy: what it says, and what AWS tells of it."""

    document: dict[str, Any]
    response: dict[str, Any]
    token: str = ""
    tags: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Give the first update token."""
        self.token = str(uuid.uuid4())


class Refusal(ServiceException):
    """The service's own error; moto looks its shape up by the module of the class."""


# --- checks ---------------------------------------------------------------------------------------


def invalid(reason: str) -> Refusal:
    """Return what the service answers to a request that is wrong."""
    return Refusal("InvalidRequestException", reason)


def rules_of(document: Mapping[str, Any]) -> list[str]:
    """Return the rules of a group. Raise where one is not a rule, or has no sid of its own."""
    text = str(document.get("RulesSource", {}).get("RulesString") or "")
    lines = [each.strip() for each in text.splitlines()]
    rules = [each for each in lines if each and not each.startswith("#")]
    sids = []
    for rule in rules:
        match = RULE.fullmatch(rule)
        found = SID.findall(match[7]) if match else []
        if len(found) != 1:
            raise invalid(f"stateful rule is invalid, rule: {rule}, reason: illegal rule syntax")
        sids += found
    if len(set(sids)) < len(sids):
        raise invalid("stateful rule is invalid, reason: duplicate sid")
    return rules


def check_group(document: Mapping[str, Any], capacity: int) -> int:
    """Return how much of its capacity a stateful group needs. Raise where that is too much."""
    source = document.get("RulesSource") or {}
    listed = (source.get("RulesSourceList") or {}).get("Targets") or []
    needed = len(rules_of(document)) + len(source.get("StatefulRules") or []) + len(listed)
    if needed > capacity:
        raise invalid(f"capacity exceeded, requested: {needed}, allowed: {capacity}")
    return needed


def order_of(document: Mapping[str, Any], key: str) -> str:
    """Return the order of rules that a group or a policy is made for."""
    return str((document.get(key) or {}).get("RuleOrder") or ACTION_ORDER)


def check_policy(document: Mapping[str, Any], groups: Mapping[str, Resource]) -> int:
    """Return the capacity a policy reserves. Raise where a reference of it cannot stand."""
    references = document.get("StatefulRuleGroupReferences") or []
    if len(references) > STATEFUL_GROUPS:
        raise invalid(f"too many stateful rule groups, allowed: {STATEFUL_GROUPS}")
    order = order_of(document, "StatefulEngineOptions")
    _check_priorities(order, references)
    found = [_referred(each["ResourceArn"], groups) for each in references]
    for group in found:
        if order_of(group.document, "StatefulRuleOptions") != order:
            raise invalid("rule group and policy differ in RuleOrder")
    return sum(int(group.response["Capacity"]) for group in found)


def _check_priorities(order: str, references: Iterable[Mapping[str, Any]]) -> None:
    priorities = [each.get("Priority") for each in references]
    if order == STRICT_ORDER and (None in priorities or len(set(priorities)) < len(priorities)):
        raise invalid("each reference needs a Priority of its own in a policy of STRICT_ORDER")
    if order != STRICT_ORDER and any(each is not None for each in priorities):
        raise invalid("Priority can only be given in a policy of STRICT_ORDER")


def _referred(arn: str, groups: Mapping[str, Resource]) -> Resource:
    if arn not in groups:
        raise invalid(f"rule group does not exist: {arn}")
    return groups[arn]


# --- operations -----------------------------------------------------------------------------------


class Kind:
    """Answer the operations of one kind of resource, with the state of an account and region."""

    word = ""  # as in CreateRuleGroup
    listed = ""
    document = ""

    def __init__(self, api: NetworkFirewallResponse) -> None:
        self.api = api
        self.backend = api.networkfirewall_backend
        self.all: dict[str, dict[str, Resource]] = vars(self.backend).setdefault("firebreak", {})
        self.own: dict[str, Resource] = self.all.setdefault(self.word, {})

    def given(self, name: str) -> Any:
        """Return a parameter of the request."""
        return copy.deepcopy(self.api._get_param(name))

    def arn(self) -> str:
        """Return the ARN that the request names, by ARN or by name."""
        given = self.given(f"{self.word}Arn")
        return str(given or self.arn_of(self.given(f"{self.word}Name")))

    def arn_of(self, name: str) -> str:
        """Return the ARN of a name."""
        account, region = self.backend.account_id, self.backend.region_name
        return f"arn:aws:network-firewall:{region}:{account}:{self.path()}/{name}"

    def path(self) -> str:
        """Return the ARN's word for the kind."""
        raise NotImplementedError

    def found(self) -> Resource:
        """Return the resource that the request names."""
        arn = self.arn()
        if arn not in self.own:
            raise Refusal("ResourceNotFoundException", f"{arn} does not exist")
        return self.own[arn]

    def measure(self, document: dict[str, Any], response: dict[str, Any]) -> None:
        """Check a document and note what it uses."""
        raise NotImplementedError

    def used_by(self, arn: str) -> int:
        """Return how many resources refer to one."""
        raise NotImplementedError

    def create(self) -> ActionResult:
        """Make a resource."""
        name = self.given(f"{self.word}Name")
        arn = self.arn_of(name)
        if arn in self.own:
            raise invalid(f"a resource with the specified name already exists: {name}")
        response = {
            f"{self.word}Name": name,
            f"{self.word}Arn": arn,
            f"{self.word}Id": str(uuid.uuid4()),
            f"{self.word}Status": "ACTIVE",
            **{key: self.given(key) for key in ("Type", "Capacity", *FIELDS) if self.given(key)},
        }
        document = self.given(self.document)
        self.measure(document, response)
        return self.keep(arn, Resource(document, response, tags=self.given("Tags") or []))

    def describe(self) -> ActionResult:
        """Return a resource."""
        return self.answer(self.found(), with_document=True)

    def update(self) -> ActionResult:
        """Replace what a resource says, if the caller has seen what it says now."""
        resource = self.found()
        if self.given("UpdateToken") != resource.token:
            raise Refusal("InvalidTokenException", "the update token is not the current")
        document = self.given(self.document)
        response = {k: v for k, v in resource.response.items() if k not in FIELDS}
        response |= {key: self.given(key) for key in FIELDS if self.given(key)}
        self.measure(document, response)
        return self.keep(self.arn(), Resource(document, response, tags=resource.tags))

    def keep(self, arn: str, resource: Resource) -> ActionResult:
        """Keep a resource, unless the request was only to find out whether it could be."""
        if not self.given("DryRun"):
            self.own[arn] = resource
        return self.answer(resource, with_document=False)

    def delete(self) -> ActionResult:
        """Delete a resource that nothing refers to."""
        resource = self.found()
        if self.used_by(self.arn()):
            raise Refusal("InvalidOperationException", f"{self.arn()} is in use")
        del self.own[self.arn()]
        gone = {**resource.response, f"{self.word}Status": "DELETING"}
        return ActionResult({f"{self.word}Response": gone})

    def list(self) -> ActionResult:
        """Return the names and ARNs of all."""
        named = [{"Name": arn.rpartition("/")[2], "Arn": arn} for arn in self.own]
        return ActionResult({self.listed: named})

    def answer(self, resource: Resource, *, with_document: bool) -> ActionResult:
        """Return what AWS says of a resource."""
        arn = resource.response[f"{self.word}Arn"]
        shown = {**resource.response, "NumberOfAssociations": self.used_by(arn)}
        said: dict[str, Any] = {
            "UpdateToken": resource.token,
            f"{self.word}Response": {**shown, "Tags": resource.tags},
        }
        return ActionResult(said | ({self.document: resource.document} if with_document else {}))


class RuleGroups(Kind):
    """Answer the operations on rule groups."""

    word, listed, document = "RuleGroup", "RuleGroups", "RuleGroup"

    def path(self) -> str:
        """Return the ARN's word for groups of the type that the request names."""
        return f"{str(self.given('Type') or 'STATEFUL').lower()}-rulegroup"

    def measure(self, document: dict[str, Any], response: dict[str, Any]) -> None:
        """Check the rules and note how many there are."""
        response["ConsumedCapacity"] = check_group(document, int(response["Capacity"]))

    def used_by(self, arn: str) -> int:
        """Return how many policies refer to a group."""
        policies = self.all.get(FirewallPolicies.word, {}).values()
        references = (each.document.get("StatefulRuleGroupReferences") or [] for each in policies)
        return sum(any(each["ResourceArn"] == arn for each in some) for some in references)


class FirewallPolicies(Kind):
    """Answer the operations on firewall policies."""

    word, listed, document = "FirewallPolicy", "FirewallPolicies", "FirewallPolicy"

    def path(self) -> str:
        """Return the ARN's word for policies."""
        return "firewall-policy"

    def measure(self, document: dict[str, Any], response: dict[str, Any]) -> None:
        """Check the references and note the capacity they reserve."""
        groups = self.all.get(RuleGroups.word, {})
        response["ConsumedStatefulRuleCapacity"] = check_policy(document, groups)

    def used_by(self, arn: str) -> int:
        """Return how many firewalls have a policy."""
        return sum(each.firewall_policy_arn == arn for each in self.backend.firewalls.values())


OPERATIONS: tuple[tuple[str, type[Kind], str], ...] = tuple(
    (f"{verb}_{noun}", kind, verb)
    for kind, one, many in (
        (RuleGroups, "rule_group", "rule_groups"),
        (FirewallPolicies, "firewall_policy", "firewall_policies"),
    )
    for verb, noun in (
        ("create", one),
        ("describe", one),
        ("update", one),
        ("delete", one),
        ("list", many),
    )
)


def patches() -> list[Patch]:
    """Put the operations into moto's backend of the service."""
    return [
        Patch(NetworkFirewallResponse, name, _method(kind, verb)) for name, kind, verb in OPERATIONS
    ]


def _method(kind: type[Kind], verb: str) -> Callable[[NetworkFirewallResponse], ActionResult]:
    def answer(self: NetworkFirewallResponse) -> ActionResult:
        result: ActionResult = getattr(kind(self), verb)()
        return result

    return answer
