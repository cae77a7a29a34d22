"""How the recorder is put together: who is given what. Nothing runs yet when it is done."""

import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.config import (
    DEFAULT_DISK_ID,
    NONE,
    CameraConfig,
    Config,
)
from axis_nvr.config.disk import DiskConfig
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.units import AccessUnit
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.program import run_program
from axis_nvr.protocols.tick import TickReader
from axis_nvr.services.accounts import Accounts
from axis_nvr.services.archive import Archive, make_archive
from axis_nvr.services.audit import Audit
from axis_nvr.services.ca_certificates import FOLDER as CA_FOLDER
from axis_nvr.services.ca_certificates import CaCertificates
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.certificate import export_certificate, own_certificate
from axis_nvr.services.continuous import ContinuousRecordings
from axis_nvr.services.devices import Devices
from axis_nvr.services.disk_chores import chores_for
from axis_nvr.services.disk_encryption import DiskEncryption
from axis_nvr.services.disk_jobs import own_thread
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disk_settings import DiskSettings
from axis_nvr.services.disks import Disks
from axis_nvr.services.disruption import DisruptionLog
from axis_nvr.services.export.jobs import ExportJobs
from axis_nvr.services.export_seal import Sealer
from axis_nvr.services.exporting import Exports, Maker
from axis_nvr.services.known_disks import DiskMemory, KnownDisks
from axis_nvr.services.lockout import Lockout
from axis_nvr.services.plans import check_camera, plan_stream
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.state_database import FILE_NAME as STATE_FILE
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.state_thread import StateThread
from axis_nvr.services.stream_plan import ICameraSession, StreamPlan
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.services.vault import Vault
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.files import Files
from axis_nvr.vapix.announcement import make_discovery
from axis_nvr.vapix.api import Services, endpoints
from axis_nvr.vapix.bounded_site import BoundedSite
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.door import Door
from axis_nvr.vapix.listener import Listener, make_endpoint, with_certificate
from axis_nvr.vapix.server import HttpServer

_log = Logger()

#: What writes a line for people.
Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Release:
    """Which program this is.

    :param build_date: such as ``Feb 14 2018 13:08``.
    """

    version: str
    build_date: str


def make_recorder(
    reactor: Any, config: Config, release: Release, announce: Announce
) -> list[IService]:
    """Put the recorder together.

    :returns: its parts in the order in which they are to start.
    :raises ConfigError: something in the configuration cannot be used.
    """
    state = StateFolder(config.state_dir)
    state.open()
    serial = state.serial(config.serial)
    for camera in config.cameras:
        check_camera(camera)
    budget = ByteBudget(config.total_buffer_bytes)
    disks = _demo_disks(config) if config.demo else config.disks
    registry = StreamRegistry(config.cameras, _stream_maker(reactor, config, budget))
    thread = StateThread(reactor)
    database = StateDatabase(state.path / STATE_FILE, thread.run)
    thread.ended = database.close
    vault = Vault(state)
    settings = DiskSettings(database, vault, disks)
    known = KnownDisks(state)
    keepers: dict[str, DiskKeeper] = {}
    errands = {
        name: Errands(reactor, disk.folder, partial(_wake, keepers, name))
        for name, disk in disks.items()
    }
    for name in disks:
        memory = DiskMemory(known, name, disks[name].folder)
        keepers[name] = _keep(
            reactor, settings, name, serial, release.version, errands[name], memory
        )
    recorder = Recorder(
        registry,
        keepers,
        budget,
        reactor,
        time.time,
        version=release.version,
        serial=serial,
    )
    for recording in config.recordings:
        recorder.add(recording)
    work = own_thread(reactor)
    admission = partial(_encryption, reactor, settings)
    managed = Disks(recorder.disks, settings, recorder.recordings, work, reactor, admission)
    archive = make_archive(
        reactor, keepers, errands, recorder.recordings, settings.rules, time.time
    )
    services = _services(
        database, vault, state, config, serial, release, recorder, managed, archive
    )
    served = endpoints(services)
    site = _server(services, served).site()
    listeners = list(_listeners(reactor, config, state, serial, site, announce))
    discovery = make_discovery(
        reactor,
        config,
        serial,
        release.version,
        lambda: {listener.scheme: listener.port for listener in listeners},
        paths=[endpoint.path for endpoint in served],
    )
    whole: IService = recorder
    if config.demo:
        from axis_nvr.simulator.demo import Demo  # loaded only if it is asked for

        whole = Demo(reactor, recorder, services.accounts, announce)
    # no thread before it is sure that we can listen, and found last: there is something to find
    return [*listeners, thread, archive.pool, whole, managed.jobs, discovery]


