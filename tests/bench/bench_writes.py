"""How often the storage writes, as strace counts it.

The budget: one write for each GOP, plus one for each block and minute. A cut costs three writes to
media and XML (the front of the block that ends, its XML, the XML of the one that begins; Cues go
out with the last GOP). The index takes a transaction for all that happens in an hour, each page of
it two writes. Nobody asks for recordings meanwhile. Run it with::

    python -m tests.bench.bench_writes [--cameras 16] [--minutes 60] [--spread]

A child process records under strace, each group acknowledged before the next of its camera is
given, as live cameras do. Writes are told apart by the file they go to.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from axis_nvr.media.gop import Gop
from axis_nvr.storage.files import Files
from axis_nvr.storage.jobs import WriteGop
from axis_nvr.storage.writer import DiskWriter
from tests.storage.making import DETAILS, SERIAL, START_US, Digits, unit

GOP_SECONDS = 2
BLOCK_SECONDS = 300
FRAMES = 60
FRAME_BYTES = 200
CALLS = ("write", "writev", "pwrite64", "pwritev", "pwritev2")
SYNCS = ("fdatasync", "fsync")
_LINE = re.compile(r"^\d+ +(\w+)\(\d+<([^>]*)>.* = (\d+)")


def make_gop(start_us: int) -> Gop:
    """A group of pictures."""
    step_us = GOP_SECONDS * 1_000_000 // FRAMES
    units = [
        unit(start_us + i * step_us, sync=not i, data=bytes(FRAME_BYTES)) for i in range(FRAMES)
    ]
    size = FRAMES * FRAME_BYTES
    return Gop(units, start_us, start_us + GOP_SECONDS * 1_000_000, size)


def record(folder: Path, cameras: int, minutes: int, *, is_spread: bool) -> None:
    """Record as many cameras for as long, in media time; this is what strace looks at.

    :param is_spread: they begin one after another, so that no two blocks end at the same time.
    """
    clock = [0.0]
    disk = DiskWriter(
        Files(),
        folder,
        serial=SERIAL,
        product="axis_nvr",
        zone=None,
        digits=Digits(),
        now=lambda: START_US / 1e6,
        monotonic=lambda: clock[0],
    )
    disk.start()
    recordings = [disk.open_recording(DETAILS, START_US) for _ in range(cameras)]
    for at in range(minutes * 60 // GOP_SECONDS):
        for number, recording in enumerate(recordings):
            clock[0] += GOP_SECONDS / cameras
            if is_spread and at * GOP_SECONDS < number * BLOCK_SECONDS / cameras:
                continue
            start_us = START_US + at * GOP_SECONDS * 1_000_000 + number * 100_000
            (outcome,) = disk.process([WriteGop(recording, make_gop(start_us))])
            assert outcome is None, outcome
    disk.stop()


def count(trace: Path) -> tuple[Counter[str], Counter[str]]:
    """Writes and syncs in a trace, by kind of file."""
    writes: Counter[str] = Counter()
    syncs: Counter[str] = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None or "HDD_DISK" not in match[2]:
            continue
        name = Path(match[2]).name
        kind = (
            "clusters"
            if name.endswith(".mkv") and int(match[3]) >= FRAMES * FRAME_BYTES
            else "media"
            if name.endswith(".mkv")
            else "xml"
            if ".xml" in name
            else "index"
            if name.startswith("index.db")
            else "folders"
        )
        if match[1] in CALLS:
            writes[kind] += 1
        elif match[1] in SYNCS:
            syncs[kind] += 1
    return writes, syncs


def main() -> None:
    """Run the child under strace and tell what it did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--child", type=Path)
    arguments = parser.parse_args()
    cameras, minutes = arguments.cameras, arguments.minutes
    if arguments.child:
        record(arguments.child, cameras, minutes, is_spread=arguments.spread)
        return
    if shutil.which("strace") is None:
        sys.exit("strace is not installed")
    with tempfile.TemporaryDirectory() as folder:
        trace, disk = Path(folder) / "trace", Path(folder) / "HDD_DISK"
        calls = ",".join((*CALLS, *SYNCS))
        tracer = ("strace", "-f", "-y", "-e", f"trace={calls}", "-o", str(trace))
        child = (sys.executable, "-m", "tests.bench.bench_writes", "--child", str(disk))
        amount = ["--cameras", str(cameras), "--minutes", str(minutes)]
        amount += ["--spread"] if arguments.spread else []
        subprocess.run([*tracer, *child, *amount], check=True)
        writes, syncs = count(trace)
        blocks = len(list(disk.rglob("*.mkv")))
    gops = writes["clusters"]
    print(f"{cameras} cameras, {minutes} minutes: {gops} GOPs, {blocks} blocks")
    writes["media"] += gops
    for kind in ("media", "xml", "index"):
        print(f"  {kind:6} {writes[kind]:7} writes {syncs[kind]:7} syncs")
    print(f"  folders {'':13} {syncs['folders']:7} syncs")
    extra = writes["media"] + writes["xml"] - gops
    print(f"beyond one for each GOP: {extra / blocks:.1f} for each block to media and XML,")
    print(f"  {writes['index'] / blocks:.1f} to the index, its creation included")
    print(f"budget: one for each block and minute: {minutes * cameras / blocks:.1f} for each block")


if __name__ == "__main__":
    main()
