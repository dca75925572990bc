"""What a pattern can ask of one value: the operators of the language that look at a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from chalicelib.pattern.value import Address, Leaf


class Operator(ABC):
    """One condition on one value."""

    @abstractmethod
    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the value meets the condition."""

    def edges(self) -> tuple[str, str]:
        """Tell how every accepted text starts and ends, letters in any case, as far as known."""
        return "", ""


@dataclass(frozen=True)
class Exact(Operator):
    """The very value."""

    text: str

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the value is this one."""
        return leaf.text == self.text


@dataclass(frozen=True)
class Prefix(Operator):
    """Text that starts so."""

    text: str

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the text starts so."""
        return leaf.text.startswith(self.text)

    def edges(self) -> tuple[str, str]:
        """Tell the start."""
        return self.text, ""


@dataclass(frozen=True)
class Suffix(Operator):
    """Text that ends so."""

    text: str

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the text ends so."""
        return leaf.text.endswith(self.text)

    def edges(self) -> tuple[str, str]:
        """Tell the end."""
        return "", self.text


@dataclass(frozen=True)
class AnyCase(Operator):
    """Text that is, starts or ends so, each letter in either case.

    As in the engine, a letter stands for its own upper and lower case and nothing more: "ß"
    accepts "SS", while "SS" does not accept "ß".
    """

    text: str
    at: Literal["whole", "start", "end"] = "whole"

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the text is, starts or ends so."""
        if self.at == "end":
            return self._ends(leaf.text)
        rest = self._rest(leaf.text)
        return rest == 0 if self.at == "whole" else rest >= 0

    def edges(self) -> tuple[str, str]:
        """Tell the start or the end; only in ASCII are both cases of a letter equally long."""
        if not self.text.isascii():
            return "", ""
        return ("", self.text) if self.at == "end" else (self.text, "")

    def _rest(self, text: str) -> int:
        """Count the characters that follow the letters; -1 if the letters are not there."""
        position = 0
        for letter in self.text:
            form = next((form for form in _cases(letter) if text.startswith(form, position)), None)
            if form is None:
                return -1
            position += len(form)
        return len(text) - position

    def _ends(self, text: str) -> bool:
        end = len(text)
        for letter in reversed(self.text):
            form = next((form for form in _cases(letter) if text.endswith(form, 0, end)), None)
            if form is None:
                return False
            end -= len(form)
        return True


def _cases(letter: str) -> tuple[str, str]:
    return letter.lower(), letter.upper()


@dataclass(frozen=True)
class Wildcard(Operator):
    """Text made of these parts in this order, with anything or nothing between them."""

    parts: tuple[str, ...]

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the text is so made, taking each part where it first occurs."""
        text, first, last = leaf.text, self.parts[0], self.parts[-1]
        if len(self.parts) == 1:
            return text == first
        position, end = len(first), len(text) - len(last)
        if position > end or not (text.startswith(first) and text.endswith(last)):
            return False
        for part in self.parts[1:-1]:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True

    def edges(self) -> tuple[str, str]:
        """Tell the first and the last part."""
        return self.parts[0], self.parts[-1]


@dataclass(frozen=True)
class Between(Operator):
    """A number above and below two bounds; a bound counts itself if it is said to."""

    low: float = float("-inf")
    high: float = float("inf")
    low_counts: bool = False
    high_counts: bool = False

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the value is a number and lies between the bounds."""
        number = leaf.number
        if number is None:
            return False
        if number == self.low:
            return self.low_counts
        if number == self.high:
            return self.high_counts
        return self.low < number < self.high


@dataclass(frozen=True)
class Network(Operator):
    """An IP address, in any spelling, from the first to the last of a network."""

    first: Address
    last: Address

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether the value is an address of the network."""
        address = leaf.address
        if address is None or address.version != self.first.version:
            return False
        return int(self.first) <= int(address) <= int(self.last)


@dataclass(frozen=True)
class AnythingBut(Operator):
    """A value of any type, null too, that none of the operators accepts."""

    refused: tuple[Operator, ...]

    def accepts(self, leaf: Leaf) -> bool:
        """Tell whether no operator accepts the value."""
        return not any(operator.accepts(leaf) for operator in self.refused)
