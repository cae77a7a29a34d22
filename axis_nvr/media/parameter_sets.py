"""The parameter sets of one video track, from the SDP and from the stream.

A camera may send its sets in the SDP only (Axis without ``videopsenabled=1``), in band only, in
both and not the same ones, again before each IDR picture, and new ones in mid-stream. A set
replaces the one with the same id; one that cannot be read changes nothing: the last good one
stays.

::

    sets = ParameterSets(Codec.H264)
    for unit in nal_units_from_sprop(fmtp.get("sprop-parameter-sets")):
        sets.learn(unit)
    …                       # each parameter set met in band: sets.learn(unit)
    sets.format             # asked when a picture is complete
"""

from collections.abc import Callable
from contextlib import suppress

from axis_nvr.errors import WireError
from axis_nvr.media.formats import h264_format, h265_format
from axis_nvr.media.units import Codec, VideoFormat
from axis_nvr.wire import h264, h265, nal

#: Parameter sets of one kind that are held; ``avcC`` counts SPS in 5 bits.
MAX_HELD_SETS = 31
#: What all sets of a track may take together, in bytes.
MAX_HELD_BYTES = 128 * 1024

#: How the id of each kind is read, by codec and NAL unit type, in the order of a format.
_IDENTIFY: dict[Codec, dict[int, Callable[[bytes], int]]] = {
    Codec.H264: {
        nal.H264NalType.SPS: lambda unit: h264.parse_sps(unit).sps_id,
        nal.H264NalType.PPS: lambda unit: h264.parse_pps(unit).pps_id,
    },
    Codec.H265: {
        nal.H265NalType.VPS: lambda unit: h265.parse_vps(unit).vps_id,
        nal.H265NalType.SPS: lambda unit: h265.parse_sps(unit).sps_id,
        nal.H265NalType.PPS: lambda unit: h265.parse_pps(unit).pps_id,
    },
}


class ParameterSets:
    """What is known of a track's parameter sets, and the format they make.

    :param codec: `Codec.H264` or `Codec.H265`.

    :ivar refused: sets that could not be read or held so far.
    """

    def __init__(self, codec: Codec) -> None:
        self.refused = 0
        self._codec = codec
        self._identify = _IDENTIFY[codec]
        self._nal_type = nal.h264_nal_type if codec is Codec.H264 else nal.h265_nal_type
        self._held: dict[int, dict[int, bytes]] = {kind: {} for kind in self._identify}
        self._seen: set[bytes] = set()  # as they came: repeated sets are known by one look
        self._format: VideoFormat | None = None
        self._changed = False

    def learn(self, unit: bytes) -> bool:
        """Take one parameter set.

        :param unit: a NAL unit; one that is no parameter set of the codec is ignored.
        :returns: whether it changed anything.
        """
        if unit in self._seen or not unit:
            return False
        kind = self._nal_type(unit)
        if kind not in self._identify:
            return False
        trimmed = nal.trim(unit)
        if trimmed in self._seen:
            return False
        try:
            set_id = self._identify[kind](trimmed)
        except WireError:
            self.refused += 1
            return False
        return self._hold(kind, set_id, trimmed)

    def _hold(self, kind: int, set_id: int, unit: bytes) -> bool:
        sets = self._held[kind]
        replaced = len(sets.get(set_id, b""))
        size = sum(len(one) for held in self._held.values() for one in held.values())
        if size - replaced + len(unit) > MAX_HELD_BYTES or (
            set_id not in sets and len(sets) >= MAX_HELD_SETS
        ):
            self.refused += 1
            return False
        sets[set_id] = unit
        self._seen = {one for held in self._held.values() for one in held.values()}
        self._changed = True
        return True

    @property
    def format(self) -> VideoFormat | None:
        """The format of what is known, the same object until it changes; None at first.

        Where the sets of a moment make no format the last one stays.
        """
        if self._changed:
            self._changed = False
            held = [tuple(sets.values()) for sets in self._held.values()]
            make = h264_format if self._codec is Codec.H264 else h265_format
            with suppress(WireError):
                self._format = make(*held)
        return self._format
