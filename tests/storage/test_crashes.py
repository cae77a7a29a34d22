"""The power goes at any moment, and takes with it any part of what was not synced.

Each plot is played on a disk of memory. From the log of its operations every disk that a power cut
may leave is made, a sample where they are too many, and on each a recorder is started that must
find all that had been acknowledged by that moment.
"""

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.durability import proves
from tests.storage.faults.contract import BrokenPromiseError, look_after
from tests.storage.faults.effort import draw, either
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.losses import crashes
from tests.storage.faults.plots import (
    PLOTS,
    a_block_fills_up,
    blocks_are_cut,
    formats_change,
    one_camera,
    rows_wait,
    three_cameras,
    two_lives,
)
from tests.storage.faults.recovery import CHORES, new_disk
from tests.storage.faults.story import Plot, Story, promises


def cut_power(
    plot: Plot, files: FaultFiles, random: Random, *, samples: int, every: int = 1
) -> int:
    """Play a plot, then let the power go at each so-many-th moment of it.

    :returns: how many disks were looked after.
    :raises BrokenPromiseError: one of them is not as it must be.
    """
    try:
        plot(Story(files))
    finally:
        files.unmount()
    cases = 0
    moments = crashes(new_disk(), files.log, random, samples=samples, every=every)
    for at, medium in moments:
        cases += 1
        try:
            look_after(medium, promises(files.log, at), CHORES).unmount()
        except Exception as error:
            message = f"{plot.__name__}, after operation {at}: {error!r}"
            raise BrokenPromiseError(message) from error
    return cases


class PowerCutTests(SynchronousTestCase):
    def cut(self, plot: Plot, *, at_least: int, quick: tuple[int, int]) -> None:
        """Let the power go during a plot.

        :param quick: samples for each moment, and how many moments apart.
        """
        seed, random = draw()
        samples, every = either(quick[0], 24), either(quick[1], 1 + quick[1] // 4)
        try:
            cases = cut_power(plot, FaultFiles(new_disk()), random, samples=samples, every=every)
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"seed {seed}: {error}") from error
        self.assertGreaterEqual(cases, at_least)

    @proves(
        2,
        fault="power cut",
        moment="at any operation of a recording, from an empty disk to a clean stop",
        outcome="every acknowledged group is there, byte for byte, at its time",
    )
    def test_one_camera(self) -> None:
        """A recording from an empty disk to a clean stop."""
        self.cut(one_camera, at_least=20, quick=(12, 2))

    @proves(
        2,
        fault="power cut",
        moment="a block ends and another begins, in the folder of another hour too",
        outcome="every acknowledged group is there, byte for byte, at its time",
    )
    def test_blocks_are_cut(self) -> None:
        """Groups of several clusters, blocks that end by their length and by a hole."""
        self.cut(blocks_are_cut, at_least=20, quick=(6, 6))

    @proves(
        2,
        fault="power cut",
        moment="a block is long enough, and ends in the same write as its last group",
        outcome="every acknowledged group is there, byte for byte, at its time",
    )
    def test_a_block_fills_up(self) -> None:
        """What ends a block goes out with its last group."""
        self.cut(a_block_fills_up, at_least=20, quick=(6, 6))

    @proves(
        2,
        fault="power cut",
        moment="rows of recordings and blocks wait for the index, some of them told on demand",
        outcome="every acknowledged group is there, whatever day its block is of",
    )
    def test_rows_wait(self) -> None:
        """What the index does not know, or forgets again, is found in its folders."""
        self.cut(rows_wait, at_least=20, quick=(2, 30))

    @proves(
        2,
        fault="power cut",
        moment="several cameras share a batch, one leaves and one comes",
        outcome="every acknowledged group of every camera is there",
    )
    def test_three_cameras(self) -> None:
        """Three cameras in the same batches."""
        self.cut(three_cameras, at_least=20, quick=(6, 14))

    @proves(
        3,
        fault="power cut",
        moment="at any operation, with other parameter sets, gaps and blocks of one batch",
        outcome="each row of the index names a file whose bytes are good",
    )
    def test_formats_change(self) -> None:
        """Blocks that end in the batch in which they began, gaps, two recordings."""
        self.cut(formats_change, at_least=20, quick=(6, 9))

    @proves(
        7,
        fault="power cut",
        moment="at any operation of two runs of a recorder",
        outcome="each picture that was acknowledged is within half a millisecond of its time",
    )
    @proves(
        5,
        fault="power cut",
        moment="in the second run of a recorder on a disk",
        outcome="blocks that were whole are not written to",
    )
    def test_two_lives(self) -> None:
        """A recorder that is stopped and started again."""
        self.cut(two_lives, at_least=20, quick=(6, 5))


class Forgetful(FaultFiles):
    """A disk of memory on which one kind of sync does nothing.

    :param operation: ``sync`` or ``sync_folder``.
    :param name: the end of the name of what is not synced.
    """

    def __init__(self, operation: str, name: str) -> None:
        super().__init__(new_disk())
        self._forgotten = operation, name

    def _sync(self, inode: int, operation: str, path: Path) -> None:
        if operation != self._forgotten[0] or not path.name.endswith(self._forgotten[1]):
            super()._sync(inode, operation, path)


class ForgetfulTests(SynchronousTestCase):
    """These tests can fail: a recorder that forgets a sync is caught by them."""

    def caught(self, operation: str, name: str) -> None:
        """Some plot ends with a broken promise."""
        for plot in PLOTS:
            try:
                cut_power(plot, Forgetful(operation, name), Random(1), samples=4, every=3)
            except BrokenPromiseError:
                return
        self.fail(f"nobody misses {operation} of {name}")

    def test_media(self) -> None:
        """Acknowledging groups whose file was not synced."""
        self.caught("sync", ".mkv")

    def test_a_block(self) -> None:
        """Not syncing the folder that a block is in."""
        self.caught("sync_folder", "20240506_07")

    def test_the_folders_of_a_recording(self) -> None:
        """Not syncing the folder that a recording's folder is in, or the day's."""
        self.caught("sync_folder", "07")
        self.caught("sync_folder", "20240506")

    def test_the_disk(self) -> None:
        """Not syncing the disk's own folder."""
        self.caught("sync_folder", "HDD_DISK")
