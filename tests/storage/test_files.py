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
