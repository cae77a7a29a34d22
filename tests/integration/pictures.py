"""Groups of real pictures at any time, for tests whose blocks other programs are to play."""

from axis_nvr.media.formats import h264_format
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Codec
from axis_nvr.simulator.bitstream import video_bitstream
from tests.storage.making import gop_of, unit


def picture_group(
    start_us: int, *, frames: int = 20, step_us: int = 500_000, pad: int = 0, odd: bool = False
) -> Gop:
    """A group of H.264 pictures that decode.

    :param pad: bytes that each picture is made longer by: a SEI that no decoder looks at.
    :param odd: which of two groups in a row this is: key pictures are to be told apart.
    """
    video = video_bitstream(Codec.H264, 640, 360)
    sps, pps = video.parameter_sets
    form = h264_format([sps], [pps])
    units = []
    for at in range(frames):
        slices = video.units(at, odd=odd)[0 if at else 2 :]
        nal_units = (*_sei(pad), *slices)
        data = b"".join(len(nal).to_bytes(4) + nal for nal in nal_units)
        units.append(unit(start_us + at * step_us, sync=not at, data=data, form=form))
    return gop_of(units, start_us + frames * step_us)


def _sei(size: int) -> tuple[bytes, ...]:
    """A SEI message of unregistered user data (H.264 §D.1.7)."""
    if not size:
        return ()
    payload = b"axis_nvr padding" + b"\xaa" * size
    sizes, rest = divmod(len(payload), 255)
    return (b"\x06\x05" + b"\xff" * sizes + bytes([rest]) + payload + b"\x80",)
