"""Gaps as a block's tags tell them, read back."""

from collections.abc import Iterable

from axis_nvr.errors import WireError
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.gap_notes import GAP_TAG
from axis_nvr.storage.layout import parse_utc

#: Digits of the largest number of lost packets that is believed.
_MAX_DIGITS = 15


def gaps_of_tags(tags: Iterable[tuple[str, str]]) -> tuple[Gap, ...]:
    """Give the gaps that a block's tags tell."""
    gaps = (parse_gap_text(text) for name, text in tags if name == GAP_TAG)
    return tuple(gap for gap in gaps if gap is not None)


def parse_gap_text(text: str) -> Gap | None:
    """Read a gap as a block's tag tells it; None if it tells none that we know."""
    times, _, rest = text.partition(" ")
    start, _, end = times.partition("/")
    reason, _, rest = rest.partition(" ")
    lost, _, detail = rest.partition(" ")
    if reason not in tuple(GapReason) or not _is_count(lost):
        return None
    try:
        start_us, end_us = parse_utc(start), parse_utc(end)
    except WireError:
        return None
    return Gap(start_us, end_us, GapReason(reason), int(lost), detail)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
