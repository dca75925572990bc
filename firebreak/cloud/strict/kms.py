"""KMS: a signature that is not right is an error, not an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from firebreak.cloud.patching import Patch
from firebreak.cloud.strict import Corrections

CORRECTIONS = Corrections()


@CORRECTIONS.replaces
def patches() -> list[Patch]:
    """Return what verifying is."""
    from moto.kms.models import KmsBackend

    return [Patch(KmsBackend, "verify", _verified(KmsBackend.verify))]


def _verified(verify: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a signature that is not right.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_Verify.html
    """
    from moto.core.exceptions import JsonRESTError

    def verified(backend: Any, *args: Any, **asked: Any) -> Any:
        answer = verify(backend, *args, **asked)
        if not answer[1]:
            raise JsonRESTError("KMSInvalidSignatureException", "")
        return answer

    return verified
