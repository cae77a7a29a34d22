"""The power goes while a disk is repaired after the power went; and once more."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.durability import proves
from tests.storage.faults.contract import BrokenPromiseError, look_after
from tests.storage.faults.effort import draw, either
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.losses import crashes
from tests.storage.faults.medium import Medium
from tests.storage.faults.plots import blocks_are_cut, formats_change, three_cameras
from tests.storage.faults.recovery import CHORES, new_disk
from tests.storage.faults.story import Plot, Story, promises


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
            self.assertGreater(self.crash(plot, 1, either(12, 24)), 60)

    @proves(
        5,
        fault="power cut",
        moment="during the repair of what a power cut left of a repair",
        outcome="the next start repairs what is left; nothing acknowledged is lost",
    )
    def test_and_interrupted_again(self) -> None:
        """And so is one during the recovery from that."""
        self.assertGreater(self.crash(three_cameras, 2, either(4, 7)), 20)
