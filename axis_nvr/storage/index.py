"""``index.db``: which recordings and blocks a disk holds.

The index follows the files: a row is written after the bytes it names are durable, and all of it
can be made again from the files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.files import storage_errors
from axis_nvr.storage.index_connection import IndexConnection
from axis_nvr.storage.layout import block_path, parse_utc, recording_path, utc_text


class MediaRow(NamedTuple):
    """A row of `videos` or `audios`: MIME type and properties."""

    mime_type: str
    properties: str


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A recording as the index has it.

    :param stop_us: None while it runs.
    :param event: name of the rule (``eventid`` of ``list.cgi``).
    :param action: name of the action (``eventtrigger``).
    """

    recording_id: str
    start_us: int | None
    stop_us: int | None
    recording_type: str
    source: str
    event: str
    action: str
    video: MediaRow | None = None
    audio: MediaRow | None = None
    device: str = ""
    stream_options: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block as the index has it.

    :param path: its folder within the recording's, as the index names it.
    :param stop_us: None while it is open.
    :param unfinished: how many bytes are good of a file not closed properly, else None.
    """

    block_id: str
    recording_id: str
    path: str
    start_us: int
    stop_us: int | None
    size_bytes: int
    unfinished: int | None = None


class Index(IndexConnection):
    """The rows of recordings, of their blocks, and of what is missing from them."""

    # What is written.

    def add_recording(self, row: RecordingRow) -> None:
        """Add a recording."""
        cursor = self._connection.execute(
            "INSERT INTO recordings (filename, path, starttime, stoptime, recording_type_id,"
            " recording_source_id, recording_event_id, recording_action_id, video_id, audio_id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.recording_id,
                recording_path(row.recording_id),
                None if row.start_us is None else utc_text(row.start_us),
                None if row.stop_us is None else utc_text(row.stop_us),
                self._look_up("recording_types", recording_type=row.recording_type),
                self._look_up("recording_sources", source_name=row.source),
                self._look_up("recording_events", event_name=row.event),
                self._look_up("recording_actions", action_name=row.action),
                self._media("videos", row.video),
                self._media("audios", row.audio),
            ),
        )
        self._connection.execute(
            "INSERT INTO nvr_recordings (recording_id, device, stream_options, group_token)"
            " VALUES (?, ?, ?, ?)",
            (cursor.lastrowid, row.device, row.stream_options, row.group),
        )

    def _media(self, table: str, row: MediaRow | None) -> int | None:
        if row is None:
            return None
        columns = {f"{table}_type": row.mime_type, f"{table}_properties": row.properties}
        return self._look_up(table, **columns)

    def _look_up(self, table: str, **columns: str) -> int:
        """Give the id of a look-up row, which is added if it is new."""
        names, values = ", ".join(columns), tuple(columns.values())
        where = " AND ".join(f"{name} = ?" for name in columns)
        query = f"SELECT id FROM {table} WHERE {where}"  # noqa: S608 - names are ours
        found = self._connection.execute(query, values).fetchone()
        if found is not None:
            return int(found[0])
        marks = ", ".join("?" for _ in columns)
        insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
        return int(self._connection.execute(insert, values).lastrowid)

    def set_media(self, recording_id: str, video: MediaRow | None, audio: MediaRow | None) -> None:
        """Note what tracks a recording has by now."""
        self._connection.execute(
            "UPDATE recordings SET video_id = ?, audio_id = ? WHERE filename = ?",
            (self._media("videos", video), self._media("audios", audio), recording_id),
        )

    def close_recording(self, recording_id: str, stop_us: int) -> None:
        """Note that a recording has ended."""
        self._connection.execute(
            "UPDATE recordings SET stoptime = ? WHERE filename = ?",
            (utc_text(stop_us), recording_id),
        )

    def add_block(self, recording_id: str, block_id: str, start_us: int) -> None:
        """Add an open block; a recording starts where its earliest block does."""
        start = utc_text(start_us)
        self._connection.execute(
            "INSERT INTO blocks (filename, path, starttime, recording_id)"
            " VALUES (?, ?, ?, (SELECT id FROM recordings WHERE filename = ?))",
            (block_id, block_path(block_id), start, recording_id),
        )
        self._connection.execute(
            "UPDATE recordings SET starttime = ? WHERE filename = ? AND starttime > ?",
            (start, recording_id, start),
        )

    def close_block(self, block_id: str, stop_us: int, size_bytes: int) -> None:
        """Note where a block ended."""
        self._connection.execute(
            "UPDATE blocks SET stoptime = ?, filesize = ? WHERE filename = ?",
            (utc_text(stop_us), size_bytes, block_id),
        )

    def mark_unfinished(self, block_id: str, good_bytes: int, reason: str) -> None:
        """Note that a block's file was not closed properly and wants repair."""
        self._connection.execute(
            "INSERT OR REPLACE INTO nvr_unfinished SELECT id, ?, ? FROM blocks WHERE filename = ?",
            (good_bytes, reason, block_id),
        )

    def add_gaps(self, recording_id: str, gaps: Iterable[Gap]) -> None:
        """Note what is missing from a recording."""
        self._connection.executemany(
            "INSERT INTO nvr_gaps (recording_id, start_us, end_us, reason, lost_packets, detail)"
            " SELECT id, ?, ?, ?, ?, ? FROM recordings WHERE filename = ?",
            [
                (g.start_us, g.end_us, g.reason, g.lost_packets, g.detail, recording_id)
                for g in gaps
            ],
        )

    def drop_block(self, block_id: str) -> None:
        """Take out a block whose file is not there."""
        self._connection.execute("DELETE FROM blocks WHERE filename = ?", (block_id,))

    def drop_recording(self, recording_id: str) -> None:
        """Take out a recording that has no block."""
        self._connection.execute("DELETE FROM recordings WHERE filename = ?", (recording_id,))

    # What is read.

    def name_taken(self, name: str) -> bool:
        """Tell whether a recording or block has this name, one about to be removed included."""
        tables = ("blocks", "recordings", "remove_blocks", "remove_recordings")
        query = " UNION ALL ".join(f"SELECT 1 FROM {t} WHERE filename = ?1" for t in tables)  # noqa: S608
        with storage_errors(self._path, "read the index"):
            return self._connection.execute(query, (name,)).fetchone() is not None

    def recordings(
        self, recording_id: str | None = None, *, open_only: bool = False
    ) -> Iterator[RecordingRow]:
        """Give the recordings, oldest first.

        :param recording_id: give this one only.
        :param open_only: those without a stop time only.
        """
        ours = self._has_table("nvr_recordings")
        columns = "n.device, n.stream_options, n.group_token" if ours else "'', '', ''"
        join = "LEFT JOIN nvr_recordings n ON n.recording_id = r.id" if ours else ""
        where = "WHERE r.stoptime IS NULL" if open_only else "WHERE 1"
        where += "" if recording_id is None else " AND r.filename = ?"
        rows = self.query(
            f"SELECT r.filename, r.starttime, r.stoptime, t.recording_type, s.source_name,"  # noqa: S608
            " e.event_name, a.action_name, v.videos_type, v.videos_properties,"
            f" u.audios_type, u.audios_properties, {columns} FROM recordings r"
            " LEFT JOIN recording_types t ON t.id = r.recording_type_id"
            " LEFT JOIN recording_sources s ON s.id = r.recording_source_id"
            " LEFT JOIN recording_events e ON e.id = r.recording_event_id"
            " LEFT JOIN recording_actions a ON a.id = r.recording_action_id"
            " LEFT JOIN videos v ON v.id = r.video_id"
            f" LEFT JOIN audios u ON u.id = r.audio_id {join} {where} ORDER BY r.starttime, r.id",
            *([] if recording_id is None else [recording_id]),
        )
        for row in rows:
            yield RecordingRow(
                recording_id=row[0],
                start_us=None if row[1] is None else parse_utc(row[1]),
                stop_us=None if row[2] is None else parse_utc(row[2]),
                recording_type=row[3] or "",
                source=row[4] or "",
                event=row[5] or "",
                action=row[6] or "",
                video=None if row[7] is None else MediaRow(row[7], row[8]),
                audio=None if row[9] is None else MediaRow(row[9], row[10]),
                device=row[11] or "",
                stream_options=row[12] or "",
                group=row[13] or "",
            )

    def blocks(
        self, recording_id: str | None = None, *, open_only: bool = False
    ) -> Iterator[BlockRow]:
        """Give blocks, oldest first.

        :param recording_id: those of this recording only.
        :param open_only: those without a stop time only.
        """
        ours = self._has_table("nvr_unfinished")
        column = "n.good_bytes" if ours else "NULL"
        join = "LEFT JOIN nvr_unfinished n ON n.block_id = b.id" if ours else ""
        conditions = ["1"]
        if recording_id is not None:
            conditions.append("r.filename = ?")
        if open_only:
            conditions.append("b.stoptime IS NULL")
        rows = self.query(
            "SELECT b.filename, r.filename, b.path, b.starttime, b.stoptime, b.filesize,"  # noqa: S608
            f" {column} FROM blocks b JOIN recordings r ON r.id = b.recording_id {join}"
            f" WHERE {' AND '.join(conditions)} ORDER BY b.recording_id, b.starttime, b.id",
            *([] if recording_id is None else [recording_id]),
        )
        for block_id, owner, path, start, stop, size_bytes, good in rows:
            stop_us = None if stop is None else parse_utc(stop)
            yield BlockRow(block_id, owner, path, parse_utc(start), stop_us, size_bytes or 0, good)

    def gaps(self, recording_id: str) -> Iterator[Gap]:
        """Give what is missing from a recording, in order of time."""
        if not self._has_table("nvr_gaps"):
            return
        rows = self.query(
            "SELECT start_us, end_us, reason, lost_packets, detail FROM nvr_gaps"
            " WHERE recording_id = (SELECT id FROM recordings WHERE filename = ?)"
            " ORDER BY start_us, id",
            recording_id,
        )
        for start_us, end_us, reason, lost_packets, detail in rows:
            if reason in tuple(GapReason):
                yield Gap(start_us, end_us, GapReason(reason), lost_packets, detail)
