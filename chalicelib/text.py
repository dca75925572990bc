"""Make text from outside fit for the place it goes to: a line, a page, a mail's subject, a tag.

What a finding says is written by an attacker in part. The characters that mark a plan's
placeholders pass unchanged, since a finding is stripped of them when it is read.
"""

from __future__ import annotations

import re
import unicodedata

from chalicelib.effect import CLOSE, OPEN, holds_placeholder

# Control, format (bidirectional overrides, zero width), private, surrogate, unassigned characters
# and line separators; and those of other categories that show as nothing or as a blank.
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)

# A full stop, or what a browser takes for one in a host name, between two characters of a name.
NAME = r"[\w\u0080-\U0010ffff-]"
DOT = re.compile(rf"(?<={NAME})[.\u2024\u3002\ufe52\uff0e\uff61](?={NAME})", re.ASCII)

SUBJECT_LIMIT = 99  # SNS: "less than 100 characters long"
TAG_VALUE_LIMIT = 256


def one_line(text: str, limit: int) -> str:
    """Return the text as one line: white space as single spaces, hidden characters as escapes."""
    return shortened(_visible(" ".join(text.split())), limit)


def readable(text: str, limit: int) -> str:
    """Return the text with its lines kept, but no two empty ones together, and nothing hidden."""
    lines = [_visible(line.expandtabs(4)).rstrip() for line in text.splitlines()]
    kept = [line for line, above in zip(lines, ["", *lines], strict=False) if line or above]
    return shortened("\n".join(kept).rstrip("\n"), limit)


def shortened(text: str, limit: int, ellipsis: str = "…") -> str:
    """Return the text cut to so many characters, the cut shown."""
    if len(text) <= limit:
        return text
    return text[: limit - len(ellipsis)].rstrip() + ellipsis


def defang(text: str) -> str:
    """Return the text without anything that a mail client makes a link of.

    `https://evil.example` becomes `https[:]//evil[.]example`; addresses and mail addresses too.
    """
    return DOT.sub("[.]", text.replace("://", "[:]//"))


def ascii_subject(text: str) -> str:
    """Return the text as a subject line SNS takes: one line of printable ASCII, without links.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    plain = " ".join(unicodedata.normalize("NFKD", text).split())
    letters = (_ascii(character) for character in plain if not unicodedata.combining(character))
    return shortened(defang("".join(letters)), SUBJECT_LIMIT, "...") or "Firebreak"


def tag_value(text: str) -> str:
    """Return the text as a tag's value that every service takes; other characters become `_`.

    At most 256 letters, digits, spaces and + - = . _ : / @, and not `aws:` at the front.
    https://docs.aws.amazon.com/tag-editor/latest/userguide/tag-editor.html
    """
    if holds_placeholder(text):
        return text
    words = " ".join(unicodedata.normalize("NFC", text).split())
    allowed = "".join(_tag(each) for each in words)
    reserved = allowed[:4].lower() == "aws:"
    return ("_" * reserved + allowed)[:TAG_VALUE_LIMIT].strip()


def _visible(text: str) -> str:
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in (OPEN, CLOSE):
        return character
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in HIDDEN or BLANK.match(character):
        return character.encode("unicode_escape").decode("ascii")
    return character


def _ascii(character: str) -> str:
    return character if " " <= character <= "~" or character in (OPEN, CLOSE) else "?"


def _tag(character: str) -> str:
    if character in " +-=._:/@":
        return character
    letter = unicodedata.category(character)[0] in "LN" and not BLANK.match(character)
    return character if letter and character <= "\uffff" else "_"
