"""Turn this process over to the embedded AWS for a while, and give it back as it was."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from moto.core import models as moto_models
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.config import default_user_config
from moto.core.model_instances import reset_model_data

_ONE_AT_A_TIME = threading.Lock()
_UNWANTED = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN", "MOTO_ACCOUNT_ID")
_SETTINGS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


@contextmanager
def taken_over(credentials: Mapping[str, str]) -> Iterator[None]:
    """Let every botocore client of the process talk to moto, whose state begins empty."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise RuntimeError("an embedded AWS is active already; there can be one at a time")
    try:
        if moto_models.MockAWS._nested_count:
            raise RuntimeError(
                "moto's own mock is active; it and an embedded AWS share their state"
            )
        with _environment(credentials), _quiet(), _moto():
            yield
    finally:
        _ONE_AT_A_TIME.release()


@contextmanager
def _environment(credentials: Mapping[str, str]) -> Iterator[None]:
    before, session = dict(os.environ), boto3.DEFAULT_SESSION
    for name in _UNWANTED:
        os.environ.pop(name, None)
    os.environ.update({**_SETTINGS, **credentials})
    boto3.DEFAULT_SESSION = None
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = session
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence moto, which logs every error a state machine will catch."""
    logger = logging.getLogger("moto")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _moto() -> Iterator[None]:
    """Switch moto's stub on; its own counter keeps a nested mock from resetting the state."""
    forget_everything()
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    moto_models.botocore_stubber.enabled = True
    moto_models.MockAWS._nested_count += 1
    try:
        yield
    finally:
        moto_models.MockAWS._nested_count -= 1
        moto_models.botocore_stubber.enabled = False
        default_user_config.pop("stepfunctions", None)
        forget_everything()


def forget_everything() -> None:
    """Drop every backend; they are made anew when first asked for, so none is reset for nothing.

    Only those that hold more than their own attributes (S3: open files) are reset.
    """
    registries: list[Any] = BackendDict._instances  # type: ignore[misc]  # moto's own registry
    for registry in registries:
        for _, _, backend in registry.iter_backends():
            if type(backend).reset is not BaseBackend.reset:
                backend.reset()
        for name in ("bucket_accounts", "master_accounts"):
            getattr(registry, name, {}).clear()
        registry.clear()
    registries.clear()
    reset_model_data()
