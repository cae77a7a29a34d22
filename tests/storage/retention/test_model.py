"""Retention held to a model: whatever is recorded, locked and lost, it does what its rules say."""

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError
from axis_nvr.storage.locks import find_locks
from axis_nvr.storage.locks_xml import Lock
from axis_nvr.storage.recording import RecordingWriter
from axis_nvr.storage.retention.chore import Retention
from axis_nvr.storage.retention.patience import CLOCK_SECONDS
from axis_nvr.storage.retention.policy import Rules
from tests.durability import proves
from tests.storage.faults.fault_files import Call
from tests.storage.faults.losses import survivors
from tests.storage.faults.medium import Medium
from tests.storage.making import START_US
from tests.storage.retention.making import FOLDER, SECOND, SPACING_US, SmallDisk

DAY = 86_400
GROUPS = ("", "short", "long")
RULES = Rules(level_percent=90, max_age_days=10, group_seconds={"short": 2 * DAY, "long": 30 * DAY})
#: A power cut while a lock is made leaves this until the next lock, or the recording's end.
HARMLESS = ".locks.xml.tmp is left over"
#: A disk that holds some twenty blocks of these tests before it wants room.
TOTAL_BYTES = 30_000


class PowerCutError(BaseException):
    """Ends everything at once: nothing of the recorder catches it."""


class Block:
    """A closed block as the model knows it."""

    def __init__(self, row: Any) -> None:
        self.block_id, self.recording_id, self.start_us, self.stop_us, self.group, self.size = row

    def is_held(self, locks: list[Lock]) -> bool:
        """Tell whether a lock keeps it."""
        return any(
            lock.recording_id == self.recording_id and lock.holds(self.start_us, self.stop_us)
            for lock in locks
        )

    def is_old(self, now_us: int) -> bool:
        """Tell whether the rules want it gone for its age."""
        days = 2 if self.group == "short" else 10
        return bool(self.stop_us <= now_us - days * DAY * SECOND)


