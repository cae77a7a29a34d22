"""The recorder's own motion event: one instance for each device."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.motion_relay import MotionRelay
from axis_nvr.wire.notification import Notification, Operation

TOPIC = "tnsaxis:UniversalMotionDetection"
ON, OFF = (("active", "1"),), (("active", "0"),)


class RelayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bus = EventBus(lambda: 1_000)
        self.told: list[Notification] = []
        self.bus.subscribe(self.told.append)
        self.relay = MotionRelay(self.bus, TOPIC)

    def values(self) -> tuple[str, ...]:
        return self.bus.declarations[self.relay.topic].source[0].values

    def test_the_life_of_a_device(self) -> None:
        """A device is told when it comes, when something moves there, and when it goes."""
        source = (("device", "front"),)
        self.relay.add("front")
        self.relay.add("front")
        self.relay.tell("front", True, 5_000)
        self.relay.tell("front", True, 6_000)
        self.relay.tell("front", False, 7_000)
        self.relay.remove("front")
        self.relay.remove("front")
        self.assertEqual(
            self.told,
            [
                Notification(TOPIC, 1_000, Operation.INITIALIZED, source, OFF),
                Notification(TOPIC, 5_000, Operation.CHANGED, source, ON),
                Notification(TOPIC, 7_000, Operation.CHANGED, source, OFF),
                Notification(TOPIC, 1_000, Operation.DELETED, source, OFF),
            ],
        )

    def test_declared(self) -> None:
        """Clients find it before there is any device, and its devices as they come and go."""
        declaration = self.bus.declarations[TOPIC]
        self.assertTrue(declaration.is_property)
        self.assertEqual([item.name for item in declaration.source], ["device"])
        self.assertEqual([item.name for item in declaration.data if item.is_state], ["active"])
        self.assertEqual(self.values(), ())
        self.relay.add("front")
        self.relay.add("yard")
        self.assertEqual(self.values(), ("front", "yard"))
        self.relay.remove("front")
        self.assertEqual(self.values(), ("yard",))

    def test_a_device_that_is_not_told_of(self) -> None:
        """Late words about a device that is gone bring nothing back."""
        self.relay.tell("front", True, 5_000)
        self.assertEqual((self.told, self.bus.states()), ([], []))

    def test_another_topic(self) -> None:
        """Its path is configurable, in either way to write the prefix; what is no topic is said."""
        relay = MotionRelay(self.bus, "axis:Recorder/axis:Motion")
        relay.add("front")
        self.assertEqual(self.told[-1].topic, "tnsaxis:Recorder/Motion")
        error = self.assertRaises(ConfigError, MotionRelay, self.bus, "no topic")
        self.assertIn("motion_topic", str(error))
