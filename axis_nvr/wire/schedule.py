"""Schedules as clients write them: a small part of iCalendar.

::

    DTSTART:20240101T080000 DTEND:20240101T170000 RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR

Properties stand on lines of their own, or with spaces between. Times are local: ``yyyyMMddTHHmm``,
the seconds may follow. With an end it is an interval, without one a pulse. The rule, if there is
one, is one of these, each with an optional ``INTERVAL``::

    FREQ=YEARLY[;BYMONTH=1,…]   FREQ=MONTHLY[;BYDAY=[-][0-5]DD,…]   FREQ=WEEKLY[;BYDAY=DD,…]
    FREQ=DAILY   FREQ=HOURLY   FREQ=MINUTELY   FREQ=SECONDLY

A number before the day of a month's rule says which one, from the end if negative; 0 or none: each.

Source: RFC 5545 §3.3.10, §3.8.2, §3.8.5.3; VAPIX event and action services, schedules.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from axis_nvr.errors import WireError

MAX_CHARACTERS = 1024
#: The longest interval between two occurrences: that many days, weeks, months or years.
MAX_INTERVAL = 1_000
#: The same in hours, minutes or seconds.
MAX_SHORT_INTERVAL = 100_000
#: Years that a schedule may begin or end in.
FIRST_YEAR, LAST_YEAR = 1900, 2999

_TIME = re.compile("[0-9]{8}T[0-9]{4}(?:[0-9]{2})?")
_DAY = re.compile(r"([+-]?)([0-5]?)(MO|TU|WE|TH|FR|SA|SU)")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_SOURCE = "RFC 5545 §3.8"


class Frequency(StrEnum):
    """How often something happens."""

    YEARLY = "YEARLY"
    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    DAILY = "DAILY"
    HOURLY = "HOURLY"
    MINUTELY = "MINUTELY"
    SECONDLY = "SECONDLY"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When something happens again.

    :param interval: every so many years, months …
    :param months: 1 to 12, of a yearly rule; empty: that of the start.
    :param days: of a monthly or weekly rule: which one in the month (0: each, -1: the last) and
        the day of the week, Monday is 0; empty: that of the start.
    """

    frequency: Frequency
    interval: int = 1
    months: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is, or happens.

    :param start: local time, without a time zone; so is the end.
    :param end: None of a pulse.
    :param recurrence: None: once.
    """

    start: datetime
    end: datetime | None = None
    recurrence: Recurrence | None = None


def parse_schedule(text: str) -> Schedule:
    """Read a schedule.

    :raises WireError: it is none, or none of this part of iCalendar.
    """
    if len(text) > MAX_CHARACTERS:
        raise WireError(f"a schedule of {len(text)} characters", source=_SOURCE)
    properties: dict[str, str] = {}
    for line in text.split():
        name, colon, value = line.partition(":")
        name = name.upper()
        if not colon or name not in ("DTSTART", "DTEND", "RRULE") or name in properties:
            raise WireError(f"not expected in a schedule: {line[:40]!a}", source=_SOURCE)
        properties[name] = value
    if "DTSTART" not in properties:
        raise WireError("a schedule without DTSTART", source=_SOURCE)
    start = _time(properties["DTSTART"])
    end = _time(properties["DTEND"]) if "DTEND" in properties else None
    if end is not None and end <= start:
        raise WireError("a schedule that ends before it begins", source=_SOURCE)
    rule = properties.get("RRULE")
    return Schedule(start, end, None if rule is None else _recurrence(rule))


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise WireError(f"{text[:40]!a} is no local time of a schedule", source=_SOURCE)
    return moment


def _recurrence(text: str) -> Recurrence:
    """Read the value of ``RRULE``."""
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, _, value = part.partition("=")
        if name in parts or not value:
            raise WireError(f"not expected in a rule: {part[:40]!a}", source=_SOURCE)
        parts[name] = value
    if parts.get("FREQ") not in Frequency.__members__:
        raise WireError("a rule without a known FREQ", source=_SOURCE)
    frequency = Frequency(parts.pop("FREQ"))
    is_short = frequency in (Frequency.HOURLY, Frequency.MINUTELY, Frequency.SECONDLY)
    most = MAX_SHORT_INTERVAL if is_short else MAX_INTERVAL
    interval = _number(parts.pop("INTERVAL", "1"), most)
    months: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()
    if frequency is Frequency.YEARLY and "BYMONTH" in parts:
        months = tuple(sorted({_number(m, 12) for m in parts.pop("BYMONTH").split(",")}))
    elif frequency in (Frequency.MONTHLY, Frequency.WEEKLY) and "BYDAY" in parts:
        counted = frequency is Frequency.MONTHLY
        days = tuple({_day(d, counted=counted): None for d in parts.pop("BYDAY").split(",")})
    if parts:
        raise WireError(f"not expected in this rule: {next(iter(parts))[:40]!a}", source=_SOURCE)
    return Recurrence(frequency, interval, months, days)


def _number(text: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,6}", text) or not 0 < int(text) <= most:
        raise WireError(f"{text[:40]!a} in a rule, 1 to {most} expected", source=_SOURCE)
    return int(text)


def _day(text: str, *, counted: bool) -> tuple[int, int]:
    match = _DAY.fullmatch(text)
    if not match or (not counted and len(text) > 2):
        raise WireError(f"{text[:40]!a} is no day of a rule", source=_SOURCE)
    return int(match[1] + (match[2] or "0")), _DAYS.index(match[3])
