"""What one client sees of a URL that is live: a camera's tracks, events, or both together."""

from collections.abc import Sequence
from dataclasses import replace

from axis_nvr.protocols.presentation import IDelivery, PlayAnswer, TrackStart
from axis_nvr.services.live.outlet import IPart
from axis_nvr.session.server.description import describe
from axis_nvr.session.server.dialogue import Asked
from axis_nvr.session.server.presentation_url import PresentationUrl
from axis_nvr.session.server.sessions import RequestRefused

#: The body of SET_PARAMETER that asks for a key frame.
RENEW_STREAM = "renew-stream: yes"
#: Digits of a CSeq that are looked at; the dialogue has seen that they are digits.
MAX_CSEQ_DIGITS = 18


class LivePresentation:
    """A presentation of several parts, whose tracks are counted through.

    :param number: tells its description from others.
    """

    def __init__(self, parts: Sequence[IPart], number: int) -> None:
        self._parts = parts
        self._number = number

    def describe(self, url: PresentationUrl, address: str) -> bytes:
        """Return the SDP."""
        offered = [track for part in self._parts for track in part.offered]
        return describe(offered, url, number=self._number, address=address)

    def set_up(self, track: int, delivery: IDelivery) -> int:
        """Send a track to `delivery` from PLAY on.

        :raises RequestRefused: 404, there is no such track.
        """
        part, place = self.part_of(track)
        return part.set_up(place, delivery)

    def part_of(self, track: int) -> tuple[IPart, int]:
        """Find the part that a track belongs to, and which of its tracks that is.

        :raises RequestRefused: 404, there is no such track.
        """
        for first, part in self._places():
            if first <= track < first + len(part.offered):
                return part, track - first
        raise RequestRefused(404, "Not Found: no such track")

    def play(self, asked: Asked) -> PlayAnswer:
        """Prepare to play from now on, whatever the range says: it is live."""
        cseq = int(asked.request.headers.get("CSeq").strip()[:MAX_CSEQ_DIGITS])
        starts: list[TrackStart] = []
        for first, part in self._places():
            starts += [replace(start, track=first + start.track) for start in part.prepare(cseq)]
        return PlayAnswer("npt=now-", starts)

    def started(self) -> None:
        """Begin to send."""
        for part in self._parts:
            part.started()

    def pause(self) -> None:
        """Send nothing more until the next PLAY, which begins with what is new then."""
        for part in self._parts:
            part.pause()

    def parameters(self, asked: Asked) -> bytes:
        """Understand ``Renew-Stream: yes`` and nothing else.

        It changes nothing: each PLAY begins with a key frame, and the camera, whose stream others
        record and watch too, is not asked for one.

        :raises RequestRefused: 451, as of a stream that cannot be adjusted.
        """
        text = asked.request.body.decode("latin-1")
        lines = [line.strip().lower() for line in text.splitlines() if line.strip()]
        if asked.method != "SET_PARAMETER" or lines != [RENEW_STREAM]:
            raise RequestRefused(451)
        return b""

    def writable(self) -> None:
        """Go on: the client takes more."""
        for part in self._parts:
            part.writable()

    def receiver_report(self, track: int, data: bytes) -> None:
        """Take a receiver report: a sign of life, which the server has noted."""

    def stop(self) -> None:
        """End."""
        for part in self._parts:
            part.stop()

    def _places(self) -> list[tuple[int, IPart]]:
        """Each part with the number of its first track."""
        places, first = [], 0
        for part in self._parts:
            places.append((first, part))
            first += len(part.offered)
        return places
