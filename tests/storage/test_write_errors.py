"""What is left on a disk by a file operation that failed."""

import errno
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.storage.files import replace_file
from tests.durability import proves
from tests.storage.faults.contract import look_after
from tests.storage.faults.fault_files import Call, FaultFiles
from tests.storage.faults.medium import Medium
from tests.storage.faults.recovery import CHORES, live, new_disk
from tests.storage.faults.story import FOLDER, Story, group, promises
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


class LongGroupTests(SynchronousTestCase):
    """A group that takes several clusters."""

    def setUp(self) -> None:
        self.files = FaultFiles(new_disk())
        self.addCleanup(self.files.unmount)
        self.story = Story(self.files)
        self.story.start()
        self.story.open()

    def long_group(self, at_seconds: float) -> Gop:
        return group(at_seconds, frames=3, step_seconds=40)

    def fail_write(self, number: int, *also: str) -> None:
        """Let the so-many-th write from now on fail, and what follows it of other operations."""
        left = [number]

        def injector(call: Call) -> None:
            if call.operation == "writev" and call.name.endswith(".mkv"):
                left[0] -= 1
                if not left[0]:
                    raise TROUBLES[1].exception(call.operation)
            if call.operation in also and left[0] <= 0:
                raise TROUBLES[0].exception(call.operation)

        self.files.injector = injector

    def check(self) -> None:
        """Close, and find the disk in order; give up nothing that was acknowledged."""
        self.files.injector = None
        self.assertEqual(self.story.write(group(500)), [None])
        self.story.close()
        self.story.stop()
        promised = promises(self.files.log, len(self.files.log))
        look_after(live(self.files.log), promised, CHORES).unmount()

    @proves(
        2,
        fault="a full disk",
        moment="in the middle of a group of several clusters",
        outcome="nothing of the group is stored; the block ends before it and is whole",
    )
    def test_the_second_cluster_fails(self) -> None:
        """A group is stored whole or not at all: its first cluster is taken back."""
        self.assertEqual(self.story.write(self.long_group(0)), [None])
        self.fail_write(2)
        (error,) = self.story.write(self.long_group(120))
        self.assertIsInstance(error, StorageError)
        self.check()

    def test_it_is_the_first_group(self) -> None:
        """A block whose first group was not stored whole is none."""
        self.fail_write(2)
        (error,) = self.story.write(self.long_group(0))
        self.assertIsInstance(error, StorageError)
        self.check()

    @proves(
        5,
        fault="a full disk that cannot cut a file off either",
        moment="in the middle of a group",
        outcome="the block is not closed behind what is in doubt; repair closes it",
    )
    def test_nothing_can_be_taken_back(self) -> None:
        """A block that cannot be cut back to what is good is left to repair."""
        self.assertEqual(self.story.write(self.long_group(0)), [None])
        self.fail_write(2, "truncate")
        (error,) = self.story.write(self.long_group(120))
        self.assertIsInstance(error, StorageError)
        self.check()
