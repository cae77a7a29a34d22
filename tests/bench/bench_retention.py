"""Whether retention keeps pace with what is recorded.

At 1 Gbit/s blocks of five minutes and 4 Mbit/s (150 MB) come at 0.84 a second, blocks of ten
seconds (5 MB) at 25. A disk of many small blocks is made, and the chore removes some thousands of
them as on a disk that stays full; the yardstick then unlinks as many files of the same disk,
without index, syncs or order. Freeing the extents of large files is the file system's work in both,
and is not in the figures. Then an index of very many recordings, of which the older half is locked,
is searched for what may go. Run it with::

    python -m tests.bench.bench_retention [--blocks 20000] [--recordings 200000] [--folder .]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from axis_nvr.storage.files import Files, Space
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import INDEX_NAME
from axis_nvr.storage.retention.candidates import Hunt
from axis_nvr.storage.retention.chore import Retention
from axis_nvr.storage.retention.policy import Rules
from tests.bench.disk_of_blocks import Shape, make_disk, make_event_index

GIGABIT_BYTES = 125_000_000
LARGE_BYTES, SMALL_BYTES = 150_000_000, 5_000_000


class FullFiles(Files):
    """The real disk, which says that it is full until so many blocks were removed.

    :ivar left: how many are to go still.
    """

    def __init__(self, blocks: int) -> None:
        self.left = blocks

    def remove(self, path: Path) -> None:
        """See `axis_nvr.storage.files.IFiles`."""
        super().remove(path)
        self.left -= path.suffix == ".mkv"

    def space(self, path: Path) -> Space:
        """See `axis_nvr.storage.files.IFiles`: each block that goes shows as free."""
        return Space(1 << 40, (1 << 39) - max(0, self.left) * 4096)


def premises(files: Files, folder: Path) -> Premises:
    """What the chore works with."""
    index = Index.open(files, folder / INDEX_NAME, 0)
    return Premises(cast(Any, files), folder, index, time.time, frozenset)


def remove_by_retention(folder: Path, blocks: int) -> None:
    """Have the chore remove the oldest blocks."""
    files = FullFiles(blocks)
    work = premises(files, folder)
    retention = Retention(work, Rules(level_percent=50))
    steps, began, cpu = [], time.perf_counter(), time.process_time()
    while files.left > 0:
        before = time.perf_counter()
        retention.step()
        steps.append(time.perf_counter() - before)
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    work.index.close()
    rate = blocks / seconds
    print(f"retention: {blocks} blocks in {seconds:.1f} s, {rate:.0f} a second")
    print(f"  CPU {1e6 * spent / blocks:.0f} us a block")
    print(f"  step: median {1000 * statistics.median(steps):.1f} ms, worst {1000 * max(steps):.0f}")
    for size, words in ((LARGE_BYTES, "150 MB"), (SMALL_BYTES, "5 MB")):
        print(f"  blocks of {words}: {rate * size / GIGABIT_BYTES:.1f} x 1 Gbit/s (budget: 1)")


def unlink_bare(folder: Path, blocks: int) -> None:
    """Unlink as many blocks, as they come."""
    found = sorted(folder.rglob("*.mkv"))[:blocks]
    began, cpu = time.perf_counter(), time.process_time()
    for path in found:
        os.unlink(path)
        os.unlink(path.with_suffix(".xml"))
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"bare unlink: {len(found)} blocks in {seconds:.1f} s, {len(found) / seconds:.0f} a second"
    )
    print(f"  CPU {1e6 * spent / len(found):.0f} us a block")


def search_behind_locks(folder: Path, recordings: int) -> None:
    """Look for the oldest block that is not locked, when half of all are."""
    index = Index.open(Files(), folder / INDEX_NAME, 0)
    with index.transaction():
        index.execute(
            "INSERT INTO nvr_locks SELECT 't' || id, id, NULL, NULL, 'bench', 'bench', 0"
            " FROM recordings WHERE id <= ?",
            recordings // 2,
        )
    hunt = Hunt(index)
    for words in ("first", "second"):
        pages, worst, began = 0, 0.0, time.perf_counter()
        before = began
        for page in hunt.oldest():
            pages += 1
            worst, before = max(worst, time.perf_counter() - before), time.perf_counter()
            if page:
                break
        seconds = time.perf_counter() - began
        print(
            f"{words} search behind {recordings // 2} locked recordings: {1000 * seconds:.1f} ms,"
            f" {pages} pages, worst {1000 * worst:.1f} ms"
        )
    index.close()


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--recordings", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where the disks are made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        disk, events = Path(name) / "disk", Path(name) / "events"
        make_disk(disk, Shape(arguments.blocks))
        print(f"a disk of {arguments.blocks} blocks", flush=True)
        remove_by_retention(disk, arguments.blocks // 4)
        unlink_bare(disk, arguments.blocks // 4)
        make_event_index(events, arguments.recordings)
        search_behind_locks(events, arguments.recordings)


if __name__ == "__main__":
    main()
