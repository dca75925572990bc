"""CloudFormation: its stacks are those of `firebreak.cloud.stacks`."""

from __future__ import annotations

from firebreak.cloud.calls import CallInfo
from firebreak.cloud.identity import Principal
from firebreak.cloud.patching import Patch, as_method
from firebreak.cloud.stacks.permissions import calling
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()


@CORRECTIONS.refuses(
    "CreateChangeSet", "CreateStack", "DeleteStack", "ExecuteChangeSet", "UpdateStack"
)
def remember_caller(info: CallInfo, principal: Principal) -> None:
    """Refuse nothing, but keep who calls: the resources are made with these permissions.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/control-access-with-iam.html
    """
    calling.set((info, principal))


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return the operations on stacks and change sets."""
    from moto.cloudformation.responses import CloudFormationResponse

    from firebreak.cloud.stacks import change_sets, operations, reading

    everything = {**operations.OPERATIONS, **reading.OPERATIONS, **change_sets.OPERATIONS}
    return [
        *(
            Patch(CloudFormationResponse, name, as_method(operation))
            for name, operation in everything.items()
        ),
        Patch(CloudFormationResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", {}),
    ]
