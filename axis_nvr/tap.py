"""The service that ``twistd axis-nvr`` and ``python -m twisted axis-nvr`` start.

The only module that knows the global reactor. What is wrong with the configuration ends it with one
sentence on the standard error and exit code 1, before anything is recorded.
"""

import gc
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.internet import TimerService
from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from axis_nvr.config import (
    DEFAULT_DISK_ID,
    DEFAULT_ENDPOINTS,
    DEFAULT_STATE_DIR,
    NONE,
    Config,
    DiskConfig,
    load_config,
)
from axis_nvr.errors import ConfigError
from axis_nvr.media.budget import ByteBudget
from axis_nvr.media.buffer import GopBuffer, IGopConsumer
from axis_nvr.media.units import AccessUnit
from axis_nvr.protocols.camera import CameraOpener
from axis_nvr.protocols.program import run_program
from axis_nvr.protocols.tick import TickReader
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.certificate import own_certificate
from axis_nvr.services.disk_chores import chores_for
from axis_nvr.services.disk_encryption import DiskEncryption
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disruption import DisruptionLog
from axis_nvr.services.memory import TRIM_SECONDS, find_trim
from axis_nvr.services.plans import check_camera, plan_stream
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.stream_plan import ICameraSession, StreamPlan
from axis_nvr.services.stream_registry import StreamRegistry, StreamRequest
from axis_nvr.storage.disk import Disk
from axis_nvr.vapix.http import HttpApi
from axis_nvr.vapix.listener import Listener, make_endpoint, with_certificate

_log = Logger()


class Options(usage.Options):
    """The command line of the recorder; it wins over the configuration file."""

    synopsis = "[options]"
    longdesc = "A network video recorder. Each option has a key in the configuration file."
    optParameters = [  # noqa: RUF012 - Twisted's name and way
        ["config", None, None, "configuration file, TOML"],
        ["state-dir", None, None, f"folder of the recorder's state [default: {DEFAULT_STATE_DIR}]"],
        *(
            [key, None, None, f"where to listen for {key.upper()}, or none [default: {default}]"]
            for key, default in DEFAULT_ENDPOINTS.items()
        ),
        ["serial", None, None, "serial number, 12 hexadecimal digits [default: made once]"],
    ]
    optFlags = [  # noqa: RUF012
        ["no-discovery", None, "announce nothing by UPnP and Bonjour"],
        ["demo", None, "start virtual cameras and record them to a fresh disk"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["disk"] = []

    def opt_disk(self, value: str) -> None:
        """ID=DIR: a disk and its folder; repeatable [default: HDD_DISK in the state folder]."""
        self["disk"].append(value)

    def given(self) -> dict[str, Any]:
        """Return what was given, by the keys of the configuration file."""
        return {
            key.replace("-", "_"): bool(value) if key in ("no-discovery", "demo") else value
            for key, value in self.items()
            if value and key != "config"
        }


def makeService(options: Mapping[str, Any]) -> IService:
    """Make the recorder; what cannot be used ends the process."""
    assert isinstance(options, Options)
    from twisted.internet import reactor

    path = Path(options["config"]) if options["config"] else None
    try:
        config = load_config(path, options.given(), Path.cwd())
        run_on_monotonic_clock(reactor)
        service = make_recorder(reactor, config)
    except ConfigError as error:
        _refuse(error)
    trimming = TimerService(TRIM_SECONDS, find_trim())
    trimming.clock = reactor
    trimming.setServiceParent(service)
    gc.collect()
    gc.freeze()  # what is loaded now stays: not looked at again in each collection
    return service


def run_on_monotonic_clock(reactor: Any) -> None:
    """Have a reactor measure time by a clock that is never set.

    Twisted's own is the time of day. When that is set back by an hour, as on a machine whose first
    answer of an NTP server comes late, every timer would wait an hour longer: connections are not
    read, nothing is recorded. Twisted asks ``reactor.seconds`` for both, when a call is due and
    whether it is, so it must be replaced before the first call is scheduled. Nothing of ours asks
    a reactor for the time of day, and the access log, which does, is off.
    """
    assert not reactor.getDelayedCalls(), "these are due by the other clock"
    reactor.seconds = time.monotonic


def make_recorder(reactor: Any, config: Config) -> "NvrService":
    """Put the recorder together; nothing runs yet.

    :raises ConfigError: something in the configuration cannot be used.
    """
    state = StateFolder(config.state_dir)
    state.open()
    serial, release = state.serial(config.serial), _version()
    for camera in config.cameras:
        check_camera(camera)
    budget = ByteBudget(config.total_buffer_bytes)
    disks = _demo_disks(config) if config.demo else config.disks
    recorder = Recorder(
        StreamRegistry(config.cameras, _stream_maker(reactor, config, budget)),
        {name: _keep(reactor, disk, serial, release) for name, disk in disks.items()},
        budget,
        reactor,
        time.time,
        version=release,
        serial=serial,
    )
    for recording in config.recordings:
        recorder.add(recording)
    service = NvrService()
    for listener in _listeners(reactor, config, state, serial, recorder):
        listener.setServiceParent(service)
    whole: Service = recorder
    if config.demo:
        from axis_nvr.simulator.demo import Demo  # loaded only if it is asked for

        whole = Demo(reactor, recorder, announce)
    whole.setServiceParent(service)
    return service


class NvrService(MultiService):
    """All of the recorder; it ends the process if it cannot listen."""

    def startService(self) -> None:
        """Start everything, servers first: what cannot listen records nothing."""
        try:
            super().startService()
        except ConfigError as error:
            _refuse(error)


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


def _keep(reactor: Any, disk: DiskConfig, serial: str, release: str) -> DiskKeeper:
    def make() -> Disk:
        return Disk(
            disk.disk_id,
            disk.folder,
            serial,
            reactor=reactor,
            product=f"axis_nvr {release}",
            chores=chores_for(disk),
        )

    encryption = DiskEncryption(disk, partial(run_program, reactor))
    return DiskKeeper(
        make,
        reactor,
        observers=[DisruptionLog()],
        admit=lambda: Deferred.fromCoroutine(encryption.admit()),
    )


def _listeners(
    reactor: Any, config: Config, state: StateFolder, serial: str, recorder: Recorder
) -> Iterator[Listener]:
    """Make the servers that are not switched off. For RTSP nothing listens yet."""
    site = HttpApi(lambda: recorder.report).site()
    for scheme, description in (("http", config.http), ("https", config.https)):
        if description == NONE:
            continue
        if scheme == "https":
            names = [socket.gethostname(), "localhost", "127.0.0.1", "::1"]
            description = with_certificate(description, str(own_certificate(state, serial, names)))
        endpoint = make_endpoint(reactor, scheme, description)
        yield Listener(scheme, scheme, endpoint, site, announce)


def announce(line: str) -> None:
    """Write a line for people on the standard output, which is not the log."""
    if sys.__stdout__ is not None:
        with suppress(OSError, ValueError):  # closed, or nobody reads it
            sys.__stdout__.write(f"{line}\n")
            sys.__stdout__.flush()


def _refuse(error: ConfigError) -> NoReturn:
    """End the process with one sentence."""
    if sys.__stderr__ is not None:
        with suppress(OSError, ValueError):
            sys.__stderr__.write(f"axis-nvr: {' '.join(str(error).split())}\n")
            sys.__stderr__.flush()
    raise SystemExit(1)


def _version() -> str:
    try:
        return version("axis_nvr")
    except PackageNotFoundError:  # a checkout that is not installed
        return "of a checkout"
