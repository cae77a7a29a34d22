"""Events of recordings: each while it runs, and whether any does.

``tnsaxis:Storage/Recording`` says whether anything is being recorded. Of
``tns1:RecordingHistory/Recording/State`` there is an instance for each recording that is being
written: it appears as ``IsRecording`` 1, turns 0 when the recording is whole on its disk or was
given up, and is deleted right after that, as a recorder has a million recordings that are over.
"""

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, TOKEN, EventDeclaration, ItemDeclaration
from axis_nvr.wire.notification import boolean

ONGOING = "tnsaxis:Storage/Recording"
STATE = "tns1:RecordingHistory/Recording/State"

DECLARATIONS = (
    EventDeclaration(
        ONGOING,
        "Recording ongoing",
        is_property=True,
        data=(ItemDeclaration("recording", BOOLEAN, "Recording status", is_state=True),),
        level_names={"tnsaxis:Storage": "Storage"},
    ),
    EventDeclaration(
        STATE,
        "Recording state",
        is_property=True,
        source=(ItemDeclaration("RecordingToken", TOKEN, "Recording"),),
        data=(ItemDeclaration("IsRecording", BOOLEAN, "Is recording", is_state=True),),
        level_names={
            "tns1:RecordingHistory": "Recording history",
            "tns1:RecordingHistory/Recording": "Recording",
        },
    ),
)


class RecordingEvents:
    """Tells of recordings: an `IRecordingObserver`."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._running: set[str] = set()
        for declaration in DECLARATIONS:
            bus.declare(declaration)
        self._tell()

    def recording_began(self, recording_id: str) -> None:
        """See `IRecordingObserver`."""
        self._running.add(recording_id)
        self._bus.set_state(STATE, (("IsRecording", boolean(True)),), _source(recording_id))
        self._tell()

    def recording_ended(self, recording_id: str) -> None:
        """See `IRecordingObserver`."""
        self._running.discard(recording_id)
        source = _source(recording_id)
        if self._bus.state(STATE, source) is not None:
            self._bus.set_state(STATE, (("IsRecording", boolean(False)),), source)
            self._bus.delete(STATE, source)
        self._tell()

    def _tell(self) -> None:
        self._bus.set_state(ONGOING, (("recording", boolean(bool(self._running))),))


def _source(recording_id: str) -> tuple[tuple[str, str], ...]:
    return (("RecordingToken", recording_id),)
