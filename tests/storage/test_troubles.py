"""Each call of the disk fails, with each error that there is; then all is well again."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import NvrError
from axis_nvr.media.gop import Gop
from tests.durability import proves
from tests.storage.faults.contract import BrokenPromiseError, look_after
from tests.storage.faults.effort import draw, either
from tests.storage.faults.fault_files import FaultFiles, Injector
from tests.storage.faults.losses import survivors
from tests.storage.faults.recovery import CHORES, new_disk
from tests.storage.faults.story import Stored, Story, group, promises
from tests.storage.faults.troubles import TROUBLES, WRITES, At, ShortThenFull, Trouble, places

#: More starts than any trouble lasts.
MAX_STARTS = 40
CAMERAS = ("front", "yard")


def long_groups(at: int, cameras: Sequence[str]) -> list[tuple[str, Gop]]:
    """Groups of each camera, so long that each second one begins a block."""
    return [
        (camera, group(at * 160, frames=4, step_seconds=40, size=300, name=camera))
        for camera in cameras
    ]


def live_through(files: FaultFiles, cameras: Sequence[str] = CAMERAS) -> list[Stored]:
    """Record through trouble, and on when it is over; tell what was refused.

    :raises BrokenPromiseError: it does not go on.
    """
    story = start(files)
    for camera in cameras:
        for _ in range(MAX_STARTS):
            try:
                story.open(camera)
            except NvrError:
                continue
            break
    refused = []
    for at in range(4):
        pairs = long_groups(at, cameras)
        outcomes = story.write_all(*pairs)
        for (camera, gop), outcome in zip(pairs, outcomes, strict=True):
            if outcome is not None:
                refused.append(Stored(story.recording(camera).recording_id, gop))
    files.injector = None
    for at in (4, 5):
        outcomes = story.write_all(*long_groups(at, cameras))
        if any(outcome is not None for outcome in outcomes):
            raise BrokenPromiseError(f"the disk is well, and recording is not: {outcomes}")
    story.close(*cameras)
    story.stop()
    return refused


def start(files: FaultFiles) -> Story:
    """Start a recorder, again and again if need be, as the keeper of a disk does."""
    for _ in range(MAX_STARTS):
        story = Story(files)
        try:
            story.start()
        except NvrError:
            continue
        return story
    raise BrokenPromiseError("it never starts")


class TroubleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.seed, self.random = draw()
        files = FaultFiles(new_disk())
        live_through(files)
        files.unmount()
        self.calls = files.calls

    def meet(
        self,
        injector: Injector,
        words: str,
        *,
        most: int | None = None,
        cameras: Sequence[str] = CAMERAS,
    ) -> None:
        """Live through a trouble; then look after what a kill and two power cuts leave.

        :param most: groups that may be refused.
        """
        files = FaultFiles(new_disk(), injector)
        try:
            refused = live_through(files, cameras)
            files.unmount()
            if most is not None and len(refused) > most:
                raise BrokenPromiseError(f"{len(refused)} groups refused")
            medium = new_disk()
            for operation in files.log:
                medium.apply(operation)
            promised = promises(files.log, len(files.log))
            remains = [medium.current(), *survivors(medium, self.random, 2)]
            for each in {each.fingerprint(): each for each in remains}.values():
                look_after(each, promised, CHORES).unmount()
        except Exception as error:
            files.unmount()
            raise BrokenPromiseError(f"seed {self.seed}: {words}: {error!r}") from error

    def meet_everywhere(self, trouble: Trouble, *, every: int) -> None:
        """Meet a trouble once at each so-many-th call, and for several calls."""
        every = either(every, 4)
        opened = next(call.at for call in self.calls if call.operation == "lock")
        for times, most, begin in ((1, len(CAMERAS), 0), (5, None, opened)):
            found = list(places(self.calls[begin:], trouble, every, self.random.randrange(every)))
            self.assertTrue(found)
            for at in found:
                words = f"{trouble.name}, {times} times from call {self.calls[at]}"
                self.meet(At(trouble, at, times), words, most=most)

    @proves(
        2,
        fault="an I/O error",
        moment="at any call, once and five times in a row",
        outcome="one error costs at most the groups in flight; then recording goes on",
    )
    def test_io_errors(self) -> None:
        """EIO and SQLITE_IOERR."""
        self.meet_everywhere(TROUBLES[0], every=41)

    @proves(
        2,
        fault="a full disk",
        moment="at any call, once and five times in a row",
        outcome="one error costs at most the groups in flight; then recording goes on",
    )
    def test_a_full_disk(self) -> None:
        """ENOSPC and SQLITE_FULL."""
        self.meet_everywhere(TROUBLES[1], every=41)

    @proves(
        2,
        fault="a disk that turns read-only",
        moment="at any call, once and five times in a row",
        outcome="one error costs at most the groups in flight; then recording goes on",
    )
    def test_a_read_only_disk(self) -> None:
        """EROFS and SQLITE_READONLY."""
        self.meet_everywhere(TROUBLES[2], every=47)

    @proves(
        2,
        fault="files of another owner",
        moment="at any call, once and five times in a row",
        outcome="one error costs at most the groups in flight; then recording goes on",
    )
    def test_another_owner(self) -> None:
        """EACCES and SQLITE_CANTOPEN."""
        self.meet_everywhere(TROUBLES[3], every=59)

    @proves(
        2,
        fault="a disk that vanishes",
        moment="at any call, once and five times in a row",
        outcome="one error costs at most the groups in flight; then recording goes on",
    )
    def test_a_vanished_disk(self) -> None:
        """ENOENT."""
        self.meet_everywhere(TROUBLES[4], every=59)

    @proves(
        3,
        fault="SQLite finds the index corrupt",
        moment="at any statement, once and five times in a row",
        outcome="one error costs at most the groups in flight; no row is ahead of its bytes",
    )
    def test_a_corrupt_index(self) -> None:
        """SQLITE_CORRUPT."""
        self.meet_everywhere(TROUBLES[5], every=19)

    @proves(
        2,
        fault="each error that there is",
        moment="at each call of a recorder with one camera, from the first to the last",
        outcome="it costs at most the group in flight; after a clean stop nothing is left over",
    )
    def test_each_call(self) -> None:
        """One camera: with ``--all`` no call is left out."""
        cameras, every = CAMERAS[:1], either(67, 1)
        files = FaultFiles(new_disk())
        live_through(files, cameras)
        files.unmount()
        for trouble in TROUBLES:
            for at in places(files.calls, trouble, every, self.random.randrange(every)):
                words = f"{trouble.name} at call {files.calls[at]}"
                self.meet(At(trouble, at), words, most=1, cameras=cameras)

    @proves(
        2,
        fault="a write that takes only a part",
        moment="at any write, and the next one says that the disk is full, or does not",
        outcome="the rest is written, or the group is refused and nothing of it stays",
    )
    def test_short_writes(self) -> None:
        """Half of it is taken."""
        every = either(14, 2)
        writes = [call.at for call in self.calls if call.operation in WRITES]
        for at in writes[self.random.randrange(every) :: every]:
            for is_full in (False, True):
                most = len(CAMERAS) if is_full else 0
                words = f"a short write at {self.calls[at]}, then full: {is_full}"
                self.meet(ShortThenFull(at, is_full=is_full), words, most=most)
