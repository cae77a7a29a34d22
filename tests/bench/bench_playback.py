"""What playing recordings costs: from PLAY to the first picture, and how fast it goes.

A disk of very many blocks (`tests.bench.disk_of_blocks`) is served over RTSP by a process of its
own; a client in this one plays from random moments of random recordings, over one connection each.
The yardstick is what no playback can do without, read in a thread of this process: the block of a
moment looked up in the index, and one group of it read. Run it with::

    python -m tests.bench.bench_playback [--blocks 50000] [--folder .] [--megabytes 300]

With `--folder` a disk that `bench_disk --keep` has left there is taken, of 500 000 blocks say; by
default a smaller one is made, in about a minute. How fast ``pull=1`` goes is measured beside
``cat`` of as many bytes to a socket, on another disk.
"""

import argparse
import gc
import random
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from axis_nvr.storage.layout import utc_datetime
from axis_nvr.wire.nal import join_sample
from tests.bench.bench_disk import Premises, _drop_pages, _seek, reader, spread
from tests.bench.bench_export import GROUP_BYTES, GROUP_US, PICTURES, cat
from tests.bench.bench_recording import Row, machine, table
from tests.bench.disk_of_blocks import BLOCK_US, Shape, camera, make_disk, recordings
from tests.bench.processes import MEASURED_CORES, cpu_seconds, read_line, start, stop
from tests.storage.making import START_US, Bench, gop_of, unit
from tests.storage.reading.streams import H264, UnsyncedFiles

