"""Step Functions: a state machine's name is its own."""

from __future__ import annotations

from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from firebreak.cloud.calls import CallInfo, Refusal
from firebreak.cloud.identity import Principal
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()


@CORRECTIONS.refuses("CreateStateMachine")
def existing_name(info: CallInfo, principal: Principal) -> None:
    """Refuse another definition or role under a name that is taken.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
    """
    for machine in stepfunctions_parser_backends[info.account][info.region].state_machines:
        given = (info.params.get("definition"), info.params.get("roleArn"))
        same = given == (machine.definition, machine.roleArn)
        deleting = vars(machine).get("deleting", False)
        if machine.name == info.params.get("name") and not same and not deleting:
            message = f"State Machine Already Exists: '{machine.arn}'"
            raise Refusal("StateMachineAlreadyExists", message)
