"""What it costs to have the groups of 64 cameras durable, in three views.

=========  =====================================================================================
schemes    64 groups of 1 MiB at once, by each way to sync them: how long the batch takes
paced      64 cameras of 4 Mbit/s, each group handed over when it is due: from then to durable,
           the bare ways and the storage itself with its thread, XML and index
service    the same 64 cameras through the whole recorder, sent as RTP: is anything lost?
=========  =====================================================================================

The yardstick of each is the plainest program, a loop of write and fdatasync, on the same disk in
the same run; the ways take turns. Run it with::

    python -m tests.bench.bench_syncs [schemes] [paced] [service] [--folder .]
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from twisted.python.failure import Failure

from axis_nvr.media.gop import Gop
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.running_recording import Recording
from tests.bench.bench_writer import GOP_US, SOUNDS, make_gop
from tests.bench.processes import start_load
from tests.bench.recorder import Recorder
from tests.bench.sync_schemes import (
    GROUP,
    PREALLOCATED,
    SCHEMES,
    Scheme,
    all_then_sync,
    on_their_way,
    one_by_one,
    whole_file_system,
)
from tests.storage.making import DETAILS, SERIAL, START_US

CAMERAS = 64
ROUNDS = 12
#: How long groups are gathered before a batch, where they are.
GATHER_SECONDS = 0.1
GOP_SECONDS = GOP_US / 1e6
PACED_SECONDS = 12.0
SERVICE_SECONDS = 20.0


@contextmanager
def open_files(parent: Path, preallocated: int = 0) -> Iterator[tuple[list[int], int]]:
    """Give as many files as cameras, and their folder, with nothing left to sync."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        flags = os.O_WRONLY | os.O_CREAT
        files = [os.open(f"{folder}/{n}", flags, 0o644) for n in range(CAMERAS)]
        files.append(os.open(folder, os.O_RDONLY))
        for fd in files[:-1] if preallocated else ():
            os.posix_fallocate(fd, 0, preallocated)
        os.sync()
        try:
            yield files[:-1], files[-1]
        finally:
            for fd in files:
                os.close(fd)


def schemes(parent: Path) -> None:
    """Let each way make a group of each camera durable, in turns, again and again."""
    times: dict[str, list[float]] = {name: [] for name in SCHEMES}
    cpu: dict[str, float] = dict.fromkeys(SCHEMES, 0.0)
    with ExitStack() as stack:
        places = {
            name: stack.enter_context(
                open_files(parent, ROUNDS * len(GROUP) if name == PREALLOCATED else 0)
            )
            for name in SCHEMES
        }
        for _ in range(ROUNDS):
            for name, scheme in SCHEMES.items():
                cpu[name] -= time.process_time()
                began = time.perf_counter()
                scheme(*places[name])
                times[name].append(time.perf_counter() - began)
                cpu[name] += time.process_time()
    print(f"{CAMERAS} groups of 1 MiB at once, {ROUNDS} times:")
    yardstick = statistics.median(times[next(iter(SCHEMES))])
    for name, taken in times.items():
        median = statistics.median(taken)
        each = 1000 * cpu[name] / len(taken) / CAMERAS
        print(
            f"  {name:40} {1000 * median:5.0f} ms, at most {1000 * max(taken):5.0f};"
            f" {median / yardstick:4.2f} of the first; CPU {each:.2f} ms for each group"
        )


def due_times(seconds: float) -> list[tuple[float, int]]:
    """Tell when which camera's group is due: each its own part of a group behind the one before."""
    rounds = int(seconds / GOP_SECONDS)
    return [
        (at * GOP_SECONDS + camera * GOP_SECONDS / CAMERAS, camera)
        for at in range(rounds)
        for camera in range(CAMERAS)
    ]


def pace(give: Callable[[int, float], None]) -> None:
    """Give each camera's group when it is due, and the moment it was due."""
    begin = time.perf_counter()
    for due, camera in due_times(PACED_SECONDS):
        time.sleep(max(0.0, begin + due - time.perf_counter()))
        give(camera, begin + due)


def paced_bare(
    parent: Path, scheme: Scheme, gather_seconds: float = 0.0
) -> tuple[list[float], int]:
    """Pace groups to a thread that takes all that wait and makes them durable by a scheme.

    :param gather_seconds: what comes so soon after the first goes with it.
    :returns: seconds from due to durable, and how many batches there were.
    """
    queue: SimpleQueue[tuple[int, float]] = SimpleQueue()
    waits: list[float] = []
    batches = 0
    groups = len(due_times(PACED_SECONDS))

    def write(files: Sequence[int], folder: int) -> None:
        nonlocal batches
        while len(waits) < groups:
            batch = [queue.get()]
            time.sleep(gather_seconds)
            while not queue.empty():
                batch.append(queue.get_nowait())
            scheme([files[camera] for camera, _ in batch], folder)
            batches += 1
            now = time.perf_counter()
            waits.extend(now - due for _, due in batch)

    with open_files(parent) as (files, folder):
        thread = threading.Thread(target=write, args=(files, folder))
        thread.start()
        pace(lambda camera, due: queue.put((camera, due)))
        thread.join()
    return waits, batches


