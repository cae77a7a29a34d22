"""The event of changed settings, from the audit log: what somebody has set has passed there.

``tnsaxis:Configuration/Changed`` has no state. It says which section changed, not what or how:
whoever shows settings reads them anew. Recordings that begin, end, are removed, locked or exported
are no settings.
"""

from axis_nvr.services.audit import AuditEntry
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import STRING, EventDeclaration, ItemDeclaration

CHANGED = "tnsaxis:Configuration/Changed"

#: Sections by the words that the target of an audit entry begins with.
SECTIONS = {
    "account ": "accounts",
    "device ": "devices",
    "CA certificates": "certificates",
    "continuous recording ": "continuous",
    "recording group ": "recordinggroups",
    "disk ": "disks",
    "lock disk ": "disks",
    "unlock disk ": "disks",
    "action configuration ": "rules",
    "recipient ": "rules",
    "rule ": "rules",
    "schedule ": "schedules",
}
ACTIONS = frozenset({"create", "change", "delete"})

DECLARATION = EventDeclaration(
    CHANGED,
    "Configuration changed",
    data=(
        ItemDeclaration("section", STRING, "Section", values=tuple(sorted(set(SECTIONS.values())))),
    ),
    level_names={"tnsaxis:Configuration": "Configuration"},
)


class ConfigurationEvents:
    """Tells of changed settings."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        bus.declare(DECLARATION)

    def noted(self, entry: AuditEntry) -> None:
        """Take an entry of the audit log."""
        if entry.action not in ACTIONS or entry.outcome != "ok":
            return
        for words, section in SECTIONS.items():
            if entry.target.startswith(words):
                self._bus.emit(CHANGED, (("section", section),), utc_us=entry.time_us)
                return
