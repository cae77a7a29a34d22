"""Searching for recordings, page by page.

What a page costs depends on what is on it and not on what the disk holds: each filter has an index
in which its recordings stand by their start, and a page goes on behind the last row of the page
before it (its `Place`), never by counting rows.

Only a range of time needs more than an index: a recording that begins before the range may go on
into it. Such recordings *run at* the beginning of the range. One that runs at a moment began in the
same hour, or goes over the end of an hour; then it began on the same day, or goes over the end of
a day; and so on with months. Of those that go over the end of an hour, a day or a month there is an
index each, which is short, so that four short ranges hold all that can run at a moment::

    began in the moment's hour    | any recording
    began in the moment's day     | those that go over the end of an hour
    began in the moment's month   | those that go over the end of a day
    began at any time before      | those that go over the end of a month
    began at any time before      | those still running

All functions read the index only, each in short transactions: writing never waits for them.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from axis_nvr.errors import WireError
from axis_nvr.storage.index import Index, MediaRow, RecordingRow
from axis_nvr.storage.layout import parse_utc, utc_text
from axis_nvr.storage.schema import DAY_CHARS, HOUR_CHARS, MONTH_CHARS

#: The most recordings that may run at one moment; further ones are not found.
MAX_RUNNING = 10_000
#: The most recordings of one page.
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Search:
    """What to search for; all that is given must be so.

    :param recording_id: this recording only.
    :param start_us: recordings with any part at or after it: UTC, microseconds since 1970.
    :param stop_us: recordings with any part at or before it.
    :param device: external id of the device.
    :param source: number of the camera on a product with several.
    :param event: name of the rule or configuration (``eventid`` of ``list.cgi``).
    :param action: name of the action (``eventtrigger``).
    :param recording_type: ``continuous`` or ``triggered``.
    :param group: token of the recording group, empty for those without one.
    :param running: whether it is being written.
    :param locked: whether anything of it is locked.
    :param newest_first: order of start times.
    """

    recording_id: str | None = None
    start_us: int | None = None
    stop_us: int | None = None
    device: str | None = None
    source: str | None = None
    event: str | None = None
    action: str | None = None
    recording_type: str | None = None
    group: str | None = None
    running: bool | None = None
    locked: bool | None = None
    newest_first: bool = True


class Place(NamedTuple):
    """Where in a search's results a page ends: start and number of its last recording."""

    start: str
    number: int


