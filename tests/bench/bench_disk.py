"""What a large disk costs: start after an unclean stop, search, seeking, work on all of it.

A disk of half a million blocks is made for it (`tests.bench.disk_of_blocks`), 64 of them left open,
and an index of a million recordings; both are removed after it. Run it with::

    python -m tests.bench.bench_disk [--blocks 500000] [--recordings 1000000] [--folder .] [--keep]

A disk that was kept is taken again. Times of a single thing are the median and the worst of many;
"cold" means that the pages of the file read were dropped from memory first.
"""

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.catalogue import count_recordings
from axis_nvr.storage.reading.cursor import Cursor
from axis_nvr.storage.reading.device_trail import DeviceTrail
from axis_nvr.storage.reading.gops import StoredGop
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.search import Search, count, find
from axis_nvr.storage.reading.trail import RecordingTrail, Trail
from axis_nvr.storage.writer import DiskWriter
from tests.bench import disk_chores
from tests.bench.disk_of_blocks import Shape, camera, make_disk, make_event_index
from tests.storage.making import SERIAL, START_US, Digits

#: How often a single thing is measured.
TIMES = 300
PAGE = 100


class Row(NamedTuple):
    """A line of the table."""

    what: str
    measured: str
    yardstick: str = ""
    budget: str = ""


@dataclass(frozen=True, slots=True)
class Premises:
    """What the measures find.

    :ivar disk: the disk of blocks.
    :ivar events: the folder of the index of many recordings.
    """

    disk: Path
    events: Path
    shape: Shape
    recordings: int
    chance: random.Random


