"""What tests of rules stand on: a bus with a few events, a clock, actions that take notes."""

from collections.abc import Callable, Mapping

from twisted.internet.task import Clock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import (
    BOOLEAN,
    INTEGER,
    STRING,
    EventDeclaration,
    ItemDeclaration,
)
from axis_nvr.services.event_sources.system import SystemEvents
from axis_nvr.services.rules.engine import RuleEngine
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.services.rules.model import ActionRule, FilterText
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.vault import Vault
from axis_nvr.wire.notification import Notification
from tests.services.state import StateTestCase

#: Seconds since 1970 at which the tests begin.
EPOCH = 1_790_000_000

MOTION = "tnsaxis:UniversalMotionDetection"
DISRUPTION = "tnsaxis:Storage/Disruption"
ALERT = "tnsaxis:Storage/Alert"
INPUT = "tns1:Device/tnsaxis:IO/VirtualInput"
PULSE = "tns1:UserAlarm/tnsaxis:Recurring/Pulse"
DECLARATIONS = (
    EventDeclaration(
        MOTION,
        is_property=True,
        source=(ItemDeclaration("device", STRING),),
        data=(ItemDeclaration("active", BOOLEAN, is_state=True),),
    ),
    EventDeclaration(
        DISRUPTION,
        is_property=True,
        source=(ItemDeclaration("disk_id", STRING, values=("HDD_DISK", "NetworkShare")),),
        data=(ItemDeclaration("disruption", BOOLEAN, is_state=True),),
    ),
    EventDeclaration(
        ALERT,
        is_property=True,
        source=(ItemDeclaration("disk_id", STRING),),
        data=(ItemDeclaration("alert", BOOLEAN, is_state=True), ItemDeclaration("wear", INTEGER)),
    ),
    EventDeclaration(
        INPUT,
        is_property=True,
        source=(ItemDeclaration("port", INTEGER, values=("1", "2", "3")),),
        data=(ItemDeclaration("active", BOOLEAN, is_state=True),),
    ),
    EventDeclaration(PULSE, source=(ItemDeclaration("id", STRING, values=("nightly",)),)),
)

RECORD = "com.axis.action.unlimited.recording.storage"
RECORD_FIXED = "com.axis.action.fixed.recording.storage"
RECORD_GROUP = "com.axis.action.unlimited.recording_group.storage"
TCP = "com.axis.action.fixed.notification.tcp"
HTTP = "com.axis.action.fixed.notification.http"
STORAGE = (
    ("stream_options", "device=front"),
    ("pre_duration", "5000"),
    ("post_duration", "10000"),
    ("storage_id", "HDD_DISK"),
)
TCP_GIVEN = (("message", "hello"), ("host", "127.0.0.1"), ("port", "9"), ("qos", ""))
HTTP_GIVEN = (
    ("message", "hello"),
    ("parameters", "a=1"),
    ("upload_url", "http://127.0.0.1/notify"),
    ("login", "root"),
    ("password", "geheim"),
    ("proxy_host", ""),
    ("proxy_port", ""),
    ("proxy_login", ""),
    ("proxy_password", "auch geheim"),
    ("qos", ""),
)


def item(name: str, value: str) -> str:
    """Write an item filter."""
    return f'boolean(//SimpleItem[@Name="{name}" and @Value="{value}"])'


def motion_on(device: str = "front", active: str = "1") -> FilterText:
    """Write what a client writes of motion at a device."""
    return FilterText(MOTION, contents=(item("device", device), item("active", active)))


def disk_well(disk: str = "HDD_DISK") -> FilterText:
    """Write the condition that is always true as long as a disk is in use."""
    content = f"{item('disk_id', disk)} and {item('disruption', '0')}"
    return FilterText(f"{DISRUPTION}//.", contents=(content,))


def input_on(port: int = 1) -> FilterText:
    """Write the condition that a virtual input is active."""
    return FilterText(INPUT, contents=(item("port", str(port)), item("active", "1")))


def a_rule(
    *conditions: FilterText,
    action: int = 1,
    start: FilterText | None = None,
    enabled: bool = True,
    timeout: float | None = None,
    name: str = "Motion",
) -> ActionRule:
    """Make a rule as clients do."""
    return ActionRule(0, name, enabled, start, conditions, timeout, action)


class NotedAction:
    """Takes notes of what it is told to do."""

    def __init__(self, notes: list[str], failed: Callable[[str], None]) -> None:
        self.failed = failed
        self._notes = notes

    def start(self, utc_us: int) -> None:
        self._notes.append(f"start {utc_us / 1e6 - EPOCH:g}")

    def stop(self, utc_us: int) -> None:
        self._notes.append(f"stop {utc_us / 1e6 - EPOCH:g}")

    def fire(self, utc_us: int, notification: Notification | None) -> None:
        by = notification.topic.rpartition("/")[2] if notification is not None else "conditions"
        self._notes.append(f"fire {utc_us / 1e6 - EPOCH:g} by {by}")

    def end(self) -> None:
        self._notes.append("end")

    def halt(self) -> None:
        self._notes.append("halt")


class RuleTestCase(StateTestCase):
    """A rule book and an engine; virtual inputs, two disks and two cameras that are known."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.bus = EventBus(self.utc_us)
        for declaration in DECLARATIONS:
            self.bus.declare(declaration)
        self.system = SystemEvents(self.bus)
        self.notes: list[str] = []
        self.made: list[NotedAction] = []
        self.missing: set[str] = set()
        self.book = self.load()

    def utc_us(self) -> int:
        return int((EPOCH + self.clock.seconds()) * 1e6)

    def load(self) -> RuleBook:
        return RuleBook(self.database, Vault(self.folder), self.bus, self.check)

    def check(self, template: str, given: Mapping[str, str]) -> None:
        if given.get("storage_id", "HDD_DISK") != "HDD_DISK" or self.missing:
            raise InvalidActionConfiguration(f"there is no {sorted(self.missing)}")

    def make(
        self, template: str, given: Mapping[str, str], rule: str, failed: Callable[[str], None]
    ) -> NotedAction:
        self.check(template, given)
        action = NotedAction(self.notes, failed)
        self.made.append(action)
        return action

    def run_engine(self) -> RuleEngine:
        engine = RuleEngine(
            self.book, self.bus, self.make, self.clock, self.utc_us, self.system.action_failed
        )
        engine.start()
        return engine

    def appear(self) -> None:
        """Let everything have a state, as after a start of the recorder."""
        for device in ("front", "yard"):
            self.motion(device, False)
        for disk in ("HDD_DISK", "NetworkShare"):
            self.disrupt(disk, disk != "HDD_DISK")
        for port in (1, 2, 3):
            self.input(port, False)

    def motion(self, device: str, active: bool) -> None:
        data = (("active", str(int(active))),)
        self.bus.set_state(MOTION, data, (("device", device),))

    def disrupt(self, disk: str, active: bool) -> None:
        data = (("disruption", str(int(active))),)
        self.bus.set_state(DISRUPTION, data, (("disk_id", disk),))

    def input(self, port: int, active: bool) -> None:
        self.bus.set_state(INPUT, (("active", str(int(active))),), (("port", str(port)),))

    def pulse(self) -> None:
        self.bus.emit(PULSE, (), (("id", "nightly"),))

    def add_action(
        self, template: str = RECORD, given: tuple[tuple[str, str], ...] = STORAGE
    ) -> int:
        number: int = self.run_now(self.book.actions.add("Record", template, given))
        return number

    def add_rule(self, rule: ActionRule) -> int:
        number: int = self.run_now(self.book.add_rule(rule))
        return number
