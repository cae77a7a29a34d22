"""What live viewers cost, beside recording, and beside a bare loop that writes the same bytes.

Run as ``python -m tests.bench.bench_viewers [--cameras N] [--viewers N] [--seconds N]``. The
recorder is held on one core and records all cameras, each of 4 Mbit/s paced packet by packet; its
CPU time is taken without viewers, then with them. The viewers are a process of their own that looks
at each sequence number. The yardstick then writes as many bytes in as many pictures to as many
sockets, on the same core. Each viewer's time from PLAY to its first picture is taken too.
"""

import argparse
import json
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, read_message
from tests.bench.bench_recording import Row, machine, table
from tests.bench.processes import (
    LOAD_CORES,
    MEASURED_CORES,
    cpu_seconds,
    read_line,
    resident_bytes,
    start,
    start_load,
    stop,
)
from tests.bench.recorder import Recorder

ACCOUNT = ("bench", "bench-1")
PICTURES_A_SECOND = 30
BYTES_A_SECOND = 500_000
SETTLE_SECONDS = 5.0
RECEIVE_BYTES = 1 << 18
#: An empty receiver report: a sign of life.
REPORT = b"$\1\0\x08\x80\xc9\0\1view"
#: Share of one core that the viewers may take beside recording.
BUDGET_SHARE = 0.5


@dataclass
class Viewer:
    """One client, interleaved.

    :ivar first_seconds: from PLAY to the end of the first picture.
    """

    connection: socket.socket
    url: str
    rest: bytes = b""
    cseq: int = 0
    expected: int = -1
    packets: int = 0
    lost: int = 0
    octets: int = 0
    asked: float = 0.0
    first_seconds: float = 0.0
    authenticator: Authenticator = field(
        default_factory=lambda: Authenticator(Credentials(*ACCOUNT))
    )

    def request(self, method: str, url: str, **headers: str) -> Response:
        """Send a request and wait for its response."""
        response = Response(401)
        while response.status == 401 and self.cseq < 100:
            self.cseq += 1
            fields = Headers([("CSeq", str(self.cseq)), *headers.items()])
            if answer := self.authenticator.authorization(method, url):
                fields.set("Authorization", answer)
            self.connection.sendall(encode(Request(method, url, fields)))
            while (read := read_message(self.rest)) is None:
                self.rest += self.connection.recv(RECEIVE_BYTES)
            message, end = read
            assert isinstance(message, Response)
            response, self.rest = message, self.rest[end:]
            if response.status == 401:
                self.authenticator.challenge([response.headers.get("WWW-Authenticate")])
        assert response.status == 200, response
        return response

    def play(self) -> None:
        """Begin to watch."""
        self.request("DESCRIBE", self.url)
        path, _, query = self.url.partition("?")
        transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
        reply = self.request("SETUP", f"{path}/stream=0?{query}", Transport=transport)
        session = reply.headers.get("Session").partition(";")[0]
        self.asked = time.monotonic()
        self.request("PLAY", self.url, Session=session)
        self.connection.setblocking(False)
        self.take(b"")

    def take(self, data: bytes) -> None:
        """Look at what came."""
        self.octets += len(data)
        data = self.rest + data if self.rest else data
        place, size = 0, len(data)
        while size - place >= 8:
            end = place + 4 + (data[place + 2] << 8 | data[place + 3])
            if end > size:
                break
            if data[place + 1] == 0:
                self._packet(data[place + 5], data[place + 6] << 8 | data[place + 7])
            place = end
        self.rest = data[place:]

    def _packet(self, second: int, number: int) -> None:
        if self.expected >= 0 and number != self.expected:
            self.lost += (number - self.expected) & 0xFFFF
        self.expected = (number + 1) & 0xFFFF
        self.packets += 1
        if second > 127 and not self.first_seconds:
            self.first_seconds = time.monotonic() - self.asked


def watch(port: int, count: int, cameras: int, seconds: float) -> dict[str, Any]:
    """Be the viewers: say ``ready``, then what came in so many seconds."""
    viewers = []
    selector = selectors.DefaultSelector()
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        url = f"rtsp://127.0.0.1:{port}/axis-media/media.amp?device=c{number % cameras}"
        viewers.append(Viewer(connection, url))
        if port:
            viewers[-1].play()
        selector.register(connection, selectors.EVENT_READ, viewers[-1])
        read(selector, 0.05)
    read(selector, SETTLE_SECONDS)
    print("ready", flush=True)
    for viewer in viewers:
        viewer.connection.send(REPORT)
        viewer.packets = viewer.octets = viewer.lost = 0
    read(selector, seconds)
    return {
        "packets": sum(viewer.packets for viewer in viewers),
        "octets": sum(viewer.octets for viewer in viewers),
        "lost": sum(viewer.lost for viewer in viewers),
        "least": min(viewer.octets for viewer in viewers),
        "first": sorted(viewer.first_seconds for viewer in viewers),
    }


