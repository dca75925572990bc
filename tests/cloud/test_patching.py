"""Tests of replacing attributes for a while."""

from __future__ import annotations

from firebreak.cloud.patching import Patch, Patches


class Base:
    """A class with an attribute to inherit."""

    inherited = "base"


class Target(Base):
    """A class to patch."""

    own = "own"

    @staticmethod
    def static() -> str:
        """Say which one it is."""
        return "original"


def test_undo_restores_what_was_there() -> None:
    """Attributes, static methods and absences come back exactly."""
    before = dict(vars(Target))
    patches = Patches()
    patches.apply(
        [
            Patch(Target, "own", "patched"),
            Patch(Target, "inherited", "patched"),
            Patch(Target, "static", staticmethod(lambda: "patched")),
        ]
    )
    assert (Target.own, Target.inherited, Target.static()) == ("patched", "patched", "patched")
    patches.undo()
    assert dict(vars(Target)) == before
    assert Target.inherited == "base"


def test_undo_goes_backwards() -> None:
    """An attribute patched twice ends as it began."""
    patches = Patches()
    patches.apply([Patch(Target, "own", "first"), Patch(Target, "own", "second")])
    patches.undo()
    assert Target.own == "own"
