"""IAM: roles that belong to AWS services."""

from __future__ import annotations

from moto.iam.models import iam_backends

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()

SERVICE_LINKED = "/aws-service-role/"


@CORRECTIONS.refuses(
    "AddRoleToInstanceProfile",
    "AttachRolePolicy",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "TagRole",
    "UntagRole",
    "UpdateAssumeRolePolicy",
    "UpdateRole",
)
def service_linked_role(info: CallInfo, principal: Principal) -> None:
    """Refuse to change a service-linked role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
    """
    name = info.params.get("RoleName")
    for role in iam_backends[info.account]["aws"].roles.values():
        if role.name == name and role.path.startswith(SERVICE_LINKED):
            message = f"Cannot perform the operation on the protected role '{name}' - "
            message += "this role is only modifiable by AWS"
            raise Refusal("UnmodifiableEntity", message)
