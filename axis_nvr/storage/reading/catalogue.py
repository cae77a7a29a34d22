"""What the index knows of recordings beyond a list of them: how many, of what, and their gaps.

Each function is a short query that an index serves. Results that may be long are bounded.
"""

from collections.abc import Iterator

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.index import Index

#: The most gaps told of one recording.
MAX_TOLD = 10_000
#: Media further apart than this has a hole between, in microseconds.
HOLE_US = 1_000_000


def count_recordings(index: Index) -> int:
    """Tell how many recordings are on the disk, at once."""
    row = index.first("SELECT recordings FROM nvr_counts WHERE hour = ''")
    return 0 if row is None else int(row[0])


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
