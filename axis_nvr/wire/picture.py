"""What the parameter sets of H.264 and H.265 have in common: limits, chroma formats, rates."""

from fractions import Fraction

#: Width and height of a picture, in pixels.
MAX_PICTURE_SIDE = 16384
#: Frame rates above this are not believed, in pictures a second.
MAX_FRAME_RATE = 1000
#: SubWidthC and SubHeightC of each ChromaArrayType (H.264 Table 6-1, H.265 Table 6-1).
CHROMA_SUBSAMPLING = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}


def believable_rate(time_scale: int, units: int) -> Fraction | None:
    """Turn a stream's own timing into pictures a second.

    :param time_scale: units in a second.
    :param units: units in a picture.
    :returns: None where the stream tells nothing, or nothing that can be.
    """
    if time_scale == 0 or units == 0 or time_scale > MAX_FRAME_RATE * units:
        return None
    return Fraction(time_scale, units)
