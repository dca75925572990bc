"""What `.chalice/config.json` says of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StageConfig:
    """Hold what `.chalice/config.json` says of a stage; document: the whole file."""

    stage: str
    document: Mapping[str, Any]

    @property
    def entry(self) -> Mapping[str, Any]:
        """Return the stage's own entry."""
        found: Mapping[str, Any] = self.document["stages"][self.stage]
        return found

    @property
    def functions(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what is configured of each function."""
        found: Mapping[str, Mapping[str, Any]] = self.entry["lambda_functions"]
        return found

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of every function: the file's, and over it the stage's."""
        return within(self.document, "environment_variables") | within(
            self.entry, "environment_variables"
        )

    def value(self, name: str) -> Any:
        """Return what the stage says, or the file for all stages."""
        return self.entry.get(name, self.document.get(name))


def within(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object within another; empty where there is none."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}