def read(selector: selectors.BaseSelector, seconds: float) -> None:
    """Take what comes for a while."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            viewer: Viewer = key.data
            data = viewer.connection.recv(RECEIVE_BYTES)
            if not data:
                raise RuntimeError("the recorder has closed a connection")
            viewer.take(data)


def write(viewers: int, seconds: float) -> dict[str, float]:
    """Be the yardstick: write pictures to sockets that another process reads."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=viewers)
    port = listener.getsockname()[1]
    reader = start_self(LOAD_CORES, "--drain", port, viewers)
    readers = [listener.accept()[0] for _ in range(viewers)]
    picture = bytes(BYTES_A_SECOND // PICTURES_A_SECOND)
    began, used = time.monotonic(), time.process_time()
    for number in range(int(seconds * PICTURES_A_SECOND)):
        time.sleep(max(0.0, began + number / PICTURES_A_SECOND - time.monotonic()))
        for connection in readers:
            connection.sendall(picture)
    spent = time.process_time() - used
    for connection in readers:
        connection.close()
    reader.wait(10)
    return {"cpu_seconds": spent}


def drain(port: int, count: int) -> None:
    """Read from sockets until all are closed."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        selector.register(connection, selectors.EVENT_READ, connection)
    while selector.get_map():
        for key, _ in selector.select():
            if not key.data.recv(RECEIVE_BYTES):
                selector.unregister(key.data)


def start_self(cores: set[int], *arguments: object) -> subprocess.Popen[bytes]:
    """Start this module for one of its parts."""
    command = [sys.executable, "-m", "tests.bench.bench_viewers", *map(str, arguments)]
    return start(command, cores, stdout=subprocess.PIPE)


def bench(cameras: int, viewers: int, seconds: float, folder: Path) -> list[Row]:
    """Measure all of it."""
    length = 2 * seconds + 60 + viewers * 0.1
    load, port = start_load(folder, "--seconds", str(length))
    recorder = Recorder(folder / "nvr", folder / "disk", port, cameras, serve=True)
    try:
        recorder.wait_until_all_play()
        recorder.add_account(*ACCOUNT)
        time.sleep(SETTLE_SECONDS)
        pid = recorder.process.pid
        before = cpu_seconds(pid)
        time.sleep(seconds)
        recording = (cpu_seconds(pid) - before) / seconds
        alone = resident_bytes(pid)
        watching = start_self(LOAD_CORES, "--watch", recorder.rtsp_port, viewers, cameras, seconds)
        read_line(watching.stdout)
        before = cpu_seconds(pid)
        time.sleep(seconds)
        both = (cpu_seconds(pid) - before) / seconds
        grown = resident_bytes(pid) - alone
        seen = json.loads(read_line(watching.stdout))
        watching.wait(10)
    finally:
        recorder.stop()
        stop([load])
    writing = start_self(MEASURED_CORES, "--write", viewers, seconds)
    bare = json.loads(read_line(writing.stdout))["cpu_seconds"] / seconds
    writing.wait(10)
    share = both - recording
    first = seen["first"]
    rate = seen["octets"] * 8 / seconds / viewers / 1e6
    return [
        Row(
            f"{viewers} viewers of {rate:.2f} Mbit/s beside recording {cameras} cameras,"
            " share of a core",
            f"{share:.3f} (recording alone {recording:.3f}, both {both:.3f})",
            f"{bare:.3f}, a loop that writes the same bytes",
            f"{share / bare:.1f}",
            f"≤ {BUDGET_SHARE}",
        ),
        Row("packets that viewers missed", str(seen["lost"]), str(seen["packets"]), "", "0"),
        Row("memory for each viewer", f"{grown / viewers / 1024:.0f} KiB", "", "", ""),
        Row(
            "PLAY to the whole first picture",
            f"{median(first) * 1000:.1f} ms, worst {first[-1] * 1000:.1f}",
            "",
            "",
            "≤ 50 ms",
        ),
    ]


def main() -> None:
    """Be the benchmark, or one of its parts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cameras", type=int, default=16)
    parser.add_argument("--viewers", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--watch", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--drain", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watch:
        port, count, cameras, seconds = arguments.watch
        print(json.dumps(watch(int(port), int(count), int(cameras), float(seconds))), flush=True)
    elif arguments.write:
        print(json.dumps(write(int(arguments.write[0]), float(arguments.write[1]))), flush=True)
    elif arguments.drain:
        drain(*arguments.drain)
    else:
        with tempfile.TemporaryDirectory() as folder:
            rows = bench(arguments.cameras, arguments.viewers, arguments.seconds, Path(folder))
        print(machine())
        print(table(rows))


if __name__ == "__main__":
    main()
