"""What tracks a recording begins with."""

from collections.abc import Callable

from axis_nvr.errors import NvrError
from axis_nvr.media.units import Format
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.gops import Decoder
from axis_nvr.storage.reading.maps import MapCache
from axis_nvr.storage.reading.trail import Trail

#: Blocks without anything to be read that are passed over.
MAX_LOOKED_AT = 100


def first_formats(
    index: Index, maps: MapCache, make_trail: Callable[[Callable[[], Index]], Trail]
) -> dict[int, Format]:
    """Give the formats of the first block that can be read, by index as units have it.

    :returns: none if there is no such block, or no track of a codec known here.
    :raises StorageError: the index cannot be read.
    """
    trail = make_trail(lambda: index)
    stretch = trail.at(0)
    for _ in range(MAX_LOOKED_AT):
        if stretch is None:
            break
        try:
            formats = Decoder(maps.get(stretch, is_new=True).head, 0).formats()
        except NvrError:
            formats = {}
        if formats:
            return formats
        stretch = trail.after(stretch)
    return {}
