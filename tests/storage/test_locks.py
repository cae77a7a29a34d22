"""Locks: what they hold, how they are told, and that none is lost."""

from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind, WireError
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME, recording_folder
from axis_nvr.storage.locks import LOCKS_CHANGED, Locks, adopt_locks, find_locks, lock_words
from axis_nvr.storage.locks_xml import (
    LOCKS_XML,
    MAX_LOCKS_PER_RECORDING,
    MAX_OWNER_LENGTH,
    MAX_REASON_LENGTH,
    Lock,
    build_locks,
    parse_locks,
    read_locks,
)
from tests.durability import proves
from tests.storage.faults.losses import crashes
from tests.storage.faults.medium import Medium
from tests.storage.making import START_US, Bench, Digits, FailingFiles, video_gop
from tests.storage.retention.making import FOLDER, SmallDisk

SECOND = 1_000_000
MINUTE = 60 * SECOND
RECORDING = "20240506_070809_A000_ACCC8E012345"
TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40)
TIMES = st.none() | st.integers(0, 2**52)


class LocksCase(SynchronousTestCase):
    """A disk with one recording of three blocks: two minutes each, in groups of two seconds."""

    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        self.recording = self.bench.open()
        for minute in (0, 10, 20):
            gops = [
                video_gop(START_US + minute * MINUTE + second * SECOND)
                for second in range(0, 120, 2)
            ]
            self.bench.write(self.recording, *gops)
        self.bench.tell_index()
        self.files = FailingFiles()
        self.folder = self.bench.folder
        self.index = Index.join(self.files, self.folder / INDEX_NAME)
        self.addCleanup(self.index.close)
        tokens = Digits()
        self.locks = Locks(
            self.files, self.folder, self.index, lambda: 5.0, lambda: f"t{tokens():x}"
        )

    def close(self) -> None:
        """End the recording."""
        self.bench.close(self.recording)

    def in_file(self) -> list[Lock]:
        """What the recording's folder says."""
        return read_locks(Files(), recording_folder(self.folder, RECORDING))

    def refused(self, words: str, *span: int | None, **more: str) -> StorageErrorKind:
        """A lock that is not made, for the reason given in `words`."""
        texts = {"reason": "theft", **more}
        error = self.assertRaises(StorageError, self.locks.lock, RECORDING, *span, **texts)
        self.assertIn(words, str(error))
        self.assertEqual(self.in_file(), list(find_locks(self.index)))
        kind: StorageErrorKind = error.kind
        return kind


