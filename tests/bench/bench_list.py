"""What ``record/list.cgi`` costs with a million recordings: whole answers, beside the bare query.

The index that `tests.bench.bench_disk` searches too is made for it, and removed after it. An answer
is made as the server makes it, but in one thread: arguments in, the bytes of the XML out. Run it
with::

    python -m tests.bench.bench_list [--recordings 1000000] [--folder .] [--keep]
"""

import argparse
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from axis_nvr.services.accounts import Role
from axis_nvr.services.library import Library
from axis_nvr.services.recordings import Recordings
from axis_nvr.services.stream_registry import StreamRegistry
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.vapix.arguments import Arguments
from axis_nvr.vapix.call import Call
from axis_nvr.vapix.edge_storage.recording_list import RecordingList
from tests.bench.bench_disk import _BARE, Row, resident_mib, spread, table, timed
from tests.bench.disk_of_blocks import make_event_index

#: How often an answer is measured.
TIMES = 100
PAGE = f"maxnumberofresults={100}"
#: Recordings of the long list.
LONG = 100_000


class Lists:
    """Answers as the server would."""

    def __init__(self, folder: Path) -> None:
        in_thread: Any = maybeDeferred
        reactor: Any = None
        errands = {"HDD_DISK": Errands(reactor, folder, lambda name: None)}
        self.library = Library(cast(IFiles, Files()), errands, in_thread)
        self.library.disk_opened("HDD_DISK", folder)
        registry: Any = StreamRegistry([], lambda request: None)
        self._cgi = RecordingList(self.library, Recordings(registry, {}, Clock()), UTC)

    def ask(self, query: str) -> int:
        """Give the bytes of an answer."""
        sizes: list[int] = []
        failures: list[object] = []
        asked = Deferred.fromCoroutine(self._whole(query))
        asked.addCallbacks(sizes.append, failures.append)
        if not sizes:
            raise RuntimeError(f"{query}: {failures}")
        return sizes[0]

    async def _whole(self, query: str) -> int:
        arguments = Arguments(query.encode())
        call = Call("GET", "/axis-cgi/record/list.cgi", arguments, role=Role.VIEWER)
        body = (await self._cgi.list(call)).body
        if isinstance(body, bytes):
            return len(body)
        return await _size(body)


async def _size(pieces: AsyncIterator[bytes]) -> int:
    size = 0
    async for piece in pieces:
        size += len(piece)
    return size


def measure(folder: Path, recordings: int) -> Iterator[Row]:
    """Measure answers of each kind."""
    bare = sqlite3.connect(folder / "index.db")
    yardstick = spread(timed(lambda: bare.execute(_BARE).fetchall()) for _ in range(TIMES))
    bare.close()
    lists = Lists(folder)
    cases = {
        "the newest": f"recordingid=all&{PAGE}",
        "the oldest": f"recordingid=all&sortorder=ascending&{PAGE}",
        "since a time": f"starttime=2024-05-07T00:00:00Z&{PAGE}",
        "of a day": f"starttime=2024-05-09T12:00:00Z&stoptime=2024-05-10T12:00:00Z&{PAGE}",
        "of a rare rule": f"recordingid=all&eventid=continuous&{PAGE}",
        "of a rule of nearly all": f"recordingid=all&eventid=motion&{PAGE}",
        "of a source of all": f"recordingid=all&source=1&{PAGE}",
        "the page in the middle": f"recordingid=all&startatresultnumber={recordings // 2}&{PAGE}",
    }
    for name, query in cases.items():
        lists.ask(query)
        began = time.process_time()
        taken = spread(timed(lambda: lists.ask(query)) for _ in range(TIMES))  # noqa: B023
        taken += f", {1000 * (time.process_time() - began) / TIMES:.2f} ms of CPU"
        budget = "≤ 10 ms" if name == "the newest" else ""
        yield Row(
            f"100 of {recordings} recordings, {name}", taken, f"{yardstick}, bare SQL", budget
        )
    before, began = resident_mib(), time.perf_counter()
    size = lists.ask(f"recordingid=all&maxnumberofresults={LONG}")
    seconds, grown = time.perf_counter() - began, resident_mib() - before
    what = f"{LONG} recordings in one answer, {size / 1e6:.0f} MB of XML"
    yield Row(what, f"{seconds:.1f} s, memory grew by {grown:.1f} MiB", budget="memory flat")


def main() -> None:
    """Make the index, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recordings", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the index is made")
    parser.add_argument("--keep", action="store_true", help="leave the index there")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.gettempdir())
    events = folder / f"axis_nvr-bench-{arguments.recordings}-recordings"
    was_there = events.exists()
    try:
        if not was_there:
            make_event_index(events, arguments.recordings)
        print(table(measure(events, arguments.recordings)))
    finally:
        if not (arguments.keep or was_there):
            shutil.rmtree(events, ignore_errors=True)


if __name__ == "__main__":
    main()
