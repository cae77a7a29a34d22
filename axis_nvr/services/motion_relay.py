"""Motion of cameras, as an event of the recorder's own: ``UniversalMotionDetection``.

The recorder has no motion detection itself. Whatever a camera calls its own, clients find it here
under one topic, one instance for each device, told as ``Initialized`` when the device's events are
switched on, as ``Changed`` when something begins or ceases to move, and as ``Deleted`` when the
device or its events are gone.

Source: VAPIX, integration of the S30 recorder series; its topic path is not public and therefore
configurable.
"""

from collections.abc import Iterable

from axis_nvr.errors import ConfigError, WireError
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import (
    BOOLEAN,
    STRING,
    EventDeclaration,
    ItemDeclaration,
)
from axis_nvr.wire.notification import boolean
from axis_nvr.wire.topics import normalized

#: The items of the event.
DEVICE_ITEM = "device"
STATE_ITEM = "active"


class MotionRelay:
    """Tells the motion of devices on the bus.

    :param bus: where it is told.
    :param topic: of the event.
    :raises ConfigError: it is no topic.
    """

    def __init__(self, bus: EventBus, topic: str) -> None:
        try:
            self.topic = normalized(topic)
        except WireError as error:
            raise ConfigError(f"[events]: motion_topic must be a topic: {error.message}") from None
        self.bus = bus
        self._devices: dict[str, None] = {}
        self._declare()

    @property
    def devices(self) -> Iterable[str]:
        """The devices that it tells of."""
        return tuple(self._devices)

    def add(self, device: str) -> None:
        """Tell of a device from now on; nothing moves there yet, as far as is known."""
        if device not in self._devices:
            self._devices[device] = None
            self._declare()
            self.bus.set_state(self.topic, _data(False), _source(device))

    def remove(self, device: str) -> None:
        """Tell of a device no more."""
        if device in self._devices:
            del self._devices[device]
            self.bus.delete(self.topic, _source(device))
            self._declare()

    def tell(self, device: str, active: bool, utc_us: int) -> None:
        """Tell that something moves there, or nothing any more.

        :param utc_us: since when, microseconds since 1970.
        """
        if device in self._devices:
            self.bus.set_state(self.topic, _data(active), _source(device), utc_us=utc_us)

    def _declare(self) -> None:
        """Make the event known, with the devices that there are."""
        self.bus.declare(
            EventDeclaration(
                self.topic,
                "Universal motion detection",
                is_property=True,
                source=(ItemDeclaration(DEVICE_ITEM, STRING, "Device", tuple(self._devices)),),
                data=(ItemDeclaration(STATE_ITEM, BOOLEAN, "Active", is_state=True),),
            )
        )


def _source(device: str) -> tuple[tuple[str, str], ...]:
    return ((DEVICE_ITEM, device),)


def _data(active: bool) -> tuple[tuple[str, str], ...]:
    return ((STATE_ITEM, boolean(active)),)
