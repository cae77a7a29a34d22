"""What goes on at an old disk: removing, locking, making the index anew, looking it over.

An `Upkeep` has two parts: what makes the disk, and ends in order; then what a crash interrupts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

from axis_nvr.storage.checking.findings import FindingKind
from axis_nvr.storage.checking.scrub import Scrub
from axis_nvr.storage.chore_thread import ChoreMaker
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.locks import Locks
from axis_nvr.storage.removal import note_recordings
from axis_nvr.storage.repair.offline import rebuild_index
from axis_nvr.storage.repair.rebuild import Rebuild
from axis_nvr.storage.repair.unclean import Repair
from axis_nvr.storage.retention.chore import Retention
from axis_nvr.storage.retention.policy import Rules
from tests.storage.faults.contract import look_after
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.medium import Medium
from tests.storage.faults.recovery import CHORES, live, new_disk
from tests.storage.faults.story import (
    FOLDER,
    SECOND,
    Damaged,
    Expendable,
    Locked,
    Plot,
    Removed,
    Story,
    Unlocked,
    Unlocking,
    group,
    promises,
)
from tests.storage.making import START_US

#: Blocks begin so far apart, in seconds: a hole cuts each.
SPACING = 600
#: When the interrupted part begins.
LATER = 36_000


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Something that goes on at an old disk.

    :ivar prepare: makes the disk.
    :ivar play: what a crash interrupts.
    :ivar chores: what goes on beside recording, then and after the crash.
    :ivar before_start: done to a disk before a recorder is started on it again.
    :ivar tolerated: what our own check may find in the end.
    """

    prepare: Plot
    play: Plot
    chores: Callable[[], Sequence[ChoreMaker]] = lambda: CHORES
    before_start: Callable[[FaultFiles], None] | None = None
    tolerated: Sequence[FindingKind] = ()

    def make(self) -> tuple[Medium, list[object]]:
        """Make the disk; give it, and what is promised of it."""
        files = FaultFiles(new_disk())
        story = Story(files, CHORES, digits=0x9000)
        self.prepare(story)
        files.unmount()
        return live(files.log), promises(files.log, len(files.log))

    def run(self, medium: Medium) -> FaultFiles:
        """Do what is to be interrupted."""
        files = FaultFiles(medium)
        try:
            self.play(Story(files, self.chores()))
        finally:
            files.unmount()
        return files

    def look_after(self, medium: Medium, promised: Sequence[object]) -> FaultFiles:
        """Start a recorder on what a crash left, and hold it to what was promised."""
        if self.before_start is not None:
            files = FaultFiles(medium)
            self.before_start(files)
            files.unmount()
            for operation in files.log:
                medium.apply(operation)
            medium = medium.current()
        return look_after(medium, promised, self.chores(), self.tolerated)


def record(story: Story, camera: str, at: int, blocks: int) -> str:
    """Make a recording of so many blocks that has ended; give its id."""
    story.open(camera, START_US + at * SECOND)
    recording_id = story.recording(camera).recording_id
    for number in range(blocks):
        gop = group(at + number * SPACING, frames=2, size=300, name=camera)
        assert story.write(gop, camera=camera) == [None]
    story.close(camera)
    return recording_id


def locks_of(story: Story) -> Locks:
    """Give the locks of the disk, as an errand has them."""
    story.premises.catch_up()
    return Locks(
        cast(Any, story.files), Path(FOLDER), story.premises.index, lambda: LATER, _tokens(story)
    )


def _tokens(story: Story) -> Callable[[], str]:
    return lambda: f"{len(story.files.log):016x}"


def lock(story: Story, recording_id: str, *span: int) -> str:
    """Lock a recording, or a span of it in seconds, and promise that; give the lock's name."""
    start_us, end_us = (START_US + at * SECOND for at in span) if span else (None, None)
    made = locks_of(story).lock(recording_id, start_us, end_us, reason="a theft")
    story.files.mark(Locked(made))
    return made.token


def unlock(story: Story, token: str) -> None:
    """Take a lock away, and promise that."""
    story.files.mark(Unlocking(token))
    locks_of(story).unlock(token)
    story.files.mark(Unlocked(token))


def recording_ids(story: Story) -> list[str]:
    """Name the recordings of the disk, oldest first."""
    story.premises.catch_up()
    return sorted(row.recording_id for row in story.disk.place.index.recordings())


def write_beside(story: Story, number: int) -> None:
    """Record a little beside something else; every second time a block begins."""
    at = LATER + number // 2 * SPACING + number % 2
    assert story.write(group(at, frames=2, size=300)) == [None]


def open_beside(story: Story) -> None:
    """Begin to record beside something else."""
    story.start()
    story.open(start_us=START_US + LATER * SECOND)


def end_beside(story: Story) -> None:
    """End it."""
    story.close()
    story.stop()


# Retention.


def prepare_retention(story: Story) -> None:
    """A short recording, a long one of which a span is locked, and a later one."""
    story.start()
    record(story, "door", 0, 1)
    lock(story, record(story, "front", SPACING, 6), 2 * SPACING, 2 * SPACING + 1)
    record(story, "yard", 10 * SPACING, 2)
    for recording_id in recording_ids(story)[:2]:
        story.files.mark(Expendable(recording_id))
    story.do_chores()
    story.stop()


