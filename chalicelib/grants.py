"""What each Lambda function's own role may do in the security account, as data.

A function's policy is made of named pieces, each with the ARNs that it holds for and the conditions
that narrow it. What is declared elsewhere (actions that act at home, guardrails) is taken from
there. What the code of a function does not call itself, but AWS Lambda does for it under its role
(logs, traces, queues of failures, event sources), is marked as Lambda's.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chalicelib import guardrails
from chalicelib.actions import Action, Condition, actions
from chalicelib.firewall_logs import SOURCE
from chalicelib.settings import API, Settings, defaults, function_name

_NAMED = defaults("{stage}", "{account}", "{region}", "{partition}")
_HOME = Settings("{stage}", "{account}", "{region}", "{partition}")


@dataclass(frozen=True, slots=True)
class Grant:
    """Allow IAM actions on resources: one statement of a policy.

    name: the statement's. resources: ARN formats over partition, region, account and stage.
    by_lambda: not the function's code asks for it, but AWS Lambda, under the function's role.
    """

    name: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    condition: Condition = field(default_factory=dict)
    by_lambda: bool = False


def _arn(service: str, rest: str) -> str:
    return f"arn:{{partition}}:{service}:{{region}}:{{account}}:{rest}"


def _table(setting: str) -> str:
    return _arn("dynamodb", f"table/{_NAMED[f'FIREBREAK_{setting}']}")


def _dynamodb(name: str, setting: str, *operations: str) -> Grant:
    return Grant(name, tuple(f"dynamodb:{each}" for each in operations), (_table(setting),))


# --- tables, topic --------------------------------------------------------------------------------

# A record is added under a condition and never changed: neither UpdateItem nor DeleteItem.
RECORDS = _dynamodb("AddRecords", "AUDIT_TABLE", "PutItem", "Query")
# Who reads logs that others write, and who answers requests, writes no item of another kind.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
KEEPING = replace(
    _dynamodb("KeepEvents", "REMEDIATIONS_TABLE", "PutItem"),
    condition={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ("EVENT#*", "LIST#untold")}},
)
STATE = _dynamodb(
    "ReadAndWriteState", "REMEDIATIONS_TABLE", "BatchGetItem", "DeleteItem", "PutItem", "Query"
)
# Who works under a lease checks it, together with the phase, in each transaction.
LEASED = replace(STATE, actions=("dynamodb:ConditionCheckItem", *STATE.actions))
DECIDED = replace(
    _dynamodb("ReadAndWriteState", "REMEDIATIONS_TABLE", "BatchGetItem", "PutItem"),
    condition={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ("REMEDIATION#*",)}},
)
_TOPIC_ARN = _NAMED["FIREBREAK_TOPIC_ARN"]
TOPIC = Grant("TellPeople", ("sns:Publish",), (_TOPIC_ARN,))

# --- machines, member accounts --------------------------------------------------------------------

_MACHINES = _HOME.state_machine_arn("*")
STARTING = Grant("StartMachines", ("states:StartExecution",), (_MACHINES,))
LOOKING = Grant(
    "LookAtExecutions",
    ("states:DescribeExecution",),
    (_MACHINES.replace(":stateMachine:", ":execution:"),),
)
# Task tokens name no resource: whoever holds one may answer it, so no ARN narrows it.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html
WAKING = Grant("AnswerWhatWaits", ("states:SendTaskSuccess",))
STOPPING = replace(WAKING, actions=("states:SendTaskFailure", "states:SendTaskSuccess"))
MEMBER = Grant(
    "ActInMemberAccounts",
    ("sts:AssumeRole",),
    (f"arn:{{partition}}:iam::*:role/{_NAMED['FIREBREAK_MEMBER_ROLE']}",),
)
UNITS = Grant(
    "ReadOrganizationalUnits",
    guardrails.HOME_PERMISSIONS,
    tuple(f"arn:{{partition}}:organizations::*:{kind}/*" for kind in ("account", "ou")),
)

# --- who decides ----------------------------------------------------------------------------------

# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
PEOPLE = (
    Grant(
        "TellPeopleApart",
        ("iam:GetRole",),
        ("arn:{partition}:iam::{account}:role/*AWSReservedSSO_*",),
    ),
    Grant(
        "ReadWhatInstancesRunAs",
        ("iam:GetInstanceProfile",),
        ("arn:{partition}:iam::{account}:instance-profile/*",),
    ),
)

# --- queues, bus ----------------------------------------------------------------------------------


def only_from(*sources: str) -> Condition:
    """Return the condition that every event of a request is from one of some sources.

    A request has up to ten events, and so the key has several values: without ForAllValues one of
    them could be enough.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
    """
    return {
        "ForAllValues:StringEquals": {"events:source": sources},
        "Null": {"events:source": "false"},
    }


_RETRIES, _LETTERS = _arn("sqs", _HOME.retry_queue), _arn("sqs", _HOME.dead_letters)
PUT_OFF = Grant("PutRetriesOff", ("sqs:ChangeMessageVisibility",), (_RETRIES,))
BURY = Grant("KeepDeadLetters", ("sqs:SendMessage",), (_LETTERS,))
BUS = Grant(
    "PutAlerts",
    ("events:PutEvents",),
    (_arn("events", "event-bus/default"),),
    only_from(SOURCE),
)

# --- the trail outside the tables -----------------------------------------------------------------

# Without ListBucket, S3 says of an object that is not there that access is denied.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
_BUCKET = f"arn:{{partition}}:s3:::{_HOME.audit_bucket}"
VAULT = (
    Grant("ListTheTrail", ("s3:ListBucket", "s3:ListBucketVersions"), (_BUCKET,)),
    Grant(
        "KeepTheTrail", ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"), (f"{_BUCKET}/*",)
    ),
)
# The key's id is AWS's own, so the key is told by its alias.
# https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
SEAL = Grant(
    "SealTheTrail",
    ("kms:DescribeKey", "kms:Sign", "kms:Verify"),
    (_arn("kms", "key/*"),),
    {"ForAnyValue:StringEquals": {"kms:ResourceAliases": _HOME.seal_key}},
)

# --- what AWS Lambda does under a function's role -------------------------------------------------

TRACES = Grant("SendTraces", ("xray:PutTelemetryRecords", "xray:PutTraceSegments"), by_lambda=True)
FAILED = Grant("LeadFailuresToRetries", ("sqs:SendMessage",), (_RETRIES,), by_lambda=True)
LOST = Grant("LeadFailuresToDeadLetters", ("sqs:SendMessage",), (_LETTERS,), by_lambda=True)
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
RETRIES = Grant(
    "TakeRetries",
    ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
    (_RETRIES,),
    by_lambda=True,
)
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
STREAM = (
    Grant(
        "ReadTheStream",
        ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
        (f"{_table('AUDIT_TABLE')}/stream/*",),
        by_lambda=True,
    ),
    Grant("FindTheStream", ("dynamodb:ListStreams",), by_lambda=True),
)
# https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
LOGS = Grant(
    "ReadFirewallLogs",
    (
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ),
    (_arn("kinesis", f"stream/{_HOME.firewall_logs}"),),
    by_lambda=True,
)


def _own_log(function: str) -> Grant:
    group = f"log-group:/aws/lambda/{function_name('{stage}', function)}:*"
    return Grant(
        "WriteOwnLog",
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        (_arn("logs", group),),
        by_lambda=True,
    )


def _of_objects(buckets: Sequence[str]) -> tuple[Grant, ...]:
    """Return what reads log objects: of the buckets that an operator names, and no others."""
    arns = tuple(f"arn:{{partition}}:s3:::{bucket}/*" for bucket in buckets)
    return (Grant("ReadLogObjects", ("s3:GetObject",), arns),) if arns else ()


def at_home(action: Action) -> tuple[Grant, ...]:
    """Return what an action needs of the function's own role: nothing if it acts elsewhere."""
    if action.at != "home":
        return ()
    name = f"Run{''.join(map(str.capitalize, action.name.split('_')))}"
    arns = tuple(each.arn.replace("{topic_arn}", _TOPIC_ARN) for each in action.on("*"))
    return (Grant(name, action.permissions, arns),)


