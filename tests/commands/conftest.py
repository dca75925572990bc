"""Fixtures of commands that change an account."""

from __future__ import annotations

from tests.deploying.clones import clone

__all__ = ["clone"]
