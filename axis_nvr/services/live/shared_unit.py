"""A unit, and the packets that all who watch it share."""

from axis_nvr.errors import WireError
from axis_nvr.media.units import AccessUnit
from axis_nvr.session.packetizers.choose import Burst, packetizer_for

#: What cannot be sent.
NO_BURSTS: list[Burst] = []


class SharedUnit:
    """A unit that is laid into packets once for each packet size.

    :ivar unit: the unit.
    """

    __slots__ = ("_bursts", "unit")

    def __init__(self, unit: AccessUnit) -> None:
        self.unit = unit
        self._bursts: dict[int, list[Burst]] = {}

    def bursts(self, limit: int) -> list[Burst]:
        """Return the packets of the unit; none if RTP cannot carry it.

        :param limit: bytes of the largest payload.
        """
        found = self._bursts.get(limit)
        if found is None:
            packetize = packetizer_for(self.unit.format)
            try:
                found = NO_BURSTS if packetize is None else packetize(self.unit, limit)
            except WireError:  # a frame too large for its payload format: the next one may fit
                found = NO_BURSTS
            self._bursts[limit] = found
        return found
