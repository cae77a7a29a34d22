"""A group of pictures with the sound and metadata that came with it: what is recorded as one.

A recording can begin only where a decoder can, so a stream is kept, handed on and written in
groups that begin at a sync unit of the video track::

    track 0 (video)   I  P  P  P  P  P  P  P | I  P  P  P
    track 1 (audio)    a   a   a   a   a   a |   a   a
                      '------- a Gop -------'  '--- the open one

A stream without video is cut every `SOUND_GOP_US`. A group longer than `MAX_GOP_US` or larger than
`MAX_GOP_BYTES` goes out in parts, of which only the first begins at a sync unit; so one part always
fits a Matroska cluster, whose block times are 16-bit milliseconds (RFC 9559 §10.2).
"""

from dataclasses import dataclass, field

from axis_nvr.media.units import AccessUnit, Gap

#: A group that lasts longer goes out in parts: microseconds of media time.
MAX_GOP_US = 10_000_000
#: A group that is larger goes out in parts: bytes of unit data.
MAX_GOP_BYTES = 8 * 1024 * 1024
#: A stream without video is cut this often: microseconds of media time.
SOUND_GOP_US = 2_000_000
#: A sync unit this soon after the group's start does not end it (streams of I pictures only, JPEG):
#: else each picture were a write of its own. Microseconds of media time.
MIN_GOP_US = 250_000
#: Gaps told one by one in a group; those after it are told as one.
MAX_GOP_GAPS = 64


@dataclass(slots=True, eq=False)
class Gop:
    """A closed group of units, of all tracks, in order of arrival. Not changed afterwards.

    :ivar units: the units; the first video unit among them is a sync unit, unless this is a part
        that follows another. Never empty.
    :ivar start_us: UTC of the first unit, microseconds since 1970.
    :ivar end_us: UTC of the first unit of the next group; of the last unit if it is not `complete`.
    :ivar size_bytes: the sum of the units' data.
    :ivar gaps: what is missing in it, or directly before it.
    :ivar complete: False if an interruption cut it short.
    :ivar starts_at_sync: False for a part that follows another of the same group.
    """

    units: list[AccessUnit]
    start_us: int
    end_us: int
    size_bytes: int
    gaps: list[Gap] = field(default_factory=list)
    complete: bool = True
    starts_at_sync: bool = True

    @property
    def duration_seconds(self) -> float:
        """How long it lasts, in seconds of media time; never negative."""
        return max(0, self.end_us - self.start_us) / 1e6
