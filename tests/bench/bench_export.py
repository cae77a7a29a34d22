"""What an export costs, beside `cat` of the same bytes to a socket.

Run as ``python -m tests.bench.bench_export [--gigabytes N]``. A recording of five-minute blocks at
4 Mbit/s is put on a disk and served by a process of its own over HTTP on the loopback; the client
is in this process, and takes what comes. The yardstick is ``cat`` of the very file that was
exported, given a socket as its output. All turns alternate; the median of each counts.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.bench_recording import Row, machine, table
from tests.bench.processes import MEASURED_CORES, read_line, start, stop
from tests.storage.making import START_US, Bench, gop_of, unit
from tests.storage.reading.streams import H264, UnsyncedFiles

#: A group of two seconds at 4 Mbit/s: fifty pictures.
PICTURES = 50
GROUP_BYTES = 1_000_000
GROUP_US = 2_000_000
TURNS = 7
RECEIVE_BYTES = 1 << 20


class Turn(NamedTuple):
    """One transfer: seconds to the first byte of the body, and bytes a second."""

    first: float
    rate: float


def record(folder: Path, size_bytes: int) -> str:
    """Put a recording on a disk."""
    bench = Bench(str(folder), UnsyncedFiles())
    bench.disk.start()
    recording = bench.open()
    size = GROUP_BYTES // PICTURES
    data = [bytes([at]) * size for at in range(PICTURES)]
    for number in range(size_bytes // GROUP_BYTES):
        start_us = START_US + number * GROUP_US
        step_us = GROUP_US // PICTURES
        units = [
            unit(start_us + at * step_us, sync=not at, data=data[at], form=H264)
            for at in range(PICTURES)
        ]
        bench.write(recording, gop_of(units, start_us + GROUP_US))
    bench.close(recording)
    bench.disk.stop()
    return recording.recording_id


def serve(folder: Path) -> None:
    """Serve exports of a disk to anybody, until the process is ended; prints the port."""
    from twisted.internet import reactor as installed_reactor

    from axis_nvr.services.certificate import export_certificate
    from axis_nvr.services.export.jobs import ExportJobs
    from axis_nvr.services.export_seal import Sealer
    from axis_nvr.services.exporting import Exports, Maker
    from axis_nvr.services.library import Library
    from axis_nvr.services.reading_pool import ReadingPool
    from axis_nvr.storage.errands import Errands
    from axis_nvr.storage.files import Files
    from axis_nvr.vapix.edge_storage.exporting import ExportCgis
    from axis_nvr.vapix.server import HttpServer
    from tests.vapix.serving import House

    reactor: Any = installed_reactor
    pool = ReadingPool(reactor)
    pool.startService()
    library = Library(Files(), {"HDD_DISK": Errands(reactor, folder, lambda name: None)}, pool)
    library.disk_opened("HDD_DISK", folder)
    house = House(str(folder.parent / "house"))
    house.set_up()
    sealer = Sealer(export_certificate(house.state, "ACCC8E012345"))
    exports = Exports(Files(), library, Maker("bench", "ACCC8E012345", lambda: sealer))
    served = ExportCgis(exports, ExportJobs(Files(), exports, {}), house.audit).endpoints()
    site = HttpServer(house.door, [replace(each, role=None) for each in served]).site()
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    reactor.callWhenRunning(print, port.getHost().port, flush=True)
    reactor.run()


def receive(connection: socket.socket, begun: float, *, skip_head: bool) -> tuple[Turn, int]:
    """Take everything."""
    buffer = bytearray(RECEIVE_BYTES)
    size, first, head = 0, 0.0, b""
    while count := connection.recv_into(buffer):
        if skip_head:
            head += buffer[:count]
            end = head.find(b"\r\n\r\n")
            if end < 0 or len(head) == end + 4:
                continue
            skip_head, count = False, len(head) - end - 4
        first = first or time.perf_counter() - begun
        size += count
    return Turn(first, size / (time.perf_counter() - begun)), size


def export(port: int, name: str, form: str, more: str = "") -> tuple[Turn, int]:
    """Export a recording."""
    path = f"/axis-cgi/record/export/exportrecording.cgi?schemaversion=1&recordingid={name}"
    path += f"&diskid=HDD_DISK&exportformat={form}{more}"
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: nvr\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        return receive(connection, begun, skip_head=True)


def cat(path: Path) -> tuple[Turn, int]:
    """Let cat send a file to a socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = time.perf_counter()
        with socket.create_connection(server.getsockname()) as far, server.accept()[0] as near:
            process = start(["cat", str(path)], MEASURED_CORES, stdout=far.fileno())
            far.close()
            turn = receive(near, begun, skip_head=False)
        process.wait()
        return turn


def measure(work: Path, size_bytes: int) -> list[Row]:
    """Let exports and cat take turns."""
    name = record(work / "disk", size_bytes)
    command = [sys.executable, "-m", "tests.bench.bench_export", "--serve", str(work / "disk")]
    server = start(command, MEASURED_CORES, stdout=subprocess.PIPE)
    try:
        port = int(read_line(server.stdout))
        cold, length = export(port, name, "matroska")
        same = work / "same"
        same.write_bytes(bytes(length))
        kinds: dict[str, Callable[[], tuple[Turn, int]]] = {
            "cat": lambda: cat(same),
            "Matroska": lambda: export(port, name, "matroska"),
            "MP4, signed": lambda: export(port, name, "mp4"),
            "Matroska in a ZIP, AES-256": lambda: export(
                port, name, "matroska", "&encryptionformat=zip-aes256&password=secret"
            ),
        }
        turns: dict[str, list[Turn]] = {kind: [] for kind in kinds}
        for _ in range(TURNS):
            for kind, run in kinds.items():
                turns[kind].append(run()[0])
    finally:
        stop([server])
    limit = statistics.median(turn.rate for turn in turns.pop("cat"))
    rows = [Row("first byte, first time", f"{cold.first * 1000:.0f} ms", "", "", "≤ 50 ms")]
    for kind, taken in turns.items():
        first = statistics.median(turn.first for turn in taken)
        rate = statistics.median(turn.rate for turn in taken)
        is_ours = kind == "Matroska"
        rows.append(Row(f"first byte, {kind}", f"{first * 1000:.0f} ms", "", "", "≤ 50 ms"))
        figure, yardstick = f"{rate / 1e6:.0f} MB/s", f"{limit / 1e6:.0f} MB/s, cat"
        ratio = f"{rate / limit:.2f}"
        rows.append(Row(f"rate, {kind}", figure, yardstick, ratio, "≥ 0.6" if is_ours else ""))
    return rows


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=0.6, help="to export (default: 0.6)")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    with tempfile.TemporaryDirectory(prefix="nvr-bench-") as folder:
        rows = measure(Path(folder), int(arguments.gigabytes * 1e9))
    print(machine())
    print(table(rows))


if __name__ == "__main__":
    main()
