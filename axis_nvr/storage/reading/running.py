"""The recordings that run at a moment, found in four short ranges of an index.

A recording that begins before a moment may go on into it. One that runs at a moment began in the
same hour, or goes over the end of an hour; then it began on the same day, or goes over the end of
a day; and so on with months. Of those that go over the end of an hour, a day or a month there is an
index each, which is short, so that these ranges hold all that can run at a moment::

    began in the moment's hour    | any recording
    began in the moment's day     | those that go over the end of an hour
    began in the moment's month   | those that go over the end of a day
    began at any time before      | those that go over the end of a month
    began at any time before      | those still running
"""

from typing import NamedTuple

from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.schema import DAY_CHARS, HOUR_CHARS, MONTH_CHARS

#: The most recordings that may run at one moment; further ones are not found.
MAX_RUNNING = 10_000


class Place(NamedTuple):
    """Where a recording is in the order of start times: its start, and its number in the index."""

    start: str
    number: int


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
    if needs_device(conditions or []):
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


def needs_device(conditions: list[str]) -> bool:
    """Tell whether a condition is about ``nvr_recordings n``, where device and group are."""
    return any(condition.startswith("n.") for condition in conditions)
