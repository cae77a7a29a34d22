"""What goes wrong with the events of a virtual camera: documents that are spoilt, and floods."""

from axis_nvr.simulator.events import EventBoard
from axis_nvr.simulator.faults import ActiveFault, FaultBoard
from axis_nvr.simulator.pacer import Pacer

#: How often a flood is poured, in seconds.
POUR_SECONDS = 0.01
#: Bytes of a document that is too large.
LARGE_DOCUMENT_BYTES = 4 * 1024 * 1024 - 1024

_BOMB = b"<!DOCTYPE lolz [" + b'<!ENTITY a0 "VMD">%b]><lolz>&a9;</lolz>' % b"".join(
    b'<!ENTITY a%d "%b">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)


def spoilt(document: bytes, how: str) -> bytes:
    """Spoil a document of events.

    :param how: ``cut``, ``xml``, ``dtd`` or ``large``.
    """
    match how:
        case "cut":
            return document[: len(document) // 2]
        case "xml":
            return document.replace(b"</tt:Data>", b"</tt:Date>")
        case "dtd":
            return document.replace(b"?>", b"?>" + _BOMB, 1)
        case _:
            return document.replace(b"<tt:Event>", b" " * LARGE_DOCUMENT_BYTES + b"<tt:Event>", 1)


class Flood:
    """Lets motion begin and end all the time, as long as the fault lasts.

    :param faults: tells whether it does.
    :param events: where motion is.
    """

    def __init__(self, faults: FaultBoard, pacer: Pacer, events: EventBoard) -> None:
        self._faults = faults
        self._pacer = pacer
        self._events = events
        self._due = 0.0

    def raised(self, fault: ActiveFault) -> None:
        """Begin, if this is the fault."""
        if fault.name == "flood-events":
            self._due = 0.0
            self._pacer.remove(self._pour)
            self._pacer.add(self._pacer.clock.seconds(), self._pour)

    def _pour(self, now: float) -> float | None:
        """Tell as many changes as are due; each changes the motion of two profiles."""
        fault = self._faults.current("flood-events")
        if fault is None:
            return None
        self._due += fault.number("per_second") / 2 * POUR_SECONDS
        while self._due >= 1:
            self._due -= 1
            self._events.raise_motion(not self._events.motion)
            self._faults.happens("flood-events")
        return now + POUR_SECONDS
