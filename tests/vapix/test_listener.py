"""A server that listens: made from a description, announced, or refused in one sentence."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from axis_nvr.protocols.endpoints import CannotListen
from axis_nvr.vapix.listener import (
    Listener,
    describe_address,
    with_certificate,
)


@implementer(IListeningPort)
class FakePort:
    stopped = False

    def getHost(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        return IPv4Address("TCP", "0.0.0.0", 8080)  # noqa: S104

    def startListening(self) -> None:  # noqa: N802
        raise NotImplementedError

    def stopListening(self) -> Deferred[None]:  # noqa: N802
        self.stopped = True
        return succeed(None)


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    def __init__(self, result: Deferred[IListeningPort]) -> None:
        self.result = result

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        return self.result


class ListenerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said: list[str] = []

    def listener(self, result: Deferred[IListeningPort]) -> Listener:
        return Listener("http", "http", FakeEndpoint(result), Factory(), self.said.append)

    def test_says_where_it_listens(self) -> None:
        """One line when it listens, none before; the port is closed at the stop."""
        port = FakePort()
        result: Deferred[IListeningPort] = Deferred()
        listener = self.listener(result)
        listener.startService()
        self.assertEqual(self.said, [])
        result.callback(port)
        self.assertEqual(self.said, ["listening on http://localhost:8080/ (every interface)"])
        listener.stopService()
        self.assertTrue(port.stopped)
        listener.stopService()

    def test_a_taken_address_is_one_sentence(self) -> None:
        """The key, the port and the system's words, and nothing is announced."""
        taken = CannotListenError("", 8080, OSError(98, "Address already in use"))
        error = self.assertRaises(CannotListen, self.listener(fail(taken)).startService)
        self.assertEqual(str(error), "http: cannot listen at port 8080: Address already in use")
        self.assertEqual(self.said, [])

    def test_the_own_certificate_is_filled_in(self) -> None:
        """Only a TLS endpoint that names no key gets ours; signs in the path are quoted."""
        self.assertEqual(with_certificate("tcp:80", "/k"), "tcp:80")
        own = "ssl:443:privateKey=/mine:certKey=/mine"
        self.assertEqual(with_certificate(own, "/k"), own)
        self.assertEqual(
            with_certificate("ssl:8443", "/a:b"),
            "ssl:8443:privateKey=/a\\:b:certKey=/a\\:b",
        )

    def test_addresses(self) -> None:
        """Addresses are written as one opens them."""
        self.assertEqual(
            describe_address("https", IPv6Address("TCP", "::1", 8443)), "https://[::1]:8443/"
        )
        self.assertEqual(
            describe_address("http", IPv4Address("TCP", "10.0.0.1", 80)), "http://10.0.0.1:80/"
        )
        self.assertEqual(describe_address("http", UNIXAddress(b"/run/x")), "http at /run/x")
