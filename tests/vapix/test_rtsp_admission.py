"""Who is let in over RTSP."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.lockout import ADDRESS_RULES
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.session.server.dialogue import Guard
from axis_nvr.session.server.sessions import RequestRefused
from axis_nvr.vapix.rtsp_admission import RtspAdmission
from axis_nvr.wire.rtsp import Headers, Request
from tests.vapix.serving import REALM, House

URL = "rtsp://nvr/axis-media/media.amp?device=front"


class AdmissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = house = House(self.mktemp())
        self.addCleanup(house.database.close)
        self.admission = RtspAdmission(house.gatekeeper)

    def connection(self, address: str = "192.0.2.9", *, is_secure: bool = False) -> Any:
        return SimpleNamespace(client_host=address, account="", is_secure=is_secure)

    def refused(self, guard: Guard, request: Request) -> RequestRefused:
        with self.assertRaises(RequestRefused) as caught:
            guard(request, None, 0.0)
        refused: RequestRefused = caught.exception
        return refused

    def challenge(self, refused: RequestRefused) -> str:
        return dict(refused.headers)["WWW-Authenticate"]

    def request(
        self, authorization: str | None = "", method: str = "DESCRIBE", uri: str = URL
    ) -> Request:
        fields = [("CSeq", "1"), ("Authorization", authorization or "")]
        return Request(method, uri, Headers(fields if authorization else fields[:1]))

    def answer(
        self, guard: Any, user: str = "vera", password: str = "", method: str = "DESCRIBE"
    ) -> Request:
        """A request with an answer to the guard's challenge."""
        authenticator = Authenticator(Credentials(user, password or f"pass-{user}"))
        authenticator.challenge([self.challenge(self.refused(guard, self.request()))])
        return self.request(authenticator.authorization(method, URL), method)

    def test_before_there_is_an_administrator(self) -> None:
        """Nobody is let in, and is told why; tunnels neither."""
        refused = self.refused(self.admission.guard(self.connection()), self.request())
        self.assertEqual((refused.status, dict(refused.headers)["Axis-Setup"]), (401, "vapix"))
        self.assertIn("administrator", refused.reason)
        with self.assertRaises(RequestRefused):
            self.admission.tunnel(self.request(method="GET", uri="/x"), self.connection())

    def test_the_challenge(self) -> None:
        """Is in the exact form of Axis devices: without qop and algorithm."""
        self.house.set_up()
        challenge = self.challenge(
            self.refused(self.admission.guard(self.connection()), self.request())
        )
        self.assertRegex(
            challenge, rf'^Digest realm="{REALM}", nonce="[0-9a-f]{{44}}", stale=FALSE$'
        )

    def test_every_account_may_watch(self) -> None:
        """And the connection is theirs."""
        self.house.set_up()
        for user in ("ann", "otto", "vera"):
            connection = self.connection()
            guard = self.admission.guard(connection)
            guard(self.answer(guard, user), None, 0.0)
            self.assertEqual(connection.account, user)

    def test_wrong_credentials(self) -> None:
        """Are refused, counted and noted; the address is shut out, and no other."""
        self.house.set_up()
        connection = self.connection()
        guard = self.admission.guard(connection)
        wrong = self.answer(guard, password="wrong")
        right = self.answer(guard)
        for _ in range(ADDRESS_RULES[0].failures):
            self.assertEqual(self.refused(guard, wrong).status, 401)
        self.assertEqual(connection.account, "")
        self.assertEqual(self.refused(guard, right).status, 403)
        other = self.admission.guard(self.connection("192.0.2.10"))
        other(right, None, 0.0)
        (entry, *_) = self.successResultOf(self.house.audit.newest(1))
        self.assertEqual(
            (entry.account, entry.address, entry.target, entry.outcome),
            ("vera", "192.0.2.9", "RTSP", "wrong credentials"),
        )

    def test_a_nonce_grows_old(self) -> None:
        """For others it is stale then; a connection may go on with the one it was let in with."""
        self.house.set_up()
        guard = self.admission.guard(self.connection())
        request = self.answer(guard)
        guard(request, None, 0.0)
        self.house.now += 3600
        guard(request, None, 0.0)
        refused = self.refused(self.admission.guard(self.connection()), request)
        self.assertIn("stale=TRUE", self.challenge(refused))

    def test_a_removed_account(self) -> None:
        """Is not let in any more, on whatever connection."""
        self.house.set_up()
        guard = self.admission.guard(self.connection())
        request = self.answer(guard)
        guard(request, None, 0.0)
        Deferred.fromCoroutine(self.house.accounts.remove("vera"))
        self.assertEqual(self.refused(guard, request).status, 401)

    def test_nonsense(self) -> None:
        """Basic, no scheme, half a header: refused with a challenge."""
        self.house.set_up()
        guard = self.admission.guard(self.connection())
        for text in ("Basic dmVyYTpwYXNzLXZlcmE=", "Digest", "Digest nonce=", "x" * 5000, "\xff"):
            self.assertEqual(self.refused(guard, self.request(text)).status, 401)

    def test_tunnels(self) -> None:
        """Are asked as all of HTTP is: Digest with qop, within TLS Basic too."""
        self.house.set_up()
        request = self.request(method="GET", uri="/axis-media/media.amp")
        with self.assertRaises(RequestRefused) as caught:
            self.admission.tunnel(request, self.connection())
        challenge = self.challenge(caught.exception)
        self.assertIn('qop="auth"', challenge)
        authenticator = Authenticator(Credentials("vera", "pass-vera"))
        authenticator.challenge([challenge])
        header = authenticator.authorization("GET", "/axis-media/media.amp")
        answered = self.request(header, "GET", "/axis-media/media.amp")
        self.assertEqual(self.admission.tunnel(answered, self.connection()), "vera")
        basic = self.request("Basic dmVyYTpwYXNzLXZlcmE=", "POST", "/axis-media/media.amp")
        with self.assertRaises(RequestRefused):
            self.admission.tunnel(basic, self.connection())
        self.assertEqual(self.admission.tunnel(basic, self.connection(is_secure=True)), "vera")
