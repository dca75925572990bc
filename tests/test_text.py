"""Text from outside is shown whole enough to read, and never as what it is not."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.effect import CLOSE, OPEN, placeholder
from chalicelib.text import (
    SUBJECT_LIMIT,
    TAG_VALUE_LIMIT,
    ascii_subject,
    defang,
    one_line,
    readable,
    shortened,
    tag_value,
)

ANY = st.text(st.characters(exclude_characters=OPEN + CLOSE), max_size=300)
LINKS = st.lists(
    st.sampled_from(
        ["https://", "evil", ".", "com", "\uff0e", "\u3002", "@", "/", " ", "\u200b", "1", "-", "é"]
    )
).map("".join)
LIMIT = st.integers(1, 200)
LINKED = re.compile(r"://|[\w-][.\u3002\uff0e\uff61][\w-]")


def shows(character: str) -> bool:
    """Say whether a reader sees a character as it is."""
    return unicodedata.category(character) not in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


@given(ANY, LIMIT)
@settings(deadline=None)
def test_one_line(text: str, limit: int) -> None:
    """One line holds no hidden character, keeps to its limit, and can be encoded."""
    line = one_line(text, limit)

    assert len(line) <= limit
    assert all(map(shows, line))
    line.encode()


@given(ANY, LIMIT)
@settings(deadline=None)
def test_readable(text: str, limit: int) -> None:
    """Readable text keeps lines apart by line feeds only, and never two empty ones together."""
    page = readable(text, limit)

    assert len(page) <= limit
    assert all(map(shows, page.replace("\n", "")))
    assert "\n\n\n" not in page
    page.encode()


@given(ANY | LINKS)
@settings(deadline=None)
def test_defang(text: str) -> None:
    """Nothing is left that a mail client makes a link of, and twice is the same as once."""
    once = defang(text)

    assert not LINKED.search(once)
    assert once == defang(once)


@given(ANY | LINKS, LIMIT)
@settings(deadline=None)
def test_a_cut_makes_no_link(text: str, limit: int) -> None:
    """A text that is cut after it was defanged holds no link either."""
    assert not LINKED.search(shortened(defang(text), limit))


@given(ANY | LINKS)
@settings(deadline=None)
def test_ascii_subject(text: str) -> None:
    """A subject is one line of printable ASCII of less than 100 characters, without a link."""
    subject = ascii_subject(text)

    assert re.fullmatch(r"[!-~][ -~]*", subject)
    assert len(subject) <= SUBJECT_LIMIT < 100
    assert not LINKED.search(subject)


@given(ANY)
@settings(deadline=None)
def test_tag_value(text: str) -> None:
    """A tag's value is what every service takes, and twice is the same as once."""
    value = tag_value(text)

    assert re.fullmatch(r"[\w +\-=.:/@]*", value)
    assert len(value) <= TAG_VALUE_LIMIT
    assert value == value.strip() == tag_value(value)
    assert not value.lower().startswith("aws:")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\t c\u2028d\u00a0e", "a b c d e"),
        ("invoice\u202egnp.exe", "invoice\\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("nul\x00 esc\x1b[31m", "nul\\x00 esc\\x1b[31m"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("filler \u3164 tag \U000e0041", "filler \\u3164 tag \\U000e0041"),
        ("naïve 漢字 😀", "naïve 漢字 😀"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    """What hides or turns text round is written out; what people write is left as it is."""
    assert shown == one_line(text, 100)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://evil.example/a.b?c=d", "see https[:]//evil[.]example/a[.]b?c=d"),
        ("me@evil.example, 198.51.100.7.", "me@evil[.]example, 198[.]51[.]100[.]7."),
        ("evil\u3002example evil\uff0eexample", "evil[.]example evil[.]example"),
        ("пример.рф", "пример[.]рф"),
        ("It ends. A new one...", "It ends. A new one..."),
    ],
)
def test_links_are_broken(text: str, shown: str) -> None:
    """Schemes and names with dots no longer make a link; sentences stay as they are."""
    assert shown == defang(text)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Contained i-0abc", "Contained i-0abc"),
        ("  Über\r\nBcc: x@evil.example", "Uber Bcc: x@evil[.]example"),
        ("漢字 \u202e", "?? ?"),
        (" \n ", "Firebreak"),
        ("x" * 200, "x" * 96 + "..."),
    ],
)
def test_subjects(text: str, subject: str) -> None:
    """A subject keeps what ASCII can say of it, and is never empty."""
    assert subject == ascii_subject(text)


def test_tag_values() -> None:
    """Other characters become underscores, and what belongs to AWS is not written."""
    assert "Backdoor:EC2/C_CActivity.B_DNS" == tag_value("Backdoor:EC2/C&CActivity.B!DNS")
    assert "_AWS:x" == tag_value("AWS:x")
    assert "a b_c" == tag_value(" a\nb\u200bc ")


def test_placeholders_pass() -> None:
    """A plan's placeholders are seen as such after they were made fit for a place."""
    name = placeholder("group of vpc-1")

    assert name == tag_value(name)
    assert f"in {name}" == one_line(f"in {name}", 100) == readable(f"in {name}", 100)
    assert name in ascii_subject(f"in {name}")