@dataclass(frozen=True, slots=True)
class Found:
    """A recording that was found.

    :param number: its id in the index, by which others of its tables know it.
    :param locked: whether anything of it is locked.
    """

    number: int
    row: RecordingRow
    locked: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a search's results, in order.

    :param next: where the next page begins; None if there is none.
    """

    found: tuple[Found, ...]
    next: Place | None


#: Filters that are names in a table of their own: index, column, that table, its column.
_NAMED = {
    "event": ("nvr_recordings_event", "recording_event_id", "recording_events", "event_name"),
    "source": ("nvr_recordings_source", "recording_source_id", "recording_sources", "source_name"),
    "action": ("nvr_recordings_action", "recording_action_id", "recording_actions", "action_name"),
    "recording_type": (
        "nvr_recordings_type",
        "recording_type_id",
        "recording_types",
        "recording_type",
    ),
}
_LOCKED = "EXISTS (SELECT 1 FROM nvr_locks l WHERE l.recording_id = r.id)"


class _Plan(NamedTuple):
    """A search in SQL.

    :ivar source: tables, the one that gives the order first, with its index.
    :ivar start: the start time in the table that gives the order.
    :ivar number: the same of the recording's number.
    :ivar is_short: few rows, which are sorted.
    """

    source: str
    start: str
    number: str
    conditions: list[str]
    values: list[object]
    is_short: bool = False


def _plan(search: Search) -> _Plan:
    """Choose the index that gives the order; what else is searched by is looked at row by row."""
    conditions, values = _conditions(search)
    if search.recording_id is not None:
        return _Plan("recordings r", "r.starttime", "r.id", conditions, values, is_short=True)
    if search.running:
        source = "recordings r INDEXED BY nvr_open_recordings"
        return _Plan(source, "r.starttime", "r.id", conditions, values, is_short=True)
    if search.locked:
        locked = "r.id IN (SELECT recording_id FROM nvr_locks)"
        return _Plan(
            "recordings r", "r.starttime", "r.id", [locked, *conditions], values, is_short=True
        )
    for name, value in (("device", search.device), ("group", search.group)):
        if value is not None:
            source = f"nvr_recordings n INDEXED BY nvr_recordings_{name}"
            source += " CROSS JOIN recordings r ON r.id = n.recording_id"
            return _Plan(source, "n.starttime", "n.recording_id", conditions, values)
    for name, (index, *_) in _NAMED.items():
        if getattr(search, name) is not None:
            source = f"recordings r INDEXED BY {index}"
            return _Plan(source, "r.starttime", "r.id", conditions, values)
    source = "recordings r INDEXED BY recordings_starttime"
    return _Plan(source, "r.starttime", "r.id", conditions, values)


def _conditions(search: Search) -> tuple[list[str], list[object]]:
    """Give what is searched by, times apart."""
    conditions: list[str] = []
    values: list[object] = []
    for name, (_, column, table, text) in _NAMED.items():
        if (value := getattr(search, name)) is not None:
            conditions.append(f"r.{column} = (SELECT id FROM {table} WHERE {text} = ?)")  # noqa: S608
            values.append(value)
    for column, value in (("device", search.device), ("group_token", search.group)):
        if value is not None:
            conditions.append(f"n.{column} = ?")
            values.append(value)
    if search.recording_id is not None:
        conditions.append("r.filename = ?")
        values.append(search.recording_id)
    if search.running is not None:
        conditions.append(f"r.stoptime IS {'' if search.running else 'NOT '}NULL")
    if search.locked is not None:
        conditions.append(_LOCKED if search.locked else f"NOT {_LOCKED}")
    return conditions, values


def _needs_device(conditions: list[str]) -> bool:
    return any(condition.startswith("n.") for condition in conditions)


def find(index: Index, search: Search, limit: int = MAX_PAGE, after: Place | None = None) -> Page:
    """Give a page of what a search finds.

    :param limit: the most recordings of it, at most `MAX_PAGE`.
    :param after: `Page.next` of the page before this one; None gives the first.
    :raises StorageError: the index cannot be read.
    """
    limit = max(1, min(limit, MAX_PAGE))
    numbers = find_numbers(index, search, limit + 1, after)
    found = describe(index, [place.number for place in numbers[:limit]])
    more = len(numbers) > limit
    return Page(tuple(found), numbers[limit - 1] if more else None)


def find_numbers(
    index: Index, search: Search, limit: int, after: Place | None = None
) -> list[Place]:
    """Give what `find` gives, without what it says of each."""
    parts = [_begun_before, _begun_within]
    places: list[Place] = []
    for part in reversed(parts) if search.newest_first else parts:
        if len(places) < limit:
            places += part(index, search, limit - len(places), after)
    return places


def _begun_before(index: Index, search: Search, limit: int, after: Place | None) -> list[Place]:
    """Give those that ran when the range of time began."""
    plan = _plan(search)
    if search.start_us is None or plan.is_short:
        return []
    start = utc_text(search.start_us)
    latest = start if search.stop_us is None else utc_text(search.stop_us)
    places = [
        place
        for place in running_at(index, search.start_us, plan.conditions, plan.values)
        if place.start < start and place.start <= latest and _is_after(search, place, after)
    ]
    places.sort(reverse=search.newest_first)
    return places[:limit]


def _is_after(search: Search, place: Place, after: Place | None) -> bool:
    if after is None:
        return True
    return place < after if search.newest_first else place > after


def _begun_within(
    index: Index, search: Search, limit: int, after: Place | None, skip: int = 0
) -> list[Place]:
    """Give those that began in the range of time; of a short plan all that have a part in it."""
    plan = _plan(search)
    where, values = _within(search, plan)
    if after is not None:
        sign = "<" if search.newest_first else ">"
        where.append(
            f"{plan.start} {sign}= ? AND ({plan.start} {sign} ? OR {plan.number} {sign} ?)"
        )
        values += [after.start, after.start, after.number]
    order = "DESC" if search.newest_first else "ASC"
    rows = index.query(
        f"SELECT {plan.start}, {plan.number} FROM {_source(plan)} WHERE {' AND '.join(where)}"  # noqa: S608
        f" ORDER BY {plan.start} {order}, {plan.number} {order}"
        " LIMIT ? OFFSET ?",
        *values,
        limit,
        skip,
    )
    return [Place(*row) for row in rows]


def _source(plan: _Plan) -> str:
    if _needs_device(plan.conditions) and "nvr_recordings n" not in plan.source:
        return f"{plan.source} JOIN nvr_recordings n ON n.recording_id = r.id"
    return plan.source


def _within(search: Search, plan: _Plan) -> tuple[list[str], list[object]]:
    where, values = list(plan.conditions), list(plan.values)
    where.append(f"{plan.start} IS NOT NULL")
    if search.start_us is not None:
        if plan.is_short:
            where.append("(r.stoptime >= ? OR r.stoptime IS NULL)")
        else:
            where.append(f"{plan.start} >= ?")
        values.append(utc_text(search.start_us))
    if search.stop_us is not None:
        where.append(f"{plan.start} <= ?")
        values.append(utc_text(search.stop_us))
    return where, values


def place_of(index: Index, search: Search, number: int) -> Place | None:
    """Give the place behind which the results after the first `number` begin.

    For whoever asks by number. It costs a step in an index for each result passed over, where
    going on from `Page.next` costs nothing.

    :param number: at least 1.
    :returns: None if there are not as many.
    :raises StorageError: the index cannot be read.
    """
    before = _begun_before(index, search, MAX_RUNNING, None)
    if not search.newest_first:
        if number <= len(before):
            return before[number - 1]
        number -= len(before)
    within = _begun_within(index, search, 1, None, skip=number - 1)
    if within or not search.newest_first:
        return within[0] if within else None
    number -= count(index, search) - len(before)
    return before[number - 1] if number <= len(before) else None


def count(index: Index, search: Search) -> int:
    """Tell how many recordings a search finds.

    For times alone it costs a step for each hour; for what else is searched by, a step in its index
    for each recording found.

    :raises StorageError: the index cannot be read.
    """
    plan = _plan(search)
    before = len(_begun_before(index, search, MAX_RUNNING, None))
    if not plan.conditions and not plan.is_short:
        return before + _count_by_hours(index, search.start_us, search.stop_us)
    where, values = _within(search, plan)
    text = f"SELECT COUNT(*) FROM {_source(plan)} WHERE {' AND '.join(where)}"  # noqa: S608
    return before + int(next(iter(list(index.query(text, *values))))[0])


def _count_by_hours(index: Index, start_us: int | None, stop_us: int | None) -> int:
    """Count what began in a range of time: rows in the hours at its ends, numbers in between."""
    if start_us is None and stop_us is None:
        return _one(index, "SELECT SUM(recordings) FROM nvr_counts WHERE hour > ''")
    start = "" if start_us is None else utc_text(start_us)
    stop = "~" if stop_us is None else utc_text(stop_us)  # behind all digits
    first, last = start[:HOUR_CHARS], stop[:HOUR_CHARS]
    began = "SELECT COUNT(*) FROM recordings WHERE starttime >= ? AND starttime"
    if first >= last:
        return _one(index, f"{began} <= ?", start, stop)
    hours = "SELECT SUM(recordings) FROM nvr_counts WHERE hour > ? AND hour < ?"
    number = _one(index, hours, first, last)
    if start:
        number += _one(index, f"{began} < ?", start, f"{first}~")
    if stop_us is not None:
        number += _one(index, f"{began} <= ?", last, stop)
    return number


def _one(index: Index, text: str, *values: object) -> int:
    return int(index.first(text, *values)[0] or 0)


def running_at(
    index: Index,
    utc_us: int,
    conditions: list[str] | None = None,
    values: list[object] | None = None,
) -> list[Place]:
    """Give the recordings that ran at a moment, in no order; theirs may be a hole there.

    :param conditions: what else must be so of ``recordings r`` and ``nvr_recordings n``.
    """
    join = ""
    if _needs_device(conditions or []):
        join = " CROSS JOIN nvr_recordings n ON n.recording_id = r.id"
    moment = utc_text(utc_us)
    parts: list[str] = []
    given: list[object] = []
    for name, floor, chars in (
        ("recordings_starttime", moment[:HOUR_CHARS], 0),
        ("nvr_recordings_over_hour", moment[:DAY_CHARS], HOUR_CHARS),
        ("nvr_recordings_over_day", moment[:MONTH_CHARS], DAY_CHARS),
        ("nvr_recordings_over_month", "", MONTH_CHARS),
        ("nvr_open_recordings", "", 0),
    ):
        where = ["r.starttime >= ?", "r.starttime <= ?"]
        given += [floor, moment]
        if chars:
            over = f"substr(r.starttime, 1, {chars}) <> substr(r.stoptime, 1, {chars})"
            where.append(over)
        if name == "nvr_open_recordings":
            where.append("r.stoptime IS NULL")
        else:
            where.append("r.stoptime >= ?")
            given.append(moment)
        parts.append(
            f"SELECT r.starttime, r.id FROM recordings r INDEXED BY {name}{join}"  # noqa: S608
            f" WHERE {' AND '.join([*where, *(conditions or [])])}"
        )
        given += values or []
    rows = index.query(f"{' UNION ALL '.join(parts)} LIMIT ?", *given, MAX_RUNNING)
    return list({Place(*row) for row in rows})


_DESCRIPTION = f"""
SELECT r.id, r.filename, r.starttime, r.stoptime, t.recording_type, s.source_name, e.event_name,
    a.action_name, v.videos_type, v.videos_properties, u.audios_type, u.audios_properties,
    n.device, n.stream_options, n.group_token, {_LOCKED}
