import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import durations
from chalicelib.errors import Invalid


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("30s", 30), ("5m", 300), ("6h", 21_600), ("3d", 259_200)]
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """Every unit is read as its seconds, and written again the same."""
    assert durations.seconds(text) == seconds
    assert durations.text(seconds) == text


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 m", "05m", "-5m", "1.5h", "5m\n", "5M", "\u0665m", "366d", "99999999d", "1w"],
)
def test_anything_else_is_refused_and_told_how_to_write_it(text: str) -> None:
    """What is no duration, or longer than a year, is refused with an example."""
    with pytest.raises(Invalid, match="such as 30s, 5m, 6h or 3d"):
        durations.seconds(text)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=durations.LONGEST))
def test_writing_and_reading_give_the_same_seconds(seconds: int) -> None:
    """Whatever is written is read back as it was."""
    assert durations.seconds(durations.text(seconds)) == seconds
