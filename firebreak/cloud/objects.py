"""What policies can ask of a resource itself: its tags, its aliases, whether it is there at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firebreak.cloud.calls import CallInfo

_Tags = Mapping[str, str]


def keys_of(info: CallInfo, action: str, arn: str) -> dict[str, list[str]]:
    """Return the condition keys of one action on one resource, in lower case.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    found: dict[str, list[str]] = {}
    service = arn.split(":")[2] if arn.startswith("arn:") else ""
    if action == "ec2:CreateTags" and "TagSpecifications" in info.params:
        found["ec2:createaction"] = [info.operation]
    if service == "kms":
        found["kms:resourcealiases"] = _aliases(info, arn)
    if service == "dynamodb" and (leading := _leading_keys(info, action, arn)):
        found["dynamodb:leadingkeys"] = leading
    for key, value in _TAGS.get(service, _none)(info, arn).items():
        for prefix in dict.fromkeys(("aws", service)):
            found[f"{prefix}:resourcetag/{key.lower()}"] = [value]
    return found


def parts_of(info: CallInfo) -> list[dict[str, list[str]]]:
    """Return the condition keys of each part of a call that is judged by itself.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    if (info.service, info.operation) != ("events", "PutEvents"):
        return [{}]
    said = [(str(e.get("Source")), str(e.get("DetailType"))) for e in info.params["Entries"]]
    return [
        {"events:source": [source], "events:detail-type": [kind]}
        for source, kind in dict.fromkeys(said)
    ]


def missing(info: CallInfo) -> bool:
    """Say whether a call reads an object of S3 that is not there, or not any more.

    S3 tells of it only those who may list the bucket.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    from moto.s3.models import FakeDeleteMarker

    if info.operation not in ("GetObject", "HeadObject") or "VersionId" in info.params:
        return False
    bucket = _bucket(str(info.params.get("Bucket")))
    found = bucket.keys.get(str(info.params.get("Key"))) if bucket else info
    return found is None or isinstance(found, FakeDeleteMarker)


def _bucket(name: str) -> Any:
    from moto.s3.models import s3_backends

    for account in list(s3_backends.values()):
        if name in account["aws"].buckets:
            return account["aws"].buckets[name]
    return None


def _aliases(info: CallInfo, arn: str) -> list[str]:
    from moto.kms.models import kms_backends

    key = kms_backends[info.account][info.region].keys.get(arn.rpartition("/")[2])
    return [str(each) for each in key.aliases] if key else []


def _leading_keys(info: CallInfo, action: str, arn: str) -> list[str]:
    """Return the partition keys of the items of a table that a call is about.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    from moto.dynamodb.models import dynamodb_backends

    name = arn.partition(":table/")[2].partition("/")[0]
    table = dynamodb_backends[info.account][info.region].tables.get(name)
    found = [part.get(table.hash_key_attr) for part in _items(info, action, name)] if table else []
    return list(dict.fromkeys(str(next(iter(each.values()))) for each in found if each))


def _items(info: CallInfo, action: str, table: str) -> list[Mapping[str, Any]]:
    """Return the items, or their keys, of a table that an action of a call is about."""
    params, kind = info.params, action.partition(":")[2].removesuffix("Item")
    if "TransactItems" in params:
        parts = [each[kind] for each in params["TransactItems"] if kind in each]
        return [p.get("Item") or p["Key"] for p in parts if p["TableName"] == table]
    if "RequestItems" in params:
        return list(params["RequestItems"].get(table, {}).get("Keys", ()))
    return [params[name] for name in ("Item", "Key") if name in params]


# --- tags -----------------------------------------------------------------------------------------


def _none(info: CallInfo, arn: str) -> _Tags:
    return {}


def _ec2(info: CallInfo, arn: str) -> _Tags:
    from moto.ec2.models import ec2_backends

    return dict(ec2_backends[info.account][info.region].tags.get(arn.rpartition("/")[2], {}))


def _iam(info: CallInfo, arn: str) -> _Tags:
    from moto.iam.models import iam_backends

    backend = iam_backends[info.account]["aws"]
    roles = [each for each in list(backend.roles.values()) if each.arn == arn]
    users = [each for each in list(backend.users.values()) if each.arn == arn]
    if roles:
        return _plain(roles[0].tags)
    return _plain(backend.tagger.list_tags_for_resource(arn)["Tags"]) if users else {}


def _network_firewall(info: CallInfo, arn: str) -> _Tags:
    from moto.networkfirewall.models import networkfirewall_backends

    backend = networkfirewall_backends[info.account][info.region]
    kept: dict[str, dict[str, Any]] = vars(backend).get("firebreak", {})  # of our own backend
    return next((_plain(each[arn].tags) for each in kept.values() if arn in each), {})


def _plain(tags: Any) -> _Tags:
    """Return tags by key, however the service lists them."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(each["Key"]): str(each["Value"]) for each in tags or ()}


_TAGS: Mapping[str, Callable[[CallInfo, str], _Tags]] = {
    "ec2": _ec2,
    "iam": _iam,
    "network-firewall": _network_firewall,
}
