"""The whole recorder."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.application.service import IService

from axis_nvr.assembly.camera_events import make_camera_events
from axis_nvr.assembly.disks import encryption, keep_disks
from axis_nvr.assembly.events import make_events
from axis_nvr.assembly.foundation import Release, lay_foundation
from axis_nvr.assembly.listeners import Announce, make_gatekeeper, make_web_listeners, make_web_site
from axis_nvr.assembly.rtsp import make_rtsp
from axis_nvr.assembly.services import make_services
from axis_nvr.assembly.streams import check_cameras, make_registry, make_session_opener
from axis_nvr.assembly.triggered import make_triggered
from axis_nvr.assembly.websockets import make_websockets
from axis_nvr.config import Config
from axis_nvr.media.budget import ByteBudget
from axis_nvr.protocols.shared_port import SharedPortFactory
from axis_nvr.services.archive import make_archive
from axis_nvr.services.disk_jobs import own_thread
from axis_nvr.services.disks import Disks
from axis_nvr.services.recorder import Recorder
from axis_nvr.vapix.announcement import make_discovery
from axis_nvr.vapix.api import endpoints
from axis_nvr.vapix.listener import Listener


def make_recorder(
    reactor: Any, config: Config, release: Release, announce: Announce
) -> list[IService]:
    """Put the recorder together.

    :returns: its parts in the order in which they are to start.
    :raises ConfigError: something in the configuration cannot be used.
    """
    budget = ByteBudget(config.total_buffer_bytes)
    check_cameras(config)
    base = lay_foundation(reactor, config, release)
    events = make_events(base)
    open_session = make_session_opener(reactor)
    camera_events = make_camera_events(base, open_session, events)
    registry = make_registry(base, budget, open_session, camera_events, events)
    kept = keep_disks(base, events.storage)
    recorder = Recorder(
        registry,
        kept.keepers,
        budget,
        reactor,
        time.time,
        version=release.version,
        serial=base.serial,
    )
    for recording in config.recordings:
        recorder.add(recording)
    admission = partial(encryption, reactor, kept)
    recordings = recorder.recordings
    disks = Disks(
        recorder.disks, kept.settings, recordings, own_thread(reactor), reactor, admission
    )
    rules = kept.settings.rules
    archive = make_archive(reactor, kept.keepers, kept.errands, recordings, rules, time.time)
    triggered = make_triggered(base, recorder, archive)
    followers = [triggered.look]
    services = make_services(
        base, recorder, disks, archive, camera_events, events, triggered, followers
    )
    events.follow(recorder, services.audit)
    gatekeeper = make_gatekeeper(services)
    rtsp = make_rtsp(base, services, gatekeeper, registry, events, announce)
    followers.append(rtsp.feeds.follow)
    websockets = make_websockets(base, gatekeeper.tokens, rtsp.server)
    served = endpoints(services, websockets.endpoints)
    site = SharedPortFactory(make_web_site(gatekeeper, served), rtsp.server)
    web = make_web_listeners(base, site, announce)
    listeners = [*web, *(each for each in rtsp if isinstance(each, Listener))]

    discovery = make_discovery(
        reactor,
        config,
        base.serial,
        release.version,
        lambda: {listener.scheme: listener.port for listener in listeners},
        paths=[endpoint.path for endpoint in served],
    )
    whole: IService = recorder
    if config.demo:
        from axis_nvr.simulator.demo import Demo  # loaded only if it is asked for

        listen_to, rtsp_port = camera_events.change, partial(_port, listeners, "rtsp")
        whole = Demo(reactor, recorder, services.accounts, listen_to, rtsp_port, announce)
    # no thread before it is sure that we can listen, and found last: there is something to find
    servers = [*web, websockets, rtsp]
    return [*servers, base.thread, archive.pool, whole, camera_events, disks.jobs, discovery]


def _port(listeners: Sequence[Listener], scheme: str) -> int | None:
    """Tell at which port a scheme is served; None: at none."""
    for listener in listeners:
        if listener.scheme == scheme and listener.port is not None:
            host: Any = listener.port.getHost()
            return int(host.port)
    return None
