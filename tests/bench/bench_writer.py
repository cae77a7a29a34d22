"""What the storage costs beyond the writing itself.

The writer stores groups of 1 MB from sixteen cameras (60 pictures each, and with ``--sound`` 100
sounds), a batch of all cameras at a time; the yardsticks write the same bytes to as many plain
files, with and without their CRC-32. All take turns on the same file system; with ``--no-sync``
nothing is synced, so that in ``/dev/shm`` what is left is code. CPU of one thread, the best and the
median batch. Run it with::

    python -m tests.bench.bench_writer [--gigabytes 2] [--folder .] [--sound]
    python -m tests.bench.bench_writer --no-sync --folder /dev/shm
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from axis_nvr.media.gop import Gop
from axis_nvr.storage.files import Files
from axis_nvr.storage.jobs import WriteGop
from axis_nvr.storage.writer import DiskWriter
from axis_nvr.wire.crc32 import crc32
from tests.storage.making import AUDIO, DETAILS, SERIAL, START_US, Digits, unit

CAMERAS = 16
FRAMES, FRAME_BYTES = 60, 16_800
SOUNDS, SOUND_BYTES = 100, 160
GOP_US = 2_000_000
#: A sound comes so much later than the picture of the same moment, in microseconds.
LATE_US = 100_000

PICTURES = [[random.randbytes(FRAME_BYTES) for _ in range(FRAMES)] for _ in range(CAMERAS)]
SOUND = random.randbytes(SOUND_BYTES)


class FreeSync(Files):
    """A disk of which syncing costs nothing."""

    def sync(self, fd: int) -> None:
        """Do nothing."""

    def sync_folder(self, path: Path) -> None:
        """Do nothing."""

    def start_writing(self, fd: int) -> None:
        """Do nothing."""


def make_gop(camera: int, start_us: int, sounds: int) -> Gop:
    """A group as a camera of 4 Mbit/s sends it."""
    units = [
        unit(start_us + at * GOP_US // FRAMES, sync=not at, data=data)
        for at, data in enumerate(PICTURES[camera % CAMERAS])
    ]
    units += [
        unit(start_us + at * GOP_US // SOUNDS, track=1, sync=True, data=SOUND, form=AUDIO)
        for at in range(sounds)
    ]
    units.sort(key=lambda u: u.utc_us + LATE_US * u.track)
    return Gop(units, start_us, start_us + GOP_US, sum(len(u.data) for u in units))


def store(folder: Path, rounds: int, sounds: int, files: Files) -> list[float]:
    """Store groups with the writer; CPU seconds of each batch."""
    disk = DiskWriter(
        files,
        folder,
        serial=SERIAL,
        product="axis_nvr",
        zone=None,
        digits=Digits(),
        now=time.time,
        monotonic=time.monotonic,
    )
    disk.start()
    recordings = [disk.open_recording(DETAILS, START_US) for _ in range(CAMERAS)]
    spent = []
    for at in range(rounds):
        gops = [make_gop(camera, START_US + at * GOP_US, sounds) for camera in range(CAMERAS)]
        jobs = [WriteGop(recording, gop) for recording, gop in zip(recordings, gops, strict=True)]
        before = time.thread_time()
        disk.process(jobs)
        spent.append(time.thread_time() - before)
    disk.stop()
    return spent


def write_plainly(
    folder: Path, rounds: int, sounds: int, files: Files, *, is_checked: bool
) -> list[float]:
    """Write and sync as many bytes to as many files; CPU seconds of each batch."""
    folder.mkdir()
    fds = [files.create(folder / str(camera)) for camera in range(CAMERAS)]
    groups = [make_gop(camera, START_US, sounds) for camera in range(CAMERAS)]
    pieces = [[piece for it in gop.units for piece in (bytes(9), it.data)] for gop in groups]
    spent = []
    for _ in range(rounds):
        before = time.thread_time()
        for fd, group in zip(fds, pieces, strict=True):
            check = 0
            for piece in group if is_checked else ():
                check = crc32(piece, check)
            files.writev(fd, group)
        for fd in fds:
            files.sync(fd)
        spent.append(time.thread_time() - before)
    for fd in fds:
        files.close(fd)
    return spent


def main() -> None:
    """Let all take turns and tell what each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", default=".")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sound", action="store_true")
    parser.add_argument("--no-sync", action="store_true")
    arguments = parser.parse_args()
    sounds = SOUNDS if arguments.sound else 0
    batch_bytes = CAMERAS * (FRAMES * FRAME_BYTES + sounds * SOUND_BYTES)
    rounds = max(2, round(arguments.gigabytes * 1e9 / batch_bytes))
    ways: dict[str, Callable[[Path, int, int, Files], list[float]]] = {
        "storage": store,
        "CRC-32 and write": partial(write_plainly, is_checked=True),
        "write": partial(write_plainly, is_checked=False),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.turns):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                files = FreeSync() if arguments.no_sync else Files()
                spent[name] += way(Path(folder) / "disk", rounds, sounds, files)[1:]
    for name, batches in spent.items():
        best, middle = min(batches), median(batches)
        each = best / CAMERAS / FRAMES, middle / CAMERAS / FRAMES
        print(
            f"{name:18} {best / batch_bytes * 1e9:6.2f} CPU s/GB, median"
            f" {middle / batch_bytes * 1e9:6.2f}; {each[0] * 1e6:6.2f} us a picture, median"
            f" {each[1] * 1e6:6.2f}"
        )


if __name__ == "__main__":
    main()
