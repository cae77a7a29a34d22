"""From a camera's event to ours on an event stream, and to a recording that has begun.

Run as ``python -m tests.bench.bench_events [--way W] [--cameras N] [--events N] [--listeners N]``.
The recorder records some cameras continuously and listens to the motion of one more, a virtual one
in its own process; clients of one of its event streams are there too. Measured is the time from the
read that brings the camera's document until the last client has the recorder's own, its own read
and parsing included. The yardstick runs in turns with that in the same reactor: a bare relay, which
writes a document of the same size to as many connections when it has read it. Then a rule that
holds a pre-buffer of 5 s is armed, and measured until its recording has been opened on the disk and
has its id.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import treq
from twisted.application.service import MultiService
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from axis_nvr.assembly.foundation import Release
from axis_nvr.assembly.recorder import make_recorder
from axis_nvr.assembly.streams import make_session_opener
from axis_nvr.config import load_config
from axis_nvr.media.units import AccessUnit
from axis_nvr.protocols.address import CameraAddress, StreamProtocol
from axis_nvr.protocols.event_socket import open_event_socket
from axis_nvr.protocols.rtsp_client import CameraSession
from axis_nvr.services.camera_events.camera_events import CameraEvents
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.stream_plan import StreamPlan
from axis_nvr.services.triggered import Armed, TriggeredOrder, TriggeredRecordings
from axis_nvr.session.digest import Credentials
from axis_nvr.simulator.camera import virtual_camera
from axis_nvr.wire.event_json import parse_notify
from axis_nvr.wire.notification import Operation, parse_document
from tests.bench.bench_trigger import NoGroups
from tests.bench.processes import MEASURED_CORES, read_line, start, start_load, stop

reactor: Any = installed_reactor
CAMERAS = 16
EVENTS = 200
LISTENERS = 1
PRE_SECONDS = 5.0
#: Until every pre-buffer is full.
SETTLE_SECONDS = 10.0
BETWEEN_SECONDS = 0.1
#: Of the recorder's own document.
DOCUMENT_BYTES = 1000
BUDGET_MS, RECORDING_BUDGET_MS = 10, 50
TOPIC = "tnsaxis:UniversalMotionDetection"


class Ear:
    """A client of the recorder's event stream."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard

    def take(self, units: Sequence[AccessUnit]) -> None:
        """Take documents."""
        for unit in units:
            data = bytes(unit.data)
            parse = parse_notify if data[:1] == b"{" else parse_document
            if any(
                told.topic == TOPIC and told.operation is not Operation.INITIALIZED
                for told in parse(data)
            ):
                self._heard()


class Relay(Protocol):
    """The yardstick: gives what it reads to some connections."""

    def __init__(self, outputs: list[Any], read: Callable[[], None]) -> None:
        self._outputs = outputs
        self._read = read

    def dataReceived(self, data: bytes) -> None:
        """Hand on."""
        self._read()
        for output in self._outputs:
            output.write(data)