class RetentionMachine(RuleBasedStateMachine):
    """Records, locks, waits, cuts the power; then retention must have done just what it should.

    :ivar acknowledged: locks that were acknowledged and not taken away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disk = SmallDisk()
        self.begin = Medium()
        self.lives = 0
        self.running: dict[int, RecordingWriter] = {}
        self.acknowledged: dict[str, Lock] = {}

    @initialize()
    def start(self) -> None:
        """Make the disk small."""
        self.disk.files.total_bytes = TOTAL_BYTES

    def now_us(self) -> int:
        return int(self.disk.now * 1e6)

    def closed_blocks(self) -> list[Block]:
        """The closed blocks that the index has, oldest first."""
        index = self.disk.bench.disk.place.index
        rows = {row.recording_id: row for row in index.recordings()}
        blocks = [
            Block((b.block_id, b.recording_id, b.start_us, b.stop_us,
                   rows[b.recording_id].group, b.size_bytes))
            for b in index.blocks()
            if b.stop_us is not None
        ]  # fmt: skip
        return sorted(blocks, key=lambda block: block.start_us)

    # What happens.

    @rule(blocks=st.integers(2, 9), group=st.sampled_from(GROUPS))
    def record(self, blocks: int, group: str) -> None:
        """A recording that begins and ends."""
        self.disk.record(blocks, group, self.now_us())
        self.disk.wait(blocks * SPACING_US / 1e6)

    @rule(camera=st.integers(0, 2), group=st.sampled_from(GROUPS), frames=st.integers(2, 30))
    def go_on(self, camera: int, group: str, frames: int) -> None:
        """A recording that runs gets another block, or begins."""
        if camera not in self.running:
            self.running[camera] = self.disk.begin(group, self.now_us())
        self.disk.write(self.running[camera], self.now_us(), frames)
        self.disk.wait(SPACING_US / 1e6)

    @rule(camera=st.integers(0, 2))
    def end(self, camera: int) -> None:
        """A recording that runs ends."""
        if camera in self.running:
            assert self.disk.bench.close(self.running.pop(camera)) is None

    @rule(data=st.data(), is_whole=st.booleans(), is_open=st.booleans())
    def lock(self, data: st.DataObject, is_whole: bool, is_open: bool) -> None:
        """A recording, or a span of it, is locked."""
        self.make_lock(data, is_whole=is_whole, is_open=is_open)

    def make_lock(self, data: st.DataObject, *, is_whole: bool, is_open: bool) -> None:
        """Lock a recording, or a span of it."""
        rows = list(self.disk.bench.disk.place.index.recordings())
        if not rows or len(self.acknowledged) > 4:
            return
        row = data.draw(st.sampled_from(rows), label="recording")
        start_us = row.start_us or START_US
        begin = start_us + data.draw(st.integers(0, 5), label="block") * SPACING_US
        span = (None, None) if is_whole else (begin, None if is_open else begin + SECOND)
        try:
            lock = self.disk.locks.lock(row.recording_id, *span, reason="x")
        except StorageError:
            return  # nothing was recorded there
        self.acknowledged[lock.token] = lock

    @precondition(lambda self: self.acknowledged)
    @rule(data=st.data())
    def unlock(self, data: st.DataObject) -> None:
        """A lock is taken away."""
        token = data.draw(st.sampled_from(sorted(self.acknowledged)), label="lock")
        self.disk.locks.unlock(token)
        del self.acknowledged[token]

    @rule(days=st.integers(0, 4))
    def wait(self, days: int) -> None:
        """Days go by."""
        self.disk.wait(days * DAY)
        self.look()

    @rule(at=st.integers(0, 60), seed=st.integers(0, 9), days=st.integers(0, 2))
    def cut_the_power(self, at: int, seed: int, days: int) -> None:
        """The power goes, perhaps in the middle of a removal, and comes back."""
        self.disk.wait(days * DAY)
        with self.power_cut(at):
            self.retain()
        self.restart(seed)

    @rule(at=st.integers(0, 30), seed=st.integers(0, 9), data=st.data())
    def cut_the_power_at_a_lock(self, at: int, seed: int, data: st.DataObject) -> None:
        """The power goes while a lock is made, or right after it was acknowledged."""
        with self.power_cut(at):
            self.make_lock(data, is_whole=True, is_open=False)
        self.restart(seed)

    @contextlib.contextmanager
    def power_cut(self, at: int) -> Iterator[None]:
        """Have the power go at the so many-th call from now on, if it comes to that."""
        calls = len(self.disk.files.calls)

        def cut(call: Call) -> None:
            if call.at >= calls + at:
                raise PowerCutError

        self.disk.files.injector = cut
        with contextlib.suppress(PowerCutError):
            yield
        self.disk.files.injector = None

    def restart(self, seed: int) -> None:
        """Start again on what a power cut leaves."""
        files, now, monotonic = self.disk.files, self.disk.now, self.disk.monotonic_seconds
        for operation in files.log:
            self.begin.apply(operation)
        media = list(survivors(self.begin, Random(seed), 4))
        self.begin = Random(seed).choice(media)
        self.disk.end()
        self.running.clear()
        self.lives += 1
        copy = self.begin.survivor(lambda item: ())
        self.disk = SmallDisk(copy, digits=0xA000 + 0x400 * self.lives)
        self.disk.files.total_bytes = TOTAL_BYTES
        self.disk.now, self.disk.monotonic_seconds = now, monotonic

    def retain(self) -> None:
        """Have the chore look at the clock for long enough, and then do its work."""
        disk = self.disk
        if disk.retention is None:
            disk.retention = Retention(disk.premises(), RULES, lambda: disk.monotonic_seconds)
            disk.retention._clock.look(disk.now, disk.monotonic_seconds)
            disk.wait(CLOCK_SECONDS)
        disk.wait(61)
        disk.retain(RULES)

    # What must be so.

    def look(self) -> None:
        """Retention removes what it should, nothing else, and leaves a disk that is sound."""
        before = self.closed_blocks()
        locks = list(find_locks(self.disk.index))
        used = self.disk.files.used_bytes()
        self.retain()
        expected = self.expected(before, locks, used)
        left = [block.block_id for block in self.closed_blocks()]
        assert left == expected, (left, expected)
        findings = [words for words in self.disk.findings() if HARMLESS not in words]
        assert not findings, findings
        assert set(self.disk.media()) == set(self.disk.blocks()), "files and index agree"

    def expected(self, before: list[Block], locks: list[Lock], used: int) -> list[str]:
        """What is left of the closed blocks, by the rules."""
        reserve = RULES.reserve_bytes(self.disk.files.space(FOLDER), 0)
        missing = reserve - (TOTAL_BYTES - used)
        left = []
        for block in before:
            if not block.is_held(locks) and missing > 0:
                missing -= block.size
            else:
                left.append(block)
        now_us = self.now_us()
        return [
            block.block_id for block in left if block.is_held(locks) or not block.is_old(now_us)
        ]

    @invariant()
    def no_lock_is_lost(self) -> None:
        """A lock that was acknowledged is in force."""
        in_force = {lock.token: lock for lock in find_locks(self.disk.index)}
        for token, lock in self.acknowledged.items():
            assert in_force.get(token) == lock, lock

    def teardown(self) -> None:
        """See what came of it, and let go."""
        try:
            self.look()
        finally:
            self.disk.end()


class ModelTests(SynchronousTestCase):
    @proves(
        9,
        fault="power cuts, a disk that gets full, blocks that get old",
        moment="in any order, beside locks and recordings that run",
        outcome="what is locked stays, the oldest goes first and only as needed, all stays sound",
    )
    def test_retention(self) -> None:
        """Whatever happens, the blocks that are left are those that the rules say."""
        case = RetentionMachine.TestCase
        case.settings = settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            phases=(Phase.explicit, Phase.generate),  # to make a failure smaller takes minutes
        )
        case("runTest").debug()