class Inline:
    """A reactor that calls at once what another thread asks it to."""

    def callFromThread(self, f: Callable[..., object], *args: object) -> None:  # noqa: N802
        """Call it."""
        f(*args)


def paced_storage(parent: Path) -> tuple[list[float], int]:
    """Pace groups of pictures and sound to a disk as the recorder uses it.

    :returns: seconds from due to acknowledged, and how many groups were not stored.
    """
    waits: list[float] = []
    lost: list[Failure] = []
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        reactor: Any = Inline()
        disk = Disk("BENCH", Path(folder) / "disk", SERIAL, reactor=reactor)
        _wait(disk.start())
        recordings: list[Recording] = [_wait(disk.open_recording(DETAILS)) for _ in range(CAMERAS)]
        groups: dict[int, Gop] = {}

        def give(camera: int, due: float) -> None:
            before = groups.get(camera)
            start_us = START_US if before is None else before.end_us
            groups[camera] = gop = make_gop(camera, start_us, SOUNDS)
            written = recordings[camera].write(gop)
            written.addCallbacks(lambda _: waits.append(time.perf_counter() - due), lost.append)

        pace(give)
        _wait(disk.stop())
    return waits, len(lost)


def _wait(deferred: Any) -> Any:
    """Wait for what another thread brings."""
    results: SimpleQueue[Any] = SimpleQueue()
    deferred.addBoth(results.put)
    result = results.get(timeout=60)
    if isinstance(result, Failure):
        result.raiseException()
    return result


def paced(parent: Path) -> None:
    """Compare how soon a group is durable."""
    print(f"{CAMERAS} cameras of 4 Mbit/s, {PACED_SECONDS:.0f} s, from due to durable:")
    ways: dict[str, tuple[Scheme, float]] = {
        "write and fdatasync, one by one": (one_by_one, 0.0),
        "what waits: then fdatasync each": (all_then_sync, 0.0),
        "what waits: sync_file_range, fdatasync": (on_their_way, 0.0),
        "the same, gathered for 100 ms first": (on_their_way, GATHER_SECONDS),
        "what waits: one syncfs": (whole_file_system, 0.0),
    }
    for name, (scheme, gather_seconds) in ways.items():
        waits, batches = paced_bare(parent, scheme, gather_seconds)
        _tell(name, waits, f"{len(waits) / batches:.1f} groups a batch")
    waits, lost = paced_storage(parent)
    _tell("the storage: Matroska, XML, index", waits, f"{lost} groups lost")


def _tell(name: str, waits: list[float], more: str) -> None:
    ranked = sorted(waits)
    median, late = statistics.median(ranked), ranked[int(0.99 * len(ranked))]
    print(
        f"  {name:40} median {1000 * median:4.0f} ms, 99 % {1000 * late:4.0f},"
        f" at most {1000 * ranked[-1]:4.0f}; {more}"
    )


def service(parent: Path) -> None:
    """Record 64 cameras with the whole recorder."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        work = Path(folder)
        load, port = start_load(work, "--seconds", str(SERVICE_SECONDS + 20))
        recorder = Recorder(work / "nvr", work / "disk", port, CAMERAS)
        try:
            recorder.wait_until_all_play()
            time.sleep(SERVICE_SECONDS)
            status = recorder.status()
        finally:
            recorder.stop()
            load.communicate()
    counts = [it["job"]["counts"] for it in status["recordings"]]
    packets = sum(it["status"]["packets_lost"] for it in status["streams"])
    print(
        f"{CAMERAS} cameras through the whole recorder, {SERVICE_SECONDS:.0f} s:"
        f" {sum(it['written_gops'] for it in counts)} groups durable,"
        f" {sum(it['dropped_gops'] for it in counts)} dropped, {packets} packets lost"
    )


VIEWS: dict[str, Callable[[Path], None]] = {
    "schemes": schemes,
    "paced": paced,
    "service": service,
}


def main() -> None:
    """Show what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("views", nargs="*", choices=[*VIEWS, []], metavar="VIEW")
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    for name in arguments.views or VIEWS:
        VIEWS[name](arguments.folder)


if __name__ == "__main__":
    main()