class Sink(Protocol):
    """Reads whole documents."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._missing = DOCUMENT_BYTES

    def dataReceived(self, data: bytes) -> None:
        """Count."""
        self._missing -= len(data)
        if self._missing <= 0:
            self._missing = DOCUMENT_BYTES
            self._heard()


class Outputs(Factory):
    """Takes connections to write to."""

    noisy = False

    def __init__(self) -> None:
        self.transports: list[Any] = []

    def buildProtocol(self, address: Any) -> Protocol:
        """Keep its transport."""
        protocol, transports = Protocol(), self.transports
        protocol.connectionMade = lambda: transports.append(protocol.transport)  # type: ignore[method-assign]
        return protocol


class Bench:
    """The recorder, a virtual camera, clients and the yardstick in this process."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._random = Random(1)
        self._read_at = 0.0
        self._heard = 0
        self._all_heard: Deferred[float] = Deferred()

    async def run(self) -> dict[str, Any]:
        """Measure; times in milliseconds."""
        self._camera = virtual_camera(reactor)
        self._camera.startService()
        await self._camera.listening()
        self._start_recorder()
        await self._add_account()
        await self._listen()
        await self._prepare_relay()
        while not all(it.status.state == "playing" for it in self._recorder.report.streams):
            await deferLater(reactor, 0.1)
        await deferLater(reactor, SETTLE_SECONDS)
        self._watch_reads()
        told, relayed, begun = [], [], []
        for number in range(self._arguments.events):
            told.append(await self._event(number % 2 == 0))
            await self._pause()
            relayed.append(await self._relayed())
            await self._pause()
        armed = self._arm()
        await deferLater(reactor, SETTLE_SECONDS)
        for number in range(self._arguments.events // 2):
            await self._event(number % 2 == 0)
            await self._pause()
            await self._pause()
            if number % 2 == 0:
                begun.append(self._begun * 1000)
        await armed.disarm()
        await self._service.stopService()
        await self._camera.stopService()
        return {"told": told, "relayed": relayed, "begun": begun}

    def _start_recorder(self) -> None:
        folder, port = self._arguments.folder, self._arguments.port
        texts = [
            f'[[camera]]\nid = "c{number}"\nurl = "rtsp://127.0.0.1:{port}/{number}"\n'
            f'[[recording]]\ndisk = "HDD_DISK"\noptions = "device=c{number}"\n'
            for number in range(self._arguments.cameras)
        ]
        event_port = urlsplit(self._camera.rtsp_url()).port
        texts.append(f'[[camera]]\nid = "m"\naddress = "127.0.0.1"\nport = {event_port}\n')
        ports = 'http = "tcp:0:interface=127.0.0.1"\nrtsp = "tcp:0:interface=127.0.0.1"\n'
        config = folder / "nvr.toml"
        config.write_text(ports + 'https = "none"\nno_discovery = true\n' + "".join(texts))
        lines: list[str] = []
        self._service = MultiService()
        release = Release("1", "Feb 14 2026 13:08")
        for part in make_recorder(reactor, load_config(config, {}, folder), release, lines.append):
            part.setServiceParent(self._service)
        (self._recorder,) = [part for part in self._service if isinstance(part, Recorder)]
        (self._events,) = [part for part in self._service if isinstance(part, CameraEvents)]
        groups: Any = NoGroups()
        self._triggered = TriggeredRecordings(self._recorder.recordings, groups, reactor, time.time)
        self._service.startService()
        self._triggered.start()
        words = [line.removeprefix("listening on ").split(":") for line in lines]
        self._ports = {word[0]: int(word[2].split("/")[0]) for word in words if len(word) > 2}

    async def _add_account(self) -> None:
        query = "action=add&user=admin&pwd=pass&grp=root&sgrp=admin:operator:viewer"
        url = f"http://127.0.0.1:{self._ports['http']}/axis-cgi/pwdgrp.cgi?{query}"
        response = await treq.get(url, persistent=False)
        assert response.code == 200, await treq.text_content(response)
        await treq.content(response)

    async def _listen(self) -> None:
        """Connect the clients of the event stream."""
        if self._arguments.way == "websocket":
            await self._listen_by_websocket()
            return
        opener = make_session_opener(reactor)
        query = f"video=0&audio=0&event=on&eventtopic={TOPIC}"
        url = f"rtsp://127.0.0.1:{self._ports['rtsp']}/axis-media/media.amp?{query}"
        address = CameraAddress(url, credentials=Credentials("admin", "pass"))
        plan = StreamPlan("recorder", address, want_video=False, want_events=True)
        for _ in range(self._arguments.listeners):
            session = await opener(plan, Ear(self._one_heard).take, lambda reason: None)
            session.set_urgent(True)

    async def _listen_by_websocket(self) -> None:
        url = f"ws://127.0.0.1:{self._ports['http']}/vapix/ws-data-stream?sources=events"
        address = CameraAddress(url, StreamProtocol.RTSPH, Credentials("admin", "pass"))
        for _ in range(self._arguments.listeners):
            ear = Ear(self._one_heard)
            await open_event_socket(reactor, address, TOPIC, ear.take, lambda reason: None)

    async def _prepare_relay(self) -> None:
        outputs = Outputs()
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(outputs)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        for _ in range(self._arguments.listeners):
            await endpoint.connect(Factory.forProtocol(lambda: Sink(self._one_heard)))
        relay = Factory.forProtocol(lambda: Relay(outputs.transports, self._note_read))
        relay_port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(relay)
        relay_endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", relay_port.getHost().port)
        self._source: Any = await relay_endpoint.connect(Factory.forProtocol(Protocol))

    def _arm(self) -> Armed:
        """Record the first camera by rule, whenever something moves before the other."""
        order = TriggeredOrder("HDD_DISK", "device=c0", PRE_SECONDS, 0, "rule", "bench")
        armed = self._triggered.arm(order)
        self._begun = 0.0

        def act(told: Any) -> None:
            if told.topic != TOPIC or told.operation is not Operation.CHANGED:
                return
            if told.data[0][1] == "1":
                armed.start(told.utc_us)
                Deferred.fromCoroutine(self._wait_begun())
            else:
                armed.stop(told.utc_us)

        self._events.relay.bus.subscribe(act)
        return armed

    async def _wait_begun(self) -> None:
        read_at = self._read_at
        await self._recorder.recordings.runs[-1].named()
        self._begun = time.perf_counter() - read_at

    def _watch_reads(self) -> None:
        """Note when the recorder reads from a camera: the first read after an event is that."""
        received = CameraSession.received

        def noted(session: CameraSession, data: bytes) -> None:
            if not self._read_at and session.heard is not None and b"VMD" in data:
                self._note_read()
            received(session, data)

        CameraSession.received = noted  # type: ignore[method-assign, assignment]

    def _note_read(self) -> None:
        self._read_at = self._read_at or time.perf_counter()

    def _one_heard(self) -> None:
        if not self._read_at:  # a state, at the beginning
            return
        self._heard += 1
        if self._heard == self._arguments.listeners:
            self._all_heard.callback(time.perf_counter())

    async def _wait_heard(self) -> float:
        heard_at = await self._all_heard
        return (heard_at - self._read_at) * 1000

    async def _pause(self) -> None:
        """Wait at random: cameras are read on a beat, and nothing here is to keep time with it."""
        await deferLater(reactor, BETWEEN_SECONDS * (0.5 + self._random.random()))

    def _expect(self) -> None:
        self._read_at, self._heard, self._all_heard = 0.0, 0, Deferred()

    async def _event(self, active: bool) -> float:
        self._expect()
        self._camera.raise_motion(active)
        return await self._wait_heard()

    async def _relayed(self) -> float:
        self._expect()
        self._source.transport.write(bytes(DOCUMENT_BYTES))
        return await self._wait_heard()


def measured(arguments: argparse.Namespace) -> None:
    """Be the process that is measured."""
    bench = Bench(arguments)
    results: list[Any] = []

    def ended(result: Any) -> None:
        results.append(result)
        reactor.stop()

    gc.collect()
    gc.freeze()  # as the recorder does

    def began() -> None:
        Deferred.fromCoroutine(bench.run()).addBoth(ended)

    reactor.callWhenRunning(began)
    reactor.run()
    (result,) = results
    if not isinstance(result, dict):
        result.raiseException()
    print(json.dumps(result), flush=True)


def measure(work: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run load and recorder, each on its core."""
    seconds = 2 * SETTLE_SECONDS + 60 + arguments.events * 4 * BETWEEN_SECONDS
    load, port = start_load(work, "--seconds", str(seconds))
    command = [sys.executable, "-m", "tests.bench.bench_events", "--folder", str(work)]
    command += ["--port", str(port)]
    for name in ("cameras", "events", "listeners", "way"):
        command += [f"--{name}", str(getattr(arguments, name))]
    process = start(command, MEASURED_CORES, stdout=subprocess.PIPE)
    try:
        result: dict[str, Any] = json.loads(read_line(process.stdout))
    finally:
        stop([process, load])
    return result


def row(name: str, times: list[float], budget: str = "") -> str:
    """Say how long something took."""
    times = sorted(times)
    return (
        f"{name}: median {median(times):.2f} ms, 99 of 100 {times[len(times) * 99 // 100]:.2f} ms, "
        f"worst {times[-1]:.2f} ms{budget}"
    )


def main() -> None:
    """Measure, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=CAMERAS)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--way", choices=("rtsp", "websocket"), default="rtsp")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.port:
        measured(arguments)
        return
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.processor()}, load {os.getloadavg()[0]:.1f}, "
        f"{arguments.cameras} cameras recorded beside it, {arguments.events} events, "
        f"{arguments.listeners} listeners by {arguments.way}"
    )
    with tempfile.TemporaryDirectory() as work:
        result = measure(Path(work), arguments)
    print(row("event read to event heard", result["told"], f"; budget {BUDGET_MS} ms"))
    print(row("the same by a bare relay", result["relayed"]))
    print(row("event read to recording", result["begun"], f"; budget {RECORDING_BUDGET_MS} ms"))


if __name__ == "__main__":
    main()