def _services(
    database: StateDatabase,
    vault: Vault,
    state: StateFolder,
    config: Config,
    serial: str,
    release: Release,
    recorder: Recorder,
    disks: Disks,
    archive: Archive,
) -> Services:
    """Make what the APIs call."""
    certificates = CaCertificates(database, state.path / CA_FOLDER)
    continuous = ContinuousRecordings(database, recorder.recordings)
    recorder.started = continuous.start

    def changed(device_id: str, camera: CameraConfig | None) -> None:
        cameras = recorder.recordings.registry.cameras
        if camera is None:
            cameras.pop(device_id, None)
            return
        cameras[device_id] = camera
        if recorder.running:
            continuous.start()

    sealer = cache(lambda: Sealer(export_certificate(state, serial)))
    maker = Maker(f"axis_nvr {release.version}", serial, sealer)
    exports = Exports(Files(), archive.library, maker, time.time)
    external = {} if config.usb_disk is None else {"USB_DISK": config.usb_disk}

    return Services(
        serial=serial,
        build_date=release.build_date,
        report=lambda: recorder.report,
        accounts=Accounts(database, vault, f"AXIS_{serial}"),
        audit=Audit(database, time.time),
        devices=Devices(database, vault, config.cameras, changed, certificates.bundle),
        certificates=certificates,
        recordings=recorder.recordings,
        continuous=continuous,
        disks=disks,
        archive=archive,
        exports=exports,
        export_jobs=ExportJobs(Files(), exports, external),
    )


def _server(services: Services, served: Iterable[Endpoint]) -> HttpServer:
    key = secrets.token_bytes(32)
    door = Door(services.accounts, services.audit, Lockout(), key, time.monotonic)
    return HttpServer(door, served)


def _stream_maker(
    reactor: Any, config: Config, budget: ByteBudget
) -> Callable[[StreamRequest], CameraStream]:
    """Make what makes streams."""
    opener = CameraOpener(reactor, TickReader(reactor))

    def open_session(
        plan: StreamPlan, deliver: Callable[[AccessUnit], None], lost: Callable[[Failure], None]
    ) -> "Deferred[ICameraSession]":
        opening: Deferred[Any] = opener.open(plan.address, plan.wants, deliver, lost)
        return opening

    def make(request: StreamRequest) -> CameraStream:
        def failed(consumer: IGopConsumer, error: Exception) -> None:
            _log.failure(
                "{camera}: {consumer} takes no more of it, as it raised an error",
                Failure(error),
                camera=request.camera.id,
                consumer=type(consumer).__name__,
            )

        buffer = GopBuffer(
            0.0 if request.pre_buffer else None,
            config.stream_buffer_bytes,
            budget=budget,
            consumer_failed=failed,
        )
        return CameraStream(plan_stream(request), buffer, open_session, reactor)

    return make


def _demo_disks(config: Config) -> Mapping[str, DiskConfig]:
    """Return the disks that were configured, or a fresh one."""
    default = DiskConfig(DEFAULT_DISK_ID, config.state_dir / DEFAULT_DISK_ID)
    if config.disks != {DEFAULT_DISK_ID: default}:
        return config.disks
    stamp = time.strftime("%Y%m%d_%H%M%S")
    fresh, number = config.state_dir / "demo" / stamp, 2
    while fresh.exists():
        fresh, number = fresh.with_name(f"{stamp}_{number}"), number + 1
    return {DEFAULT_DISK_ID: DiskConfig(DEFAULT_DISK_ID, fresh / DEFAULT_DISK_ID)}


def _wake(keepers: Mapping[str, DiskKeeper], disk_id: str, chore: str) -> None:
    keepers[disk_id].wake_chore(chore)


def _keep(
    reactor: Any,
    settings: DiskSettings,
    disk_id: str,
    serial: str,
    release: str,
    errands: Errands,
    memory: DiskMemory,
) -> DiskKeeper:
    disk = settings.config(disk_id)

    def make() -> Disk:
        return Disk(
            disk.disk_id,
            disk.folder,
            serial,
            reactor=reactor,
            product=f"axis_nvr {release}",
            chores=chores_for(disk, settings.rules(disk_id), errands),
        )

    return DiskKeeper(
        make,
        reactor,
        observers=[DisruptionLog()],
        admit=lambda: Deferred.fromCoroutine(_encryption(reactor, settings, disk_id).admit()),
        memory=memory,
    )


def _encryption(reactor: Any, settings: DiskSettings, disk_id: str) -> DiskEncryption:
    """Make what handles a disk's encryption, as it is to be by now."""
    passphrase = settings.of(disk_id).passphrase.encode()
    run = partial(run_program, reactor)
    return DiskEncryption(settings.config(disk_id), run, passphrase=passphrase)


def _listeners(
    reactor: Any,
    config: Config,
    state: StateFolder,
    serial: str,
    site: BoundedSite,
    announce: Announce,
) -> Iterator[Listener]:
    """Make the servers that are not switched off. For RTSP nothing listens yet."""
    for scheme, description in (("http", config.http), ("https", config.https)):
        if description == NONE:
            continue
        if scheme == "https":
            names = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
            description = with_certificate(description, str(own_certificate(state, serial, names)))
        endpoint = make_endpoint(reactor, scheme, description)
        yield Listener(scheme, scheme, endpoint, site, announce)
