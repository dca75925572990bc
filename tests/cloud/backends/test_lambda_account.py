"""Tests of what an account may have of Lambda."""

from __future__ import annotations

from firebreak.cloud import Cloud
from firebreak.cloud.strict.lambda_settings import limit_concurrency
from tests.cloud.conftest import HOME


def test_what_is_reserved_is_told(cloud: Cloud) -> None:
    """The quota is the region's; what functions reserve is taken off what is left."""
    cloud.add_function("f", lambda event, context: None)
    client = cloud.session().client("lambda")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=20)
    told = client.get_account_settings()

    limit = told["AccountLimit"]
    assert (1000, 980) == (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"])
    assert 1 == told["AccountUsage"]["FunctionCount"]


def test_another_quota(cloud: Cloud) -> None:
    """A new account has ten, and is told so."""
    limit_concurrency(HOME, cloud.region, 10)
    told = cloud.session().client("lambda").get_account_settings()

    assert 10 == told["AccountLimit"]["ConcurrentExecutions"]
