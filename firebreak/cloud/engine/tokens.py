"""Task tokens: where a task waits for its outcome, and who may hand it in, once."""

from __future__ import annotations

from typing import Any

from firebreak.cloud.engine.strands import Activity, Parking, Stopped


class TaskToken:
    """One task token; `env`, `state` and `timeout` are known once its task waits."""

    def __init__(self, value: str, activity: Activity) -> None:
        self.value = value
        self.activity = activity
        self.env: Any = None
        self.state = ""
        self.timeout: float | None = None
        self._parking = Parking(activity)

    @property
    def waiting(self) -> bool:
        """Say whether a task waits for this token now."""
        return self.env is not None and not self._parking.released

    def resolve(self, outcome: object) -> bool:
        """Hand in the outcome; return False when the task was closed before."""
        return self._parking.release(outcome)

    def wait(self) -> object:
        """Wait for the outcome; a token without one belongs to a task that was stopped."""
        outcome = self._parking.wait()
        if outcome is None:
            raise Stopped
        return outcome


class Tokens:
    """Every task token of a world."""

    def __init__(self) -> None:
        self._tokens: dict[str, TaskToken] = {}

    def add(self, value: str, activity: Activity) -> None:
        """Know a token from the moment its task has it."""
        self._tokens[value] = TaskToken(value, activity)

    def get(self, value: str) -> TaskToken:
        """Return a token that was added."""
        return self._tokens[value]

    def find(self, value: str) -> TaskToken | None:
        """Return a token, or None when nobody was ever given it."""
        return self._tokens.get(value)

    def waiting(self) -> list[TaskToken]:
        """Return the tokens whose tasks wait now."""
        return [token for token in list(self._tokens.values()) if token.waiting]

    def wake_dead(self, activity: Activity) -> None:
        """Wake the tasks of an execution that wait though their branch has ended."""
        for token in self.waiting():
            if token.activity is activity and not token.env.is_running():
                token.resolve(None)
