"""What the storage costs beyond the writing itself.

The writer stores groups of 1 MB from sixteen cameras (60 pictures and 100 sounds each), a batch of
all cameras at a time; the yardstick writes and syncs the same bytes to as many plain files. Both
take turns on the same file system. Run it with::

    python -m tests.bench.bench_writer [--gigabytes 2] [--folder .]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from axis_nvr.media.gop import Gop
from axis_nvr.storage.files import Files
from axis_nvr.storage.jobs import WriteGop
from axis_nvr.storage.writer import DiskWriter
from tests.storage.making import AUDIO, DETAILS, SERIAL, START_US, Digits, unit

CAMERAS = 16
FRAMES, FRAME_BYTES = 60, 16_000
SOUNDS, SOUND_BYTES = 100, 160
GOP_US = 2_000_000


def make_gop(start_us: int, picture: bytes, sound: bytes) -> Gop:
    """A group as a camera of 4 Mbit/s sends it."""
    units = [unit(start_us + i * GOP_US // FRAMES, sync=not i, data=picture) for i in range(FRAMES)]
    units += [
        unit(start_us + i * GOP_US // SOUNDS, track=1, sync=True, data=sound, form=AUDIO)
        for i in range(SOUNDS)
    ]
    units.sort(key=lambda u: u.utc_us)
    return Gop(units, start_us, start_us + GOP_US, FRAMES * FRAME_BYTES + SOUNDS * SOUND_BYTES)


def store(folder: Path, rounds: int) -> float:
    """Store groups with the writer; CPU seconds of the storing alone."""
    disk = DiskWriter(
        Files(),
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
    picture, sound = os.urandom(FRAME_BYTES), os.urandom(SOUND_BYTES)
    spent = 0.0
    for at in range(rounds):
        gops = [make_gop(START_US + at * GOP_US, picture, sound) for _ in recordings]
        before = time.process_time()
        disk.process([WriteGop(r, gop) for r, gop in zip(recordings, gops, strict=True)])
        spent += time.process_time() - before
    before = time.process_time()
    disk.stop()
    return spent + time.process_time() - before


def write_plainly(folder: Path, rounds: int) -> float:
    """Write and sync as many bytes to as many files; CPU seconds."""
    folder.mkdir()
    data = os.urandom(FRAMES * FRAME_BYTES + SOUNDS * SOUND_BYTES)
    flags = os.O_WRONLY | os.O_CREAT
    fds = [os.open(folder / str(at), flags, 0o644) for at in range(CAMERAS)]
    before = time.process_time()
    for _ in range(rounds):
        for fd in fds:
            os.write(fd, data)
        for fd in fds:
            os.fdatasync(fd)
    spent = time.process_time() - before
    for fd in fds:
        os.close(fd)
    return spent


def main() -> None:
    """Let both take turns and tell what each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--folder", default=".")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    gop_bytes = FRAMES * FRAME_BYTES + SOUNDS * SOUND_BYTES
    rounds = max(1, round(arguments.gigabytes * 1e9 / gop_bytes / CAMERAS))
    gigabytes = rounds * CAMERAS * gop_bytes / 1e9
    ways: list[tuple[str, Callable[[Path, int], float]]] = [
        ("storage", store),
        ("plain write and fdatasync", write_plainly),
    ]
    for turn in range(arguments.turns):
        for name, way in ways:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                began = time.perf_counter()
                spent = way(Path(folder) / "disk", rounds)
                wall = time.perf_counter() - began
            print(
                f"{turn + 1}. {name:26} {spent / gigabytes:6.2f} CPU s/GB"
                f" {gigabytes * 1000 / wall:7.0f} MB/s"
            )


if __name__ == "__main__":
    main()
