"""Setting up the tracks of a session one after the other, and whether what came of it is enough.

Source: RFC 2326 §10.4; RFC 4567 §4.2 for keys.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from axis_nvr.errors import PeerRefused
from axis_nvr.session.dialogue_events import TrackRefused, TrackSetUp
from axis_nvr.session.refusal import RefusalKind
from axis_nvr.session.srtp import SrtpKey, keys_of
from axis_nvr.session.srtp_keys import (
    MKI_BYTES,
    KeyMaker,
    TrackProtection,
    answered_keys,
    offered_keys,
)
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import (
    SECURE_PROFILES,
    InterleavedTransport,
    TransportChoice,
    complete,
    offer,
)
from axis_nvr.wire.key_mgmt import build_key_mgmt
from axis_nvr.wire.mikey import MikeyMessage
from axis_nvr.wire.rtsp import Headers
from axis_nvr.wire.rtsp_headers import Transport, build_transport
from axis_nvr.wire.sdp import MediaDescription, SessionDescription

#: Refusals of one track that are about the whole session.
_FATAL = frozenset(
    {
        RefusalKind.WRONG_CREDENTIALS,
        RefusalKind.NO_CREDENTIALS,
        RefusalKind.UNKNOWN_AUTHENTICATION,
        RefusalKind.SESSION_LOST,
    }
)


@dataclass(frozen=True, slots=True)
class TrackRequest:
    """A SETUP that is to be sent.

    :param transport: what is offered.
    :param own_key: ours, if the track is to be protected.
    :param camera_keys: those that the description offers.
    """

    track: TrackDescription
    transport: Transport
    own_key: MikeyMessage | None = None
    camera_keys: tuple[SrtpKey, ...] = ()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that say it."""
        headers = [("Transport", build_transport(self.transport))]
        if self.own_key is not None:
            headers.append(("KeyMgmt", build_key_mgmt(self.own_key, self.track.control)))
        return headers


