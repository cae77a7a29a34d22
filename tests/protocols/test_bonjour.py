"""What Bonjour sends, and how it goes on when there is no network."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zeroconf import DNSOutgoing, ServiceInfo, Zeroconf  # type: ignore[attr-defined]

from axis_nvr.protocols.bonjour import BonjourService
from axis_nvr.protocols.bonjour_responder import (
    MAX_READS,
    PacedSelector,
    Responder,
    legacy_answer,
)
from axis_nvr.session.bonjour import DnsService, Link
from axis_nvr.session.neighbours import Neighbours
from tests import dns
from tests.fuzz.targets import TARGETS

reactor: Any = installed_reactor
#: An address that no machine has.
NOWHERE = ip_interface("192.0.2.10/24")
LINK = Link(
    "eth7", 7, "axis-accc8e012345.local.", (NOWHERE,), (NOWHERE,), (DnsService("_a._tcp", "a", 1),)
)


class LegacyAnswerTests(SynchronousTestCase):
    def test_short_lived(self) -> None:
        """No record is to be believed for more than ten seconds; else it is as it was."""
        info = ServiceInfo(
            "_axis-nvr._tcp.local.",
            "AXIS S3008._axis-nvr._tcp.local.",
            port=80,
            properties={"macaddress": "ACCC8E012345"},
            server="axis-accc8e012345.local.",
            addresses=[NOWHERE.ip.packed],
        )
        answer = DNSOutgoing(0x8400, False, 0x1234)
        answer.add_answer_at_time(info.dns_pointer(), 0)
        for record in (info.dns_service(), info.dns_text(), *info.dns_addresses()):
            answer.add_additional_answer(record)
        (short,) = legacy_answer(answer).packets()
        (long,) = answer.packets()
        self.assertEqual({record.ttl for record in self.records(short)}, {10})
        self.assertEqual({record.ttl for record in self.records(long)}, {4500, 120})
        self.assertEqual(dns.parse(short).id, 0x1234)
        for one, other in zip(self.records(short), self.records(long), strict=True):
            self.assertEqual(one._replace(ttl=0), other._replace(ttl=0))

    def records(self, data: bytes) -> list[dns.Record]:
        message = dns.parse(data)
        return message.answers + message.additionals


class ResponderTests(SynchronousTestCase):
    """What a responder sends; it is not made whole here, so it opens no socket."""

    def setUp(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.patch(Zeroconf, "async_send", lambda _, *sent: self.sent.append(sent))
        self.responder = Responder.__new__(Responder)
        self.responder.link = LINK
        self.responder._neighbours = Neighbours(3, 10)
        info = ServiceInfo("_a._tcp.local.", "b._a._tcp.local.", port=80, server="c.local.")
        self.answer = DNSOutgoing(0x8400, False, 7)
        self.answer.add_answer_at_time(info.dns_pointer(), 0)

    def test_to_all(self) -> None:
        """What goes to the group goes as it is."""
        self.responder.async_send(self.answer)
        ((answer, host, _, _, _),) = self.sent
        self.assertIs(answer, self.answer)
        self.assertIsNone(host)

    def test_to_a_neighbour(self) -> None:
        """At the port of Bonjour it is answered as it is, at any other for a short time."""
        self.responder.async_send(self.answer, "192.0.2.9", 5353)
        self.responder.async_send(self.answer, "192.0.2.9", 40_000)
        (first, second) = [sent[0].packets()[0] for sent in self.sent]
        self.assertEqual([dns.parse(data).answers[0].ttl for data in (first, second)], [4500, 10])

    def test_to_a_stranger(self) -> None:
        """Nobody from elsewhere is answered, and a neighbour not without end."""
        self.responder.async_send(self.answer, "203.0.113.9", 40_000)
        self.assertEqual(self.sent, [])
        self.patch(time, "monotonic", lambda: 5.5)
        for _ in range(9):
            self.responder.async_send(self.answer, "192.0.2.9", 40_000)
        self.assertEqual(len(self.sent), 3)

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_any_datagram(self, data: st.DataObject) -> None:
        """Whatever comes is answered or not; nothing is raised."""
        name = data.draw(st.sampled_from(["_a._tcp.local", "b._a._tcp.local", "c.local"]))
        kind = data.draw(st.sampled_from([dns.A, dns.PTR, dns.SRV, dns.ANY]))
        whole = bytearray(dns.query(name, kind) * data.draw(st.integers(1, 2)))
        for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
            whole[at] = data.draw(st.integers(0, 255))
        TARGETS["mdns"](bytes(whole[: data.draw(st.integers(0, len(whole)))]))
        TARGETS["mdns"](data.draw(st.binary(max_size=200)))


class PacedSelectorTests(SynchronousTestCase):
    def test_a_flood(self) -> None:
        """After so many events the rest of the time is slept, in which others can run."""
        slept: list[float] = []
        clock = [10.0]

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            clock[0] += seconds

        self.patch(time, "sleep", sleep)
        self.patch(time, "monotonic", lambda: clock[0])
        loop = asyncio.SelectorEventLoop(PacedSelector())
        self.addCleanup(loop.close)
        seen = 0

        def read() -> None:
            nonlocal seen
            seen += 1
            if seen == 4 * MAX_READS:
                loop.stop()

        loop.call_soon_threadsafe(lambda: None)  # makes the loop's own socket readable
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        theirs.send(b"never read")
        loop.add_reader(ours, read)
        loop.run_forever()
        self.assertGreaterEqual(len(slept), 3)
        self.assertLess(max(slept), 0.06)


class BonjourServiceTests(TestCase):
    def setUp(self) -> None:
        library = logging.getLogger("zeroconf")
        self.addCleanup(setattr, library, "propagate", library.propagate)
        self.addCleanup(setattr, library, "handlers", list(library.handlers))
        self.lines: list[str] = []
        self.service = BonjourService(reactor)
        self.patch(self.service, "_say", self.lines.append)

    async def test_no_network(self) -> None:
        """Nothing is said or sent; the thread is there, and gone after the end."""
        self.service.startService()
        self.service.set_links([])
        self.assertIn("bonjour", [thread.name for thread in threading.enumerate()])
        await self.stop()
        self.assertEqual(self.lines, [])

    async def test_an_interface_that_cannot_be_used(self) -> None:
        """It is told in one line, and ends nothing."""
        self.service.startService()
        self.service.set_links([LINK])
        await self.until(lambda: bool(self.lines))
        await self.stop()
        self.assertEqual(len([line for line in self.lines if "not on eth7" in line]), 1)

    async def test_stopped_at_once(self) -> None:
        """A service that has hardly started stops."""
        self.service.startService()
        await self.stop()

    def test_never_started(self) -> None:
        """A service that was never started has nothing to stop."""
        self.service.set_links([LINK])
        self.assertIsNone(self.service.stopService())

    async def stop(self) -> None:
        stopped = self.service.stopService()
        assert stopped is not None
        await stopped
        await self.until(lambda: "bonjour" not in [thread.name for thread in threading.enumerate()])

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(500):
            if holds():
                return
            waited: Deferred[None] = Deferred()
            reactor.callLater(0.01, waited.callback, None)
            await waited
        self.fail("it does not come true")
