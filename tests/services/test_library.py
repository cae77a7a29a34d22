"""The library: all disks read as one, while they come and go."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError
from axis_nvr.services.library import NoRecording, Shelf
from axis_nvr.storage.reading.catalogue import count_recordings
from tests.services.shelves import Shelves
from tests.storage.making import START_US


class LibraryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shelves = Shelves(self.mktemp())
        self.library = self.shelves.library
        self.told: list[str] = []
        self.library.follow(
            lambda shelf: self.told.append(f"{shelf.disk} came"),
            lambda disk: self.told.append(f"{disk} went"),
        )
        self.addCleanup(self.shelves.close)

    def count(self, disk: str | None = None) -> int:
        return self.successResultOf(Deferred.fromCoroutine(self.library.count(disk)))

    def locate(self, recording_id: str, disk: str | None = None) -> Deferred[str]:
        located = Deferred.fromCoroutine(self.library.locate(recording_id, disk))
        return located.addCallback(lambda found: found.shelf.disk)

    def test_disks_come_and_go(self) -> None:
        """What is on a disk is known while it is in use, in the order of the configuration."""
        self.assertEqual(self.count(), 0)
        self.shelves.put("SD_DISK")
        name = self.shelves.disks["SD_DISK"].record(START_US)
        self.shelves.put("HDD_DISK")
        self.assertEqual([s.disk for s in self.library.chosen()], ["HDD_DISK", "SD_DISK"])
        self.assertEqual((self.count(), self.count("HDD_DISK"), self.count("NAS")), (1, 0, 0))
        self.assertEqual(self.successResultOf(self.locate(name)), "SD_DISK")
        self.failureResultOf(self.locate(name, "HDD_DISK"), NoRecording)
        for wrong in ("", "../../etc/passwd", name[:-1], "20240506_070809_A000_ACCC8E012346"):
            self.failureResultOf(self.locate(wrong), NoRecording)
        self.successResultOf(self.shelves.take("SD_DISK"))
        self.assertEqual(self.count(), 0)
        self.successResultOf(self.shelves.take("HDD_DISK", comes_back=True))
        self.assertEqual(self.told, ["SD_DISK came", "HDD_DISK came", "SD_DISK went"])

    def test_a_locked_disk(self) -> None:
        """It can be read, nothing can be changed on it, and it goes when it is unmounted."""
        disk = self.shelves.disks["HDD_DISK"]
        self.shelves.put("HDD_DISK")
        name = disk.record(START_US)
        self.successResultOf(self.shelves.take("HDD_DISK", comes_back=True))
        self.assertEqual(self.count(), 0)
        self.library.disk_locked("HDD_DISK", disk.bench.folder)
        self.assertEqual((self.count(), self.successResultOf(self.locate(name))), (1, "HDD_DISK"))
        shelf = self.library.shelves["HDD_DISK"]
        self.failureResultOf(shelf.errands.run(lambda premises: 1), StorageError)
        self.successResultOf(self.library.disk_closing("HDD_DISK", comes_back=False))
        self.assertEqual(self.count(), 0)
        self.library.disk_locked("SD_DISK", disk.bench.folder / "absent")
        self.assertEqual(self.library.chosen(), [])
        self.assertEqual(self.told, ["HDD_DISK came", "HDD_DISK went"])

    def test_who_still_holds_a_shelf(self) -> None:
        """Is refused at once, reading and changing alike, and never left waiting."""
        self.shelves.put("HDD_DISK")
        shelf = self.library.shelves["HDD_DISK"]
        self.successResultOf(self.shelves.take("HDD_DISK"))
        self.failureResultOf(shelf.reader.ask(count_recordings), StorageError)
        self.failureResultOf(shelf.errands.run(lambda premises: 1), StorageError)

    def test_what_waits_when_a_disk_goes(self) -> None:
        """An errand that was not begun is refused; the one under way tells what came of it."""
        disk = self.shelves.disks["HDD_DISK"]
        self.shelves.put("HDD_DISK")
        disk.errands.wake = lambda name: None
        first, second = (disk.errands.run(lambda premises: 1) for _ in range(2))
        self.assertTrue(disk.errands.do_next(disk.premises))
        self.successResultOf(self.shelves.take("HDD_DISK"))
        self.assertEqual(self.successResultOf(first), 1)
        self.failureResultOf(second, StorageError)

    def test_an_errand_taken_back(self) -> None:
        """What is cancelled before it was begun is not done."""
        disk = self.shelves.disks["HDD_DISK"]
        self.shelves.put("HDD_DISK")
        disk.errands.wake = lambda name: None
        done: list[int] = []
        first = disk.errands.run(lambda premises: done.append(1))
        second = disk.errands.run(lambda premises: done.append(2))
        first.addErrback(lambda failure: None)
        first.cancel()
        disk.errands.do_next(disk.premises)
        self.successResultOf(second)
        self.assertEqual(done, [2])

    def test_an_errand_that_fails(self) -> None:
        """Whoever asked is told, and the next one is done."""
        self.shelves.put("HDD_DISK")
        shelf: Shelf = self.library.shelves["HDD_DISK"]

        def fail(premises: object) -> None:
            raise ValueError("no")

        self.failureResultOf(shelf.errands.run(fail), ValueError)
        self.assertEqual(self.successResultOf(shelf.errands.run(lambda premises: 7)), 7)
