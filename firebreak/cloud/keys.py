"""The secrets of a world's access keys: what requests are verified with."""

from __future__ import annotations

from firebreak.cloud.identity import SECRET, Identities, administrator_key, default_key
from firebreak.cloud.signatures import Secret


def secret_of(identities: Identities, key: str) -> Secret | None:
    """Return what belongs to an access key; None where nobody issued it."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    account = identities.account_of(key)
    if key in (administrator_key(account), default_key(account)):
        return Secret(SECRET)
    for backend in list(sts_backends[account].values()):
        session = backend.get_assumed_role_from_access_key(key)
        if session is not None:
            return Secret(session.secret_access_key, session.session_token)
    for user in list(iam_backends[account]["aws"].users.values()):
        for each in user.access_keys:
            if each.access_key_id == key:
                return Secret(each.secret_access_key)
    return None
