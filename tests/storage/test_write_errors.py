"""What is left on a disk by a file operation that failed."""

import errno
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import replace_file
from tests.durability import proves
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.medium import Medium
from tests.storage.faults.story import FOLDER, Story
from tests.storage.faults.troubles import TROUBLES, At

TOP = Path("/")


class ReplaceTests(SynchronousTestCase):
    def test_nothing_is_left_over(self) -> None:
        """A small file that could not be replaced is what it was, and nothing lies beside it."""
        files = FaultFiles()
        replace_file(files, TOP / "a", b"old")
        for step in (1, 2, 3, 4):  # write, sync, close, rename
            files.injector = At(TROUBLES[0], len(files.calls) + step)
            self.assertRaises(OSError, replace_file, files, TOP / "a", b"new")
            files.injector = None
            self.assertEqual(files.list_folder(TOP), ["a"])
            fd = files.open_read(TOP / "a")
            self.assertEqual(files.pread(fd, 9, 0), b"old")


class FolderTests(SynchronousTestCase):
    @proves(
        2,
        fault="the sync of a new folder's name fails",
        moment="a recording begins",
        outcome="the folder is made anew: what is then acknowledged has a durable name",
    )
    def test_a_name_that_was_not_synced(self) -> None:
        """A folder whose name could not be synced is made anew, not synced again."""
        files = FaultFiles()
        files.make_folder(TOP / "media")
        files.sync_folder(TOP)
        story = Story(files)
        story.start()
        day = Path(FOLDER) / "20240506"
        files.injector = At(TROUBLES[0], len(files.calls) + 1)
        error = self.assertRaises(StorageError, story.disk.place.make_folders, day)
        self.assertEqual(error.kind, StorageErrorKind.FAILED)
        self.assertEqual(str(error.__cause__), f"[Errno {errno.EIO}] Input/output error")
        files.injector = None
        story.disk.place.make_folders(day)
        medium = Medium()
        for operation in files.log:
            medium.apply(operation)
        self.assertIn(day, dict(medium.survivor(lambda item: ()).walk()))
        story.stop()
        files.unmount()