FROM recordings r
LEFT JOIN recording_types t ON t.id = r.recording_type_id
LEFT JOIN recording_sources s ON s.id = r.recording_source_id
LEFT JOIN recording_events e ON e.id = r.recording_event_id
LEFT JOIN recording_actions a ON a.id = r.recording_action_id
LEFT JOIN videos v ON v.id = r.video_id
LEFT JOIN audios u ON u.id = r.audio_id
LEFT JOIN nvr_recordings n ON n.recording_id = r.id
WHERE r.id IN
"""  # noqa: S608 - nothing from outside is in it


def describe(index: Index, numbers: Sequence[int]) -> Iterator[Found]:
    """Say what the index says of recordings, at most `MAX_PAGE`.

    One that is gone meanwhile is left out.
    """
    if not numbers:
        return
    marks = ", ".join("?" for _ in numbers)
    rows = {row[0]: row for row in index.query(f"{_DESCRIPTION} ({marks})", *numbers)}
    for number in numbers:
        if number in rows:
            row = rows[number]
            yield Found(number, _recording_row(row[1:15]), bool(row[15]))


def _recording_row(row: tuple[str | None, ...]) -> RecordingRow:
    name, start, stop, kind, source, event, action, *more = row
    video, video_more, audio, audio_more, device, options, group = more
    return RecordingRow(
        recording_id=name or "",
        start_us=_time(start),
        stop_us=_time(stop),
        recording_type=kind or "",
        source=source or "",
        event=event or "",
        action=action or "",
        video=None if video is None else MediaRow(video, video_more or ""),
        audio=None if audio is None else MediaRow(audio, audio_more or ""),
        device=device or "",
        stream_options=options or "",
        group=group or "",
    )


def _time(text: str | None) -> int | None:
    """Read a time; one that another writer got wrong is as good as none."""
    with suppress(WireError):
        return None if text is None else parse_utc(text)
    return None
