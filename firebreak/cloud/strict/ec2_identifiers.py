"""EC2: an identifier has a form, and one that has not is Malformed before anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import EVERY, Corrections

CORRECTIONS = Corrections()

# Parameter → prefix of its identifiers, and the error code's name for them.
_GROUP = ("sg", "InvalidGroupId")
_FORMS = {
    "GroupId": _GROUP,
    "GroupIds": _GROUP,
    "Groups": _GROUP,
    "ImageId": ("ami", "InvalidAMIID"),
    "InstanceId": ("i", "InvalidInstanceID"),
    "InstanceIds": ("i", "InvalidInstanceID"),
    "NetworkAclId": ("acl", "InvalidNetworkAclID"),
    "NetworkAclIds": ("acl", "InvalidNetworkAclID"),
    "NetworkInterfaceId": ("eni", "InvalidNetworkInterfaceId"),
    "NetworkInterfaceIds": ("eni", "InvalidNetworkInterfaceId"),
    "SecurityGroupIds": _GROUP,
    "SecurityGroupRuleIds": ("sgr", "InvalidSecurityGroupRuleId"),
    "SnapshotId": ("snap", "InvalidSnapshotID"),
    "SnapshotIds": ("snap", "InvalidSnapshotID"),
    "SubnetId": ("subnet", "InvalidSubnetID"),
    "SubnetIds": ("subnet", "InvalidSubnetID"),
    "VolumeId": ("vol", "InvalidVolumeID"),
    "VolumeIds": ("vol", "InvalidVolumeID"),
    "VpcId": ("vpc", "InvalidVpcID"),
    "VpcIds": ("vpc", "InvalidVpcID"),
}
_DIGITS = re.compile(r"[0-9a-f]{8}|[0-9a-f]{17}")


@CORRECTIONS.refuses(EVERY)
def forms(info: CallInfo, principal: Principal) -> None:
    """Refuse identifiers that cannot be any.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    for name, (prefix, code) in _FORMS.items():
        for identifier in _texts(info.params.get(name)):
            kind, _, digits = identifier.partition("-")
            if kind != prefix or not _DIGITS.fullmatch(digits):
                raise Refusal(f"{code}.Malformed", f'Invalid id: "{identifier}"')


def _texts(value: Any) -> Iterator[str]:
    yield from (each for each in (value if isinstance(value, list) else [value]) if each)
