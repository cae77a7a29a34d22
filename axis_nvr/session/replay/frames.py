"""Which pictures of a recording are sent: the ``Frames`` header of ONVIF replay.

::

    all          everything
    predicted    no B-pictures that nothing else is predicted from
    intra        key frames
    intra/<ms>   key frames at least so far apart, on the recording's time line

A B-picture is known by its order: it is shown before a picture that comes before it. Slice types
would not do: encoders of H.265 write pictures as B that only look back. One that others are
predicted from (B-pyramids) is kept, for those others could not be decoded without it; whether there
are others, its NAL unit header says: ``nal_ref_idc`` of 0 in H.264, a sub-layer non-reference type
in H.265.

Source: ONVIF Streaming Specification, Playback; H.264 §7.4.1, H.265 Table 7-1.
"""

from collections.abc import Sequence

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit, Codec, VideoFormat
from axis_nvr.session.replay.order import Frames
from axis_nvr.wire.nal import H264_VCL, h264_nal_type, h265_nal_type, split_sample

#: Types of H.265 pictures that others may refer to or not, by turns (H.265 Table 7-1).
_H265_LAST_SUB_LAYER_TYPE = 15


def is_picture(unit: AccessUnit) -> bool:
    """Tell pictures from sound."""
    return isinstance(unit.format, VideoFormat)


def is_discardable(unit: AccessUnit) -> bool:
    """Tell whether no other picture is predicted from this one, as far as its headers say.

    :param unit: a picture.
    """
    try:
        for nal in split_sample(unit.data):
            if not nal:
                continue
            if unit.format.codec is Codec.H264 and h264_nal_type(nal) in H264_VCL:
                return not nal[0] & 0x60
            if unit.format.codec is Codec.H265 and h265_nal_type(nal) < 32:
                kind = h265_nal_type(nal)
                return kind <= _H265_LAST_SUB_LAYER_TYPE and not kind & 1
    except WireError:
        return False
    return False


class Chooser:
    """Chooses pictures in the order in which they are sent; what is not a picture is kept.

    :param interval_us: key frames are at least so far apart, counted from the last that was chosen.
    """

    def __init__(self, frames: Frames, interval_us: int = 0) -> None:
        self._frames = frames
        self._interval_us = interval_us
        self._last_us: int | None = None

    def section(self) -> None:
        """Count anew: something is missing here."""
        self._last_us = None

    def choose(self, units: Sequence[AccessUnit]) -> list[AccessUnit]:
        """Choose from units that are sent one after another, whole groups of pictures."""
        if self._frames is Frames.ALL:
            return list(units)
        if self._frames is Frames.INTRA:
            return [unit for unit in units if not is_picture(unit) or self._is_due(unit)]
        return _predicted(units)

    def _is_due(self, unit: AccessUnit) -> bool:
        if not unit.sync:
            return False
        last_us = self._last_us
        if last_us is not None and abs(unit.utc_us - last_us) < self._interval_us:
            return False
        self._last_us = unit.utc_us
        return True


def _predicted(units: Sequence[AccessUnit]) -> list[AccessUnit]:
    chosen: list[AccessUnit] = []
    newest_us: int | None = None
    for unit in units:
        if is_picture(unit):
            is_early = newest_us is not None and unit.utc_us < newest_us and not unit.sync
            if is_early and is_discardable(unit):
                continue
            newest_us = unit.utc_us if unit.sync else max(newest_us or 0, unit.utc_us)
        chosen.append(unit)
    return chosen