def play_retention(story: Story, rules: Rules) -> None:
    """The two oldest are removed at once, others as more is written; the locked one stays."""
    open_beside(story)
    sizes = [row.size_bytes or 0 for row in story.disk.place.index.blocks()]
    rules.limit_bytes = sum(sizes) - sizes[0] - sizes[1] + 100
    for number in range(4):
        write_beside(story, number)
        for _ in range(2):
            story.step("retention")
    end_beside(story)


def limited(rules: Rules) -> Sequence[ChoreMaker]:
    """Give chores of which retention keeps to a limit."""

    def make_retention(premises: Any) -> Retention:
        return Retention(premises, rules, partial(next, count(1e6, 10.0)))  # always a while later

    return [Rebuild, Repair, make_retention]


def retention() -> Upkeep:
    """Blocks are removed while others are written."""
    rules = Rules()
    play = partial(play_retention, rules=rules)
    return Upkeep(prepare_retention, play, lambda: limited(rules))


# A recording is removed.


def prepare_removal(story: Story) -> None:
    """Two recordings of several blocks."""
    story.start()
    record(story, "front", 0, 3)
    record(story, "yard", 10 * SPACING, 2)
    story.do_chores()
    story.stop()


def play_removal(story: Story) -> None:
    """One of them is removed while a third runs."""
    open_beside(story)
    write_beside(story, 0)
    front, _ = recording_ids(story)[:2]
    story.files.mark(Expendable(front))
    running = frozenset(story.disk.recordings)
    assert note_recordings(story.premises.index, Path(FOLDER), [front], running) == [None]
    story.files.mark(Removed(front))
    write_beside(story, 1)
    story.step("retention")
    write_beside(story, 2)
    story.do_chores()
    end_beside(story)


def removal() -> Upkeep:
    """A recording is removed by hand."""
    return Upkeep(prepare_removal, play_removal)


# Locks.


def prepare_locks(story: Story) -> None:
    """The same; all may go that is not locked when retention has its turn."""
    prepare_removal(story)
    story.files.mark(Expendable())


def play_locks(story: Story) -> None:
    """Locks come and go on a recording that has ended and on one that runs."""
    open_beside(story)
    write_beside(story, 0)
    front, yard, gate = recording_ids(story)
    first = lock(story, front, SPACING, SPACING + 1)
    lock(story, gate)
    lock(story, front)
    unlock(story, first)
    second = lock(story, yard)
    write_beside(story, 1)
    unlock(story, second)
    end_beside(story)


def locks() -> Upkeep:
    """Locks are set and lifted; afterwards all goes that is not locked."""
    return Upkeep(prepare_locks, play_locks, lambda: limited(Rules(limit_bytes=1)))


# The index is made anew.


def prepare_lost_index(story: Story) -> None:
    """A disk with a lock, whose index is lost."""
    prepare_rebuild(story)
    story.files.remove(Path(FOLDER) / INDEX_NAME)


def prepare_rebuild(story: Story) -> None:
    """A disk with a lock, in order."""
    story.start()
    lock(story, record(story, "front", 0, 3), 0, 1)
    record(story, "yard", 10 * SPACING, 2)
    story.do_chores()
    story.stop()


def play_rebuild_beside(story: Story) -> None:
    """Recording begins at once, on a new index, and the old is found meanwhile."""
    open_beside(story)
    for number in range(4):
        write_beside(story, number)
        story.step("rebuild")
    story.do_chores()
    end_beside(story)


def rebuild_beside() -> Upkeep:
    """The index is made anew beside recording."""
    return Upkeep(prepare_lost_index, play_rebuild_beside)


def rebuild(files: FaultFiles) -> None:
    """Make the index anew without a recorder."""
    rebuild_index(cast(Any, files), Path(FOLDER), lambda: LATER)


def rebuild_offline(*, again: bool) -> Upkeep:
    """The index is made anew without a recorder, and after a crash once more, or not."""
    return Upkeep(
        prepare_rebuild,
        lambda story: rebuild(story.files),
        before_start=rebuild if again else None,
    )


# A disk is looked over.


def prepare_damage(story: Story) -> None:
    """A disk of two recordings, a picture of one of which is spoilt."""
    prepare_removal(story)
    files = story.files
    (path, *_) = sorted(
        path for path, inode in live(files.log).walk() if path.suffix == ".mkv" and inode.data
    )
    data = bytes(files._data[files._find(path)])
    at = data.index(str(START_US).encode())
    fd = files.open_write(path)
    files.pwrite(fd, b"?", at)
    files.sync(fd)
    files.close(fd)
    files.mark(Expendable(path.parent.parent.name, end_us=START_US + SPACING * SECOND))
    files.mark(Damaged(path.stem))


def play_scrub(story: Story) -> None:
    """The disk is looked over beside recording."""
    open_beside(story)
    for number in range(4):
        write_beside(story, number)
        story.step("scrub")
        story.step("scrub")
    story.do_chores()
    end_beside(story)


def scrub() -> Upkeep:
    """A damaged disk is looked over."""

    def make_scrub(premises: Any) -> Scrub:
        return Scrub(premises, 1)

    return Upkeep(
        prepare_damage,
        play_scrub,
        lambda: [*CHORES, make_scrub],
        tolerated=(FindingKind.CLUSTER_DAMAGED,),
    )
