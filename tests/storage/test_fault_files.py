"""The disk of memory: it works as a real one does, and loses what a real one may lose."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from axis_nvr.storage.files import Files, IFiles, replace_file
from tests.storage.faults.database import sqlite_error
from tests.storage.faults.fault_files import Call, FaultFiles, ShortWriteError
from tests.storage.faults.losses import crashes, survivors
from tests.storage.faults.medium import Medium

TOP = Path("/")


def found(files: FaultFiles) -> set[bytes | None]:
    """What may be found in the file ``/a`` when the power goes now; None if it is not there."""
    medium = Medium()
    for operation in files.log:
        medium.apply(operation)
    inodes = [dict(m.walk()).get(TOP / "a") for m in survivors(medium, Random(0), 1000)]
    return {None if inode is None else inode.data for inode in inodes}


class LossTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.files = FaultFiles()
        self.addCleanup(self.files.unmount)

    def write(self, data: bytes, *, sync: bool = False, sync_folder: bool = True) -> int:
        fd = self.files.create(TOP / "a")
        self.files.writev(fd, [data])
        if sync:
            self.files.sync(fd)
        if sync_folder:
            self.files.sync_folder(TOP)
        return fd

    def test_what_is_synced_stays(self) -> None:
        """With its file and its folder synced, only one thing can be found."""
        self.write(b"whole", sync=True)
        self.assertEqual(found(self.files), {b"whole"})

    def test_a_name_needs_its_folder(self) -> None:
        """Without the folder's sync a new file may be gone, with all that was synced of it."""
        self.write(b"whole", sync=True, sync_folder=False)
        self.assertEqual(found(self.files), {None, b"whole"})

    def test_a_folder_needs_its_folder(self) -> None:
        """A folder whose own name was not synced takes what is in it with it."""
        self.files.make_folder(TOP / "f")
        self.files.close(self.files.create(TOP / "f" / "a"))
        self.files.sync_folder(TOP / "f")
        medium = Medium()
        for operation in self.files.log:
            medium.apply(operation)
        found = {frozenset(path for path, _ in m.walk()) for m in survivors(medium, Random(0), 9)}
        self.assertEqual(found, {frozenset({TOP}), frozenset({TOP, TOP / "f", TOP / "f" / "a"})})

    def test_a_torn_write(self) -> None:
        """Of an unsynced write any beginning or end may be there, or only its length."""
        self.write(b"x" * 1000)
        self.assertEqual(
            found(self.files),
            {
                b"",
                bytes(1000),
                b"x" * 512,
                b"x" * 512 + bytes(488),
                bytes(512) + b"x" * 488,
                b"x" * 1000,
            },
        )

    def test_writes_out_of_order(self) -> None:
        """The second of two writes may be there without the first."""
        fd = self.write(b"one")
        self.files.writev(fd, [b"two"])
        self.assertIn(bytes(3) + b"two", found(self.files))
        self.assertIn(b"one", found(self.files))

    def test_a_rename_is_whole(self) -> None:
        """One or the other is found, never none and never half."""
        self.write(b"old", sync=True)
        replace_file(self.files, TOP / "a", b"new")
        self.assertEqual(found(self.files), {b"old", b"new"})
        self.files.sync_folder(TOP)
        self.assertEqual(found(self.files), {b"new"})

    def test_a_cut_may_be_lost(self) -> None:
        """So may the end of a file that was cut off be found again."""
        fd = self.write(b"whole", sync=True)
        self.files.truncate(fd, 2)
        self.assertEqual(found(self.files), {b"whole", b"wh"})

    def test_a_failed_sync_is_for_good(self) -> None:
        """What it should have kept may be lost, also after a sync that works."""
        fd = self.write(b"one", sync=True)
        self.files.writev(fd, [b"two"])
        self.files.injector = failing("sync", OSError(errno.EIO, "Input/output error"))
        self.assertRaises(OSError, self.files.sync, fd)
        self.files.injector = None
        self.files.writev(fd, [b"three"])
        self.files.sync(fd)
        expected = {b"one" + between + b"three" for between in (b"two", bytes(3))}
        self.assertEqual(found(self.files), expected)

    def test_each_moment(self) -> None:
        """All that may be found at any moment of a replacement, each once."""
        replace_file(self.files, TOP / "a", b"new")
        states = [
            dict(m.walk()) for _, m in crashes(Medium(), self.files.log, Random(0), samples=9)
        ]
        contents = [(paths[TOP / "a"].data if TOP / "a" in paths else None) for paths in states]
        self.assertEqual(set(contents), {None, b"new"})
        self.assertEqual(len(states), 5)

    def test_a_commit(self) -> None:
        """What is committed stays; a transaction that was not is never found; nothing is half."""
        connection = self.files.connect(TOP / "a", read_only=False)
        connection.execute("CREATE TABLE t (x)")
        self.files.sync_folder(TOP)
        (before,) = found(self.files)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1)")
        self.assertEqual(found(self.files), {before})
        connection.execute("COMMIT")
        (after,) = found(self.files)
        self.assertNotEqual(before, after)

    def test_a_commit_that_failed(self) -> None:
        """It may be found done."""
        connection = self.files.connect(TOP / "a", read_only=False)
        connection.execute("CREATE TABLE t (x)")
        self.files.sync_folder(TOP)
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1)")
        self.files.injector = failing("commit", sqlite_error("SQLITE_IOERR", "disk I/O error"))
        self.assertRaises(sqlite3.OperationalError, connection.execute, "COMMIT")
        self.assertFalse(connection.in_transaction)
        self.assertEqual(connection.execute("SELECT x FROM t").fetchall(), [])
        self.assertEqual(len(found(self.files)), 2)

    def test_found_again(self) -> None:
        """A disk that was lost and found holds what it held, its database included."""
        self.files.connect(TOP / "a", read_only=False).execute("CREATE TABLE t (x)")
        medium = Medium()
        for operation in self.files.log:
            medium.apply(operation)
        files = FaultFiles(medium.current())
        self.addCleanup(files.unmount)
        connection = files.connect(TOP / "a", read_only=False)
        self.assertEqual(connection.execute("SELECT * FROM t").fetchall(), [])

    def test_a_short_write(self) -> None:
        """A write that is told to be short takes half, and says so."""
        fd = self.files.create(TOP / "a")
        self.files.injector = failing("writev", ShortWriteError())
        self.assertEqual(self.files.writev(fd, [b"12", b"34"]), 2)
        self.files.injector = None
        self.assertEqual(self.files.pread(fd, 9, 0), b"12")


