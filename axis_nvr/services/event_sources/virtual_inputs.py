"""Virtual inputs: switches that clients turn, for rules to go by.

There are 32, as cameras have, none of them active when the recorder starts; what they were before
is not kept.
"""

from axis_nvr.errors import NvrError
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import (
    BOOLEAN,
    INTEGER,
    EventDeclaration,
    ItemDeclaration,
)
from axis_nvr.wire.notification import boolean

VIRTUAL_INPUT = "tns1:Device/tnsaxis:IO/VirtualInput"
LEVEL_NAMES = {"tns1:Device": "Device", "tns1:Device/tnsaxis:IO": "Input ports"}
#: The ports there are.
PORTS = range(1, 33)

DECLARATION = EventDeclaration(
    VIRTUAL_INPUT,
    "Virtual input",
    is_property=True,
    source=(ItemDeclaration("port", INTEGER, "Port number"),),
    data=(ItemDeclaration("active", BOOLEAN, "Active", is_state=True),),
    level_names=LEVEL_NAMES,
)


class NoVirtualInput(NvrError):
    """There is no virtual input of this number."""


class VirtualInputs:
    """The virtual inputs."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        bus.declare(DECLARATION)
        for port in PORTS:
            self.change(port, active=False)

    def change(self, port: int, active: bool) -> bool:
        """Turn one on or off.

        :returns: whether it was the other way before.
        :raises NoVirtualInput: there is none of this number.
        """
        if port not in PORTS:
            raise NoVirtualInput(f"no virtual input {port}: there are {PORTS[0]} to {PORTS[-1]}")
        data = (("active", boolean(active)),)
        return self._bus.set_state(VIRTUAL_INPUT, data, (("port", str(port)),))