def timed(run: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def spread(seconds: Iterable[float]) -> str:
    """Median and worst."""
    taken = [1000 * one for one in seconds]
    return f"{statistics.median(taken):.2f} ms, worst {max(taken):.2f} ms"


@contextmanager
def reader(folder: Path) -> Iterator[Index]:
    """An index opened for reading."""
    index = Index.open_read_only(Files(), folder / "index.db")
    try:
        yield index
    finally:
        index.close()


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


# What is measured.


def start(premises: Premises) -> Iterator[Row]:
    """Opening the disk as a recorder does that was killed."""
    disk = DiskWriter(
        Files(),
        premises.disk,
        serial=SERIAL,
        product="axis_nvr bench",
        zone=None,
        digits=Digits(),
        now=time.time,
        monotonic=time.monotonic,
    )
    _drop_pages(premises.disk / "index.db")
    seconds = timed(disk.start)
    disk.stop()
    yield Row(
        f"start after an unclean stop, {premises.shape.blocks} blocks,"
        f" {premises.shape.cameras} of {premises.shape.open_megabytes:.0f} MB left open",
        f"{1000 * seconds:.1f} ms",
        budget="≤ 10 s",
    )


#: The first page of all recordings, and nothing else.
_BARE = """
SELECT r.filename, r.starttime, r.stoptime, n.device FROM recordings r
JOIN nvr_recordings n ON n.recording_id = r.id ORDER BY r.starttime DESC, r.id DESC LIMIT 101
"""


def search(premises: Premises) -> Iterator[Row]:
    """Pages of an index of very many recordings."""
    middle_us = START_US + premises.recordings * 500_000
    cases = {
        "the newest": Search(),
        "of one camera": Search(device=camera(7)),
        "of a rare rule": Search(event="continuous"),
        "in a day in the middle": Search(start_us=middle_us, stop_us=middle_us + 86_400_000_000),
        "of one camera, from the middle on": Search(
            device=camera(7), start_us=middle_us, newest_first=False
        ),
    }
    with reader(premises.events) as index:
        bare = sqlite3.connect(premises.events / "index.db")
        yardstick = spread(timed(lambda: bare.execute(_BARE).fetchall()) for _ in range(TIMES))
        bare.close()
        before = resident_mib()
        for name, one in cases.items():
            taken = spread(timed(lambda: find(index, one, PAGE)) for _ in range(TIMES))  # noqa: B023
            what = f"a page of {PAGE} of {premises.recordings} recordings, {name}"
            yield Row(what, taken, f"{yardstick}, bare SQL", "≤ 10 ms")
        grown = resident_mib() - before
        yield Row("memory taken by these searches", f"{grown:.1f} MiB", budget="flat")
        taken = spread(timed(lambda: count_recordings(index)) for _ in range(20))
        yield Row("the number of all recordings", taken)
        day = cases["in a day in the middle"]
        taken = spread(timed(lambda: count(index, day)) for _ in range(20))
        yield Row(f"how many are found in a day ({count(index, day)})", taken)


def seek(premises: Premises) -> Iterator[Row]:
    """Reading the group of pictures of a moment, anywhere on the disk."""
    with reader(premises.disk) as index:
        for by in ("recording", "device"):
            for name, is_cold in (("cold", True), ("warm", False)):
                taken = spread(_seek(premises, index, by, is_cold=is_cold) for _ in range(TIMES))
                what = f"seek to a group of a {by}, {premises.shape.blocks} blocks, {name}"
                yield Row(what, taken, budget="≤ 20 ms")


def _seek(premises: Premises, index: Index, by: str, *, is_cold: bool) -> float:
    """Seconds to the first group of a moment of a camera."""
    shape, chance = premises.shape, premises.chance
    files, maps = Files(), MapCache(Files(), premises.disk)
    device = camera(chance.randrange(shape.cameras))
    trail: Trail = DeviceTrail(lambda: index, device)
    moment_us = chance.randrange(START_US + 300_000_000, shape.stop_us)
    stretch = trail.at(moment_us)
    assert stretch is not None
    if by == "recording":
        trail = RecordingTrail(lambda: index, stretch.recording_id)
    path = maps.path(stretch)
    if is_cold:
        _drop_pages(path)
    else:
        path.read_bytes()
    cursor = Cursor(files, lambda: index, trail, maps)
    began = time.perf_counter()
    cursor.seek(moment_us)
    gop = cursor.next_gop()
    seconds = time.perf_counter() - began
    assert isinstance(gop, StoredGop)
    assert gop.units
    assert gop.start_us <= moment_us
    return seconds


def _drop_pages(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def chores(premises: Premises) -> Iterator[Row]:
    """Work on the whole disk: see `tests.bench.disk_chores`."""
    small, blocks = premises.disk.with_name("axis_nvr-bench-rebuild"), premises.shape.blocks // 25
    try:
        make_disk(small, Shape(blocks))
        for words, measured in (
            *disk_chores.checking(premises.disk),
            *disk_chores.removal(premises.disk),
            *disk_chores.rebuild(small, blocks),
        ):
            yield Row(words, measured)
    finally:
        shutil.rmtree(small, ignore_errors=True)


def repair(premises: Premises) -> Iterator[Row]:
    """Closing the blocks that were left open."""
    yield from (Row(words, measured) for words, measured in disk_chores.repair(premises.disk))


#: What is measured, in this order; what removes something comes last.
MEASURES: list[Callable[[Premises], Iterator[Row]]] = [start, repair, search, seek, chores]


def table(rows: Iterable[Row]) -> str:
    """The rows as the documentation has them."""
    lines = ["| What | Measured | Yardstick | Budget |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _make(name: str, folder: Path, make: Callable[[], Any]) -> None:
    if folder.exists():
        print(f"{name}: taken from before")
        return
    print(f"{name}: made in {timed(make):.0f} s", flush=True)


def main() -> None:
    """Make what is measured, measure it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=500_000)
    parser.add_argument("--recordings", type=int, default=1_000_000)
    parser.add_argument("--open-megabytes", type=float, default=32.0)
    parser.add_argument("--folder", type=Path, help="where the disks are made")
    parser.add_argument("--keep", action="store_true", help="leave the disks there")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.gettempdir())
    shape = Shape(arguments.blocks, open_megabytes=arguments.open_megabytes)
    disk = folder / f"axis_nvr-bench-{arguments.blocks}-blocks"
    events = folder / f"axis_nvr-bench-{arguments.recordings}-recordings"
    try:
        _make("disk", disk, lambda: make_disk(disk, shape))
        _make("index", events, lambda: make_event_index(events, arguments.recordings))
        premises = Premises(disk, events, shape, arguments.recordings, random.Random(1))
        rows = []
        for measure in MEASURES:
            for row in measure(premises):
                rows.append(row)
                print(f"{row.what}: {row.measured}", flush=True)
        print(table(rows))
    finally:
        if not arguments.keep:
            shutil.rmtree(disk, ignore_errors=True)
            shutil.rmtree(events, ignore_errors=True)


if __name__ == "__main__":
    main()
