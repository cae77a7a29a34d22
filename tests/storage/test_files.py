"""The real disk: files of the disk are opened, and nothing that a link or a pipe makes of one."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.files import Entry, EntryKind, Files


class FilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.files = Files()
        (self.folder / "file").write_bytes(b"0123")
        (self.folder / "folder").mkdir()
        (self.folder / "link").symlink_to("file")
        (self.folder / "linked").symlink_to("folder")
        os.mkfifo(self.folder / "pipe")

    def test_entries_tell_what_they_are(self) -> None:
        """Links are not followed: what they lead to is no part of the disk."""
        self.assertEqual(
            self.files.entries(self.folder),
            [
                Entry("file", EntryKind.FILE),
                Entry("folder", EntryKind.FOLDER),
                Entry("link", EntryKind.OTHER),
                Entry("linked", EntryKind.OTHER),
                Entry("pipe", EntryKind.OTHER),
            ],
        )
        self.assertRaises(OSError, self.files.entries, self.folder / "linked")

    def test_links_are_not_opened(self) -> None:
        """Neither for reading nor for writing."""
        self.assertRaises(OSError, self.files.open_read, self.folder / "link")
        self.assertRaises(OSError, self.files.open_write, self.folder / "link")

    def test_a_pipe_is_not_waited_for(self) -> None:
        """It opens at once, and cannot be read at a place."""
        fd = self.files.open_read(self.folder / "pipe")
        self.addCleanup(self.files.close, fd)
        self.assertRaises(OSError, self.files.pread, fd, 1, 0)

    def test_a_file_is_changed_in_place(self) -> None:
        """What was there stays, but for what is written over it."""
        fd = self.files.open_write(self.folder / "file")
        self.files.pwrite(fd, b"x", 1)
        self.assertEqual(self.files.pread(fd, 9, 0), b"0x23")
        self.files.close(fd)

    def test_a_database_where_nothing_can_be_written(self) -> None:
        """It can be read without files beside it, unless what is in its log would be missed."""
        path = self.folder / "index.db"
        writer = self.files.connect(path, read_only=False)
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t AS SELECT 1 AS n")
        writer.close()
        self.patch(os, "access", lambda path, mode: False)
        before = set(self.folder.iterdir())
        reader = self.files.connect(path, read_only=True)
        self.assertEqual(reader.execute("SELECT n FROM t").fetchall(), [(1,)])
        self.assertEqual(set(self.folder.iterdir()), before)
        reader.close()
        writer = self.files.connect(path, read_only=False)
        self.addCleanup(writer.close)
        writer.execute("INSERT INTO t VALUES (2)")
        reader = self.files.connect(path, read_only=True)
        self.addCleanup(reader.close)
        self.assertEqual(reader.execute("SELECT n FROM t").fetchall(), [(1,), (2,)])
