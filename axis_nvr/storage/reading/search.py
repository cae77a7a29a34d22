"""Searching for recordings, page by page.

What a page costs depends on what is on it and not on what the disk holds: each filter has an index
in which its recordings stand by their start, and a page goes on behind the last row of the page
before it (its `Place`), never by counting rows.

Only a range of time needs more than an index: a recording that begins before the range may go on
into it (`axis_nvr.storage.reading.running`).

All functions read the index only, each in short transactions: writing never waits for them.
"""

from dataclasses import dataclass
from typing import NamedTuple

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.reading.descriptions import LOCKED, Found, describe
from axis_nvr.storage.reading.running import MAX_RUNNING, Place, needs_device, running_at
from axis_nvr.storage.schema import HOUR_CHARS

__all__ = ["MAX_PAGE", "Found", "Page", "Place", "Search", "count", "find", "place_of"]

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


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a search's results, in order.

    :param next: its last recording, behind which the next page begins; None if there is none.
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
        conditions.append(LOCKED if search.locked else f"NOT {LOCKED}")
    return conditions, values


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
    if needs_device(plan.conditions) and "nvr_recordings n" not in plan.source:
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
