"""Events of the recorder as a whole: it is ready, an action failed, somebody watches live."""

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, STRING, EventDeclaration, ItemDeclaration
from axis_nvr.wire.notification import boolean

READY = "tns1:Device/tnsaxis:Status/SystemReady"
ACTION_FAILED = "tns1:Device/tnsaxis:SystemMessage/ActionFailed"
LIVE_STREAM = "tns1:VideoSource/tnsaxis:LiveStreamAccessed"
LEVEL_NAMES = {
    "tns1:Device": "Device",
    "tns1:Device/tnsaxis:Status": "Device status",
    "tns1:Device/tnsaxis:SystemMessage": "System message",
    "tns1:VideoSource": "Video source",
}

#: Characters of the description of what failed.
MAX_DESCRIPTION_CHARACTERS = 1024

DECLARATIONS = (
    EventDeclaration(
        READY,
        "System Ready",
        is_property=True,
        data=(ItemDeclaration("ready", BOOLEAN, "Ready", is_state=True),),
        level_names=LEVEL_NAMES,
    ),
    EventDeclaration(
        ACTION_FAILED,
        "Action failed",
        data=(ItemDeclaration("description", STRING, "Description"),),
        level_names=LEVEL_NAMES,
    ),
    EventDeclaration(
        LIVE_STREAM,
        "Live stream accessed",
        is_property=True,
        data=(ItemDeclaration("accessed", BOOLEAN, "Accessed", is_state=True),),
        level_names=LEVEL_NAMES,
    ),
)


class SystemEvents:
    """Tells of the recorder; it is not ready before it is said to be."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        for declaration in DECLARATIONS:
            bus.declare(declaration)
        self.ready(is_ready=False)
        self.live_stream(is_accessed=False)

    def ready(self, is_ready: bool) -> None:
        """Say whether the recorder is ready to be used."""
        self._bus.set_state(READY, (("ready", boolean(is_ready)),))

    def live_stream(self, is_accessed: bool) -> None:
        """Say whether anybody watches a camera live."""
        self._bus.set_state(LIVE_STREAM, (("accessed", boolean(is_accessed)),))

    def action_failed(self, description: str) -> None:
        """Say that an action could not be carried out, and why."""
        text = description[:MAX_DESCRIPTION_CHARACTERS]
        self._bus.emit(ACTION_FAILED, (("description", text),))