class LockTests(LocksCase):
    def test_a_whole_recording(self) -> None:
        """Without times all of a recording is locked, in the index and in its folder."""
        lock = self.locks.lock(RECORDING, reason="theft", owner="Ann")
        self.assertEqual(lock, Lock("ta000", RECORDING, None, None, "Ann", "theft", 5 * SECOND))
        self.assertEqual(list(find_locks(self.index)), [lock])
        self.assertEqual(self.in_file(), [lock])
        self.assertEqual(self.index.state(LOCKS_CHANGED), "1")

    def test_a_span_is_rounded_out_to_groups(self) -> None:
        """A span begins with the group its start is in, and ends with the one of its end."""
        lock = self.locks.lock(RECORDING, START_US + 7 * SECOND, START_US + 9 * SECOND, reason="x")
        span = (lock.start_us or 0) - START_US, (lock.end_us or 0) - START_US
        self.assertEqual(span, (6 * SECOND, 10 * SECOND))

    def test_whole_groups_stay_as_they_are(self) -> None:
        """A span of whole groups is not made longer, within a block or over several."""
        for start, end in ((6, 10), (0, 120), (60, 660)):
            span = START_US + start * SECOND, START_US + end * SECOND
            lock = self.locks.lock(RECORDING, *span, reason=f"{start}")
            self.assertEqual((lock.start_us, lock.end_us), span)

    def test_a_span_between_blocks(self) -> None:
        """Where nothing is recorded there is nothing to round to."""
        span = START_US + 5 * MINUTE, START_US + 15 * MINUTE
        lock = self.locks.lock(RECORDING, *span, reason="x")
        self.assertEqual((lock.start_us, lock.end_us), span)

    def test_an_open_block(self) -> None:
        """In a block that is being written a span begins with the block: it has no Cues yet."""
        start_us = START_US + 20 * MINUTE
        lock = self.locks.lock(RECORDING, start_us + MINUTE, start_us + 2 * MINUTE, reason="x")
        self.assertEqual((lock.start_us, lock.end_us), (start_us, start_us + 2 * MINUTE))

    def test_a_file_that_cannot_be_read(self) -> None:
        """Where a block's Cues are broken, the span goes out to the block."""
        self.close()
        for path in self.bench.blocks():
            path.write_bytes(b"")
        lock = self.locks.lock(RECORDING, START_US + MINUTE, START_US + MINUTE + 1, reason="x")
        self.assertEqual((lock.start_us, lock.end_us), (START_US, START_US + 2 * MINUTE))

    def test_a_running_recording(self) -> None:
        """An open end holds all that is still to come; a span may lie ahead of it."""
        lock = self.locks.lock(RECORDING, START_US + MINUTE, reason="x")
        self.assertIsNone(lock.end_us)
        self.assertTrue(lock.holds(2 * START_US, None))
        self.assertFalse(lock.holds(START_US, START_US + MINUTE))
        ahead = START_US + 600 * MINUTE
        lock = self.locks.lock(RECORDING, ahead, ahead + MINUTE, reason="x")
        self.assertTrue(lock.holds(ahead, None))
        self.assertEqual(lock.end_us, ahead + MINUTE)

    def test_nothing_to_lock(self) -> None:
        """A span without a picture, an empty one and an unknown recording are refused."""
        self.close()
        hour = 60 * MINUTE
        for span in (
            (START_US - 2 * hour, START_US - hour),
            (START_US + hour, START_US + 2 * hour),
            (START_US + hour, None),
            (START_US + 3 * MINUTE, START_US + 4 * MINUTE),
        ):
            self.assertIs(self.refused("nothing is recorded", *span), StorageErrorKind.ABSENT)
        self.refused("is empty", START_US + 5, START_US + 5)
        error = self.assertRaises(StorageError, self.locks.lock, "other", reason="x")
        self.assertIn("no recording 'other'", str(error))

    def test_a_span_over_the_ends(self) -> None:
        """What lies outside of a recording that has ended is cut off."""
        self.close()
        lock = self.locks.lock(RECORDING, START_US - MINUTE, START_US + 90 * MINUTE, reason="x")
        self.assertEqual((lock.start_us, lock.end_us), (START_US, START_US + 22 * MINUTE))

    def test_the_same_again(self) -> None:
        """The same words for the same span are one lock; others are locks of their own."""
        first = self.locks.lock(RECORDING, reason="theft", owner="Ann")
        self.assertEqual(self.locks.lock(RECORDING, reason="theft", owner="Ann"), first)
        second = self.locks.lock(RECORDING, reason="theft", owner="Ben")
        self.assertEqual(self.in_file(), [first, second])
        self.locks.unlock(first.token)
        self.assertEqual(list(find_locks(self.index)), [second])

    def test_unlock(self) -> None:
        """A lock goes from index and folder; without locks there is no file."""
        lock = self.locks.lock(RECORDING, reason="x")
        self.assertEqual(self.locks.unlock(lock.token), lock)
        self.assertEqual((list(find_locks(self.index)), self.in_file()), ([], []))
        self.assertFalse((recording_folder(self.folder, RECORDING) / LOCKS_XML).exists())
        error = self.assertRaises(StorageError, self.locks.unlock, lock.token)
        self.assertIs(error.kind, StorageErrorKind.ABSENT)

    def test_texts_have_limits(self) -> None:
        """A reason must be there; texts are one line and not too long."""
        for more in (
            {"reason": ""},
            {"reason": " "},
            {"reason": "a\nb"},
            {"reason": "x" * (MAX_REASON_LENGTH + 1)},
            {"owner": "x" * (MAX_OWNER_LENGTH + 1)},
            {"owner": "\x1b[2J"},
        ):
            self.refused(next(iter(more)), **more)

    def test_their_number_has_a_limit(self) -> None:
        """A recording has so many locks and no more, and its file can still be read."""
        with self.index.transaction():
            for number in range(MAX_LOCKS_PER_RECORDING - 1):
                self.index.execute(
                    "INSERT INTO nvr_locks VALUES (?, 1, NULL, NULL, ?, ?, 0)",
                    f"{number}",
                    "&" * MAX_OWNER_LENGTH,
                    "\U0001f512" * MAX_REASON_LENGTH,
                )
        self.locks.lock(RECORDING, reason="the last one")
        self.assertEqual(len(self.in_file()), MAX_LOCKS_PER_RECORDING)
        self.refused("no more", reason="one more")

    def test_words(self) -> None:
        """A lock is told to people with span, owner and reason."""
        self.assertEqual(
            lock_words(Lock("t", "r", None, None, "Ann", "theft", 0)),
            "all of it, locked by Ann: theft",
        )
        self.assertEqual(
            lock_words(Lock("t", "r", 0, None, "", "theft", 0)),
            "1970-01-01T00:00:00.000000Z to its end, locked: theft",
        )

    @settings(max_examples=50, deadline=None)
    @given(TIMES, TIMES, st.integers(0, 2**52), st.none() | st.integers(0, 2**52))
    def test_what_is_held(
        self, start: int | None, end: int | None, from_us: int, stop: int | None
    ) -> None:
        """A stretch is held if one of its microseconds is within the lock."""
        lock = Lock("t", "r", start, end, "", "", 0)
        low = max(-1 if start is None else start, from_us)
        high = min(2**60 if end is None else end, 2**60 if stop is None else stop)
        if from_us < (2**60 if stop is None else stop) and (start or 0) < (end or 2**60):
            self.assertEqual(lock.holds(from_us, stop), low < high)


