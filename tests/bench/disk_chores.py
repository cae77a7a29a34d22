"""What work on a whole disk costs on one of half a million blocks; measured by `bench_disk`.

A check and a rebuild of all of it would take longer than a benchmark may: a check is measured for
as long as `CHECK_SECONDS`, a rebuild on a smaller disk, and what all of it would take is told from
their pace. The blocks are small: reading the media of real ones takes as long as the disk takes.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Looked
from axis_nvr.storage.files import Files
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.repair.offline import rebuild_index
from axis_nvr.storage.repair.unclean import Repair
from axis_nvr.storage.retention.chore import Retention
from axis_nvr.storage.retention.policy import Rules
from tests.bench.bench_retention import FullFiles

CHECK_SECONDS = 20.0
REMOVED_BLOCKS = 2000
#: Steps of a chore in one measurement, at most.
MAX_STEPS = 100_000


def _premises(files: Files, folder: Path) -> Premises:
    index = Index.open(files, folder / INDEX_NAME, 0)
    return Premises(cast(Any, files), folder, index, time.time, frozenset)


def repair(folder: Path) -> Iterator[tuple[str, str]]:
    """Closing what was left open, which goes on beside recording."""
    work = _premises(Files(), folder)
    chore, worst, began = Repair(work), 0.0, time.perf_counter()
    for _ in range(MAX_STEPS):
        before = time.perf_counter()
        delay = chore.step()
        worst = max(worst, time.perf_counter() - before)
        if delay:
            break
    seconds = time.perf_counter() - began
    work.index.close()
    yield "repair after it, beside recording", f"{seconds:.1f} s: {chore.report}"
    yield "longest step of the repair", f"{1000 * worst:.0f} ms"


def removal(folder: Path) -> Iterator[tuple[str, str]]:
    """Making room by removing the oldest blocks."""
    files = FullFiles(REMOVED_BLOCKS)
    work = _premises(files, folder)
    chore = Retention(work, Rules(level_percent=50))
    worst, began = 0.0, time.perf_counter()
    for _ in range(MAX_STEPS):
        if files.left <= 0:
            break
        before = time.perf_counter()
        chore.step()
        worst = max(worst, time.perf_counter() - before)
    seconds = time.perf_counter() - began
    work.index.close()
    pace = (REMOVED_BLOCKS - max(0, files.left)) / seconds
    yield "retention, blocks removed", f"{pace:.0f} a second"
    yield "longest step of retention", f"{1000 * worst:.0f} ms"


def checking(folder: Path) -> Iterator[tuple[str, str]]:
    """Looking all of it over."""
    index = Index.open_read_only(Files(), folder / INDEX_NAME)
    check = DiskCheck(cast(Any, Files()), folder, index)
    total, looked, began = check.totals().blocks, 0, time.perf_counter()
    seconds = 0.0
    for found in check.run():
        if isinstance(found, Looked):
            looked += found.blocks
        seconds = time.perf_counter() - began
        if seconds > CHECK_SECONDS:
            break
    index.close()
    minutes = total * seconds / max(1, looked) / 60
    pace = f"{looked / seconds:.0f} a second: {minutes:.0f} min for {total}"
    yield "check, blocks of 2 KB", pace


def rebuild(folder: Path, blocks: int) -> Iterator[tuple[str, str]]:
    """Making the index of a smaller disk anew from its files."""
    began = time.perf_counter()
    report = rebuild_index(cast(Any, Files()), folder, time.time)
    seconds = time.perf_counter() - began
    pace = f"{seconds:.1f} s, {blocks / seconds:.0f} a second: {report}"
    yield f"rebuild of {blocks} blocks", pace
