"""Addresses to listen at: what cannot be used is said in words for people."""

from pathlib import Path

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.protocols.endpoints import cannot_listen, make_endpoint


class EndpointTests(SynchronousTestCase):
    def test_what_can_be_used(self) -> None:
        """Ports stand first or have their name; an IPv6 address has its colons quoted."""
        for description in (
            "tcp:8080",
            "tcp:port=8080",
            "tcp:interface=127.0.0.1:port=8080",
            "tcp:8080:interface=\\:\\:",
        ):
            endpoint = make_endpoint(MemoryReactorClock(), "http", description)
            self.assertIsInstance(endpoint, TCP4ServerEndpoint, description)

    def test_what_cannot(self) -> None:
        """One sentence names the key, the description and what is wrong with it."""
        empty = Path(self.mktemp()).absolute()
        empty.touch()
        absent = f"{empty}.absent"
        for description, words in (
            ("tcp:nix", "a port is a number up to 65535, not 'nix'"),
            ("tcp:99999", "a port is a number up to 65535, not '99999'"),
            ("tcp:-1", "a port is a number up to 65535, not '-1'"),
            ("tcp", "a port is a number up to 65535, not ''"),
            ("tcp:1:interface=::1", "it has a part too many"),
            ("tcp:1:2:3:4:5", "it has a part too many"),
            ("tcp:1:colour=red", "colour= is no part of it"),
            ("carrier-pigeon:1", "it must begin with tcp:, ssl: or another kind"),
            ("", "it must begin with tcp:, ssl: or another kind"),
            (f"ssl:1:privateKey={absent}", f"{absent} cannot be read: No such file or directory"),
            (f"ssl:1:privateKey={empty}", "its files hold no private key with its certificate"),
        ):
            error = self.assertRaises(
                ConfigError, make_endpoint, MemoryReactorClock(), "http", description
            )
            self.assertIn(f"http: {description!r} is no endpoint: {words}", str(error))
            self.assertNotIn("\n", str(error))

    def test_an_address_that_is_taken(self) -> None:
        """The key, the place and the system's words."""
        taken = CannotListenError("", 8080, OSError(98, "Address already in use"))
        told = str(cannot_listen("http", taken))
        self.assertEqual(told, "http: cannot listen at port 8080: Address already in use")
        strange = CannotListenError("10.9.9.9", 80, OSError(99, "Cannot assign"))
        told = str(cannot_listen("http", strange))
        self.assertEqual(told, "http: cannot listen at 10.9.9.9, port 80: Cannot assign")
        self.assertEqual(str(cannot_listen("http", OSError("no"))), "http: cannot listen: no")