class SafetyTests(LocksCase):
    @proves(
        4,
        fault="the index is lost",
        moment="with locks in force",
        outcome="every lock is in force again when the index is made anew",
    )
    def test_locks_are_adopted(self) -> None:
        """Locks come back from the recording's folder, with all that they said."""
        made = [
            self.locks.lock(RECORDING, reason="theft", owner="Ann"),
            self.locks.lock(RECORDING, START_US, START_US + 2 * SECOND, reason="<&>"),
        ]
        with self.index.transaction():
            self.index.execute("DELETE FROM nvr_locks")
        with self.index.transaction():
            self.assertEqual(adopt_locks(self.files, self.folder, self.index, RECORDING), 2)
            adopt_locks(self.files, self.folder, self.index, RECORDING)
        self.assertEqual(list(find_locks(self.index)), made)

    @proves(
        4,
        fault="locks.xml is broken",
        moment="when the index is made anew",
        outcome="the whole recording is locked",
    )
    def test_a_broken_file_locks_all(self) -> None:
        """Who cannot read what is locked locks all of it."""
        (recording_folder(self.folder, RECORDING) / LOCKS_XML).write_bytes(b"<Locks")
        with self.index.transaction():
            adopt_locks(self.files, self.folder, self.index, RECORDING)
        (lock,) = find_locks(self.index)
        self.assertTrue(lock.holds(START_US, START_US + 1))
        self.assertIn("cannot be read", lock.reason)

    def test_a_name_that_another_recording_has(self) -> None:
        """A folder that was copied brings locks whose names are taken: they get others."""
        self.locks.lock(RECORDING, reason="theft")
        other = self.bench.open()
        self.bench.write(other, video_gop(START_US))
        path = recording_folder(self.folder, other.recording_id) / LOCKS_XML
        path.write_bytes((recording_folder(self.folder, RECORDING) / LOCKS_XML).read_bytes())
        with self.index.transaction():
            adopt_locks(self.files, self.folder, self.index, other.recording_id)
        first, second = find_locks(self.index)
        self.assertEqual(second.recording_id, other.recording_id)
        self.assertNotEqual(first.token, second.token)

    @proves(
        9,
        fault="an I/O error at any step",
        moment="while a lock is made",
        outcome="a lock that is refused is not in force; one acknowledged is in index and file",
    )
    def test_each_step_may_fail(self) -> None:
        """Whatever fails, the file never says less than the index."""
        for operation in ("create", "writev", "sync", "close", "rename", "sync_folder"):
            self.files.fail(operation)
            try:
                self.locks.lock(RECORDING, reason=operation)
            except StorageError:
                self.assertNotIn(operation, [lock.reason for lock in find_locks(self.index)])
            self.assertTrue(set(find_locks(self.index)) <= set(self.in_file()), operation)
            kept = self.locks.lock(RECORDING, reason=f"after {operation}")
            self.assertIn(kept, self.in_file())
            self.assertEqual(set(find_locks(self.index)), set(self.in_file()))

    @proves(
        9,
        fault="an I/O error at any step",
        moment="while a lock is taken away",
        outcome="no other lock is lost, in index or file",
    )
    def test_each_step_of_unlocking_may_fail(self) -> None:
        """An unlock that fails half way leaves a file that says too much, never too little."""
        kept = self.locks.lock(RECORDING, reason="kept")
        for operation in ("create", "writev", "sync", "rename", "sync_folder"):
            lock = self.locks.lock(RECORDING, reason=operation)
            self.files.fail(operation)
            self.assertRaises(StorageError, self.locks.unlock, lock.token)
            self.assertEqual(list(find_locks(self.index)), [kept])
            self.assertIn(kept, self.in_file())


