"""JSON Schemas of the parameters that several actions take."""

from __future__ import annotations

INSTANCE_ID = {
    "type": "string",
    "pattern": "^i-[0-9a-f]{8}([0-9a-f]{9})?(?!\\n)$",
    "description": "id of an EC2 instance, i-…",
}
GROUP_ID = {
    "type": "string",
    "pattern": "^sg-[0-9a-f]{8}([0-9a-f]{9})?(?!\\n)$",
    "description": "id of a security group, sg-…",
}
CIDRS = {
    "type": "array",
    "items": {"type": "string", "pattern": "^[0-9A-Fa-f:.]+/[0-9]{1,3}(?!\\n)$"},
    "minItems": 1,
    "description": "networks in CIDR notation, IPv4 or IPv6",
}
PORTS = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": 65535},
    "minItems": 1,
    "description": "TCP or UDP ports",
}
ROLE_NAME = {
    "type": "string",
    "pattern": "^[A-Za-z0-9+=,.@_-]{1,64}(?!\\n)$",
    "description": "name of an IAM role",
}
USER_NAME = {
    "type": "string",
    "pattern": "^[A-Za-z0-9+=,.@_-]{1,64}(?!\\n)$",
    "description": "name of an IAM user",
}
ACCESS_KEY_ID = {
    "type": "string",
    "pattern": "^[A-Z0-9]{16,128}(?!\\n)$",
    "description": "id of an access key, AKIA…",
}
BUCKET = {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?!\\n)$",
    "description": "name of an S3 bucket",
}
