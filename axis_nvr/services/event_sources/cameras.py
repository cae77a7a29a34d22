"""Events of cameras: whether each that is wanted is connected.

There is an instance of ``tnsaxis:ExternalDevice/Connected`` for each device that somebody wants a
stream of: it is connected while one of its streams plays. One that nobody wants anything of is not
connected to, and nobody knows whether it could be.
"""

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, STRING, EventDeclaration, ItemDeclaration
from axis_nvr.services.stream_status import StreamState
from axis_nvr.wire.notification import boolean

CONNECTED = "tnsaxis:ExternalDevice/Connected"
DECLARATION = EventDeclaration(
    CONNECTED,
    "Device connected",
    is_property=True,
    source=(ItemDeclaration("device", STRING, "Device"),),
    data=(ItemDeclaration("connected", BOOLEAN, "Connected", is_state=True),),
    level_names={"tnsaxis:ExternalDevice": "External devices"},
)


class CameraEvents:
    """Tells of cameras."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._streams: dict[str, dict[object, StreamState]] = {}
        bus.declare(DECLARATION)

    def stream_changed(self, device: str, stream: object, state: StreamState) -> None:
        """Take note of a stream of a device.

        :param stream: tells one stream of it from another.
        """
        streams = self._streams.setdefault(device, {})
        streams[stream] = state
        if state is StreamState.IDLE:
            del streams[stream]
        source = (("device", device),)
        if not streams:
            del self._streams[device]
            self._bus.delete(CONNECTED, source)
            return
        is_connected = StreamState.PLAYING in streams.values()
        self._bus.set_state(CONNECTED, (("connected", boolean(is_connected)),), source)