def failing(operation: str, error: Exception) -> Callable[[Call], None]:
    """An injector that lets one operation fail."""

    def injector(call: Call) -> None:
        if call.operation == operation:
            raise error

    return injector


NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/c"])
STEPS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.binary(max_size=9)),
    st.tuples(st.sampled_from(["make_folder", "remove", "remove_folder", "list_folder"]), NAMES),
    st.tuples(st.sampled_from(["exists", "read", "entries", "sync_folder"]), NAMES),
    st.tuples(st.just("rename"), st.sampled_from(["a/a", "a/b"]), st.just("a/c")),
    st.tuples(st.just("patch"), NAMES, st.integers(0, 12), st.binary(max_size=4)),
)


def do(files: IFiles, top: Path, step: tuple[Any, ...]) -> object:
    """Do a step; give what it gives, or the number of its error."""
    operation, path, *rest = step
    try:
        if operation == "write":
            fd = files.create(top / path)
            files.writev(fd, [rest[0], b"-"])
        elif operation == "patch":
            fd = files.open_write(top / path)
            files.truncate(fd, rest[0])
            files.writev(fd, [rest[1]])
            files.pwrite(fd, rest[1], 3)
        elif operation == "read":
            fd = files.open_read(top / path)
            if fd:
                size = files.size(fd)
                content = files.pread(fd, 100, 1)
                files.close(fd)
                return size, content
        elif operation == "rename":
            files.rename(top / path, top / rest[0])
            return None
        else:
            return getattr(files, operation)(top / path)
        files.close(fd)
    except OSError as error:
        return error.errno
    return None


class LikeARealDiskTests(SynchronousTestCase):
    def test_it_is_one(self) -> None:
        """It has all operations there are."""
        verifyObject(IFiles, FaultFiles())

    @settings(max_examples=60, deadline=None)
    @given(st.lists(STEPS, max_size=12))
    def test_the_same_results(self, steps: list[tuple[Any, ...]]) -> None:
        """Whatever is done gives the same as on a real disk, errors included."""
        real_top = Path(self.mktemp())
        real_top.mkdir(parents=True)
        real, memory = Files(), FaultFiles()
        for step in steps:
            if step[0] == "read" and (real_top / step[1]).is_dir():
                continue  # a folder's size is nobody's business
            expected = do(real, real_top, step)
            self.assertEqual(do(memory, TOP, step), expected, step)

    def test_locks(self) -> None:
        """A lock is held by one, until it is closed."""
        files = FaultFiles()
        fd = files.lock(TOP / "lock")
        self.assertRaises(BlockingIOError, files.lock, TOP / "lock")
        files.close(fd)
        files.lock(TOP / "lock")
