"""What the index knows of recordings beyond a list of them: sizes, gaps, locks, the time line.

Each function is a few short queries that indexes serve. Results that may be long are bounded and
say where they go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import parse_utc, utc_text
from axis_nvr.storage.reading.search import MAX_PAGE, Found, Search, describe, find, running_at

#: The most gaps, locks or pieces of damage told of one recording.
MAX_TOLD = 10_000
#: The most spans of one answer.
MAX_SPANS = 10_000
#: Media further apart than this is told as two spans, in microseconds.
HOLE_US = 1_000_000


class Totals(NamedTuple):
    """What a disk holds."""

    recordings: int
    blocks: int


class Span(NamedTuple):
    """A stretch of time of which there is media, in one recording.

    :ivar stop_us: None while its last block is open.
    """

    start_us: int
    stop_us: int | None
    recording_id: str


class LockRow(NamedTuple):
    """What must not be deleted of a recording; without times all of it."""

    token: str
    start_us: int | None
    end_us: int | None
    owner: str
    reason: str


class Damage(NamedTuple):
    """A part of a block that was found to be broken: times, and where in the file."""

    block_id: str
    start_us: int
    end_us: int
    offset: int
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Details:
    """All that is known of one recording.

    :param size_bytes: of its closed blocks.
    :param stop_us: where its media ends; of one that runs, where its closed blocks end, None if it
        has none.
    :param gaps: in order of time, at most `MAX_TOLD`, as are locks and damage.
    """

    found: Found
    size_bytes: int
    blocks: int
    stop_us: int | None
    gaps: tuple[Gap, ...]
    locks: tuple[LockRow, ...]
    damage: tuple[Damage, ...]


def totals(index: Index) -> Totals:
    """Count what is on the disk.

    :raises StorageError: the index cannot be read, here and below.
    """
    recordings = count_recordings(index)
    (blocks,) = _first(index, "SELECT COUNT(*) FROM blocks")
    return Totals(recordings, blocks)


def count_recordings(index: Index) -> int:
    """Tell how many recordings are on the disk, at once."""
    row = index.first("SELECT recordings FROM nvr_counts WHERE hour = ''")
    return 0 if row is None else int(row[0])


def _first(index: Index, text: str, *values: object) -> Any:
    return list(index.query(text, *values))[0]  # noqa: RUF015 - a query is read to its end


def events(index: Index) -> list[str]:
    """Name the rules and configurations that recordings were made by."""
    return _names(index, "recording_events", "event_name", "recording_event_id", "event")


def sources(index: Index) -> list[str]:
    """Name the sources that recordings are of."""
    return _names(index, "recording_sources", "source_name", "recording_source_id", "source")


def _names(index: Index, table: str, name: str, column: str, index_name: str) -> list[str]:
    rows = index.query(
        f"SELECT {name} FROM {table} x WHERE EXISTS (SELECT 1 FROM recordings r"  # noqa: S608
        f" INDEXED BY nvr_recordings_{index_name} WHERE r.{column} = x.id) ORDER BY {name}"
    )
    return [row[0] for row in rows]


def devices(index: Index) -> list[str]:
    """Name the devices that recordings are of: one step in the index for each."""
    names: list[str] = []
    while rows := list(
        index.query(
            "SELECT device FROM nvr_recordings INDEXED BY nvr_recordings_device"
            " WHERE device > ? ORDER BY device LIMIT 1",
            names[-1] if names else "",
        )
    ):
        names.append(rows[0][0])
    return names


def details(index: Index, recording_id: str) -> Details | None:
    """Tell all of one recording; None if there is none of this id."""
    found = find(index, Search(recording_id=recording_id)).found
    if not found:
        return None
    number = found[0].number
    size_bytes, blocks, stop = _first(
        index,
        "SELECT SUM(filesize), COUNT(*), MAX(stoptime) FROM blocks WHERE recording_id = ?",
        number,
    )
    stop_us = found[0].row.stop_us
    if stop_us is None and stop is not None:
        stop_us = parse_utc(stop)
    return Details(
        found=found[0],
        size_bytes=size_bytes or 0,
        blocks=blocks,
        stop_us=stop_us,
        gaps=tuple(gaps_of(index, number)),
        locks=tuple(_locks_of(index, number)),
        damage=tuple(_damage_of(index, number)),
    )


def gaps_of(
    index: Index, number: int, start_us: int | None = None, stop_us: int | None = None
) -> Iterator[Gap]:
    """Give what is missing from a recording, of all of it or of what ends in a range of time.

    :param number: of the recording in the index.
    :param start_us: gaps that end behind this only.
    :param stop_us: gaps that end here or before only.
    """
    conditions, values = ["recording_id = ?"], [number]
    if start_us is not None:
        conditions.append("end_us > ?")
        values.append(start_us)
    if stop_us is not None:
        conditions.append("end_us <= ?")
        values.append(stop_us)
    rows = index.query(
        "SELECT start_us, end_us, reason, lost_packets, detail FROM nvr_gaps"  # noqa: S608
        f" WHERE {' AND '.join(conditions)} ORDER BY start_us, id LIMIT ?",
        *values,
        MAX_TOLD,
    )
    for begin_us, end_us, reason, lost_packets, detail in list(rows):
        if reason in tuple(GapReason):
            yield Gap(begin_us, end_us, GapReason(reason), lost_packets, detail)


def _locks_of(index: Index, number: int) -> Iterator[LockRow]:
    rows = index.query(
        "SELECT token, start_us, end_us, owner, reason FROM nvr_locks WHERE recording_id = ?"
        " ORDER BY created_us, token LIMIT ?",
        number,
        MAX_TOLD,
    )
    return (LockRow(*row) for row in list(rows))


def _damage_of(index: Index, number: int) -> Iterator[Damage]:
    rows = index.query(
        "SELECT b.filename, d.start_us, d.end_us, d.offset, d.size_bytes, d.reason FROM blocks b"
        " JOIN nvr_damage d ON d.block_id = b.id WHERE b.recording_id = ?"
        " ORDER BY d.start_us, d.id LIMIT ?",
        number,
        MAX_TOLD,
    )
    return (Damage(*row) for row in list(rows))


def recordings_at(index: Index, utc_us: int, device: str | None = None) -> list[Found]:
    """Give the recordings that have a picture or sound of a moment, oldest first.

    :param device: those of this device only.
    """
    conditions, values = ([], []) if device is None else (["n.device = ?"], [device])
    moment = utc_text(utc_us)
    covering = []
    for place in sorted(running_at(index, utc_us, conditions, list(values))):
        rows = index.query(
            "SELECT stoptime IS NULL OR stoptime > ? FROM blocks"
            " WHERE recording_id = ? AND starttime <= ? ORDER BY starttime DESC LIMIT 1",
            moment,
            place.number,
            moment,
        )
        if any(row[0] for row in list(rows)):
            covering.append(place.number)
    return list(describe(index, covering[:MAX_PAGE]))


class Spans(NamedTuple):
    """Stretches of media, in order of their start.

    :ivar next_us: ask from here for those that follow; None if these are all.
    """

    spans: list[Span]
    next_us: int | None


def spans(
    index: Index, recording_id: str, start_us: int, stop_us: int, limit: int = MAX_SPANS
) -> Spans:
    """Tell of what times in a range a recording has media.

    :param limit: the most blocks looked at; an answer that ends early says where it goes on.
    """
    (number, begin) = _number_and_begin(index, recording_id, utc_text(start_us))
    rows = list(
        index.query(
            "SELECT starttime, stoptime FROM blocks WHERE recording_id = ? AND starttime >= ?"
            " AND starttime <= ? AND starttime IS NOT NULL ORDER BY starttime, id LIMIT ?",
            number,
            begin,
            utc_text(stop_us),
            limit + 1,
        )
    )
    next_us = parse_utc(rows[limit][0]) if len(rows) > limit else None
    found: list[Span] = []
    for start, stop in rows[:limit]:
        end_us = None if stop is None else parse_utc(stop)
        if end_us is None or end_us >= start_us:
            _join(found, Span(parse_utc(start), end_us, recording_id))
    return Spans(found, next_us)


def _number_and_begin(index: Index, recording_id: str, start: str) -> tuple[int, str]:
    """Give a recording's number, and the start of its block that goes on into a range of time."""
    rows = index.query(
        "SELECT r.id, (SELECT MAX(b.starttime) FROM blocks b WHERE b.recording_id = r.id"
        " AND b.starttime <= ?) FROM recordings r WHERE r.filename = ?",
        start,
        recording_id,
    )
    for number, begin in list(rows):
        return number, begin or start
    return 0, start


