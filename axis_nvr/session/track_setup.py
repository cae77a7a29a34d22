"""Setting up the tracks of a session one after the other, and whether what came of it is enough.

Source: RFC 2326 §10.4.
"""

from collections.abc import Iterable

from axis_nvr.errors import PeerRefused
from axis_nvr.session.dialogue_events import TrackRefused, TrackSetUp
from axis_nvr.session.refusal import RefusalKind
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import InterleavedTransport, TransportChoice, complete, offer
from axis_nvr.wire.rtsp_headers import Transport
from axis_nvr.wire.sdp import SessionDescription

#: Refusals of one track that are about the whole session.
_FATAL = frozenset(
    {
        RefusalKind.WRONG_CREDENTIALS,
        RefusalKind.NO_CREDENTIALS,
        RefusalKind.UNKNOWN_AUTHENTICATION,
        RefusalKind.SESSION_LOST,
    }
)


class TrackSetup:
    """The tracks of one session on their way from wanted to set up.

    :param choice: how media is to come.
    :param tracks: those wanted, in order.
    :param description: where they come from; it may know a multicast group that the camera does
        not repeat.
    """

    def __init__(
        self,
        choice: TransportChoice,
        tracks: Iterable[TrackDescription],
        description: SessionDescription,
    ) -> None:
        self._choice = choice
        self._waiting = list(tracks)
        self._description = description
        self._current: tuple[TrackDescription, Transport] | None = None
        self.set_up: list[TrackSetUp] = []
        self.refused: list[TrackRefused] = []

    def next(self) -> tuple[TrackDescription, Transport] | None:
        """Return the next track and what to ask for; None after the last."""
        while self._waiting:
            track = self._waiting.pop(0)
            position = len(self.set_up) + len(self.refused)
            offered = offer(self._choice, position, self._channels())
            self._current = (track, offered or Transport())
            if offered is not None:
                return track, offered
            error = PeerRefused("SETUP", 0, "no ports were opened for this track")
            self.note_refusal(error, RefusalKind.UNSUPPORTED_TRANSPORT)
        return None

    def note_answer(self, answer: str) -> None:
        """Keep what the camera made of the offer.

        :param answer: its Transport header, empty without.
        :raises RemoteProtocolError: the answer is no way for media to reach us.
        """
        assert self._current is not None
        track, offered = self._current
        media = self._description.media
        section = media[track.index] if track.index < len(media) else None
        group = (section.connection if section else "") or self._description.connection
        transport = complete(
            offered,
            answer,
            self._rtp_channels(),
            group.partition("/")[0],  # TTL and count may stand behind it: 239.1.2.3/127/2
            section.port if section else 0,
        )
        self.set_up.append(TrackSetUp(track, transport))

    def note_refusal(self, error: PeerRefused, kind: RefusalKind) -> None:
        """Keep that the camera did not want it."""
        assert self._current is not None
        self.refused.append(TrackRefused(self._current[0], error, kind))

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
            events.append(TrackSetUp(event.track, transport))
        return events
