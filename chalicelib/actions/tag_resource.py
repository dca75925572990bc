"""Put a tag on a resource."""

from __future__ import annotations

from chalicelib import tags, text
from chalicelib.actions import On, action
from chalicelib.effect import Change, Effects, Reader
from chalicelib.errors import Refused

ARN = {
    "type": "string",
    "pattern": r"^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[A-Za-z0-9+=,.@_/:-]+(?!\n)$",
    "maxLength": 300,
    "description": f"ARN of one of {', '.join(tags.SUPPORTED)}",
}
KEY = {
    "type": "string",
    "maxLength": 128,
    "pattern": r"^(?![aA][wW][sS]:)(?! )[A-Za-z0-9 _.:/=+@-]+(?<! )(?!\n)$",
    "description": "key of the tag; those that begin with aws: belong to AWS",
}
VALUE = {"type": "string", "maxLength": 1024, "description": "value of the tag"}


@action(
    params={"arn": ARN, "key": KEY, "value": VALUE},
    permissions=(
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "iam:ListRoleTags",
        "iam:ListUserTags",
        "iam:TagRole",
        "iam:TagUser",
        "iam:UntagRole",
        "iam:UntagUser",
        "lambda:ListTags",
        "lambda:TagResource",
        "lambda:UntagResource",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:AddTagsToResource",
        "rds:RemoveTagsFromResource",
        "s3:GetBucketLocation",
        "s3:ListTagsForResource",
        "s3:TagResource",
        "s3:UntagResource",
    ),
    facts=("arn", "key", "value"),
    contains=False,
    target={
        "*": (On("{arn}", kinds=tags.SUPPORTED),),
        **{
            f"ec2:Describe{each}": ("*",)
            for each in (
                "Images",
                "Instances",
                "NetworkInterfaces",
                "SecurityGroups",
                "Snapshots",
                "Volumes",
            )
        },
    },
)
def tag_resource(aws: Reader, arn: str, key: str, value: str) -> Effects:
    """Set one tag of a resource; undo restores the value it had, or removes it.

    Characters of the value that not every service takes become `_`; what is written is in the
    facts. Beware that policies may grant or deny by tag, and that an attacker may remove a tag.
    Not applicable: the resource is gone. Refused: a resource of a kind not in the list
    (`unsupported_resource`), in another account or region (`elsewhere`), an IAM key that differs in
    upper and lower case only from one that is there (`key_in_other_case`).
    https://docs.aws.amazon.com/tag-editor/latest/userguide/tag-editor.html
    """
    tags.supported(aws, arn)
    probe = tags.tag(arn=arn, key=key)
    before = aws.look(probe)
    _refuse_other_case(aws, arn, key)
    want = text.tag_value(value)
    put, account = tags.put, aws.account
    yield Change(
        probe,
        want=want,
        do=put(account, arn, key, want),
        undo=tags.remove(account, arn, key) if before is None else put(account, arn, key, before),
    )
    return {"arn": arn, "key": key, "value": want}


def _refuse_other_case(aws: Reader, arn: str, key: str) -> None:
    """Raise Refused where IAM, to which upper and lower case are one, would replace another tag.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    if tags.parse(arn).service != "iam":
        return
    for each in tags.tags(aws, arn):
        if each != key and each.lower() == key.lower():
            raise Refused("key_in_other_case", f"{arn} has a tag {each}, which {key} would replace")
