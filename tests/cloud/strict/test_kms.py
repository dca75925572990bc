"""Tests of what a signature is."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from firebreak.cloud import Cloud


@pytest.mark.parametrize(("message", "code"), [(b"signed", ""), (b"another", "KMSInvalid")])
def test_a_signature_is_of_one_message(cloud: Cloud, message: bytes, code: str) -> None:
    """Verifying answers where the signature is right, and is an error where it is not."""
    kms = boto3.client("kms")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    how = {"KeyId": key, "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms.sign(Message=b"signed", **how)["Signature"]
    found = ""
    try:
        assert kms.verify(Message=message, Signature=signature, **how)["SignatureValid"]
    except ClientError as error:
        found = error.response["Error"]["Code"]

    assert code == found[:10]
