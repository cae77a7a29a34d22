"""The power goes while a disk is kept: blocks removed, locked, found again, looked over."""

from twisted.trial.unittest import SynchronousTestCase

from tests.durability import proves
from tests.storage.faults import upkeep
from tests.storage.faults.contract import BrokenPromiseError
from tests.storage.faults.effort import draw, either
from tests.storage.faults.losses import crashes
from tests.storage.faults.medium import Do, Drop, Operation
from tests.storage.faults.story import promises
from tests.storage.faults.upkeep import Upkeep


def _is_removal(operation: Operation) -> bool:
    change = operation.change if isinstance(operation, Do) else None
    return isinstance(change, Drop) and change.name.endswith(".mkv")


class UpkeepTests(SynchronousTestCase):
    def cut(self, work: Upkeep, *, quick: int, at_least: int = 20, removes: bool = False) -> None:
        """Let the power go at any moment of it; then look after what is left, to the end.

        :param quick: look at each so-many-th moment.
        :param removes: blocks go by themselves while it is done.
        """
        seed, random = draw()
        medium, before = work.make()
        files = work.run(medium)
        samples, every = either(2, 8), either(quick, 1)
        self.assertEqual(any(map(_is_removal, files.log)), removes, "what is interrupted")
        cases = 0
        for at, remains in crashes(medium, files.log, random, samples=samples, every=every):
            cases += 1
            promised = before + promises(files.log, at)
            try:
                work.look_after(remains, promised).unmount()
            except Exception as error:
                message = f"seed {seed}, after operation {at}: {error!r}"
                raise BrokenPromiseError(message) from error
        self.assertGreaterEqual(cases, at_least)

    @proves(
        3,
        fault="power cut",
        moment="at any operation while retention removes blocks beside recording",
        outcome="what is not given up is there, what is locked too; what was noted is gone",
    )
    def test_retention(self) -> None:
        """Blocks, and whole recordings, go for those that are written."""
        self.cut(upkeep.retention(), quick=9, removes=True)

    @proves(
        3,
        fault="power cut",
        moment="at any operation while a recording is removed by hand",
        outcome="once that is acknowledged it never comes back; nothing else is touched",
    )
    def test_removal(self) -> None:
        """A recording is removed beside another that runs."""
        self.cut(upkeep.removal(), quick=6, removes=True)

    @proves(
        9,
        fault="power cut",
        moment="at any operation while locks are set and lifted",
        outcome="an acknowledged lock is in force, all it holds is there; a lifted one is gone",
    )
    def test_locks(self) -> None:
        """Locks come and go; then all is removed that is not locked."""
        self.cut(upkeep.locks(), quick=5)

    @proves(
        4,
        fault="power cut",
        moment="at any operation while the index is made anew beside recording",
        outcome="the next start goes on; all recordings and locks are found",
    )
    def test_rebuild_beside_recording(self) -> None:
        """The index is lost, and recording goes on meanwhile."""
        self.cut(upkeep.rebuild_beside(), quick=6)

    @proves(
        4,
        fault="power cut",
        moment="at any operation of a rebuild without a recorder",
        outcome="the next start, or the next rebuild, finds all recordings and locks",
    )
    def test_rebuild_without_a_recorder(self) -> None:
        """A rebuild that is interrupted, and done again, or not."""
        for again in (False, True):
            self.cut(upkeep.rebuild_offline(again=again), quick=1, at_least=10)

    @proves(
        6,
        fault="power cut, on a disk with a damaged group",
        moment="at any operation while the disk is looked over beside recording",
        outcome="the damage is noted in the end, and everything else is there",
    )
    def test_scrub(self) -> None:
        """A disk is looked over, one picture of which is spoilt."""
        self.cut(upkeep.scrub(), quick=7)