def _join(found: list[Span], span: Span) -> None:
    """Put a span behind others, or lengthen the last one."""
    last = found[-1] if found else None
    if last is not None and last.stop_us is not None and span.start_us <= last.stop_us + HOLE_US:
        stop_us = None if span.stop_us is None else max(span.stop_us, last.stop_us)
        found[-1] = last._replace(stop_us=stop_us)
    else:
        found.append(span)


def device_spans(
    index: Index, device: str, start_us: int, stop_us: int, limit: int = MAX_SPANS
) -> Spans:
    """Tell of what times in a range there is media of a device, recording by recording.

    :param limit: with so many spans no further recording is looked at, and the answer ends where
        that one begins.
    """
    search = Search(device=device, start_us=start_us, stop_us=stop_us, newest_first=False)
    found: list[Span] = []
    end_us = None
    for recording in _all_found(index, search):
        begin_us = recording.row.start_us or 0
        if len(found) >= limit and begin_us > start_us:
            end_us = begin_us
            break
        found += _all_spans(index, recording.row.recording_id, start_us, stop_us)
    found.sort(key=lambda span: span.start_us)
    if end_us is not None:
        found = [_cut(span, end_us) for span in found if span.start_us < end_us]
    return Spans(found, end_us)


def _cut(span: Span, end_us: int) -> Span:
    stop_us = end_us if span.stop_us is None else min(span.stop_us, end_us)
    return span._replace(stop_us=stop_us)


def _all_found(index: Index, search: Search) -> Iterator[Found]:
    page = find(index, search)
    yield from page.found
    while page.next is not None:
        page = find(index, search, after=page.next)
        yield from page.found


def _all_spans(index: Index, recording_id: str, start_us: int, stop_us: int) -> list[Span]:
    found: list[Span] = []
    begin_us, next_us = start_us - 1, start_us
    while next_us > begin_us:
        begin_us = next_us
        part = spans(index, recording_id, begin_us, stop_us)
        next_us = begin_us if part.next_us is None else part.next_us
        for span in part.spans:
            if not found or found[-1].start_us != span.start_us:
                _join(found, span)
    return found