class TrackSetup:
    """The tracks of one session on their way from wanted to set up.

    :param choice: how media is to come.
    :param tracks: those wanted, in order.
    :param description: where they come from; it may know a multicast group that the camera does
        not repeat.
    :param keys: makes ours; None: nothing is protected, whatever the camera asks for.
    """

    def __init__(
        self,
        choice: TransportChoice,
        tracks: Iterable[TrackDescription],
        description: SessionDescription,
        keys: KeyMaker | None = None,
    ) -> None:
        self._choice = choice
        self._waiting = list(tracks)
        self._description = description
        self._keys = keys
        self._key_demanded = False
        self._current: TrackRequest | None = None
        self.set_up: list[TrackSetUp] = []
        self.refused: list[TrackRefused] = []

    def next(self) -> TrackRequest | None:
        """Return what to ask for next; None after the last track."""
        while self._waiting:
            track = self._waiting.pop(0)
            position = len(self.set_up) + len(self.refused)
            offered = offer(self._choice, position, self._channels())
            self._current = self._request(track, offered or Transport())
            if offered is not None:
                return self._current
            error = PeerRefused("SETUP", 0, "no ports were opened for this track")
            self.note_refusal(error, RefusalKind.UNSUPPORTED_TRANSPORT)
        return None

    def with_named_key(self) -> TrackRequest | None:
        """Return what to ask for instead where a key of ours with a name is demanded (quirk 19).

        The tracks behind it are asked for like this at once.

        :returns: None if this is what was asked for, or if there are to be no keys.
        """
        assert self._current is not None
        own_key = self._current.own_key
        if self._keys is None or (own_key is not None and own_key.keys[0].mki):
            return None
        self._key_demanded = True
        self._current = self._request(self._current.track, self._current.transport)
        return self._current

    def _request(self, track: TrackDescription, offered: Transport) -> TrackRequest:
        """Ask for protection where the camera wants it, or has been found to demand it."""
        section = self._section(track)
        protocol = section.protocol if section else ""
        profile = protocol.upper().partition("/")[2].partition("/")[0]
        camera_keys = offered_keys(section.attributes) if section else ()
        camera_keys = camera_keys or offered_keys(self._description.attributes)
        is_secure = profile in SECURE_PROFILES
        if self._keys is None or not (is_secure or camera_keys or self._key_demanded):
            return TrackRequest(track, offered)
        # Where the camera brings no key it takes ours, and ONVIF has that named in each packet.
        named = self._key_demanded or not camera_keys
        own_key = self._keys.make(MKI_BYTES if named else 0)
        offered = replace(offered, profile=profile if is_secure else "SAVP")
        return TrackRequest(track, offered, own_key, camera_keys)

    def _section(self, track: TrackDescription) -> MediaDescription | None:
        media = self._description.media
        return media[track.index] if track.index < len(media) else None

    def note_answer(self, headers: Headers) -> None:
        """Keep what the camera made of the offer.

        :param headers: of its answer.
        :raises RemoteProtocolError: the answer is no way for media to reach us.
        """
        assert self._current is not None
        request = self._current
        section = self._section(request.track)
        group = (section.connection if section else "") or self._description.connection
        transport = complete(
            request.transport,
            headers.get("Transport"),
            self._rtp_channels(),
            group.partition("/")[0],  # TTL and count may stand behind it: 239.1.2.3/127/2
            section.port if section else 0,
        )
        protection = None
        if request.own_key is not None:
            own = keys_of(request.own_key)
            answered = answered_keys(headers.get("KeyMgmt"))
            protection = TrackProtection((*answered, *request.camera_keys, *own), own[0])
        self.set_up.append(TrackSetUp(request.track, transport, protection))

    def note_refusal(self, error: PeerRefused, kind: RefusalKind) -> None:
        """Keep that the camera did not want it."""
        assert self._current is not None
        self.refused.append(TrackRefused(self._current.track, error, kind))

    def is_fatal(self, kind: RefusalKind) -> bool:
        """Whether a refusal is about the whole session, whatever the track."""
        return kind in _FATAL

    def verdict(self) -> TrackRefused | None:
        """Return the refusal that the session cannot go on with, None if it can.

        A camera may refuse audio, or its second picture; without any picture that was wanted
        there is nothing to record.
        """
        if not self.refused:
            return None
        has_video = any(event.track.kind == "video" for event in self.set_up)
        video = [refusal for refusal in self.refused if refusal.track.kind == "video"]
        if video and not has_video:
            return video[0]
        return None if self.set_up else self.refused[0]

    @property
    def brings_events_only(self) -> bool:
        """Whether neither pictures nor sound were set up, but what tells of events."""
        return bool(self.set_up) and all(e.track.kind == "application" for e in self.set_up)

    def _interleaved(self) -> list[InterleavedTransport]:
        transports = (event.transport for event in self.set_up)
        return [t for t in transports if isinstance(t, InterleavedTransport)]

    def _rtp_channels(self) -> set[int]:
        """Return the channels that no other track can have."""
        return {transport.rtp_channel for transport in self._interleaved()}

    def _channels(self) -> set[int]:
        """Return the channels that are not offered any more."""
        reports = {t.rtcp_channel for t in self._interleaved() if t.rtcp_channel is not None}
        return self._rtp_channels() | reports

    def events(self) -> list[TrackSetUp]:
        """Return what was set up, once all is known.

        A camera that names one channel for each track may use for RTP what was taken for another
        track's RTCP (quirk 8): RTP has it.
        """
        rtp = self._rtp_channels()
        events = []
        for event in self.set_up:
            transport = event.transport
            if isinstance(transport, InterleavedTransport) and transport.rtcp_channel in rtp:
                transport = InterleavedTransport(transport.rtp_channel, None, transport.ssrc)
            events.append(TrackSetUp(event.track, transport, event.protection))
        return events
