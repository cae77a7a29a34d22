"""What one client sees of a recording: described, set up, played, paused, played from elsewhere.

Each PLAY is a `Run` of its own, unless it only goes on where the one before was paused. While a new
one is prepared nothing of the old one is sent, so that nothing of it comes behind the reply; if the
new one is refused the old one goes on.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from axis_nvr.errors import StorageError
from axis_nvr.protocols.presentation import IDelivery, PlayAnswer, TrackStart
from axis_nvr.services.playback.run import Run
from axis_nvr.services.playback.source import Source, Tracks
from axis_nvr.services.playback.subject import Subject
from axis_nvr.services.playback.track import PlayedTrack
from axis_nvr.session.replay.order import (
    FEATURE,
    REPLAY_HEADERS,
    Extent,
    Order,
    range_value,
    read_order,
    reply_headers,
)
from axis_nvr.session.replay.pace import Pace, SessionTime
from axis_nvr.session.server.description import describe
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.wire.rtsp_range import Range, build_range


class Playback:
    """An `axis_nvr.protocols.presentation.IPresentation` of what was recorded.

    :param utc: the time of day, in seconds since 1970.
    :param extent: of what time there was anything when it was opened.
    :param unit: how ranges are told where the client does not say: ``clock`` or ``npt``.
    :param pull: as fast as the client reads, where it does not say.
    :param has_extension: units carry the replay extension; None: if the client knows of it.
    """

    def __init__(
        self,
        clock: Any,
        utc: Callable[[], float],
        subject: Subject,
        extent: Extent,
        tracks: list[PlayedTrack],
        *,
        unit: str,
        pull: bool,
        has_extension: bool | None,
    ) -> None:
        self._clock = clock
        self._utc = utc
        self._subject = subject
        self._extent = extent
        self._tracks = tracks
        self._unit = unit
        self._pull = pull
        self._has_extension = has_extension
        self._time = SessionTime()
        self._run: Run | None = None
        self._is_preparing = False
        self._is_stopped = False

    def describe(self, url: PresentationUrl, address: str) -> bytes:
        """Return the SDP."""
        offered = [track.offered for track in self._tracks]
        zero_us = self._extent.start_us if self._unit == "npt" else 0
        end_us = self._extent.end_us
        span = Range(
            self._unit,
            self._extent.start_us - zero_us,
            None if end_us is None else end_us - zero_us,
        )
        return describe(
            offered,
            url,
            number=secrets.randbits(62),
            address=address,
            range_value=build_range(span),
        )

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Send a track to `delivery` from PLAY on.

        :raises RequestRefused: 404, there is no such track.
        """
        if track >= len(self._tracks):
            raise RequestRefused(404, "Not Found: no such track")
        return self._tracks[track].set_up(delivery)

    def play(self, asked: Asked) -> "Deferred[PlayAnswer]":
        """Prepare to play what was asked for.

        :returns: the answer; 404, 457 and so on as a failure.
        """
        return Deferred.fromCoroutine(self._play(asked))

    async def _play(self, asked: Asked) -> PlayAnswer:
        if self._is_preparing:
            raise RequestRefused(455, "another PLAY is being prepared")
        self._is_preparing = True
        old = self._run
        was_playing = old is not None and old.is_playing
        if old is not None:
            old.hold()
        try:
            run = await self._prepared(asked, old)
        except BaseException:
            if old is not None and was_playing and not self._is_stopped:
                old.go_on()
            raise
        finally:
            self._is_preparing = False
        self._run = run
        return self._answer(run, asked)

    def started(self) -> None:
        """Begin to send: the reply to PLAY is out."""
        if self._run is not None and not self._is_stopped:
            self._run.go_on()

    def pause(self) -> None:
        """Send nothing more until the next PLAY."""
        if self._run is not None:
            self._run.hold()

    def parameters(self, asked: Asked) -> bytes:
        """Know of no parameters.

        :raises RequestRefused: 451.
        """
        raise RequestRefused(451)

    def writable(self) -> None:
        """Go on: the client takes more."""
        if self._run is not None:
            self._run.writable()

    def receiver_report(self, track: int, data: bytes) -> None:
        """Take a receiver report; what was recorded is not sent differently for it."""

    def stop(self) -> None:
        """End."""
        self._is_stopped = True
        self.pause()
        self._run = None

    # What a PLAY comes to.

    async def _prepared(self, asked: Asked, old: Run | None) -> Run:
        """Find what a PLAY begins with.

        :raises RequestRefused: there is nothing to be played.
        """
        try:
            extent = await self._subject.extent()
        except StorageError as error:
            raise RequestRefused(503, "the disk cannot be read") from error
        if extent is None:
            raise RequestRefused(404)
        self._extent = extent
        order = self._read(asked)
        if old is not None and asked.range is None and not old.is_over:
            if _is_same_manner(order, old.order):
                old.cseq = _cseq(asked)
                old.line_up()
                return old
            order = replace(order, start_us=old.here_us, end_us=_end_along(order, old.order))
        run = self._new_run(order, asked)
        try:
            await run.prepare()
        except StorageError as error:
            raise RequestRefused(503, "the disk cannot be read") from error
        if self._is_stopped:
            raise RequestRefused(454)
        if run.is_over:
            raise RequestRefused(457, "Invalid Range: nothing was recorded there")
        run.line_up()
        return run

    def _read(self, asked: Asked) -> Order:
        order = read_order(
            asked.request.headers,
            asked.range,
            self._extent,
            pull=self._pull,
            may_flood=_is_held_back(asked),
            unit=self._unit,
        )
        kinds = {track.offered.kind for track in self._set_up.values()}
        if not order.is_forward and "video" not in kinds:
            raise RequestRefused(457, "Invalid Range: only pictures are played backwards")
        return order

    @property
    def _set_up(self) -> dict[int, PlayedTrack]:
        return {at: track for at, track in enumerate(self._tracks) if track.is_set_up}

    def _new_run(self, order: Order, asked: Asked) -> Run:
        formats = {at: track.form for at, track in enumerate(self._tracks)}
        has_extension = self._has_extension
        if has_extension is None:
            has_extension = _knows_replay(asked)
        return Run(
            self._clock,
            self._utc,
            Source(self._subject.open(), order, Tracks(formats)),
            order,
            self._set_up,
            Pace(self._time, order.rate) if order.is_paced else None,
            cseq=_cseq(asked),
            has_extension=has_extension,
        )

    def _answer(self, run: Run, asked: Asked) -> PlayAnswer:
        """Tell what is sent first, and in what manner."""
        first, order = run.first, run.order
        start_us = order.start_us or self._extent.start_us
        if first is not None:
            start_us = first.unit.utc_us
        session_us = run.session_us()
        at_us = start_us if session_us is None else session_us
        starts = [
            TrackStart(
                number,
                track.sender.sequence_number,
                track.sender.rtp_timestamp(at_us * track.clock_rate // 1_000_000),
            )
            for number, track in self._set_up.items()
        ]
        headers = reply_headers(order, asked.request.headers)
        return PlayAnswer(range_value(order, self._extent, start_us), starts, headers)


def _cseq(asked: Asked) -> int:
    return int(asked.request.headers.get("CSeq").strip())  # digits: the dialogue has looked


def _is_held_back(asked: Asked) -> bool:
    """Tell whether a client that does not keep up is noticed: datagrams are sent and forgotten."""
    session = asked.session
    return session is not None and all(way.lower == "TCP" for way in session.tracks.values())


def _knows_replay(asked: Asked) -> bool:
    """Tell whether the client has named the feature in this session, or uses what is of it."""
    if any(name in asked.request.headers for name in REPLAY_HEADERS):
        return True
    return asked.session is not None and FEATURE in asked.session.features


def _is_same_manner(one: Order, other: Order) -> bool:
    """Tell whether two orders differ in nothing but where they begin and end."""
    return replace(one, start_us=0, end_us=0, is_newest=False, unit="") == replace(
        other, start_us=0, end_us=0, is_newest=False, unit=""
    )


def _end_along(order: Order, old: Order) -> int | None:
    """Give the end that still counts: not the old one if the direction is another."""
    return old.end_us if order.is_forward == old.is_forward else None
