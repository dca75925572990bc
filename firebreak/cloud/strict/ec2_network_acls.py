"""EC2: the entries of network ACLs."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

MAX_ENTRIES = (
    20  # each way; https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
)
LAST_RULE_NUMBER = 32_766
_DEFAULT_ENTRY = 32_767


@CORRECTIONS.refuses("CreateNetworkAclEntry", "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry")
def entries(info: CallInfo, principal: Principal) -> None:
    """Refuse numbers that are no rule's, entries that are not there, and more than the quota.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html
    """
    number = info.params.get("RuleNumber")
    if not isinstance(number, int) or not 1 <= number <= LAST_RULE_NUMBER:
        message = f"Value ({number}) for parameter ruleNumber is invalid."
        raise Refusal("InvalidParameterValue", message)
    acl = ec2_backends[info.account][info.region].network_acls.get(
        str(info.params.get("NetworkAclId"))
    )
    if acl is None:
        return
    numbers = _numbers(acl, egress=info.params.get("Egress") is True)
    if info.operation != "CreateNetworkAclEntry" and number not in numbers:
        message = f"The network acl entry identified by {number} does not exist."
        raise Refusal("InvalidNetworkAclEntry.NotFound", message)
    if number not in numbers and len(numbers) >= MAX_ENTRIES:
        message = "The maximum number of network acl entries has been reached."
        raise Refusal("NetworkAclEntryLimitExceeded", message)


def _numbers(acl: Any, *, egress: bool) -> set[int]:
    numbers = {int(e.rule_number) for e in acl.network_acl_entries if bool(e.egress) is egress}
    return numbers - {_DEFAULT_ENTRY}