class PowerTests(SynchronousTestCase):
    @proves(
        9,
        fault="power cut",
        moment="at any step of making a lock or taking one away",
        outcome="a lock that was acknowledged is in the index, and in the file if that is lost",
    )
    def test_no_acknowledged_lock_is_lost(self) -> None:
        """Whatever a power cut loses, index and file have each lock that was acknowledged."""
        disk = SmallDisk()
        recording = disk.record(2)
        begin, before = Medium(), len(disk.files.log)
        for operation in disk.files.log:
            begin.apply(operation)
        promised: list[tuple[int, set[Lock]]] = [(0, set())]

        def promise(locks: set[Lock]) -> None:
            promised.append((len(disk.files.log) - before, locks))

        first = disk.locks.lock(recording, reason="first")
        promise({first})
        second = disk.locks.lock(recording, START_US, START_US + SECOND, reason="second")
        promise({first, second})
        promise({second})  # from here on the first may be gone
        disk.locks.unlock(first.token)
        log = disk.files.log[before:]
        disk.end()
        tried = 0
        for at, medium in crashes(begin, log, Random(1), samples=8):
            kept = [locks for since, locks in promised if since <= at][-1]
            crashed = SmallDisk(medium, digits=0xB000)
            found = set(find_locks(crashed.index))
            self.assertLessEqual(kept, found)
            with crashed.index.transaction():
                crashed.index.execute("DELETE FROM nvr_locks")
                adopt_locks(crashed.files, FOLDER, crashed.index, recording)
            self.assertLessEqual(found, set(find_locks(crashed.index)))
            crashed.end()
            tried += 1
        self.assertGreater(tried, 20)


class FormatTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.builds(Lock, st.text("ab1", min_size=1), st.just("r"), TIMES, TIMES, TEXTS,
                           TEXTS, st.integers(0, 2**52)), max_size=4)
    )  # fmt: skip
    def test_what_is_written_is_read(self, locks: list[Lock]) -> None:
        """Locks come back from their file as they were."""
        self.assertEqual(parse_locks(build_locks("r", locks)), locks)

    def test_what_is_no_such_file(self) -> None:
        """Other documents, other forms and too many locks are refused."""
        lock = "<Lock LockToken='t'><Created>1970-01-01T00:00:00Z</Created></Lock>"
        self.assertEqual(len(parse_locks(f"<Locks>{lock}</Locks>".encode())), 1)
        for text in (
            "",
            "<Recording/>",
            "<!DOCTYPE a><Locks/>",
            f"<Locks>{lock * (MAX_LOCKS_PER_RECORDING + 1)}</Locks>",
            f"<Locks>{lock.replace('1970', 'then')}</Locks>",
            "<Locks><Lock/></Locks>",
        ):
            self.assertRaises(WireError, parse_locks, text.encode())

    def test_no_file(self) -> None:
        """A recording without the file has no locks."""
        self.assertEqual(read_locks(FailingFiles(), Path(self.mktemp())), [])
