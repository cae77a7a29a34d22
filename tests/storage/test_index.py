"""``index.db``: version 2.0 as Axis devices have it, and ours beside it."""

import sqlite3
from pathlib import Path
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage import index_connection
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index, MediaRow, RecordingRow
from axis_nvr.storage.schema import AXIS_TABLES
from tests.storage.making import START_US, FailingFiles

RECORDING = "20240506_070809_A000_ACCC8E012345"
BLOCKS = ("20240506_070809_A001", "20240506_071309_A002")
ROW = RecordingRow(
    recording_id=RECORDING,
    start_us=START_US,
    stop_us=None,
    recording_type="continuous",
    source="1",
    event="rule",
    action="record",
    video=MediaRow("video/x-h264", '"width"="1"'),
    device="front",
    stream_options="fps=25",
    group="g",
)


class IndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.index = Index.open(Files(), self.path, START_US)
        self.addCleanup(self.index.close)

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Ask as a foreign reader would."""
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(text).fetchall()
        finally:
            connection.close()

    def columns(self, table: str) -> list[object]:
        return [row[1] for row in self.query(f"PRAGMA table_info({table})")]

    def fill(self) -> None:
        with self.index.transaction():
            self.index.add_recording(ROW)
            for at, block_id in enumerate(BLOCKS):
                self.index.add_block(RECORDING, block_id, START_US + at * 300_000_000)

    def test_the_tables_of_version_2(self) -> None:
        """Names and columns are those that readers of Axis disks know."""
        self.assertEqual(
            self.query("SELECT * FROM version"), [(2, 0, "2024-05-06T07:08:09.012345Z")]
        )
        recordings = "id filename path starttime stoptime recording_type_id recording_source_id"
        recordings += " recording_event_id recording_action_id audio_id video_id metadata_id"
        blocks = "id filename path starttime stoptime recording_id filesize"
        for prefix in ("", "remove_"):
            self.assertEqual(self.columns(f"{prefix}recordings"), recordings.split())
            self.assertEqual(self.columns(f"{prefix}blocks"), blocks.split())
        for table, names in (
            ("recording_types", "id recording_type"),
            ("recording_sources", "id source_name"),
            ("recording_events", "id event_name"),
            ("recording_actions", "id action_name"),
            ("videos", "id videos_type videos_properties"),
            ("audios", "id audios_type audios_properties"),
            ("metadata", "id metadata_type metadata_properties"),
        ):
            self.assertEqual(self.columns(table), names.split())

    def test_it_is_made_in_one_write(self) -> None:
        """A new index is there whole or not at all, and with the log in use from the beginning."""
        files = FailingFiles()
        path = self.path.with_name("made")
        Index.open(cast(IFiles, files), path, START_US).close()
        self.assertEqual(files.count("writev", ".made.tmp"), 1)
        self.assertEqual(path.read_bytes()[18:20], b"\2\2")
        files.fail("writev", ".tmp")
        path = self.path.with_name("full")
        self.assertRaises(StorageError, Index.open, cast(IFiles, files), path, START_US)
        self.assertFalse(path.exists())

    def test_it_is_made_in_place(self) -> None:
        """Where SQLite cannot give an index as bytes it has the same tables all the same."""
        schema = self.query("SELECT type, name, sql FROM sqlite_master ORDER BY name")
        self.patch(index_connection, "_new_image", lambda path, now_us: b"")
        self.path = self.path.with_name("in_place")
        Index.open(Files(), self.path, START_US).close()
        self.assertEqual(
            self.query("SELECT type, name, sql FROM sqlite_master ORDER BY name"), schema
        )

    def test_tables_of_an_older_version(self) -> None:
        """An index without our newer tables gets them; its rows stay."""
        self.fill()
        self.index.close()
        connection = sqlite3.connect(self.path)
        for table in ("nvr_locks", "nvr_damage", "nvr_state"):
            connection.execute(f"DROP TABLE {table}")
        for kind, name in (
            ("TRIGGER", "nvr_recordings_added"),
            ("TRIGGER", "nvr_recordings_moved"),
            ("INDEX", "nvr_recordings_device"),
            ("INDEX", "nvr_recordings_group"),
        ):
            connection.execute(f"DROP {kind} {name}")
        connection.execute("ALTER TABLE nvr_recordings DROP COLUMN starttime")
        connection.execute("PRAGMA user_version=1")
        connection.close()
        self.index = Index.open(Files(), self.path, START_US)
        with self.index.transaction():
            self.index.set_state("rebuild", "half")
        self.assertEqual(self.index.state("rebuild"), "half")
        self.assertEqual([row.recording_id for row in self.index.recordings()], [RECORDING])
        starts = [row[0] for row in self.query("SELECT starttime FROM nvr_recordings")]
        self.assertEqual(starts, [row[0] for row in self.query("SELECT starttime FROM recordings")])

    def test_tables_of_a_newer_version(self) -> None:
        """An index that a newer product wrote is not touched."""
        self.index.close()
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA user_version=999")
        connection.close()
        error = self.assertRaises(StorageError, Index.open, Files(), self.path, START_US)
        self.assertIn("newer", str(error))
        self.assertEqual(self.query("PRAGMA user_version"), [(999,)])

    def test_a_foreign_readers_query(self) -> None:
        """Look-ups, paths and times are found where such a reader looks."""
        self.fill()
        found = self.query(
            "SELECT r.filename, r.path, r.starttime, r.stoptime, e.event_name, a.action_name,"
            " v.videos_type, b.filename, b.path, b.filesize FROM recordings r, blocks b,"
            " recording_events e, recording_actions a, videos v WHERE b.recording_id = r.id AND"
            " e.id = r.recording_event_id AND a.id = r.recording_action_id AND v.id = r.video_id"
        )
        start = "2024-05-06T07:08:09.012345Z"
        shared = (RECORDING, "20240506/07", start, None, "rule", "record", "video/x-h264")
        self.assertEqual(found, [(*shared, block, "20240506_07", 0) for block in BLOCKS])

    def test_reads_back(self) -> None:
        """What was written is read, after it was closed and by another connection."""
        self.fill()
        with self.index.transaction():
            self.index.close_block(BLOCKS[0], START_US + 5, 1234)
            self.index.close_recording(RECORDING, START_US + 6)
            self.index.mark_unfinished(BLOCKS[1], 99, "why")
            self.index.add_gaps(RECORDING, [Gap(1, 2, GapReason.SLOW_DISK, 3, "words")])
        reader = Index.open_read_only(Files(), self.path)
        self.addCleanup(reader.close)
        (row,) = reader.recordings()
        self.assertEqual((row.stop_us, row.device, row.group), (START_US + 6, "front", "g"))
        first, second = reader.blocks(RECORDING)
        self.assertEqual((first.stop_us, first.size_bytes), (START_US + 5, 1234))
        self.assertEqual((first.unfinished, second.unfinished), (None, 99))
        self.assertEqual([block.block_id for block in reader.blocks(open_only=True)], [BLOCKS[1]])
        self.assertEqual(list(reader.gaps(RECORDING)), [Gap(1, 2, GapReason.SLOW_DISK, 3, "words")])
        self.assertEqual(list(reader.recordings("20990101_000000_0000_ACCC8E012345")), [])
        self.assertEqual(reader.check(), [])

    def test_a_recording_starts_with_its_oldest_block(self) -> None:
        """When old blocks are deleted the recording starts later; after the last one it stays."""
        self.fill()
        with self.index.transaction():
            self.index.drop_block(BLOCKS[0])
        (row,) = self.index.recordings()
        self.assertEqual(row.start_us, START_US + 300_000_000)
        with self.index.transaction():
            self.index.drop_block(BLOCKS[1])
        self.assertEqual(len(list(self.index.recordings())), 1)

    def test_names_that_are_taken(self) -> None:
        """By a recording, a block, or one about to be removed."""
        self.fill()
        self.index._connection.execute(
            "INSERT INTO remove_blocks SELECT * FROM blocks WHERE filename = ?", (BLOCKS[0],)
        )
        with self.index.transaction():
            self.index.drop_block(BLOCKS[0])
        for name in (RECORDING, *BLOCKS):
            self.assertTrue(self.index.name_taken(name))
        self.assertFalse(self.index.name_taken("20240506_070809_A009"))

    def test_no_stop_without_start(self) -> None:
        """The index refuses what the layout rules out."""
        self.fill()
        connection = self.index._connection
        self.assertRaises(
            sqlite3.IntegrityError,
            connection.execute,
            "UPDATE recordings SET starttime = NULL, stoptime = '2024-05-06T07:08:09.012345Z'",
        )

    def test_all_or_nothing(self) -> None:
        """A transaction that fails leaves nothing of itself."""
        with self.assertRaises(StorageError), self.index.transaction():
            self.index.add_recording(ROW)
            self.index.add_recording(ROW)
        self.assertEqual(list(self.index.recordings()), [])

    def test_opened_again(self) -> None:
        """An index that exists keeps its date and its rows."""
        self.fill()
        again = Index.open(Files(), self.path, START_US + 10)
        self.addCleanup(again.close)
        self.assertEqual(len(list(again.recordings())), 1)
        self.assertEqual(self.query("SELECT COUNT(*) FROM version"), [(1,)])

    def test_one_from_a_camera(self) -> None:
        """An index without our tables is read as it is; one opened to write gets them."""
        path = Path(self.mktemp())
        connection = sqlite3.connect(path)
        connection.executescript(AXIS_TABLES)
        connection.execute("INSERT INTO version VALUES (2, 0, 'x')")
        connection.execute(
            "INSERT INTO recordings (filename, path, starttime) VALUES (?, ?, ?)",
            (RECORDING, "20240506/07", "2024-05-06T07:08:09.012345Z"),
        )
        connection.commit()
        connection.close()
        reader = Index.open_read_only(Files(), path)
        self.addCleanup(reader.close)
        (row,) = reader.recordings()
        self.assertEqual((row.recording_id, row.device), (RECORDING, ""))
        self.assertEqual((list(reader.blocks()), list(reader.gaps(RECORDING))), ([], []))
        writer = Index.open(Files(), path, 0)
        self.addCleanup(writer.close)
        self.assertEqual(len(list(writer.recordings())), 1)

    def test_what_is_no_index(self) -> None:
        """Another version, another file, no file: each is said, nothing is changed."""
        self.index._connection.execute("UPDATE version SET major = 3")
        for open_ in (Index.open_read_only, lambda f, p: Index.open(f, p, 0)):
            error = self.assertRaises(StorageError, open_, Files(), self.path)
            self.assertEqual(error.kind, StorageErrorKind.CORRUPT)
        other = Path(self.mktemp())
        other.write_bytes(b"no database" * 1000)
        error = self.assertRaises(StorageError, Index.open, Files(), other, 0)
        self.assertEqual(error.kind, StorageErrorKind.CORRUPT)
        missing = Path(self.mktemp())
        error = self.assertRaises(StorageError, Index.open_read_only, Files(), missing)
        self.assertEqual(error.kind, StorageErrorKind.ABSENT)
