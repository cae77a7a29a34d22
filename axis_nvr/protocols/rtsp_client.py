"""One session with a camera: the shell around its dialogue and its media.

::

    bytes  ──► MediaReceiver ──► units, to whoever asked for them
                    │ messages
                    ▼
                Dialogue ──► bytes; events: tracks, transports, playing, refused, ended

A session begins with `CameraSession.play` and lives until `CameraSession.close`, or until it is
lost, of which its owner is told once. Whatever goes wrong in it ends it and nothing else.

An end is told to the camera with TEARDOWN whenever there is still a connection to do it by: cameras
have few sessions, and keep one that just vanishes until it times out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.media.units import UnitSink
from axis_nvr.protocols.channel import IChannel
from axis_nvr.protocols.failures import MediaMissing, NoAnswer
from axis_nvr.protocols.media_ports import MediaPorts
from axis_nvr.protocols.session_media import (
    check_authentic,
    check_goodbye,
    doubts,
    make_receiver,
)
from axis_nvr.session.dialogue import Dialogue
from axis_nvr.session.dialogue_events import (
    Ended,
    Event,
    Playing,
    Redirected,
    Refused,
    TrackRefused,
    TrackSetUp,
)
from axis_nvr.session.media_track import TrackStatistics
from axis_nvr.session.refusal import RefusalKind
from axis_nvr.session.tracks import TrackDescription
from axis_nvr.session.transports import InterleavedTransport


class CameraSession:
    """A session with a camera over one channel.

    :param clock: the reactor.
    :param deliver: takes the units.
    :param lost: told once, if it happens after the camera played and not by `close`, that the
        session is over.
    :param utc: the time of day, in seconds since 1970.
    :param ssrc: ours.
    """

    def __init__(
        self,
        clock: Any,
        deliver: UnitSink,
        lost: Callable[[Failure], None],
        *,
        utc: Callable[[], float],
        ssrc: int,
    ) -> None:
        self._clock = clock
        self._deliver = deliver
        self._lost: Callable[[Failure], None] | None = lost
        self._utc = utc
        self._ssrc = ssrc
        # for the messages before the tracks are known
        self._receiver = make_receiver((), deliver, ssrc)
        self._dialogue: Dialogue | None = None
        self._channel: IChannel | None = None
        self._ports: MediaPorts | None = None
        self._tracks: list[TrackDescription] = []
        self._warnings: list[str] = []
        self._heard: float | None = None
        self._timer: IDelayedCall | None = None
        self._due: float | None = None
        self._opened: Deferred[Redirected | None] | None = None
        self._gone: Deferred[None] | None = None
        self._reason: Failure | None = None  # why it fails, once it does
        self._settling = False  # plays, and no media has come yet
        self._over = False

    # What the owner does.

    def play(
        self, dialogue: Dialogue, channel: IChannel, ports: MediaPorts | None = None
    ) -> "Deferred[Redirected | None]":
        """Begin, over a channel that is open and owned by this session.

        :param dialogue: what is said; not started.
        :param ports: bound, if media is to come in datagrams.
        :returns: fires with None when the camera plays, or with where else to go. Cancelling ends
            the session.
        """
        self._dialogue, self._channel, self._ports = dialogue, channel, ports
        opened: Deferred[Redirected | None] = Deferred(lambda _: self._give_up())
        self._opened = opened
        self._guarded(dialogue.start)
        return opened

    @property
    def tracks(self) -> Sequence[TrackDescription]:
        """The tracks that were set up."""
        return tuple(self._tracks)

    def statistics(self) -> Mapping[int, TrackStatistics]:
        """Tell what came of each track, by its index."""
        return self._receiver.statistics()

    @property
    def heard(self) -> float | None:
        """When anything came last by the connection, in seconds of the reactor; None: never."""
        return self._heard

    @property
    def clock_offset_us(self) -> int | None:
        """The camera's clock minus ours, if it tells its time."""
        return self._receiver.session_statistics.camera_clock_offset_us

    @property
    def warnings(self) -> Sequence[str]:
        """What is odd about this session, in words."""
        ports = self._ports.warnings if self._ports is not None else ()
        return (*self._warnings, *doubts(self._receiver), *ports)

    def set_urgent(self, urgent: bool) -> None:
        """Read at once what comes, or on ticks."""
        if self._over:
            return
        if self._ports is not None:
            self._ports.set_urgent(urgent)
        elif self._channel is not None:
            self._channel.set_urgent(urgent)

    def read_now(self) -> None:
        """Take what has come since the last tick."""
        if self._over:
            return
        if self._ports is not None:
            self._ports.read_now()
        elif self._channel is not None:
            self._channel.read_now()

    def abort(self, reason: Failure) -> None:
        """End the session at once; it is lost for this reason."""
        self._fail(reason)

    def close(self) -> "Deferred[None]":
        """End the session with TEARDOWN.

        :returns: fires when the connection is gone; never fails. Cancelling does nothing.
        """
        gone: Deferred[None] = Deferred(lambda _: None)
        self._lost = None
        if self._dialogue is None or self._over:
            gone.callback(None)
            return gone
        self._gone = gone
        if self._ports is not None:
            self._ports.close()
        self._guarded(self._dialogue.teardown)
        return gone

    # What the channel and the ports do.

    def received(self, data: bytes) -> None:
        """Take what came through the channel."""
        if self._over or self._dialogue is None:
            return
        now = self._heard = self._clock.seconds()
        try:
            messages = self._receiver.receive(data, now, int(self._utc() * 1e6))
            if messages:
                for message in messages:
                    self._dialogue.receive_message(message, now)
                self._go_on()
            elif self._settling:  # the first media: from here on there are reports to send
                self._settling = False
                self._schedule()
        except Exception:  # the outermost frame of a session
            self._fail(Failure())

    def rtp_received(self, track: int, data: bytes) -> None:
        """Take a datagram of RTP."""
        if not self._over:
            try:
                now = self._clock.seconds()
                self._receiver.receive_rtp(track, data, now, int(self._utc() * 1e6))
            except Exception:  # the outermost frame of a session
                self._fail(Failure())

    def rtcp_received(self, track: int, data: bytes) -> None:
        """Take a datagram of RTCP."""
        if not self._over:
            try:
                now = self._clock.seconds()
                self._receiver.receive_rtcp(track, data, now, int(self._utc() * 1e6))
            except Exception:  # the outermost frame of a session
                self._fail(Failure())

    def drained(self) -> None:
        """Look after a number of datagrams when there is something to do next."""
        self._guarded(lambda now: None)

    def channel_lost(self, reason: Failure) -> None:
        """End with the channel, for the reason that ended it."""
        self._finish()
        self._tell(self._reason or reason)

    # How it goes on.

    def _guarded(self, act: Callable[[float], None]) -> None:
        """Do something at this time and go on; what it raises ends the session."""
        if self._over:
            return
        try:
            act(self._clock.seconds())
            self._go_on()
        except Exception:  # the outermost frame of a session
            self._fail(Failure())

    def _go_on(self) -> None:
        """Send what is to be sent, do what has happened asks for, and plan what is next."""
        self._send()
        assert self._dialogue is not None
        events = self._dialogue.take_events()
        if set_up := [event for event in events if isinstance(event, TrackSetUp)]:
            self._set_up(set_up)
        for event in events:
            if self._over:
                return
            self._take(event)
        for ended in self._receiver.take_events():
            self._warnings.append(check_goodbye(ended, self._tracks))
        if not self._over:
            self._schedule()

    def _send(self) -> None:
        assert self._channel is not None
        assert self._dialogue is not None
        if output := self._dialogue.take_output():
            self._channel.write(output)

    def _take(self, event: Event) -> None:
        """Do what an event of the dialogue asks for."""
        match event:
            case TrackRefused():
                self._warnings.append(f"no {event.track.kind}: {event.error}")
            case Playing():
                self._playing()
            case Redirected():
                self._redirected(event)
            case Refused():
                nothing = event.kind is RefusalKind.NOTHING_WANTED
                error = MediaMissing(event.error.reason) if nothing else event.error
                self._fail(Failure(error))
            case Ended():
                self._ended(event)

    def _set_up(self, events: Sequence[TrackSetUp]) -> None:
        """Receive the tracks in the way that was agreed on; they are told all at once."""
        self._tracks = [event.track for event in events]
        self._receiver = make_receiver(events, self._deliver, self._ssrc)
        for event in events:
            track, transport = event.track, event.transport
            if isinstance(transport, InterleavedTransport):
                channels = transport.rtp_channel, transport.rtcp_channel
                self._receiver.assign(track.index, *channels, transport.ssrc)
            elif self._ports is None:
                raise RemoteProtocolError("SETUP for interleaved answered with datagrams")
            else:
                self._receiver.assign(track.index, ssrc=transport.ssrc)
                self._ports.open(track.index, transport, self._ssrc)

    def _playing(self) -> None:
        """Tell that it plays, and rest."""
        assert self._channel is not None
        if self._ports is not None:
            self._ports.close_spare()
        else:
            self._channel.rest()
        self._settling = True
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.callback(None)

    def _redirected(self, event: Redirected) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            raise RemoteProtocolError("the camera sends us elsewhere")
        self._lost = None
        self._finish()
        assert self._channel is not None
        self._channel.close()
        opened.callback(event)

    def _ended(self, event: Ended) -> None:
        if self._gone is None:
            raise RemoteProtocolError(f"the camera ended the session: {event.reason}")
        assert self._channel is not None
        self._channel.close()

    # Time.

    def _schedule(self) -> None:
        """Have `_time_out` called when something is due."""
        assert self._dialogue is not None
        times = self._dialogue.next_timeout(), self._receiver.next_timeout()
        due = min((time for time in times if time is not None), default=None)
        if due == self._due and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due is not None:
            delay = max(0.0, due - self._clock.seconds())
            self._timer = self._clock.callLater(delay, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        self._guarded(self._do_what_is_due)

    def _do_what_is_due(self, now: float) -> None:
        assert self._dialogue is not None
        try:
            self._dialogue.time_out(now)
        except RemoteProtocolError as error:
            raise NoAnswer(str(error))
        media_due = self._receiver.next_timeout()
        if media_due is not None and media_due <= now:
            self._receiver.time_out(now, int(self._utc() * 1e6))
            check_authentic(self._receiver, self._tracks, now)
            self._send_reports(now)

    def _send_reports(self, now: float) -> None:
        """Send receiver reports if they are due: some cameras end a stream without (quirk 4)."""
        if self._ports is not None:
            for track, data in self._receiver.receiver_reports(now):
                self._ports.send_report(track, data)
        elif reports := self._receiver.interleaved_reports(now):
            assert self._channel is not None
            self._channel.write(reports)

    # The end.

    def _fail(self, reason: Failure) -> None:
        """End because of something that went wrong here or that the camera said.

        Nobody is told before the connection is gone: a camera that allows one session would
        refuse the next.
        """
        if self._over:
            return
        assert self._channel is not None
        self._reason = reason
        self._finish()
        if self._say_goodbye():
            self._channel.close()
        else:
            self._channel.abort()

    def _give_up(self) -> None:
        """End because nobody waits for the session any more."""
        self._opened = self._lost = None
        self._fail(Failure(CancelledError()))

    def _say_goodbye(self) -> bool:
        """End the session at the camera, if there is one and this is still possible."""
        assert self._dialogue is not None
        assert self._channel is not None
        try:
            self._dialogue.teardown(self._clock.seconds())
            output = self._dialogue.take_output()
            if output:
                self._channel.write(output)
        except Exception:  # it is over anyway, and the first reason is told
            return False
        return bool(output)

    def _finish(self) -> None:
        """Do nothing any more."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ports is not None:
            self._ports.close()
        self._receiver.finish()

    def _tell(self, reason: Failure) -> None:
        """Tell whoever waits that it is over."""
        gone, self._gone = self._gone, None
        opened, self._opened = self._opened, None
        lost, self._lost = self._lost, None
        if gone is not None:
            if not gone.called:
                gone.callback(None)
        elif opened is not None:
            opened.errback(reason)
        elif lost is not None:
            lost(reason)
