"""The power goes while a disk is repaired after the power went, or after a kill; and once more."""

from collections.abc import Sequence
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.durability import proves
from tests.storage.faults.contract import BrokenPromiseError, look_after
from tests.storage.faults.effort import draw, either
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.losses import crashes
from tests.storage.faults.medium import Do, Medium, Move, Operation, Put
from tests.storage.faults.plots import blocks_are_cut, formats_change, one_camera, three_cameras
from tests.storage.faults.recovery import CHORES, new_disk
from tests.storage.faults.story import SECOND, Plot, Story, group, promises
from tests.storage.making import START_US


class Crashes:
    """Crashes, and crashes of what recovers from them.

    :param breadth: disks that are looked after of each log.
    :ivar cases: disks looked after so far.
    """

    def __init__(self, random: Random, breadth: int) -> None:
        self.cases = 0
        self._random = random
        self._breadth = breadth

    def play(self, plot: Plot, depth: int) -> None:
        """Play a plot and crash it, and so on."""
        files = FaultFiles(new_disk())
        plot(Story(files))
        files.unmount()
        for at, medium in self._some(new_disk(), files):
            self._recover(medium, promises(files.log, at), depth)

    def _some(self, begin: Medium, files: FaultFiles) -> list[tuple[int, Medium]]:
        every = max(1, len(files.log) // self._breadth)
        found = list(crashes(begin, files.log, self._random, samples=3, every=every))
        return self._random.sample(found, min(len(found), self._breadth))

    def _recover(self, medium: Medium, promised: list[object], depth: int) -> None:
        self.cases += 1
        files = look_after(medium, promised, CHORES)
        files.unmount()
        if depth:
            for _, remains in self._some(medium, files):
                self._recover(remains, promised, depth - 1)


class RecoveryCrashTests(SynchronousTestCase):
    def crash(self, plot: Plot, depth: int, breadth: int) -> int:
        """Crash a plot, and its recovery `depth` times; tell how many disks were looked after."""
        seed, random = draw()
        crash = Crashes(random, breadth)
        try:
            crash.play(plot, depth)
        except Exception as error:
            message = f"seed {seed}: {plot.__name__}, case {crash.cases}: {error!r}"
            raise BrokenPromiseError(message) from error
        return crash.cases

    @proves(
        5,
        fault="power cut",
        moment="at any operation of the repair that follows a power cut",
        outcome="the next start repairs what is left; nothing acknowledged is lost",
    )
    def test_repair_is_interrupted(self) -> None:
        """A crash during recovery is a crash like any other."""
        for plot in (blocks_are_cut, formats_change):
            self.assertGreater(self.crash(plot, 1, either(8, 24)), 40)

    @proves(
        5,
        fault="power cut",
        moment="during the repair of what a power cut left of a repair",
        outcome="the next start repairs what is left; nothing acknowledged is lost",
    )
    def test_and_interrupted_again(self) -> None:
        """And so is one during the recovery from that."""
        self.assertGreater(self.crash(three_cameras, 2, either(4, 7)), 12)


def life(plot: Plot) -> list[Operation]:
    """Give all that a recorder does to a new disk."""
    files = FaultFiles(new_disk())
    plot(Story(files))
    files.unmount()
    return files.log


def kills(log: Sequence[Operation], random: Random, count: int) -> list[int]:
    """Choose moments of a kill: half of them behind a name that was put in or moved."""
    named = [
        at
        for at, operation in enumerate(log, 1)
        if isinstance(operation, Do) and isinstance(operation.change, Put | Move)
    ]
    half = min(len(named), count // 2)
    return random.sample(named, half) + random.sample(range(len(log)), count - half)


def killed(log: Sequence[Operation]) -> Medium:
    """Give the disk of a recorder that was killed: what was not synced is seen, and still open."""
    medium = new_disk()
    for operation in log:
        medium.apply(operation)
    return medium


def run_again(medium: Medium) -> FaultFiles:
    """Start a recorder on what a kill left, repair it, record a little and stop."""
    files = FaultFiles(medium.current())
    story = Story(files, CHORES, digits=0xC000)
    story.start()
    story.open(start_us=START_US + 7200 * SECOND)
    story.write(group(7200))
    story.do_chores()
    story.write(group(7201.5))
    story.close()
    story.stop()
    files.unmount()
    return files


class KilledTests(SynchronousTestCase):
    @proves(
        2,
        fault="kill -9, then a power cut",
        moment="at any operation, then at any of the next run's, before anything else was synced",
        outcome="nothing that either run acknowledged is lost",
    )
    @proves(
        3,
        fault="kill -9, then a power cut",
        moment="at any operation, then at any of the next run's, before anything else was synced",
        outcome="the next run puts into the index only what it knows to be durable",
    )
    def test_the_power_goes_in_the_next_run(self) -> None:
        """What a kill left in memory only is not taken for what is on the disk."""
        seed, random = draw()
        cases = 0
        for plot in (one_camera, blocks_are_cut, formats_change):
            log = life(plot)
            for until in kills(log, random, either(2, 24)):
                medium, before = killed(log[:until]), promises(log, until)
                files = run_again(medium)
                every = either(18, 5)
                for at, remains in crashes(medium, files.log, random, samples=2, every=every):
                    cases += 1
                    try:
                        look_after(remains, before + promises(files.log, at), CHORES).unmount()
                    except Exception as error:
                        message = (
                            f"seed {seed}: {plot.__name__} until {until}, then {at}: {error!r}"
                        )
                        raise BrokenPromiseError(message) from error
        self.assertGreater(cases, 10)