# --- function by function -------------------------------------------------------------------------

_INTAKE = (STATE, RECORDS, TOPIC, STARTING, MEMBER, UNITS)
_ENDED = (LEASED, RECORDS, TOPIC, STARTING, MEMBER)
_INGEST = (KEEPING, RECORDS, TOPIC, BUS)
_FUNCTIONS: Mapping[str, tuple[Grant, ...]] = {
    "on_event": (*_INTAKE, FAILED),
    "run_step": (LEASED, RECORDS, TOPIC, WAKING, MEMBER),
    "on_execution_ended": (*_ENDED, FAILED),
    "ingest_firewall_logs": (*_INGEST, LOGS, FAILED),
    API: (DECIDED, RECORDS, WAKING, *PEOPLE),
    "retry_intake": (*_INTAKE, *_ENDED, *_INGEST, PUT_OFF, BURY, RETRIES),
    "sweep": (STATE, RECORDS, TOPIC, STARTING, LOOKING, LOST),
    "reconcile": (*_INTAKE, LEASED, STOPPING, LOOKING, LOST),
    "keep_audit": (*VAULT, TOPIC, *STREAM),
    "seal_audit": (*VAULT, SEAL, TOPIC, LOST),
}
READS_OBJECTS = ("ingest_firewall_logs", "retry_intake")


def grants(function: str, log_buckets: Sequence[str] = ()) -> tuple[Grant, ...]:
    """Return what a function's role may do. log_buckets: those that firewalls log to, by name."""
    found = [*_FUNCTIONS[function]]
    if function == "run_step":
        found += [each for action in actions().values() for each in at_home(action)]
    found += _of_objects(log_buckets) if function in READS_OBJECTS else ()
    return (*_joined(found), _own_log(function), TRACES)


def _joined(found: Sequence[Grant]) -> tuple[Grant, ...]:
    """Return grants of which none says only what another says too."""
    kept: list[Grant] = []
    for each in found:
        if not any(_says(other, each) for other in kept):
            kept = [*(other for other in kept if not _says(each, other)), each]
    return tuple(kept)


def _says(one: Grant, other: Grant) -> bool:
    """Say whether one grant allows all that another does."""
    as_wide = one.resources == other.resources and one.condition in ({}, other.condition)
    return as_wide and set(other.actions) <= set(one.actions)


def assuming() -> tuple[str, ...]:
    """Return the functions that act in member accounts."""
    return tuple(name for name, each in _FUNCTIONS.items() if MEMBER in each)
