"""What it costs to tell many RTSP clients of an event, beside a bare loop that sends as much.

Run as ``python -m tests.bench.bench_rtsp_events [--listeners N] [--events N]``. The RTSP server and
the event bus are in this process; the listeners, in another one, each play ``event=on`` over TCP of
its own and tell when the last of them had each event. Measured are the time of publishing, in which
all is written to the sockets, the time until the last listener has it, and the processor time of
this process for each event and listener. The yardstick is ``send`` of the same bytes to as many
sockets.
"""

import argparse
import json
import selectors
import socket
import subprocess
import sys
import time
from statistics import median
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, EventDeclaration, ItemDeclaration
from axis_nvr.services.event_presentation import EventStreams
from axis_nvr.services.live.feeds import LiveFeeds
from axis_nvr.services.live.presentations import RecorderPresentations
from axis_nvr.services.stream_registry import StreamRegistry
from axis_nvr.wire.notification import build_document
from tests.bench.bench_recording import machine
from tests.bench.bench_viewers import RECEIVE_BYTES, Viewer

reactor: Any = installed_reactor
TOPIC = "tnsaxis:UniversalMotionDetection"
BETWEEN_SECONDS = 0.2
SESSIONS = 1000
#: Headers around one packet: interleaving and RTP.
HEADER_BYTES = 16


def listen(port: int, count: int, events: int) -> None:
    """Be the listeners: say ``ready``, then when the last of them had each event."""
    selector = selectors.DefaultSelector()
    viewers: list[Viewer] = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        url = f"rtsp://127.0.0.1:{port}/axis-media/media.amp?video=0&audio=0&event=on"
        viewers.append(Viewer(connection, url))
        viewers[-1].play()
        selector.register(connection, selectors.EVENT_READ, viewers[-1])
    while any(viewer.packets < 2 for viewer in viewers):  # the empty document and the state
        take(selector)
    print("ready", flush=True)
    for number in range(events):
        while any(viewer.packets < 3 + number for viewer in viewers):
            take(selector)
        print(time.monotonic(), flush=True)


def take(selector: selectors.BaseSelector) -> None:
    """Read what has come."""
    for key, _ in selector.select():
        key.data.take(key.data.connection.recv(RECEIVE_BYTES))


def bare(listeners: int, events: int, size: int) -> float:
    """Send as many bytes to as many sockets; returns processor seconds for each."""
    pairs = [socket.socketpair() for _ in range(listeners)]
    data, spent = bytes(size), 0.0
    for _ in range(events):
        began = time.process_time()
        for ours, _theirs in pairs:
            ours.send(data)
        spent += time.process_time() - began
        for _ours, theirs in pairs:
            theirs.recv(RECEIVE_BYTES)
    return spent / events / listeners


def utc_us() -> int:
    return time.time_ns() // 1000


async def measure(listeners: int, events: int) -> dict[str, float]:
    """Measure the server."""
    bus = EventBus(utc_us)
    state = (ItemDeclaration("active", BOOLEAN, is_state=True),)
    bus.declare(EventDeclaration(TOPIC, is_property=True, data=state))
    bus.set_state(TOPIC, (("active", "0"),), (("device", "front"),))
    registry: StreamRegistry[Any] = StreamRegistry((), lambda request: None)
    streams = EventStreams(bus, "uuid", reactor, utc_us)
    feeds = LiveFeeds(registry, reactor)
    shown = RecorderPresentations(feeds, streams, None, reactor, utc_us, cname="bench")
    server = RtspServerFactory(reactor, shown, session_limit=SESSIONS)
    port = reactor.listenTCP(0, server, interface="127.0.0.1", backlog=listeners)
    command = [sys.executable, "-m", "tests.bench.bench_rtsp_events", "--listen"]
    numbers = [str(n) for n in (port.getHost().port, listeners, events)]
    process = subprocess.Popen([*command, *numbers], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    read = process.stdout.readline
    await deferToThread(read)
    publishing, arriving, spent = [], [], 0.0
    for number in range(events):
        last = deferToThread(read)
        began, used = time.monotonic(), time.process_time()
        bus.set_state(TOPIC, (("active", str((number + 1) % 2)),), (("device", "front"),))
        publishing.append(time.monotonic() - began)
        arriving.append(float(await last) - began)
        spent += time.process_time() - used
        await deferLater(reactor, BETWEEN_SECONDS)
    process.wait()
    size = len(build_document(bus.states(), "uuid")) + HEADER_BYTES
    await port.stopListening()
    server.close()
    return {
        "listeners": listeners,
        "publishing_ms": median(publishing) * 1000,
        "last_has_it_ms": median(arriving) * 1000,
        "worst_ms": max(arriving) * 1000,
        "cpu_us": spent / events / listeners * 1e6,
        "bare_us": bare(listeners, events, size) * 1e6,
    }


def main() -> None:
    """Be the benchmark, or its listeners."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--listen", nargs=3, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.listen:
        listen(*arguments.listen)
        return
    done: Deferred[dict[str, float]] = Deferred.fromCoroutine(
        measure(arguments.listeners, arguments.events)
    )
    done.addCallback(lambda found: print(machine(), json.dumps(found, indent=1), sep="\n"))
    done.addErrback(lambda failure: failure.printTraceback())
    done.addBoth(lambda _: reactor.stop())
    reactor.run()


if __name__ == "__main__":
    main()
