"""Live streams by multicast: whoever asks for the same track of a camera shares one sender.

Each track that is asked for gets a group out of those that are configured, and keeps it until the
last client has gone. It is sent while at least one client plays it: the first one begins with the
newest key frame, as every viewer does; those who come later join what is on its way, and have a
picture from the next key frame on.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from random import Random, SystemRandom
from typing import Any

from axis_nvr.media.units import Format, VideoFormat
from axis_nvr.protocols.presentation import IDelivery, IPresentation, TrackStart
from axis_nvr.protocols.rtp_delivery import MulticastGroup, UdpDelivery, UdpPorts
from axis_nvr.protocols.shared_groups import SharedDelivery
from axis_nvr.services.live.feed import LiveFeed
from axis_nvr.services.live.outlet import Outlet
from axis_nvr.services.live.presentation import LivePresentation
from axis_nvr.services.live.viewer import FeedViewer
from axis_nvr.session.packetizers.choose import offered_track
from axis_nvr.session.server.description import OfferedTrack
from axis_nvr.session.server.sessions import RequestRefused


class GroupSender:
    """One track on its way to a group.

    :param viewer: has this track only, set up to go to the group.
    :param shared: what clients are told.
    :param ended: called when the last member has left.
    """

    def __init__(
        self,
        feed: LiveFeed,
        viewer: FeedViewer,
        shared: SharedDelivery,
        ended: Callable[[], None],
    ) -> None:
        self.shared = shared
        self._feed = feed
        self._viewer = viewer
        self._ended = ended
        self._members: list[object] = []
        self._playing: set[object] = set()

    def join(self, member: object) -> None:
        """Hold the group for one more client."""
        self._members.append(member)

    def prepare(self, member: object) -> TrackStart:
        """Let a client listen, the first one from the newest key frame on.

        :raises RequestRefused: 404, the stream has ended.
        """
        if self._feed.has(self._viewer):
            (start,) = self._viewer.starts()
        else:
            self._playing.clear()
            (start,) = self._viewer.prepare(0)
        self._playing.add(member)
        return start

    def started(self) -> None:
        """Begin to send, if that has not begun."""
        if self._feed.has(self._viewer):
            self._viewer.started()

    def pause(self, member: object) -> None:
        """Send nothing more unless others listen."""
        self._playing.discard(member)
        if not self._playing:
            self._viewer.pause()

    def leave(self, member: object) -> None:
        """Let go; the last one ends it."""
        self.pause(member)
        self._members.remove(member)
        if not self._members:
            self._viewer.stop()
            self._ended()


class FeedPart:
    """A camera's tracks for one client: in packets of its own, or by groups that it shares.

    :param viewer: sends the former.
    :param tracks: their numbers in the stream, in the order of their description.
    """

    def __init__(self, feed: LiveFeed, viewer: FeedViewer, tracks: Sequence[int]) -> None:
        self.feed = feed
        self.tracks = tracks
        self.with_times = viewer.with_times
        self._viewer = viewer
        self._has_own = False
        self._senders: dict[int, GroupSender] = {}

    @property
    def offered(self) -> Sequence[OfferedTrack]:
        """The tracks as they are described."""
        return self._viewer.offered

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Take the way of a track to the client."""
        self._has_own = True
        return self._viewer.set_up(track, delivery)

    def join(self, track: int, sender: GroupSender) -> None:
        """Have a track by a group."""
        sender.join(self)
        self._senders[track] = sender

    def prepare(self, cseq: int) -> list[TrackStart]:
        """Get ready to play.

        :raises RequestRefused: 404, the stream has ended.
        """
        starts = self._viewer.prepare(cseq) if self._has_own else []
        for track, sender in self._senders.items():
            starts.append(replace(sender.prepare(self), track=track))
        return sorted(starts, key=lambda start: start.track)

    def started(self) -> None:
        """Begin to send."""
        if self._has_own:
            self._viewer.started()
        for sender in self._senders.values():
            sender.started()

    def pause(self) -> None:
        """Send this client nothing more; others go on."""
        self._viewer.pause()
        for sender in self._senders.values():
            sender.pause(self)

    def writable(self) -> None:
        """Go on: the client takes more."""
        if self._has_own:
            self._viewer.writable()

    def stop(self) -> None:
        """End."""
        for sender in self._senders.values():
            sender.leave(self)
        self._viewer.stop()


class LiveGroups:
    """The groups that live streams go to.

    :param groups: those there are; what was given back last is used again last, so that who has
        not noticed the end of a stream does not get another one at once.
    :param clock: the reactor.
    :param utc_us: the wall clock, microseconds since 1970.
    :param cname: names this recorder in RTCP.
    """

    def __init__(
        self,
        groups: Sequence[MulticastGroup],
        clock: Any,
        utc_us: Callable[[], int],
        *,
        cname: str,
        random: Random | None = None,
    ) -> None:
        self._free = deque(groups)
        self._clock = clock
        self._utc_us = utc_us
        self._cname = cname
        self._random = SystemRandom() if random is None else random
        self._senders: dict[Hashable, GroupSender] = {}

    def join(self, presentation: IPresentation, track: int, ports: UdpPorts) -> SharedDelivery:
        """Let a client take part in the group of a track, from its PLAY until it stops.

        :raises RequestRefused: 461, it is no camera's live track, packets are to have times of
            their own, or no group is left; 404, there is no such track.
        """
        if not isinstance(presentation, LivePresentation):
            raise RequestRefused(461, "Unsupported Transport: only live is sent to groups")
        part, place = presentation.part_of(track)
        if not isinstance(part, FeedPart) or part.with_times:
            raise RequestRefused(461, "Unsupported Transport: this track is not sent to groups")
        number = part.tracks[place]
        key = (part.feed, number, _sort_of(part.feed.formats[number]))
        sender = self._senders.get(key)
        if sender is None:
            sender = self._senders[key] = self._make(part.feed, number, key, ports)
        part.join(place, sender)
        return sender.shared

    def _make(self, feed: LiveFeed, track: int, key: Hashable, ports: UdpPorts) -> GroupSender:
        """Prepare to send a track to a group that is free."""
        offered = offered_track(feed.formats[track])
        assert offered is not None  # else it would not have been described
        if not self._free:
            raise RequestRefused(461, "Unsupported Transport: all multicast groups are in use")
        group = self._free[0]
        ports.aim(group)
        outlet = Outlet(offered, self._random, self._cname)
        viewer = FeedViewer(feed, {track: outlet}, self._clock, self._utc_us)
        pair = (group.port, group.port + 1)
        delivery = UdpDelivery(
            ports, group.address, pair, None, lambda data: None, lambda: None, viewer.writable
        )
        shared = SharedDelivery(group.address, pair, group.ttl, outlet.set_up(delivery))

        def ended() -> None:
            delivery.close()
            del self._senders[key]
            self._free.append(group)

        self._free.popleft()
        return GroupSender(feed, viewer, shared, ended)


def _sort_of(format_: Format) -> Hashable:
    """What a track stays the same by: pictures bring their parameter sets with them."""
    return format_.codec if isinstance(format_, VideoFormat) else format_
