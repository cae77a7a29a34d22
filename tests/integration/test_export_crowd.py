"""Many slow clients export while a camera is recorded: nothing is lost, nothing stays behind."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.export.jobs import ExportJobs
from axis_nvr.services.exporting import Exports, Maker
from axis_nvr.services.library import Library
from axis_nvr.services.reading_pool import ReadingPool
from axis_nvr.services.recorder import Recorder
from axis_nvr.simulator.camera import VirtualCamera, virtual_camera
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.vapix.edge_storage.exporting import PATH, ExportCgis
from axis_nvr.vapix.server import HttpServer
from tests.integration.in_process import NO_SERVERS, make_service, part_of
from tests.integration.peers import until
from tests.storage.making import START_US, Bench, gop_of, unit
from tests.storage.reading.streams import H264
from tests.vapix.serving import House

reactor: Any = installed_reactor
CLIENTS = 100
#: What is exported: so many groups of a megabyte.
GROUPS = 40
#: A slow client takes so many bytes, and then nothing for a while.
SLOW_BYTES = 64 * 1024
SLOW_SECONDS = 0.3


class SlowClient(Protocol):
    """Asks for a file and is in no hurry.

    :ivar received: bytes so far.
    """

    def __init__(self, path: str) -> None:
        self.received = 0
        self.gone: Deferred[None] = Deferred()
        self._path = path
        self._until = SLOW_BYTES
        self._pause: Any = None

    def connectionMade(self) -> None:
        self.transport: Any
        self.transport.write(f"GET {self._path} HTTP/1.1\r\nHost: nvr\r\n\r\n".encode())

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if self.received >= self._until:
            self._until = self.received + SLOW_BYTES
            self.transport.pauseProducing()
            self._pause = reactor.callLater(SLOW_SECONDS, self.transport.resumeProducing)

    def connectionLost(self, reason: Any = None) -> None:
        if self._pause is not None and self._pause.active():
            self._pause.cancel()
        self.gone.callback(None)


class CrowdTests(TestCase):
    """A recorder, and exports of its disk behind a server that lets anybody in."""

    timeout = 120

    def setUp(self) -> Any:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.camera: VirtualCamera = virtual_camera(reactor)
        self.camera.startService()
        self.addCleanup(self.camera.stopService)
        return self.camera.listening()

    def make(self) -> tuple[MultiService, Recorder]:
        """Put a recorder of one recording together."""
        service = make_service(
            self.folder,
            f"{NO_SERVERS}no_discovery = true\n"
            f'[[camera]]\nid = "a"\nurl = "{self.camera.rtsp_url(resolution="640x360")}"\n'
            '[[recording]]\ndisk = "HDD_DISK"\noptions = "device=a"\n',
        )
        return service, part_of(service, Recorder)

    def record_before(self) -> str:
        """Put a recording of 40 MB on the disk."""
        bench = Bench(str(self.folder / "nvr-state" / "HDD_DISK"))
        bench.folder.parent.mkdir()
        bench.disk.start()
        recording = bench.open()
        for at in range(GROUPS):
            start_us = START_US + at * 1_000_000
            data = bytes([at]) * 1_000_000
            picture = unit(start_us, sync=True, data=data, form=H264)
            bench.write(recording, gop_of([picture], start_us + 1_000_000))
        bench.close(recording)
        bench.disk.stop()
        return recording.recording_id

    def serve(self, recorder: Recorder) -> int:
        """Serve exports; gives the port."""
        pool = ReadingPool(reactor)
        pool.startService()
        self.addCleanup(pool.stopService)
        folder = self.folder / "nvr-state" / "HDD_DISK"
        errands = {"HDD_DISK": Errands(reactor, folder, lambda name: None)}
        files: IFiles = Files()
        library = Library(files, errands, pool)
        for keeper in recorder.disks.values():
            keeper.users.append(library)
        self.library = library
        house = House(str(self.folder / "house"))
        house.set_up()
        self.addCleanup(house.database.close)

        def sealer() -> Any:
            raise ConfigError("nothing is signed here")

        self.exports = Exports(files, library, Maker("test", "ACCC8E012345", sealer))
        jobs = ExportJobs(files, self.exports, {})
        served = ExportCgis(self.exports, jobs, house.audit).endpoints()
        open_to_all = [replace(endpoint, role=None) for endpoint in served]
        port = reactor.listenTCP(
            0, HttpServer(house.door, open_to_all).site(), interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def test_a_hundred(self) -> Deferred[None]:
        """A hundred slow exports hold up no recording, and end as soon as their clients leave."""
        return Deferred.fromCoroutine(self.a_hundred())

    async def a_hundred(self) -> None:
        name = self.record_before()
        service, recorder = self.make()
        port = self.serve(recorder)
        service.startService()
        self.addCleanup(service.stopService)
        await until(lambda: self.library.shelves)
        path = f"{PATH}exportrecording.cgi?schemaversion=1&recordingid={name}"
        path += "&diskid=HDD_DISK&exportformat=matroska"
        clients = [SlowClient(path) for _ in range(CLIENTS)]
        endpoint = partial(TCP4ClientEndpoint, reactor, "127.0.0.1", port)
        await gatherResults([connectProtocol(endpoint(), client) for client in clients])

        def counts() -> Any:
            return recorder.report.recordings[0].job.counts

        await until(lambda: self.exports.active == CLIENTS)
        await until(lambda: all(client.received > SLOW_BYTES for client in clients))
        before = counts().written_gops
        await until(lambda: counts().written_gops >= before + 3)
        self.assertEqual(counts().dropped_gops, 0)
        self.assertEqual(self.exports.active, CLIENTS)
        whole = GROUPS * 1_000_000
        self.assertTrue(all(client.received < whole / 2 for client in clients))
        for client in clients:
            client.transport.abortConnection()
        await gatherResults([client.gone for client in clients])
        await until(lambda: self.exports.active == 0)
