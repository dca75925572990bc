"""EC2: the attributes of instances."""

from __future__ import annotations

import datetime as dt
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.responses.instances import InstanceResponse

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()


# The attributes ModifyInstanceAttribute changes, one in a call.
_ATTRIBUTES = frozenset(
    {
        "BlockDeviceMappings",
        "DisableApiStop",
        "DisableApiTermination",
        "EbsOptimized",
        "EnaSupport",
        "Groups",
        "InstanceInitiatedShutdownBehavior",
        "InstanceType",
        "Kernel",
        "Ramdisk",
        "SourceDestCheck",
        "SriovNetSupport",
        "UserData",
        "Value",
    }
)
_HANDLE_GROUPS = InstanceResponse._security_grp_instance_attribute_handler


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Change the shutdown behaviour; moto takes it for a request to remove every group."""
    return [Patch(InstanceResponse, "_security_grp_instance_attribute_handler", _handle_rest)]


def _handle_rest(response: Any) -> bool:
    behavior = response._get_param("InstanceInitiatedShutdownBehavior.Value")
    if behavior is None:
        return _HANDLE_GROUPS(response)
    response.ec2_backend.modify_instance_attribute(
        response._get_param("InstanceId"), "instance_initiated_shutdown_behavior", behavior
    )
    return True


@CORRECTIONS.refuses("ModifyInstanceAttribute")
def one_attribute(info: CallInfo, principal: Principal) -> None:
    """Refuse to change no attribute, or several at a time.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html
    """
    given = {name for name in _ATTRIBUTES & info.params.keys() if info.params[name] != []}
    if not given:
        raise Refusal("InvalidParameterCombination", "No attributes specified.")
    if len(given) > 1:
        message = "Fields for multiple attribute types specified"
        raise Refusal("InvalidParameterCombination", message)


@CORRECTIONS.follows("DescribeInstanceAttribute")
def block_devices(info: CallInfo, response: Any) -> None:
    """Show the block devices, with whether they end with the instance.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html
    """
    if info.params.get("Attribute") != "blockDeviceMapping":
        return
    instance = ec2_backends[info.account][info.region].get_instance(info.params["InstanceId"])
    response["BlockDeviceMappings"] = [
        {
            "DeviceName": name,
            "Ebs": {
                "AttachTime": device.attach_time.replace(tzinfo=dt.UTC),
                "DeleteOnTermination": device.delete_on_termination is True,
                "Status": "attached",
                "VolumeId": device.volume_id,
            },
        }
        for name, device in instance.get_block_device_mapping
    ]
