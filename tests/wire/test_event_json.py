"""Events of a camera over WebSocket, read and asked for."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.vapix.websocket.event_messages import Request, notify
from axis_nvr.wire.event_json import (
    MAX_MESSAGE_BYTES,
    configure_request,
    parse_notify,
    read_answer,
)
from axis_nvr.wire.notification import MAX_ITEMS, UNKNOWN_TIME_US, Notification

#: In the form that VAPIX shows, written by hand.
EXAMPLE = (
    b'{"apiVersion": "1.0", "method": "events:notify", "params": {"notification": {"topic":'
    b' "tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1", "timestamp": 1692085863919,'
    b' "message": {"source": {}, "key": {}, "data": {"active": "1"}}}}}'
)
TOLD = Notification(
    "tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1",
    1_692_085_863_919_000,
    None,
    (),
    (("active", "1"),),
)
MANY = range(MAX_ITEMS + 1)


def message(notification: object) -> bytes:
    return json.dumps(
        {"method": "events:notify", "params": {"notification": notification}}
    ).encode()


class ReadingTests(SynchronousTestCase):
    def test_by_hand(self) -> None:
        """What our own server has not written is read as it is meant."""
        self.assertEqual(parse_notify(EXAMPLE), [TOLD])

    def test_what_our_own_server_writes(self) -> None:
        """Both ends are of one mind, but for what the messages have no word for."""
        told = TOLD._replace(source=(("a", "b"),), key=(("c", "d"),))
        self.assertEqual(parse_notify(notify(told).encode()), [told])
        request = Request()
        request.read(configure_request("axis:Storage//.|onvif:Device//."))
        self.assertTrue(request.filters[0].matches(told._replace(topic="tns1:Device/Trigger")))
        self.assertEqual(read_answer(request.success()), "")
        self.assertEqual(read_answer(request.failure(2104, "no filter")), "2104 no filter")

    def test_what_may_lack(self) -> None:
        """Time and items may lack; values that are no text are taken for it."""
        for given_, expected in (
            ({"topic": "tns1:A"}, Notification("tns1:A", UNKNOWN_TIME_US)),
            ({"topic": "tns1:A", "timestamp": "x"}, Notification("tns1:A", UNKNOWN_TIME_US)),
            (
                {"topic": "onvif:A/axis:B", "message": {"data": {"active": True, "n": 1}}},
                Notification(
                    "tns1:A/tnsaxis:B", UNKNOWN_TIME_US, data=(("active", "true"), ("n", "1"))
                ),
            ),
        ):
            self.assertEqual(parse_notify(message(given_)), [expected])

    def test_other_messages(self) -> None:
        """What tells of no event is passed over."""
        self.assertEqual(parse_notify(b'{"method": "events:configure", "data": {}}'), [])

    def test_nonsense(self) -> None:
        """Everything else is refused with a reason, and nothing else is raised."""
        for data in (
            b"",
            b"[]",
            b"nul",
            b"\xff{}",
            b"[" * 100_000,
            b'{"method": "events:notify"}',
            message([]),
            message({"topic": 5}),
            message({"topic": ""}),
            message({"topic": "tns1:A", "message": []}),
            message({"topic": "tns1:A", "message": {"data": []}}),
            message({"topic": "tns1:A", "message": {"data": dict.fromkeys(map(str, MANY), "")}}),
            message({"topic": "tns1:A", "message": {"data": {"a": "x" * 70_000}}}),
            b" " * (MAX_MESSAGE_BYTES + 1),
        ):
            self.assertRaises(WireError, parse_notify, data)
        for text in ("", "[]", '{"error": 5}'):
            self.assertRaises(WireError, read_answer, text)

    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["topic", "message", "data", "source", "timestamp", "x"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=8,
        )
    )
    def test_whatever_comes(self, value: object) -> None:
        """Any JSON is read or refused."""
        with contextlib.suppress(WireError):
            parse_notify(message(value))
