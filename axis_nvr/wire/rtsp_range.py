"""The Range header of RTSP: normal play time, SMPTE relative time and absolute time.

::

    Range: npt=10.000-12.500              seconds since the start of the presentation
    Range: npt=now-                       the live edge
    Range: smpte-25=10:07:00-10:07:33:05  hours, minutes, seconds, frames
    Range: clock=20240131T120000.500Z-    UTC

Source: RFC 2326 §3.5, §3.6, §3.7, §12.29.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from axis_nvr.errors import WireError


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of a presentation.

    :param unit: ``npt`` and ``smpte`` count from the start of the presentation, ``clock`` is UTC.
    :param start_us: microseconds, of UTC since 1970 for ``clock``; None: ``now`` or not said.
    :param end_us: the same; None: to the end.
    :param now: whether it begins at the live edge (``npt=now-``).
    """

    unit: str
    start_us: int | None = None
    end_us: int | None = None
    now: bool = False


#: Frames per second of the SMPTE forms (RFC 2326 §3.5); ``smpte`` alone is 30 drop.
_SMPTE_RATES = {
    "smpte": Fraction(30000, 1001),
    "smpte-30-drop": Fraction(30000, 1001),
    "smpte-25": Fraction(25),
}


def parse_range(value: str) -> Range:
    """Read a Range header; its ``time`` parameter is passed over.

    :raises WireError: an unknown unit, or a time that is none.

    Source: RFC 2326 §3.5, §3.6, §3.7, §12.29.
    """
    unit, equals, text = value.split(";")[0].partition("=")
    unit = unit.strip().lower()
    start, dash, end = text.strip().partition("-")
    readers = {
        "npt": _parse_npt,
        "clock": _parse_clock,
        **dict.fromkeys(_SMPTE_RATES, _parse_smpte),
    }
    if unit not in readers or not equals:
        raise WireError(f"range {value[:60]!r}", source="RFC 2326 §12.29")
    if unit == "npt" and start.strip().lower() == "now":
        return Range(unit, None, _parse_npt(end.strip(), unit), now=True)
    read = readers[unit]
    result = Range(unit, read(start.strip(), unit), read(end.strip(), unit))
    if not dash or (result.start_us is None and result.end_us is None):
        raise WireError(f"range {value[:60]!r} without a time", source="RFC 2326 §12.29")
    return result


def _parse_npt(text: str, unit: str) -> int | None:
    """Read normal play time: seconds, or hours, minutes and seconds."""
    if not text:
        return None
    found = re.fullmatch(r"(?:([0-9]{1,9}):([0-9]{1,2}):)?([0-9]{1,12}(?:\.[0-9]{0,12})?)", text)
    if not found:
        raise WireError(f"no {unit} time: {text[:40]!r}", source="RFC 2326 §3.6")
    hours, minutes, seconds = found.groups("0")
    total = Fraction(seconds.removesuffix(".")) + 60 * int(minutes) + 3600 * int(hours)
    return round(total * 1_000_000)


def _parse_smpte(text: str, unit: str) -> int | None:
    """Read ``hours:minutes:seconds[:frames[.subframes]]``; the count of frames gives the time.

    Drop frame counting leaves out two numbers a minute except each tenth, to keep with the clock.
    """
    if not text:
        return None
    pattern = r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,2}))?)?"
    found = re.fullmatch(pattern, text)
    if not found:
        raise WireError(f"no {unit} time: {text[:40]!r}", source="RFC 2326 §3.5")
    hours, minutes, seconds, frames, subframes = (int(group) for group in found.groups("0"))
    rate = _SMPTE_RATES[unit]
    count = (
        Fraction(subframes, 100) + frames + (3600 * hours + 60 * minutes + seconds) * round(rate)
    )
    if rate.denominator != 1:
        all_minutes = 60 * hours + minutes
        count -= 2 * (all_minutes - all_minutes // 10)
    return round(count / rate * 1_000_000)


def _parse_clock(text: str, unit: str) -> int | None:
    """Read ``YYYYMMDDTHHMMSS[.fraction]Z``."""
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{8})[Tt]([0-9]{6})(?:\.([0-9]{0,12}))?[Zz]?", text)
    if found:
        try:
            moment = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S")  # noqa: DTZ007
        except ValueError:
            found = None
    if not found:
        raise WireError(f"no {unit} time: {text[:40]!r}", source="RFC 2326 §3.7")
    fraction = Fraction(f"0.{found[3] or '0'}")
    return calendar.timegm(moment.timetuple()) * 1_000_000 + round(fraction * 1_000_000)


def build_range(time_range: Range) -> str:
    """Write a Range header; ``smpte`` is not written.

    :raises WireError: the unit cannot be written, or a time lies outside the years 1 to 9999.
    """
    if time_range.unit not in ("npt", "clock"):
        raise WireError(f"range unit {time_range.unit!r}", source="RFC 2326 §12.29")
    write = _build_npt if time_range.unit == "npt" else _build_clock
    start = "now" if time_range.now else write(time_range.start_us)
    return f"{time_range.unit}={start}-{write(time_range.end_us)}"


def _build_npt(time_us: int | None) -> str:
    """Write seconds with at least three decimals, as Axis does."""
    if time_us is None:
        return ""
    seconds, rest = divmod(time_us, 1_000_000)
    return f"{seconds}.{rest:06}".removesuffix("000")


def _build_clock(time_us: int | None) -> str:
    """Write UTC, with as many decimals as it takes."""
    if time_us is None:
        return ""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    except OverflowError:
        raise WireError(f"time {time_us} µs", source="RFC 2326 §3.7") from None
    fraction = f".{moment.microsecond:06}".rstrip("0").rstrip(".")
    return f"{moment:%Y%m%dT%H%M%S}{fraction}Z"
