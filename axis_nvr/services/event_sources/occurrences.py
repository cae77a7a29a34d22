"""When a schedule's time has come: the occurrences of a `Schedule` about a moment.

Occurrences are not walked through from the first one on, a schedule may go back to 1970 and come
every second: they are computed for the *periods* about the moment that is asked for, each of
``INTERVAL`` days, weeks, months or years. One look takes some 5 µs where it comes after a fixed
time, 20 to 80 µs where it goes by the calendar, 400 µs where it seldom or never comes.

**Time zone.** A schedule is in local time. Days, weeks, months and years go by the clock on the
wall: 08:00 stays 08:00 when daylight saving begins or ends. A time that the wall clock skips in
spring is taken for what it would have been without the step (02:30 for 03:30), of one that it shows
twice in autumn the first counts. Hours, minutes and seconds are lengths of time: each hour is each
3600 seconds, so that nothing is missed or told twice. What lasts until a time of day lasts until
then by the wall clock, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from axis_nvr.wire.schedule import LAST_YEAR, Frequency, Recurrence, Schedule

#: Periods that are looked through before or after a moment for an occurrence; the sparsest that
#: come at all, such as February 29 that must be a Monday, come within 40 years.
MAX_PERIODS = 100

#: UTC, in microseconds: the newest start, its end, the next start.
_About = tuple[int | None, int | None, int | None]

_US = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_SECONDS = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}


@dataclass(frozen=True, slots=True)
class Moment:
    """How a schedule stands at a moment; all times UTC, microseconds since 1970.

    :param is_active: an interval lasts now.
    :param last_us: when the newest occurrence began; None: there was none yet.
    :param next_us: when `is_active` may change, or an occurrence begins; None: never again.
    """

    is_active: bool
    last_us: int | None
    next_us: int | None


class Occurrences:
    """The occurrences of one schedule.

    :param zone: the time zone; None: that of the system.
    """

    def __init__(self, schedule: Schedule, zone: tzinfo | None = None) -> None:
        self._schedule = schedule
        self._zone = zone
        recurrence = schedule.recurrence
        self._rule = recurrence
        self._step_us = 0
        if recurrence is not None and recurrence.frequency in _SECONDS:
            self._step_us = _SECONDS[recurrence.frequency] * recurrence.interval * _US

    def at(self, utc_us: int) -> Moment:
        """Tell how it stands.

        :param utc_us: the moment: UTC, microseconds since 1970.
        """
        last, end, following = self._steps(utc_us) if self._step_us else self._dates(utc_us)
        is_active = end is not None and end > utc_us
        changes = [us for us in (end if is_active else None, following) if us is not None]
        return Moment(is_active, last, min(changes, default=None))

    def _steps(self, utc_us: int) -> _About:
        """What is about a moment, of what comes after a fixed length of time."""
        start, end = self._schedule.start, self._schedule.end
        first = self._utc(start)
        if utc_us < first:
            return None, None, first
        last = utc_us - (utc_us - first) % self._step_us
        length = None if end is None else (end - start) // _MICROSECOND
        return last, None if length is None else last + length, last + self._step_us

    def _dates(self, utc_us: int) -> _About:
        """What is about a moment, of what goes by the calendar."""
        here = self._period(self._local(utc_us))
        first = max(here, 0)
        later = self._starts(range(first, first + (MAX_PERIODS if self._rule else 1)))
        earlier = self._starts(range(here, max(here - MAX_PERIODS, -1), -1))
        following = next((us for us in map(self._utc, later) if us > utc_us), None)
        last = next((start for start in earlier if self._utc(start) <= utc_us), None)
        if last is None:
            return None, None, following
        end = self._schedule.end
        ends = None if end is None else self._utc(last + (end - self._schedule.start))
        return self._utc(last), ends, following

    def _starts(self, periods: range) -> Iterator[datetime]:
        """The local times within some periods at which it begins, in the order of the periods."""
        start, rule = self._schedule.start, self._rule
        for period in periods:
            if rule is None:
                days = [start] if period == 0 else []
            else:
                days = sorted(_days(rule, start, period * rule.interval))[:: periods.step]
            yield from (day for day in days if start <= day and day.year <= LAST_YEAR)

    def _period(self, local: datetime) -> int:
        """The number of the period that a local time lies in; that of the start is 0."""
        if self._rule is None:
            return 0
        start, frequency = self._schedule.start, self._rule.frequency
        if frequency is Frequency.YEARLY:
            count = local.year - start.year
        elif frequency is Frequency.MONTHLY:
            count = 12 * (local.year - start.year) + local.month - start.month
        elif frequency is Frequency.WEEKLY:
            count = (local.date() - _monday(start).date()).days // 7
        else:
            count = (local.date() - start.date()).days
        return count // self._rule.interval

    def _utc(self, local: datetime) -> int:
        """Local time to microseconds of UTC."""
        return int(local.replace(tzinfo=self._zone).timestamp()) * _US

    def _local(self, utc_us: int) -> datetime:
        """Microseconds of UTC to local time."""
        return datetime.fromtimestamp(utc_us // _US, self._zone).replace(tzinfo=None)


def _monday(day: datetime) -> datetime:
    """The Monday of a week."""
    return day - timedelta(days=day.weekday())


def _days(rule: Recurrence, start: datetime, count: int) -> Iterator[datetime]:
    """The days of a rule, `count` years, months, weeks or days after the start."""
    if rule.frequency is Frequency.DAILY:
        yield start + timedelta(days=count)
    elif rule.frequency is Frequency.WEEKLY:
        monday = _monday(start) + timedelta(weeks=count)
        for _, weekday in rule.days or ((0, start.weekday()),):
            yield monday + timedelta(days=weekday)
    elif rule.frequency is Frequency.MONTHLY:
        months = 12 * start.year + start.month - 1 + count
        yield from _of_month(rule, start, months // 12, months % 12 + 1)
    else:
        for month in rule.months or (start.month,):
            yield from _of_month(rule, start, start.year + count, month)


def _of_month(rule: Recurrence, start: datetime, year: int, month: int) -> Iterator[datetime]:
    """The days of a rule within one month."""
    if year > LAST_YEAR:
        return
    if not rule.days:
        try:
            yield start.replace(year=year, month=month)
        except ValueError:  # a month without such a day
            return
    first = start.replace(year=year, month=month, day=1)
    found = set()
    for number, weekday in rule.days:
        days = [first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * n) for n in range(5)]
        days = [day for day in days if day.month == month]
        if not number:
            found.update(days)
        elif abs(number) <= len(days):
            found.add(days[number - 1 if number > 0 else number])
    yield from found
