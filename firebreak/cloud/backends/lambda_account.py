"""Lambda: what an account may have, and has.

https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
"""

from __future__ import annotations

import json
from typing import Any

from firebreak.cloud.patching import Patch, as_method

MAX_CODE_BYTES, MAX_ZIPPED_BYTES, MAX_UNZIPPED_BYTES = 80_530_636_800, 52_428_800, 262_144_000


def patches() -> list[Patch]:
    """Return the operation and its route."""
    from moto.awslambda import urls
    from moto.awslambda.responses import LambdaResponse

    route = {"{0}/(?P<api_version>[^/]+)/account-settings/?$": LambdaResponse.dispatch}
    return [
        Patch(urls, "url_paths", {**urls.url_paths, **route}),
        Patch(LambdaResponse, "get_account_settings", as_method(account_settings)),
    ]


def account_settings(response: Any) -> str:
    """Tell an account's quotas, and what of them is in use."""
    from firebreak.cloud.strict.lambda_settings import quota, unreserved

    backend = response.backend
    functions = list(backend.list_functions())
    return json.dumps(
        {
            "AccountLimit": {
                "TotalCodeSize": MAX_CODE_BYTES,
                "CodeSizeUnzipped": MAX_UNZIPPED_BYTES,
                "CodeSizeZipped": MAX_ZIPPED_BYTES,
                "ConcurrentExecutions": quota(backend),
                "UnreservedConcurrentExecutions": unreserved(backend),
            },
            "AccountUsage": {
                "TotalCodeSize": sum(int(each.code_size) for each in functions),
                "FunctionCount": len(functions),
            },
        }
    )
