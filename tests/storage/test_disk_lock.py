"""Whose a disk is: one recorder's at a time, and its name for those who come second."""

import errno
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.jobs import WriteGop
from axis_nvr.storage.layout import LOCK_NAME
from axis_nvr.storage.writer import DiskWriter
from tests.durability import proves
from tests.storage.making import DETAILS, SERIAL, START_US, Digits, FailingFiles, video_gop

#: Looks whether a disk is used until that has changed twenty times; prints what it saw last.
LOOKING = """
import sys
from pathlib import Path
from axis_nvr.storage.files import Files

files, path, changes, before = Files(), Path(sys.argv[1]), 0, None
for _ in range(10_000_000):
    is_used = files.is_locked(path)
    changes, before = changes + (is_used is not before), is_used
    if changes > 20:
        sys.exit("as it should be")
"""
#: Locks a disk, says so and waits.
HOLDING = """
import sys
from pathlib import Path
from axis_nvr.storage.files import Files

Files().lock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


class OwnerTests(SynchronousTestCase):
    """Who has a disk, and who had it."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())

    def writer(self, serial: str = SERIAL) -> DiskWriter:
        return DiskWriter(
            Files(),
            self.folder,
            serial=serial,
            product="axis_nvr test",
            zone=None,
            digits=Digits(),
            now=lambda: START_US / 1e6,
            monotonic=lambda: 0.0,
        )

    @proves(
        2,
        fault="two recorders on one disk",
        moment="at start",
        outcome="the second does not touch it, and names the first by serial, process and host",
    )
    def test_two_recorders(self) -> None:
        """The second is told whose it is, and may have it when the first has let go of it."""
        first, second = self.writer(), self.writer("ACCC8EFFFFFF")
        first.start()
        error = self.assertRaises(StorageError, second.start)
        self.assertEqual(error.kind, StorageErrorKind.LOCKED)
        self.assertIn(f"{SERIAL} process {os.getpid()} on host ", str(error))
        first.stop()
        second.start()
        self.assertEqual(second.last_serial, SERIAL)
        second.stop()

    def test_one_that_does_not_say_who_it_is(self) -> None:
        """As a program that works on a disk whose lock file names nobody."""
        self.folder.mkdir()
        files = Files()
        lock = files.lock(self.folder / LOCK_NAME)
        error = self.assertRaises(StorageError, self.writer().start)
        files.close(lock)
        self.assertTrue(str(error).endswith("axis-nvr works on it (locked)"), str(error))

    @proves(
        4,
        fault="a disk of another recorder",
        moment="at start",
        outcome="its recordings stay, new ones carry this recorder's serial, and it is said",
    )
    def test_a_disk_of_another_recorder(self) -> None:
        """The disk is used; who had it before is known; names tell the recordings apart."""
        for serial in (SERIAL, "ACCC8EFFFFFF"):
            writer = self.writer(serial)
            writer.start()
            recording = writer.open_recording(DETAILS, START_US)
            writer.process([WriteGop(recording, video_gop(START_US))])
            writer.stop()
        self.assertEqual(writer.last_serial, SERIAL)
        index = Index.open_read_only(Files(), self.folder / "index.db")
        serials = {row.recording_id[-12:] for row in index.recordings()}
        index.close()
        self.assertEqual(serials, {SERIAL, "ACCC8EFFFFFF"})

    def test_a_lock_file_is_believed_in_part(self) -> None:
        """What is no serial number and words is nobody."""
        for text in (b"", b"\x00" * 256, b"accc8e012345 x\n", b"ACCC8E012345 \x1b[31m\n"):
            self.folder.mkdir(exist_ok=True)
            (self.folder / LOCK_NAME).write_bytes(text)
            writer = self.writer()
            writer.start()
            self.assertEqual(writer.last_serial, "")
            writer.stop()

    def test_a_full_disk_can_be_opened(self) -> None:
        """There must be a way to make room on it: who uses it is not written down then."""
        files = FailingFiles()
        files.fail("pwrite", error=lambda: OSError(errno.ENOSPC, "No space left on device"))
        writer = DiskWriter(
            files,
            self.folder,
            serial=SERIAL,
            product="axis_nvr test",
            zone=None,
            digits=Digits(),
            now=lambda: START_US / 1e6,
            monotonic=lambda: 0.0,
        )
        writer.start()
        writer.stop()
        self.assertEqual(files.count("pwrite"), 1)


class LookingTests(SynchronousTestCase):
    """Another process sees whether a disk is used, and disturbs nobody by that."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.files = Files()
        self.files.close(self.files.lock(self.path))

    def start(self, program: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(self.path.absolute())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_who_looks_is_in_nobodys_way(self) -> None:
        """A recorder gets its disk at once, however often others look whether it has it."""
        looking = self.start(LOOKING)
        while looking.poll() is None:
            self.files.close(self.files.lock(self.path))  # or BlockingIOError
        self.assertIn(b"as it should be", looking.communicate()[1])

    def test_whoever_has_it_is_seen(self) -> None:
        """Until the process ends, however that ends."""
        self.assertFalse(self.files.is_locked(self.path))
        holding = self.start(HOLDING)
        assert holding.stdout is not None
        self.assertEqual(holding.stdout.readline(), b"locked\n")
        self.assertTrue(self.files.is_locked(self.path))
        self.assertRaises(BlockingIOError, self.files.lock, self.path)
        holding.kill()
        holding.wait()
        self.assertFalse(self.files.is_locked(self.path))
        self.files.close(self.files.lock(self.path))
