"""The RTSP server: what it serves, to whom, and where it listens."""

from collections.abc import Callable
from uuid import NAMESPACE_OID, uuid5

from axis_nvr.assembly.events import Events
from axis_nvr.assembly.foundation import Foundation, utc_us
from axis_nvr.assembly.listeners import Announce, make_listener
from axis_nvr.config import NONE
from axis_nvr.protocols.rtp_delivery import IClientConnection, MulticastGroup
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.audit import Audit
from axis_nvr.services.camera_stream import CameraStream
from axis_nvr.services.event_presentation import EventStreams
from axis_nvr.services.gatekeeper import Gatekeeper
from axis_nvr.services.live.feeds import LiveFeeds
from axis_nvr.services.live.multicast import LiveGroups
from axis_nvr.services.live.presentations import (
    RECORDING_ARGUMENTS,
    RecorderPresentations,
)
from axis_nvr.services.playback.presentations import FEATURES, Playbacks
from axis_nvr.services.rtsp_service import RtspService
from axis_nvr.services.stream_registry import StreamRegistry
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.vapix.api import Services
from axis_nvr.vapix.rtsp_admission import RtspAdmission

#: Sessions of all clients together.
MAX_SESSIONS = 1000


def make_rtsp(
    base: Foundation,
    services: Services,
    gatekeeper: Gatekeeper,
    registry: StreamRegistry[CameraStream],
    own_events: Events,
    announce: Announce,
) -> RtspService:
    """Put the RTSP server together.

    :param own_events: where it is told that somebody watches.
    :raises ConfigError: it cannot listen as configured.
    """
    reactor, name = base.reactor, f"axis-{base.serial.lower()}"
    feeds = LiveFeeds(registry, reactor, own_events.system.live_stream)
    producer = str(uuid5(NAMESPACE_OID, base.serial))
    playbacks = Playbacks(services.archive.library, reactor)
    events = EventStreams(base.bus, producer, reactor, utc_us)
    server = RtspServerFactory(
        reactor,
        RecorderPresentations(feeds, events, playbacks, reactor, utc_us, cname=name),
        admission=RtspAdmission(gatekeeper),
        session_limit=MAX_SESSIONS,
        options=FEATURES,
        played=_noting(services.audit),
        paced=True,
        groups=_groups(base, name),
    )
    ports = (("rtsp", base.config.rtsp), ("rtsps", base.config.rtsps))
    listeners = [
        make_listener(base, scheme, description, server, announce)
        for scheme, description in ports
        if description != NONE
    ]
    return RtspService(reactor, server, feeds, events, listeners)


def _groups(base: Foundation, name: str) -> LiveGroups | None:
    """Return where live streams go by multicast, if they may."""
    config = base.config.multicast
    if config is None:
        return None
    groups = [
        MulticastGroup(address, port, config.ttl, config.interface)
        for address, port in config.places
    ]
    return LiveGroups(groups, base.reactor, utc_us, cname=name)


def _noting(audit: Audit) -> Callable[[Asked, IClientConnection], None]:
    """Return what writes down who watches."""

    def note(asked: Asked, connection: IClientConnection) -> None:
        audit.note(connection.account, connection.client_host, "view", target(asked.url))

    return note


def target(url: PresentationUrl) -> str:
    """Name what somebody watches, for the audit log."""
    arguments = url.arguments
    for name in RECORDING_ARGUMENTS:
        if name in arguments:
            named = arguments[name].strip('"')
            kind = "recordings of" if name == "playbackdevice" else "recording"
            return f"{kind} {named}"
    return f"device {arguments['device']}" if "device" in arguments else "events"
