"""Whether a stream that plays is alive.

A camera that hangs keeps its TCP connection for as long as its kernel lives, and one whose video
encoder died may go on sending sound, or its RTSP server sender reports. What counts is media. Sound
that stops while pictures come is no reason to lose pictures: it is told and waited for. A camera
that is only listened to for its events is rightly silent for hours; it lives as long as it says
anything at all, such as answers to signs of life.
"""

from collections.abc import Iterable, Mapping

#: How long nothing at all may come before the connection is dropped, in seconds.
SILENCE_SECONDS = 10.0
#: How long no video may come while something else does, in seconds. Cameras that save bits send a
#: still scene with very few pictures.
VIDEO_SILENCE_SECONDS = 30.0
#: How long a session that brings events alone may be without any sound of the camera, in seconds:
#: three signs of life without an answer.
EVENTS_SILENCE_SECONDS = 30.0


class Liveness:
    """Looks at the packet counts of a stream from time to time.

    :param tracks: the kind of each track that was set up (``video``, ``audio`` …), by its index.
    :param now: when it began to play.
    """

    def __init__(self, tracks: Mapping[int, str], now: float) -> None:
        self._kinds = dict(tracks)
        self._last = dict.fromkeys(tracks, now)
        self._packets = dict.fromkeys(tracks, 0)

    def look(
        self, packets: Mapping[int, int], now: float, heard: float | None = None
    ) -> str | None:
        """Compare the counts with those seen last.

        :param packets: how many packets of media came so far, by track.
        :param heard: when anything at all came last; None: not known.
        :returns: why the stream is to be dropped, or None.
        """
        for index, count in packets.items():
            if index in self._packets and count != self._packets[index]:
                self._packets[index] = count
                self._last[index] = now
        if self._kinds and set(self._kinds.values()) == {"application"}:
            last = max(*self._last.values(), heard or 0.0)
            quiet = now - last >= EVENTS_SILENCE_SECONDS
            return f"not a word came for {EVENTS_SILENCE_SECONDS:g} s" if quiet else None
        if now - max(self._last.values(), default=now) >= SILENCE_SECONDS:
            return f"nothing came for {SILENCE_SECONDS:g} s"
        video = [last for index, last in self._last.items() if self._kinds[index] == "video"]
        if video and now - max(video) >= VIDEO_SILENCE_SECONDS:
            return f"no video came for {VIDEO_SILENCE_SECONDS:g} s, though other tracks did"
        return None

    def silent(self, now: float) -> Iterable[str]:
        """Name the kinds of tracks that are silent without being a reason to drop the stream."""
        return sorted(
            {
                self._kinds[index]
                for index, last in self._last.items()
                if now - last >= VIDEO_SILENCE_SECONDS and self._kinds[index] == "audio"
            }
        )
