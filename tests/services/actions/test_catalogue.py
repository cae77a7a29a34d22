"""From a template to an action: who is asked, with what."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.actions.catalogue import Actions
from axis_nvr.services.actions.modifiers import Identity, Modifiers
from axis_nvr.services.actions.outgoing import Outgoing
from axis_nvr.services.groups import NoGroup
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.services.rules.templates import ACTION_TEMPLATES
from axis_nvr.services.triggered_recording import TriggeredOrder
from tests.services.actions.test_orders import HTTP, SMTP, TCP, Armed
from tests.services.rules.situations import RECORD, RECORD_FIXED, RECORD_GROUP, STORAGE

GROUP = {"recording_group_id": "g1"}


class CatalogueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[Any] = []
        self.armed = Armed()
        self.missing = False
        modifiers = Modifiers(lambda: Identity("ACCC8E012345", "nvr", ""))
        self.actions = Actions(self, self.find, Outgoing(None, bytes), modifiers, Clock())

    def check(self, order: TriggeredOrder) -> None:
        if self.missing:
            raise ConfigError("no camera 'front'")

    def find(self, group_id: str) -> None:
        if self.missing:
            raise NoGroup(f"no recording group {group_id!r}")

    def arm(self, order: TriggeredOrder) -> Armed:
        self.asked.append(order)
        return self.armed

    def arm_group(self, group_id: str, rule: str, action: str) -> Armed:
        self.asked.append((group_id, rule, action))
        return self.armed

    def test_recordings(self) -> None:
        """A recording has the name of the rule as its event and its trigger, in a group too."""
        failures: list[str] = []
        for template in (RECORD, RECORD_FIXED):
            self.actions.make(template, dict(STORAGE), "Hall", failures.append)
        order = TriggeredOrder("HDD_DISK", "device=front", 5.0, 10.0, "Hall", "Hall")
        self.actions.make(RECORD_GROUP, GROUP, "Hall", failures.append)
        self.assertEqual(self.asked, [order, order, ("g1", "Hall", "Hall")])
        self.armed.failed("the disk is full")
        self.assertEqual(failures, ["the disk is full"])

    def test_checked(self) -> None:
        """What is missing is told by the name of its parameter; later it is waited for."""
        given = (
            (RECORD, dict(STORAGE), "stream_options"),
            (RECORD_GROUP, GROUP, "recording_group_id"),
        )
        for template, values, _ in given:
            self.actions.check(template, values)
        self.missing = True
        for template, values, name in given:
            error = self.assertRaises(
                InvalidActionConfiguration, self.actions.check, template, values
            )
            self.assertIn(name, str(error))
            self.actions.make(template, values, "Hall", print)

    def test_each_template(self) -> None:
        """Everything that is offered can be made."""
        secure = {**HTTP, "upload_url": "https://10.0.0.1/", "validate_server_cert": "1"}
        storage = dict(STORAGE)
        values = (storage, storage, GROUP, HTTP, secure, SMTP, TCP)
        failed: Callable[[str], None] = print
        for template, given in zip(ACTION_TEMPLATES, values, strict=True):
            self.actions.check(template.token, given)
            self.actions.make(template.token, given, "Hall", failed).end()
