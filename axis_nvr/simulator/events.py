"""The events of a virtual camera: which there are, and what motion does to them."""

from collections.abc import Callable

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, INTEGER, EventDeclaration, ItemDeclaration
from axis_nvr.wire.notification import boolean

VMD_ANY = "tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY"
VMD_FIRST = "tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1"
DAY_NIGHT = "tns1:VideoSource/tnsaxis:DayNightVision"

DECLARATIONS = (
    EventDeclaration(
        VMD_FIRST,
        "VMD 4: Profile 1",
        is_property=True,
        data=(ItemDeclaration("active", BOOLEAN, is_state=True),),
    ),
    EventDeclaration(
        VMD_ANY,
        "VMD 4: Any profile",
        is_property=True,
        data=(ItemDeclaration("active", BOOLEAN, is_state=True),),
    ),
    EventDeclaration(
        DAY_NIGHT,
        "Day night vision",
        is_property=True,
        source=(ItemDeclaration("VideoSourceConfigurationToken", INTEGER),),
        data=(ItemDeclaration("day", BOOLEAN, is_state=True),),
    ),
)


class EventBoard:
    """The events of one camera.

    :param uuid: of the camera.
    :param utc_us: its clock.
    :ivar bus: holds their states and tells of them.
    """

    def __init__(self, uuid: str, utc_us: Callable[[], int]) -> None:
        self.uuid = uuid
        self.bus = EventBus(utc_us)
        for declaration in DECLARATIONS:
            self.bus.declare(declaration)
        self.raise_motion(active=False)
        self.bus.set_state(
            DAY_NIGHT, (("day", boolean(True)),), (("VideoSourceConfigurationToken", "1"),)
        )

    @property
    def motion(self) -> bool:
        """Whether motion is going on."""
        state = self.bus.state(VMD_ANY)
        return state is not None and state.data == (("active", "1"),)

    def raise_motion(self, active: bool) -> None:
        """Let motion begin or end; nothing happens if it has already."""
        for topic in (VMD_FIRST, VMD_ANY):
            self.bus.set_state(topic, (("active", boolean(active)),))
