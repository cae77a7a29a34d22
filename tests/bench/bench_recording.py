"""What recording costs, each figure beside its yardstick.

Run as ``python -m tests.bench.bench_recording [NAME ...]``; without names all of them:

=========  ======================================================================================
many       CPU for each GB of 16 cameras sent packet by packet, against 16 ffmpeg processes
core       256 cameras on one core: is anything lost?
flood      CPU for each GB of a stream as fast as it comes, against a loop of recv and write:
           pictures of 17 KB, and of 125 KB as a 4K camera sends them
memory     resident memory beyond the GOPs in buffers, from the runs of many and core
=========  ======================================================================================
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import (
    MEASURED_CORES,
    cpu_seconds,
    read_line,
    resident_bytes,
    start,
    start_load,
    stop,
)
from tests.bench.recorder import Recorder
from tests.bench.stream import CAMERAS, Camera

GIGABYTE = 1e9
MEBIBYTE = 1024 * 1024
#: Streams settle for so long before the measured window begins, in seconds.
SETTLE_SECONDS = 8.0
WINDOW_SECONDS = 20.0
BIT_RATE = 4_000_000
#: The size of a flooded stream, in bytes.
FLOOD_BYTES = 1_000_000_000
#: Recorder and yardstick take turns as often as this; the best of each counts.
FLOOD_TURNS = 3
FLOOD_DELAY_SECONDS = 6.0
#: How long memory is looked at, in seconds, and how often: two groups of each camera.
MEMORY_SECONDS = 4.0
MEMORY_SAMPLES = 16
#: A file system in memory: what the disk costs is left out on both sides.
MEMORY_DISK = Path("/dev/shm")


class Row(NamedTuple):
    """One line of the table."""

    what: str
    figure: str
    yardstick: str
    ratio: str
    budget: str


class Window(NamedTuple):
    """What a process did in the measured seconds."""

    cpu: float
    gigabytes: float
    resident: int
    in_gops: int
    status: dict[str, Any]
    sent: dict[str, Any]


def record(work: Path, cameras: int) -> Window:
    """Record so many cameras, and measure a window of it."""
    seconds = SETTLE_SECONDS + WINDOW_SECONDS + 10 + cameras / 32
    load, port = start_load(work, "--seconds", str(seconds))
    recorder = Recorder(work / f"nvr-{cameras}", work / f"disk-{cameras}", port, cameras)
    try:
        recorder.wait_until_all_play()
        time.sleep(SETTLE_SECONDS)
        pid = recorder.process.pid
        cpu, begun = cpu_seconds(pid), time.monotonic()
        time.sleep(WINDOW_SECONDS)
        cpu, elapsed = cpu_seconds(pid) - cpu, time.monotonic() - begun
        status = recorder.status()
        resident, in_gops = highest_memory(recorder)
    finally:
        recorder.stop()
        sent = load.communicate()[0]
    gigabytes = cameras * BIT_RATE / 8 * elapsed / GIGABYTE
    return Window(cpu, gigabytes, resident, in_gops, status, json.loads(sent))


def highest_memory(recorder: Recorder) -> tuple[int, int]:
    """Tell the most that is resident, and the most bytes that groups take, over some seconds.

    All cameras of the load begin their groups at the same moment: from one second to the next the
    groups go from nothing to a megabyte for each camera and back, and malloc keeps the pages for
    the next ones. So the two are compared where they are highest, not at one moment.
    """
    resident = in_gops = 0
    for _ in range(MEMORY_SAMPLES):
        time.sleep(MEMORY_SECONDS / MEMORY_SAMPLES)
        status = recorder.status()
        buffers = [it["buffer"] for it in status["streams"]]
        held = sum(it["open_bytes"] + it["held_bytes"] for it in buffers)
        under_way = sum(it["job"]["under_way_bytes"] for it in status["recordings"])
        in_gops = max(in_gops, held + under_way)
        resident = max(resident, resident_bytes(recorder.process.pid))
    return resident, in_gops


def copy_with_ffmpeg(work: Path, cameras: int) -> float:
    """Copy so many cameras into Matroska with an ffmpeg each; CPU seconds for each GB."""
    load, port = start_load(work, "--seconds", str(SETTLE_SECONDS + WINDOW_SECONDS + 5))
    command = ["ffmpeg", "-y", "-v", "error", "-rtsp_transport", "tcp", "-i"]
    processes = [
        start(
            [*command, f"rtsp://127.0.0.1:{port}/{n}", "-c", "copy", str(work / f"copy-{n}.mkv")],
            MEASURED_CORES,
            stdin=subprocess.DEVNULL,
        )
        for n in range(cameras)
    ]
    time.sleep(SETTLE_SECONDS)
    cpu, begun = sum(cpu_seconds(it.pid) for it in processes), time.monotonic()
    time.sleep(WINDOW_SECONDS)
    cpu = sum(cpu_seconds(it.pid) for it in processes) - cpu
    gigabytes = cameras * BIT_RATE / 8 * (time.monotonic() - begun) / GIGABYTE
    stop(processes)
    load.communicate()
    return cpu / gigabytes


def many(work: Path) -> list[Row]:
    """16 cameras against 16 ffmpeg."""
    ours = record(work, 16)
    theirs = copy_with_ffmpeg(work, 16)
    figure = ours.cpu / ours.gigabytes
    return [
        Row(
            "CPU for each GB, 16 cameras of 4 Mbit/s",
            f"{figure:.2f} s",
            f"{theirs:.1f} s, 16 × ffmpeg",
            f"{figure / theirs:.3f}",
            "≤ 0.15",
        ),
        memory(ours, 16),
    ]


def core(work: Path) -> list[Row]:
    """256 cameras on one core."""
    ours = record(work, 256)
    lost = sum(it["status"]["packets_lost"] for it in ours.status["streams"])
    dropped = sum(it["job"]["counts"]["dropped_gops"] for it in ours.status["recordings"])
    rates = [it["status"]["fps"] for it in ours.status["streams"]]
    return [
        Row(
            "cameras of 4 Mbit/s on one core, nothing lost",
            f"256: {ours.cpu / WINDOW_SECONDS:.0%} of it; {lost} packets and {dropped} GOPs lost",
            f"one core; load late {ours.sent['blocked']} times, {min(rates):.1f} fps at least",
            f"{ours.cpu / WINDOW_SECONDS:.2f}",
            "256, ≤ 1.00",
        ),
        memory(ours, 256),
    ]


def memory(run: Window, cameras: int) -> Row:
    """What is resident beyond the GOPs that are open, held or on their way to the disk."""
    allowed = 64 * MEBIBYTE + cameras * 256 * 1024
    used = run.resident - run.in_gops
    return Row(
        f"memory, {cameras} cameras",
        f"{used / MEBIBYTE:.0f} MiB + {run.in_gops / MEBIBYTE:.0f} MiB in GOPs",
        f"64 MiB + {cameras} × 256 KiB",
        f"{used / allowed:.2f}",
        "≤ 1.00",
    )


def flood(work: Path) -> list[Row]:
    """One stream as fast as it comes, against recv and write: small pictures, and large ones."""
    return [flood_of(work, name, camera) for name, camera in CAMERAS.items()]


def flood_of(work: Path, name: str, camera: Camera) -> Row:
    """The stream of one camera as fast as it comes; recorder and yardstick take turns."""
    seconds = FLOOD_BYTES * 8 / camera.bit_rate
    load = ["--camera", name, "--flood", "--delay", str(FLOOD_DELAY_SECONDS)]
    load += ["--seconds", str(seconds)]
    ours, limit = [], []
    for turn in range(FLOOD_TURNS):
        ours.append(flood_recorder(work / f"flood-{name}-{turn}", work, load))
        limit.append(flood_loop(work, load))
    picture = camera.bit_rate // 8 // camera.frame_rate // 1000
    return Row(
        f"CPU for each GB, one stream as fast as it comes, pictures of {picture} KB",
        f"{min(ours):.2f} s",
        f"{min(limit):.2f} s, recv and write",
        f"{min(ours) / min(limit):.2f}",
        "≤ 1.6",
    )


def flood_recorder(folder: Path, work: Path, arguments: list[str]) -> float:
    """CPU seconds that the recorder uses for each GB it has written."""
    load, port = start_load(work, *arguments)
    disk = Path(tempfile.mkdtemp(dir=MEMORY_DISK))
    recorder = Recorder(folder, disk, port, 1)
    try:
        recorder.wait_until_all_play()
        cpu = cpu_seconds(recorder.process.pid)
        load.communicate()
        time.sleep(1.0)
        status = recorder.wait(lambda it: not it["recordings"][0]["job"]["under_way_gops"], 30)
        cpu = cpu_seconds(recorder.process.pid) - cpu
    finally:
        recorder.stop()
        shutil.rmtree(disk)
    counts = status["recordings"][0]["job"]["counts"]
    if dropped := counts["dropped_gops"]:
        print(f"flood: {dropped} GOPs were dropped on their way to the disk", flush=True)
    return float(cpu / (counts["written_bytes"] / GIGABYTE))


def flood_loop(work: Path, arguments: list[str]) -> float:
    """CPU seconds that a loop of recv and write uses for each GB."""
    load, port = start_load(work, *arguments)
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK) as disk:
        url = f"rtsp://127.0.0.1:{port}/0"
        command = [sys.executable, "-m", "tests.bench.read_write", url, f"{disk}/out"]
        process = start(command, MEASURED_CORES, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        read_line(process.stdout)
        cpu = cpu_seconds(process.pid)
        sent = json.loads(load.communicate()[0])
        time.sleep(1.0)
        cpu = cpu_seconds(process.pid) - cpu
        process.communicate()
    return float(cpu / (sent["octets"] / GIGABYTE))


BENCHMARKS: dict[str, Callable[[Path], list[Row]]] = {"many": many, "core": core, "flood": flood}


@contextmanager
def work_folder(given: Path | None) -> Iterator[Path]:
    """Give a folder on a real disk, and remove it at the end unless it was chosen."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="nvr-bench-") as folder:
        yield Path(folder)


def machine() -> str:
    """Name the machine and the moment."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    today = datetime.now(UTC).date()
    return f"{today}, {cpu}, {os.cpu_count()} cores, Python {platform.python_version()}"


def table(rows: list[Row]) -> str:
    """Write rows as Markdown."""
    lines = [Row("what", "measured", "yardstick", "ratio", "budget"), Row(*["---"] * 5), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Run what is asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where to record; kept (default: a new one)")
    arguments = parser.parse_args()
    with work_folder(arguments.folder) as folder:
        rows = []
        for name in arguments.names or BENCHMARKS:
            rows += BENCHMARKS[name](folder)
            print(f"{name}: done", file=sys.stderr, flush=True)
    print(machine())
    print(table(rows))


if __name__ == "__main__":
    main()
