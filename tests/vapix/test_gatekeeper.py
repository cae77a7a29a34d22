"""One judge for all ways in: HTTP, HTTPS, RTSP, tunnels and WebSockets."""

import base64
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from axis_nvr.services.accounts import Role
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.lockout import ADDRESS_RULES
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.vapix.call import Call, Endpoint, Reply, text_reply
from axis_nvr.vapix.rtsp_admission import RtspAdmission
from axis_nvr.vapix.websocket.events import PATH, EventStreams
from axis_nvr.wire.rtsp import Headers, Request
from tests.vapix.serving import House, ServingTestCase

#: Where the test client of HTTP is.
ADDRESS = "127.0.0.1"
#: Answers to who was let in; a WebSocket that was not asked for rightly is answered 400.
LET_IN = (200, 400)
#: Tries a password of vera's and gives the status.
Way = Callable[[str], int]


async def who(call: Call) -> Reply:
    return text_reply(call.account)


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"vera:{password}".encode()).decode()


class WaysTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.move_in()

    def move_in(self) -> None:
        """Begin with accounts that nobody has guessed at."""
        self.house = House(self.mktemp())
        self.addCleanup(self.house.database.close)
        self.house.set_up()
        streams = EventStreams(EventBus(lambda: 0), self.house.gatekeeper.tokens)
        self.serve(
            Endpoint("/view", who, Role.VIEWER), Endpoint("/open", who, None), streams.endpoint()
        )
        self.admission = RtspAdmission(self.house.gatekeeper)
        connection: Any = SimpleNamespace(client_host=ADDRESS, account="", is_secure=True)
        self.connection = connection

    def ways(self) -> dict[str, Way]:
        """All ways in, by name."""
        return {
            "HTTP": lambda password: self.ask("/view", "vera", password=password).status,
            "HTTPS": lambda password: self.secure("/view", password),
            "WebSocket": lambda password: self.secure(f"{PATH}?sources=events", password),
            "open to all": lambda password: self.secure("/open", password),
            "RTSP": self.rtsp,
            "tunnel": self.tunnel,
        }

    def secure(self, path: str, password: str) -> int:
        headers = {"Authorization": basic(password)}
        return self.send(path, scheme="https", headers=headers).status

    def rtsp(self, password: str) -> int:
        guard = self.admission.guard(self.connection)
        request = Request("DESCRIBE", "rtsp://nvr/x", Headers([]))
        try:
            guard(request, None, 0.0)
        except RequestRefused as refused:
            if refused.status != 401:
                return refused.status
            authenticator = Authenticator(Credentials("vera", password))
            authenticator.challenge([dict(refused.headers)["WWW-Authenticate"]])
            answer = authenticator.authorization("DESCRIBE", "rtsp://nvr/x")
            headers = Headers([("Authorization", answer or "")])
            return self.status(lambda: guard(replace(request, headers=headers), None, 0.0))
        return 200

    def tunnel(self, password: str) -> int:
        request = Request("GET", "/x", Headers([("Authorization", basic(password))]))
        return self.status(lambda: self.admission.tunnel(request, self.connection))

    def status(self, ask: Callable[[], object]) -> int:
        try:
            ask()
        except RequestRefused as refused:
            return refused.status
        return 200

    def test_who_guesses_at_one_way_is_shut_out_at_all(self) -> None:
        """Whatever the way, and then whatever the password, until its time is up."""
        for guessed in self.ways():
            self.move_in()
            ways = self.ways()
            for _ in range(ADDRESS_RULES[0].failures):
                self.assertIn(ways[guessed]("guess"), (401, 200), guessed)
            for name, way in ways.items():
                self.assertEqual(way("pass-vera"), 403, f"{guessed}, then {name}")
            self.house.now += ADDRESS_RULES[0].closed_seconds + 0.1
            for name, way in ways.items():
                self.assertIn(way("pass-vera"), LET_IN, f"{guessed}, then {name}")

    def test_each_failure_counts_once(self) -> None:
        """Where the endpoint finds out itself that it needs a role, too."""
        for name, way in self.ways().items():
            way("guess")
            entries = self.successResultOf(self.house.audit.newest(100))
            self.assertEqual(entries[0].outcome, "wrong credentials", name)
        self.assertEqual(len(entries), len(self.ways()))

    def test_what_proves_nothing_is_no_guess(self) -> None:
        """Where no account is needed, headers that we do not take are not counted."""
        for header in ("Bearer x", basic("guess"), "nonsense"):
            for _ in range(ADDRESS_RULES[0].failures + 1):
                answered = self.send("/open", headers={"Authorization": header})
                self.assertEqual(answered.status, 200)
        self.assertEqual(self.successResultOf(self.house.audit.newest(1)), [])

    def test_a_nonce_is_good_for_its_way_only(self) -> None:
        """HTTP takes none of RTSP's: it has another form of answers."""
        guard = self.admission.guard(self.connection)
        with self.assertRaises(RequestRefused) as caught:
            guard(Request("DESCRIBE", "rtsp://nvr/view", Headers([])), None, 0.0)
        authenticator = Authenticator(Credentials("vera", "pass-vera"))
        authenticator.challenge([dict(caught.exception.headers)["WWW-Authenticate"]])
        header = {"Authorization": authenticator.authorization("GET", "/view")}
        answered = self.send("/view", headers=header)
        self.assertIn("stale=TRUE", answered.header("WWW-Authenticate"))
