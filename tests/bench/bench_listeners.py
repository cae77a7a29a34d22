"""What a notification costs that goes to many clients of the WebSocket event stream.

Run as ``python -m tests.bench.bench_listeners [--listeners N] [--notifications N]``. The server,
its door and a bus are in this process; the clients, in another one, configure a filter each and
read. Measured are the processor time of the server for each notification and listener, the time
from the notification until the last client has it, and the memory that a listener takes. The
yardstick runs beside it: the same bytes sent to as many plain connections by a loop of ``send``.
"""

import argparse
import json
import mmap
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import EventDeclaration
from axis_nvr.session.websocket import Limits, SharedText
from axis_nvr.session.websocket_handshake import ClientHandshake
from axis_nvr.vapix.server import HttpServer
from axis_nvr.vapix.websocket.event_messages import notify
from axis_nvr.vapix.websocket.events import PATH, EventStreams
from axis_nvr.wire.notification import Notification
from tests.vapix.serving import House

reactor: Any = installed_reactor
LISTENERS = 500
NOTIFICATIONS = 200
#: Between two notifications, so that each is alone.
PAUSE_SECONDS = 0.02
TOPIC = "tnsaxis:UniversalMotionDetection"
DATA = (("active", "1"),)
SOURCE = (("device", "front"),)
CONFIGURE = json.dumps(
    {
        "apiVersion": "1.0",
        "method": "events:configure",
        "params": {"eventFilterList": [{"topicFilter": f"{TOPIC}//."}]},
    }
)


def resident_bytes() -> int:
    """Give the memory that this process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def open_sockets(port: int, count: int) -> Iterator[socket.socket]:
    """Connect from several addresses: one gets so many connections only."""
    for number in range(count):
        source = f"127.0.0.{2 + number // 150}"
        yield socket.create_connection(("127.0.0.1", port), source_address=(source, 0))


def open_stream(connection: socket.socket, token: str) -> None:
    """Make an event stream of a connection, and wait for the reply."""
    handshake = ClientHandshake("nvr", f"{PATH}?sources=events&wssession={token}")
    connection.sendall(handshake.request())
    dialogue = None
    while dialogue is None:
        dialogue = handshake.receive(connection.recv(65536), Limits(), 0.0)
    dialogue.send(CONFIGURE)
    connection.sendall(dialogue.take_output())
    while not dialogue.receive(connection.recv(65536), 0.0):
        pass


def read_all(port: int, count: int, token: str, frame_bytes: int, notifications: int) -> None:
    """Be the clients: say ``ready``, then when the last of them had each notification."""
    connections = list(open_sockets(port, count))
    if token:
        for connection in connections:
            open_stream(connection, token)
    selector = selectors.DefaultSelector()
    for connection in connections:
        selector.register(connection, selectors.EVENT_READ)
    print("ready", flush=True)
    for _ in range(notifications):
        missing = count * frame_bytes
        while missing > 0:
            for key, _events in selector.select():
                connection = key.fileobj  # type: ignore[assignment]
                missing -= len(connection.recv(65536))
        print(time.monotonic(), flush=True)


class Readers:
    """The other process."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.bench.bench_listeners", "--read"]
        self._process = subprocess.Popen(
            [*command, json.dumps(arguments)], stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.wait()


async def measure(listeners: int, notifications: int) -> dict[str, float]:
    """Measure the server."""
    house = House(tempfile.mkdtemp())
    house.set_up()
    bus = EventBus(lambda: time.time_ns() // 1000)
    bus.declare(EventDeclaration(TOPIC))
    tokens = house.gatekeeper.tokens
    site = HttpServer(house.door, [EventStreams(bus, tokens).endpoint()]).site()
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    before = resident_bytes()
    frame = SharedText(notify(Notification(TOPIC, time.time_ns() // 1000, None, SOURCE, DATA)))
    number, size = port.getHost().port, len(frame.frame(False))
    readers = Readers(number, listeners, tokens.issue("vera"), size, notifications)
    await deferToThread(readers.line)
    memory = (resident_bytes() - before) / listeners
    took, cost = [], time.process_time()
    for _ in range(notifications):
        begun = time.monotonic()
        bus.emit(TOPIC, DATA, SOURCE)
        took.append(float(await deferToThread(readers.line)) - begun)
        await deferLater(reactor, PAUSE_SECONDS)
    cost = time.process_time() - cost
    await deferToThread(readers.close)
    await port.stopListening()
    return {
        "us_per_listener": cost / notifications / listeners * 1e6,
        "last_has_it_ms_median": median(took) * 1e3,
        "last_has_it_ms_95": sorted(took)[int(len(took) * 0.95)] * 1e3,
        "kib_per_listener": memory / 1024,
        "frame_bytes": size,
    }


def measure_bare(listeners: int, notifications: int, size: int) -> float:
    """Measure a loop of ``send``."""
    with socket.create_server(("127.0.0.1", 0), backlog=listeners) as server:
        readers = Readers(server.getsockname()[1], listeners, "", size, notifications)
        connections = [server.accept()[0] for _ in range(listeners)]
        assert readers.line() == "ready"
        data, cost = bytes(size), time.process_time()
        for _ in range(notifications):
            for connection in connections:
                connection.send(data)
            readers.line()
            time.sleep(PAUSE_SECONDS)
        cost = time.process_time() - cost
        readers.close()
        for connection in connections:
            connection.close()
    return cost / notifications / listeners * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--notifications", type=int, default=NOTIFICATIONS)
    parser.add_argument("--read", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read_all(*given.read)
        return
    result: dict[str, float] = {}

    async def run() -> None:
        result.update(await measure(given.listeners, given.notifications))
        size = int(result["frame_bytes"])
        result["bare_us_per_listener"] = measure_bare(given.listeners, given.notifications, size)
        result["ratio"] = result["us_per_listener"] / result["bare_us_per_listener"]

    done = Deferred.fromCoroutine(run())
    done.addErrback(lambda failure: failure.printTraceback())
    done.addBoth(lambda _: reactor.callWhenRunning(reactor.stop))
    reactor.run()
    print(json.dumps({name: round(value, 2) for name, value in result.items()}, indent=1))


if __name__ == "__main__":
    main()
