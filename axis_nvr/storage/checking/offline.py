"""Checking, and mending, a disk that nobody uses, as a whole and with how far it is.

Mending begins with what a recorder would do at its start: an index that is broken is put aside and
made anew, blocks and recordings that an unclean stop left open are closed.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.checking.disk import DiskCheck, Totals
from axis_nvr.storage.checking.findings import Finding
from axis_nvr.storage.checking.mending import DiskMender, finishing_open
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.repair.opening import put_broken_index_aside
from axis_nvr.storage.unused import unused_disk
from axis_nvr.words import count_words


@dataclass(slots=True)
class Outcome:
    """What came of it.

    :ivar findings: how many, of which `left` are as they were found; `first` is one of these.
    """

    findings: int = 0
    left: int = 0
    first: str = ""

    def take(self, found: Finding) -> None:
        """Count a finding."""
        self.findings += 1
        if not found.mended:
            self.left += 1
            self.first = self.first or str(found)

    def __str__(self) -> str:
        if not self.findings:
            return "all well"
        if not self.left:
            return f"{count_words(self.findings, 'thing')} mended"
        words = f"{count_words(self.left, 'thing')} amiss: {self.first}"
        mended = self.findings - self.left
        return f"{words}; {count_words(mended, 'thing')} mended" if mended else words


#: How much of it is done, 0 to 1, now and then; what came of it, at the end. Closing it ends it.
Checking = Generator[float, None, Outcome]


def check_unused(files: IFiles, folder: Path) -> Checking:
    """Look a disk over, and change nothing.

    :raises StorageError: a recorder uses it, it is not there, or its index cannot be read.
    """
    with unused_disk(files, folder):
        if not files.exists(folder / INDEX_NAME):
            raise StorageError(StorageErrorKind.CORRUPT, folder, "the index is not there")
        index = Index.open_read_only(files, folder / INDEX_NAME)
        try:
            return (yield from _run(DiskCheck(files, folder, index)))
        finally:
            index.close()


def mend_unused(files: IFiles, folder: Path, now: Callable[[], float] = time.time) -> Checking:
    """Look a disk over, and mend what can be mended without losing anything.

    :param now: the UTC clock, seconds since 1970.
    :raises StorageError: a recorder uses it, it is not there, or it cannot be written.
    """
    with unused_disk(files, folder):
        yield 0.0
        put_broken_index_aside(files, folder, int(now() * 1e6))
        index = Index.open(files, folder / INDEX_NAME, int(now() * 1e6))
        try:
            premises = Premises(files, folder, index, now, lambda: ())
            for _ in finishing_open(premises):
                yield 0.0
            mender = DiskMender(premises)
            return (yield from _run(DiskCheck(files, folder, index, mender=mender)))
        finally:
            index.close()


def _run(check: DiskCheck) -> Checking:
    outcome, done = Outcome(), Totals(0, 0)
    total = check.totals()
    for found in check.run():
        if isinstance(found, Finding):
            outcome.take(found)
        else:
            done = Totals(done.blocks + found.blocks, done.size_bytes + found.size_bytes)
            blocks = _share(done.blocks, total.blocks)
            yield min(1.0, max(blocks, _share(done.size_bytes, total.size_bytes)))
    return outcome


def _share(done: int, total: int) -> float:
    return done / total if total else 0.0
