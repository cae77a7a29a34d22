"""A disk that was in use is known after a restart, and its empty mount point left alone."""

from pathlib import Path

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.known_disks import FILE_NAME, DiskMemory, KnownDisks
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME
from tests.durability import proves
from tests.storage.making import START_US, Bench, video_gop


class KnownDisksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.state = StateFolder(Path(self.mktemp()))
        self.state.open()
        self.folder = Path(self.mktemp()) / "HDD_DISK"

    def memory(self, disk_id: str = "HDD_DISK", folder: Path | None = None) -> DiskMemory:
        """What a recorder that has just been started remembers."""
        return DiskMemory(KnownDisks(self.state), disk_id, folder or self.folder)

    def test_over_a_restart(self) -> None:
        """Id and folder are remembered; another folder, or another id, is another disk."""
        self.assertFalse(self.memory().is_known)
        self.memory().is_known = True
        self.assertTrue(self.memory().is_known)
        self.assertFalse(self.memory(folder=self.folder.parent).is_known)
        self.assertFalse(self.memory("OTHER").is_known)
        self.memory().is_known = False
        self.assertFalse(self.memory().is_known)

    def test_a_broken_file(self) -> None:
        """It is told of, the disk may be used, and is remembered from then on."""
        for text in (b"{", b"[]", b"\xff"):
            self.state.write(FILE_NAME, text)
            with capturedLogs() as logs:
                memory = self.memory()
            self.assertEqual(len(logs), 1)
            memory.is_known = True
            self.assertTrue(self.memory().is_known)

    def start(self) -> Bench:
        """Start a recorder on the disk, and let it remember that."""
        memory, bench = self.memory(), Bench(str(self.folder))
        bench.disk.is_known = memory.is_known
        bench.disk.start()
        self.addCleanup(bench.disk.abandon)
        memory.is_known = True
        return bench

    @proves(
        4,
        fault="the recorder is started before its disk is mounted",
        moment="at start, once it had been in use",
        outcome="the empty mount point is left alone, the state is disconnected, and it is said",
    )
    def test_an_empty_mount_point(self) -> None:
        """Not a byte is written there; the words say how a new disk is begun; it is, if asked."""
        self.start().disk.stop()
        self.folder.rename(self.folder.with_name("the disk"))
        for _ in range(2):
            error = self.assertRaises(StorageError, self.start)
            self.assertEqual(error.kind, StorageErrorKind.ABSENT)
            self.assertEqual(DiskState.of(error.kind).condition, "disconnected")
            self.assertIn("is it mounted?", str(error))
            self.assertIn(str(self.folder / LOCK_NAME), str(error))
            if self.folder.exists():
                self.assertEqual(list(self.folder.iterdir()), [])
            else:
                self.folder.mkdir()
        (self.folder / LOCK_NAME).touch()
        self.start().disk.stop()
        self.assertTrue((self.folder / INDEX_NAME).exists())

    @proves(
        4,
        fault="index and lock file are removed",
        moment="between two runs, of a disk that had been in use",
        outcome="it is no empty mount point: the disk is used, and the index made anew",
    )
    def test_recordings_are_enough(self) -> None:
        """Whatever of the disk is there says that it is mounted."""
        bench = self.start()
        bench.write(bench.open(), video_gop(START_US))
        bench.disk.stop()
        for path in [*self.folder.glob("index.db*"), self.folder / LOCK_NAME]:
            path.unlink()
        bench = self.start()
        self.assertIsNotNone(bench.disk.place.index.state("rebuild"))
        bench.disk.stop()
        (self.folder / LOCK_NAME).unlink()
        self.start().disk.stop()
        index = Index.open_read_only(bench.files, self.folder / INDEX_NAME)
        index.close()
