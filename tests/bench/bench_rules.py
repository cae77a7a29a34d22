"""What rules cost for each notification, beside one bare match of a filter.

Run as ``python -m tests.bench.bench_rules [--rules N] [--notifications N]``. Rules wait for motion
at a device each, on one bus; then motion begins and ends at all devices in turn. Measured are a
notification that the bus takes with the rules and without, the same when every notification says
something new, so that nothing that is remembered helps, and one of a topic that no rule names. The
yardstick is one match of the filter of one rule.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import BOOLEAN, STRING, EventDeclaration, ItemDeclaration
from axis_nvr.services.rules.engine import RuleEngine
from axis_nvr.services.rules.filters import compiled
from axis_nvr.services.rules.model import CONCRETE, ActionRule, FilterText
from axis_nvr.services.rules.rule_book import RuleBook
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.vault import Vault
from tests.services.rules.situations import TCP, TCP_GIVEN, NotedAction, item

RULES = 100
NOTIFICATIONS = 20_000
#: Of one core, at 1000 notifications a second.
BUDGET_US = 50
MOTION, OTHER = "tnsaxis:UniversalMotionDetection", "tns1:Device/tnsaxis:IO/VirtualInput"


class Bench:
    """A bus, and rules that listen to it."""

    def __init__(self, folder: Path, rules: int) -> None:
        self.rules = rules
        self.bus = EventBus(lambda: 0)
        for topic in (MOTION, OTHER):
            source = (ItemDeclaration("device", STRING),)
            data = (ItemDeclaration("active", BOOLEAN, is_state=True),)
            self.bus.declare(
                EventDeclaration(topic, "", is_property=True, source=source, data=data)
            )
        state = StateFolder(folder)
        state.open()
        database = StateDatabase(folder / "state.db", maybeDeferred)
        self.notes: list[str] = []
        self.book = RuleBook(database, Vault(state), self.bus, lambda template, given: None)
        self.engine = RuleEngine(
            self.book,
            self.bus,
            lambda template, given, rule, failed: NotedAction(self.notes, failed),
            Clock(),
            lambda: 0,
            print,
        )
        self.change(False, "", MOTION)

    async def add_rules(self) -> None:
        action = await self.book.actions.add("", TCP, TCP_GIVEN)
        for number in range(self.rules):
            contents = (f"{item('device', f'd{number}')} and {item('active', '1')}",)
            text = FilterText(MOTION, CONCRETE, contents)
            rule = ActionRule(0, f"{number}", True, None, (text,), None, action)
            await self.book.add_rule(rule)
        self.engine.start()

    def change(self, active: bool, note: str, topic: str) -> None:
        """Have motion begin or end at all devices."""
        data = (("active", str(int(active))), *((("note", note),) if note else ()))
        for number in range(self.rules):
            self.bus.set_state(topic, data, (("device", f"d{number}"),))

    def measure(self, count: int, topic: str = MOTION, note: Callable[[int], str] = str) -> float:
        """Give how long a notification takes, in microseconds."""
        rounds = count // self.rules
        started = time.perf_counter()
        for number in range(rounds):
            self.change(number % 2 == 0, note(number), topic)
        return (time.perf_counter() - started) / (rounds * self.rules) * 1e6


def match_us(count: int) -> float:
    """Give how long one match of one filter takes, in microseconds."""
    contents = (f"{item('device', 'd1')} and {item('active', '1')}",)
    wanted = compiled(FilterText(MOTION, CONCRETE, contents))
    bus = EventBus(lambda: 0)
    source, data = (ItemDeclaration("device", STRING),), (ItemDeclaration("active", BOOLEAN),)
    bus.declare(EventDeclaration(MOTION, "", is_property=True, source=source, data=data))
    bus.set_state(MOTION, (("active", "1"),), (("device", "d1"),))
    (state,) = bus.states()
    started = time.perf_counter()
    for _ in range(count):
        wanted.matches(state)
    return (time.perf_counter() - started) / count * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=RULES)
    parser.add_argument("--notifications", type=int, default=NOTIFICATIONS)
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.rules)
        bare = bench.measure(given.notifications, note=lambda number: "")
        bench.change(False, "", MOTION)
        Deferred.fromCoroutine(bench.add_rules())
        with_rules = bench.measure(given.notifications, note=lambda number: "")
        fired = len(bench.notes)
        always_new = bench.measure(given.notifications // 4)
        other = bench.measure(given.notifications, OTHER, lambda number: "")
    match = match_us(given.notifications)
    result = {
        "rules": given.rules,
        "fired": fired,
        "match_us": round(match, 2),
        "notification_without_rules_us": round(bare, 2),
        "notification_us": round(with_rules, 2),
        "ratio_to_a_match": round((with_rules - bare) / match, 1),
        "never_said_before_us": round(always_new, 2),
        "other_topic_us": round(other, 2),
        "budget_us": BUDGET_US,
        "within_budget": with_rules - bare <= BUDGET_US,
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