#: A picture of 20 kB: one NAL unit of H.264.
PICTURE = join_sample([b"\x61" + bytes([7]) * (GROUP_BYTES // PICTURES)])
#: How often a single thing is measured.
TIMES = 200
TURNS = 5
#: Who plays in time, and for how long.
CLIENTS, WATCH_SECONDS = 50, 10
RECEIVE_BYTES = 1 << 20


def serve(folder: Path) -> None:
    """Serve a disk's recordings to anybody, until the process is ended; prints the port."""
    from twisted.internet import reactor as installed_reactor

    from axis_nvr.protocols.rtsp_server import RtspServerFactory
    from axis_nvr.services.library import Library
    from axis_nvr.services.playback.presentations import FEATURES, Playbacks
    from axis_nvr.services.reading_pool import ReadingPool
    from axis_nvr.storage.errands import Errands
    from axis_nvr.storage.files import Files

    reactor: Any = installed_reactor
    pool = ReadingPool(reactor)
    pool.startService()
    library = Library(Files(), {"HDD_DISK": Errands(reactor, folder, lambda name: None)}, pool)
    library.disk_opened("HDD_DISK", folder)
    server = RtspServerFactory(reactor, Playbacks(library, reactor), options=FEATURES)
    port = reactor.listenTCP(0, server, interface="127.0.0.1")
    reactor.callWhenRunning(print, port.getHost().port, flush=True)
    gc.collect()
    gc.freeze()  # as the recorder does: a collection of all that is loaded took 60 to 180 ms here
    reactor.run()


class Client:
    """An RTSP client with one session, interleaved."""

    def __init__(self, port: int, query: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"rtsp://127.0.0.1:{port}/axis-media/media.amp?{query}"
        self.session = ""
        self._cseq = 0
        self._ask("DESCRIBE")
        head = self._ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        self.session = head.split("Session: ")[1].split(";")[0]

    def _request(self, method: str, **headers: str) -> None:
        self._cseq += 1
        headers = {"CSeq": str(self._cseq), **headers}
        if self.session:
            headers["Session"] = self.session
        lines = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
        self.socket.sendall(f"{method} {self.url} RTSP/1.0\r\n{lines}\r\n".encode())

    def _ask(self, method: str, **headers: str) -> str:
        """Ask for what brings no media; gives the head of the answer."""
        self._request(method, **headers)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        text = head.decode()
        assert " 200 " in text, text
        if "Content-Length: " in text:
            missing = int(text.split("Content-Length: ")[1].split("\r\n")[0]) - len(body)
            while missing > 0:
                missing -= len(self._receive())
        return text

    def _receive(self) -> bytes:
        data = self.socket.recv(RECEIVE_BYTES)
        assert data, "the server closed"
        return data

    def first_picture(self, **headers: str) -> float:
        """Seconds from PLAY to the last packet of the first picture."""
        began = time.perf_counter()
        self._request("PLAY", **headers)
        data = b""
        while True:
            data += self._receive()
            at = data.find(b"RTSP/1.0 ")
            while at >= 0 and (at := data.find(b"\r\n\r\n", at)) >= 0:
                if _has_picture(data, at + 4):
                    return time.perf_counter() - began
                break

    def all_of_it(self) -> tuple[float, int]:
        """Seconds from PLAY to BYE, and how many bytes came."""
        began, size, tail = time.perf_counter(), 0, b""
        self._request("PLAY")
        while b"end of the recording" not in tail:
            data = self._receive()
            size += len(data)
            tail = tail[-64:] + data
        return time.perf_counter() - began, size

    def play(self) -> None:
        """Ask for all of it, in time."""
        self._request("PLAY")

    def take(self) -> int:
        """Take what is there; gives how many bytes."""
        return len(self._receive())

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()


def _has_picture(data: bytes, at: int) -> bool:
    """Tell whether a whole picture stands among interleaved frames."""
    while at + 4 <= len(data):
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if at + 4 + size > len(data):
            return False
        if data[at + 1] == 0 and data[at + 5] & 0x80:
            return True
        at += 4 + size
    return False


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int]]:
    """A server of a disk: its port and its process."""
    command = [sys.executable, "-m", "tests.bench.bench_playback", "--serve", str(folder)]
    server = start(command, MEASURED_CORES, stdout=subprocess.PIPE)
    try:
        yield int(read_line(server.stdout)), server.pid
    finally:
        stop([server])


class Moment(NamedTuple):
    """Somewhere on the disk.

    :ivar block: the file that has it.
    """

    recording_id: str
    device: str
    clock: str
    block: Path


def moments(disk: Path, shape: Shape, chance: random.Random) -> Iterator[Moment]:
    """Give random moments, without end."""
    everything = list(recordings(shape))
    while True:
        one = chance.choice(everything)
        at = chance.choice(one.starts)
        moment_us = at + chance.randrange(BLOCK_US)
        if one.stop_us(at) is None:
            continue
        text = f"{utc_datetime(moment_us):%Y%m%dT%H%M%S.%f}Z"
        home = next(disk.glob(f"*/*/{one.recording_id}"))
        block = next(home.rglob(f"{one.block_id(at)}.mkv"))
        yield Moment(one.recording_id, camera(one.camera), f"clock={text}-", block)


def latency(disk: Path, shape: Shape) -> Iterator[Row]:
    """From PLAY to the first picture, and what is read for it at least."""
    chance = random.Random(1)
    premises = Premises(disk, disk, shape, 0, chance)
    somewhere = moments(disk, shape, chance)
    with served(disk) as (port, _), reader(disk) as index:
        for name, is_cold in (("cold", True), ("warm", False)):
            bare = spread(
                _seek(premises, index, "recording", is_cold=is_cold) for _ in range(TIMES)
            )
            kinds: dict[str, Callable[[Moment], str]] = {
                "recording": lambda one: f"recordingid={one.recording_id}",
                "device": lambda one: f"playbackdevice={one.device}",
            }
            for kind, query in kinds.items():
                taken = [
                    _play(port, query(one), one, is_cold=is_cold, **headers)
                    for one, headers in zip(somewhere, _manners(), strict=False)
                ]
                what = f"PLAY to the first picture, of a {kind}, {shape.blocks} blocks, {name}"
                yield Row(what, spread(taken), f"{bare}, index and group alone", "", "≤ 50 ms")
        yield Row(
            "seeks in one session, warm", spread(_seeks(port, disk, shape)), "", "", "≤ 50 ms"
        )


def _manners() -> list[dict[str, str]]:
    """Forward, backward, in time and not, by turns."""
    manners = [
        {},
        {"Scale": "-1.0"},
        {"Rate_Control": "no"},
        {"Rate_Control": "no", "Scale": "-1.0", "Frames": "intra"},
    ]
    return [manners[at % len(manners)] for at in range(TIMES)]


def _play(port: int, query: str, one: Moment, *, is_cold: bool, **headers: str) -> float:
    client = Client(port, query)
    if is_cold:
        _drop_pages(one.block)
    else:
        one.block.read_bytes()
    try:
        return client.first_picture(Range=one.clock, **headers)
    finally:
        client.close()


def _seeks(port: int, disk: Path, shape: Shape) -> Iterator[float]:
    """Plays from one moment after another of a recording."""
    chance = random.Random(2)
    one = chance.choice([each for each in recordings(shape) if not each.is_open])
    client = Client(port, f"recordingid={one.recording_id}")
    for _ in range(TIMES):
        at = chance.randrange(len(one.starts) * BLOCK_US) // 1_000_000
        yield client.first_picture(Range=f"npt={at}-", Immediate="yes")
    client.close()


def record(folder: Path, size_bytes: int) -> str:
    """Put a recording of 4 Mbit/s on a disk."""
    bench = Bench(str(folder), UnsyncedFiles())
    bench.disk.start()
    recording = bench.open()
    step_us = GROUP_US // PICTURES
    for number in range(size_bytes // GROUP_BYTES):
        start_us = START_US + number * GROUP_US
        units = [
            unit(start_us + at * step_us, sync=not at, data=PICTURE, form=H264)
            for at in range(PICTURES)
        ]
        bench.write(recording, gop_of(units, start_us + GROUP_US))
    bench.close(recording)
    bench.disk.stop()
    return recording.recording_id


def rate(work: Path, size_bytes: int) -> Iterator[Row]:
    """How fast a recording is fetched, and for how much CPU."""
    name = record(work / "disk", size_bytes)
    ours: list[float] = []
    theirs: list[float] = []
    length = 0
    with served(work / "disk") as (port, pid):
        same = work / "same"
        same.write_bytes(bytes(size_bytes))
        before = cpu_seconds(pid)
        for _ in range(TURNS):
            client = Client(port, f"recordingid={name}&pull=1")
            seconds, length = client.all_of_it()
            client.close()
            ours.append(length / seconds)
            theirs.append(cat(same)[0].rate)
        per_gigabyte = (cpu_seconds(pid) - before) / (TURNS * length / 1e9)
    mine, limit = statistics.median(ours), statistics.median(theirs)
    yield Row(
        "rate with pull=1", f"{mine / 1e6:.0f} MB/s", f"{limit / 1e6:.0f} MB/s, cat",
        f"{mine / limit:.2f}", "",
    )  # fmt: skip
    yield Row("CPU for a gigabyte", f"{per_gigabyte:.1f} s", "", "", "")


def in_time(work: Path) -> Iterator[Row]:
    """What it costs to play to many clients in time."""
    name = record(work / "long", 2 * GROUP_BYTES * WATCH_SECONDS)
    with served(work / "long") as (port, pid):
        clients = [Client(port, f"recordingid={name}") for _ in range(CLIENTS)]
        for client in clients:
            client.play()
        until, before, size = time.monotonic() + WATCH_SECONDS, cpu_seconds(pid), 0
        while (left := until - time.monotonic()) > 0:
            for client in select.select(clients, [], [], left)[0]:
                size += client.take()
            time.sleep(0.02)
        used = cpu_seconds(pid) - before
        for client in clients:
            client.close()
    yield Row(
        f"CPU of one core, {CLIENTS} sessions of 4 Mbit/s in time",
        f"{100 * used / WATCH_SECONDS:.0f} % for {8 * size / WATCH_SECONDS / 1e6:.0f} Mbit/s",
        "",
        "",
        "",
    )  # fmt: skip


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, help="where a disk was kept")
    parser.add_argument("--megabytes", type=int, default=300, help="to fetch with pull=1")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    shape = Shape(arguments.blocks)
    with tempfile.TemporaryDirectory(prefix="nvr-bench-") as folder:
        work = Path(folder)
        disk = (arguments.folder or work) / f"axis_nvr-bench-{arguments.blocks}-blocks"
        if not disk.exists():
            make_disk(disk, shape)
        rows = [*latency(disk, shape), *rate(work, arguments.megabytes * 1_000_000)]
        rows += in_time(work)
        if arguments.folder is None:
            shutil.rmtree(disk)
    print(machine())
    print(table(rows))


if __name__ == "__main__":
    main()
