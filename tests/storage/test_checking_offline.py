"""A disk that nobody uses, checked and mended as a whole."""

from collections.abc import Callable
from typing import cast

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.checking.offline import Checking, Outcome, check_unused, mend_unused
from axis_nvr.storage.files import Files, IFiles
from tests.storage.checking_case import DiskOfOneBlock
from tests.storage.making import START_US

FILES = cast(IFiles, Files())


class OfflineTests(DiskOfOneBlock):
    def outcome(self, checking: Checking) -> Outcome:
        """Let it run to its end."""
        shares = []
        while True:
            try:
                shares.append(next(checking))
            except StopIteration as end:
                self.assertEqual(shares, sorted(shares))
                self.assertTrue(all(0 <= share <= 1 for share in shares))
                self.shares = shares
                outcome: Outcome = end.value
                return outcome

    def look(self) -> Outcome:
        return self.outcome(check_unused(FILES, self.folder))

    def mend(self) -> Outcome:
        return self.outcome(mend_unused(FILES, self.folder, lambda: START_US / 1e6))

    def refused(self, work: Callable[[], object], kind: StorageErrorKind) -> None:
        self.assertEqual(self.assertRaises(StorageError, work).kind, kind)

    def test_all_well(self) -> None:
        """A disk without damage; how far it is is told as it goes."""
        self.assertEqual(str(self.look()), "all well")
        self.assertGreater(self.shares[-1], 0.9)
        self.assertEqual(str(self.mend()), "all well")

    def test_checked_mended_checked(self) -> None:
        """A check changes nothing; what is mended is not found again."""
        self.xml.unlink()
        for _ in range(2):
            outcome = self.look()
            self.assertEqual((outcome.findings, outcome.left), (1, 1))
            self.assertIn("[xml-missing]", str(outcome))
        outcome = self.mend()
        self.assertEqual((outcome.findings, outcome.left, str(outcome)), (1, 0, "1 thing mended"))
        self.assertEqual(str(self.look()), "all well")

    def test_what_cannot_be_mended(self) -> None:
        """Pictures that are damaged stay so, and are told each time."""
        self.flip(self.clusters[1] + 60)
        self.assertEqual(self.mend().left, 1)
        self.assertIn("1 thing amiss: ", str(self.look()))

    def test_a_broken_index(self) -> None:
        """It cannot be checked; mending makes it anew from the files."""
        (self.folder / "index.db").write_bytes(b"no database at all " * 300)
        self.refused(self.look, StorageErrorKind.CORRUPT)
        self.mend()
        self.assertEqual(str(self.look()), "all well")
        (self.folder / "index.db").unlink()
        self.refused(self.look, StorageErrorKind.CORRUPT)
        self.mend()
        self.assertEqual(str(self.look()), "all well")

    def test_given_up_while_the_index_is_made(self) -> None:
        """A mending that is given up early is taken up by the next one."""
        (self.folder / "index.db").unlink()
        mending = mend_unused(FILES, self.folder, lambda: START_US / 1e6)
        self.assertEqual([next(mending), next(mending)], [0.0, 0.0])
        mending.close()
        self.assertEqual(str(self.mend()), "all well")
        self.assertEqual(str(self.look()), "all well")

    def test_what_is_in_use_or_absent(self) -> None:
        """A recorder that uses it, and a folder that is none, are told apart; nothing is made."""
        self.bench.disk.start()
        self.refused(self.look, StorageErrorKind.LOCKED)
        self.refused(self.mend, StorageErrorKind.LOCKED)
        self.bench.disk.stop()
        self.folder = self.folder / "absent"
        self.refused(self.look, StorageErrorKind.ABSENT)
        self.folder.mkdir()
        self.refused(self.mend, StorageErrorKind.ABSENT)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_given_up(self) -> None:
        """Closing either of them lets go of the disk."""
        for checking in (check_unused(FILES, self.folder), mend_unused(FILES, self.folder)):
            next(checking)
            checking.close()
        self.bench.disk.start()
        self.bench.disk.stop()
