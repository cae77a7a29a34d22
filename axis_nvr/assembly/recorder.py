"""The whole recorder."""

import time
from functools import partial
from typing import Any

from twisted.application.service import IService

from axis_nvr.assembly.camera_events import make_camera_events
from axis_nvr.assembly.disks import encryption, keep_disks
from axis_nvr.assembly.events import make_events
from axis_nvr.assembly.foundation import Release, lay_foundation
from axis_nvr.assembly.listeners import Announce
from axis_nvr.assembly.servers import make_servers
from axis_nvr.assembly.services import make_services
from axis_nvr.assembly.streams import check_cameras, make_registry, make_session_opener
from axis_nvr.assembly.triggered import make_triggered
from axis_nvr.config import Config
from axis_nvr.media.budget import ByteBudget
from axis_nvr.services.archive import make_archive
from axis_nvr.services.disk_jobs import own_thread
from axis_nvr.services.disks import Disks
from axis_nvr.services.recorder import Recorder
from axis_nvr.services.state_claim import StateClaim
from axis_nvr.vapix.announcement import make_discovery


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
    servers = make_servers(base, services, registry, events, announce)
    followers.append(servers.rtsp.feeds.follow)
    discovery = make_discovery(
        reactor, config, base.serial, release.version, servers.ports, paths=servers.paths
    )
    whole: IService = recorder
    if config.demo:
        from axis_nvr.simulator.demo import Demo  # loaded only if it is asked for

        listen_to, rtsp_port = camera_events.change, partial(servers.port, "rtsp")
        whole = Demo(reactor, recorder, services.accounts, listen_to, rtsp_port, announce)
    # no thread before it is sure that we can listen, and found last: there is something to find
    listening = [StateClaim(base.state.path), *servers.web, servers.websockets, servers.rtsp]
    return [*listening, base.thread, archive.pool, whole, camera_events, disks.jobs, discovery]
