"""The door: who is let in, and what those hear who are not."""

import base64

from axis_nvr.services.accounts import Role
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.vapix.call import Call, Endpoint, Reply, text_reply
from tests.vapix.serving import REALM, ServingTestCase


async def who(call: Call) -> Reply:
    return text_reply(f"{call.account or 'nobody'} {call.role}")


ENDPOINTS = (
    Endpoint("/anybody", who, None),
    Endpoint("/early", who, None, before_setup=True),
    Endpoint("/view", who, Role.VIEWER),
    Endpoint("/operate", who, Role.OPERATOR),
    Endpoint("/administer", who, Role.ADMIN),
)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class SetupTests(ServingTestCase):
    def test_before_there_is_an_administrator(self) -> None:
        """Everything is answered 401 with ``Axis-Setup: vapix``, but for a few endpoints."""
        self.serve(*ENDPOINTS)
        for path in ("/anybody", "/view", "/administer", "/nothing-here"):
            answered = self.send(path)
            self.assertEqual((answered.status, answered.header("Axis-Setup")), (401, "vapix"))
        self.assertIn("/axis-cgi/pwdgrp.cgi", self.send("/view").text, "how to make one")
        self.assertEqual(self.send("/early").text, "nobody None")


class DoorTests(ServingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.house.set_up()
        self.serve(*ENDPOINTS)

    def test_every_role_at_every_door(self) -> None:
        """Each role opens its own doors and those below; 403 for the others."""
        for user, role in (("vera", 1), ("otto", 2), ("ann", 3)):
            for path, needed in (("/view", 1), ("/operate", 2), ("/administer", 3)):
                answered = self.ask(path, user)
                self.assertEqual(answered.status, 200 if role >= needed else 403, (user, path))
        self.assertEqual(self.ask("/view", "otto").text, f"otto {Role.OPERATOR}")

    def test_anybody(self) -> None:
        """Where no account is needed, one that is given still counts; a wrong one is nobody."""
        self.assertEqual(self.send("/anybody").text, "nobody None")
        self.assertEqual(self.send("/anybody", headers=basic("ann", "x")).text, "nobody None")

    def test_the_challenge_over_http(self) -> None:
        """Digest only, in the exact form of Axis devices."""
        answered = self.send("/view")
        (challenge,) = answered.headers["www-authenticate"]
        self.assertRegex(
            challenge, f'Digest realm="{REALM}", nonce="[^"]+", algorithm=MD5, qop="auth"'
        )
        self.assertEqual(answered.status, 401)
        self.assertNotIn("axis-setup", answered.headers)

    def test_the_challenge_over_https(self) -> None:
        """Digest first, then Basic; either is taken."""
        answered = self.send("/view", scheme="https")
        digest, second = answered.headers["www-authenticate"]
        self.assertTrue(digest.startswith("Digest "))
        self.assertEqual(second, f'Basic realm="{REALM}"')
        headers = basic("vera", "pass-vera")
        self.assertEqual(self.send("/view", scheme="https", headers=headers).status, 200)
        self.assertEqual(self.ask("/view", "vera", scheme="https").status, 200)

    def test_basic_over_http(self) -> None:
        """A right password in the clear is not taken where anybody could have read it."""
        self.assertEqual(self.send("/view", headers=basic("vera", "pass-vera")).status, 401)

    def test_we_prove_ourselves_too(self) -> None:
        """An answer to Digest carries ``rspauth``."""
        self.assertRegex(
            self.ask("/view", "vera").header("Authentication-Info"),
            r'rspauth="[0-9a-f]{32}", cnonce="[^"]+", nc=00000001, qop=auth',
        )

    def test_wrong_passwords_and_names(self) -> None:
        """Both are answered alike, and noted."""
        wrong = self.ask("/view", "vera", password="no")
        unknown = self.ask("/view", "nobody")
        self.assertEqual((wrong.status, wrong.body), (unknown.status, unknown.body))
        entries = self.successResultOf(self.house.audit.newest(10))
        self.assertEqual(
            [(e.account, e.outcome) for e in entries],
            [("nobody", "wrong credentials"), ("vera", "wrong credentials")],
        )

    def test_an_old_nonce(self) -> None:
        """It is told from a wrong password: the client tries again without asking anybody."""
        challenge = self.send("/view").headers["www-authenticate"]
        self.house.now += 301
        authenticator = Authenticator(Credentials("vera", "pass-vera"))
        authenticator.challenge(challenge)
        header = {"Authorization": authenticator.authorization("GET", "/view")}
        answered = self.send("/view", headers=header)
        self.assertIn("stale=TRUE", answered.header("WWW-Authenticate"))
        self.assertEqual(self.successResultOf(self.house.audit.newest(10)), [])

    def test_an_answer_for_another_resource(self) -> None:
        """What was read of one request opens nothing else."""
        authenticator = Authenticator(Credentials("ann", "pass-ann"))
        authenticator.challenge(self.send("/view").headers["www-authenticate"])
        header = {"Authorization": authenticator.authorization("GET", "/view")}
        self.assertEqual(self.send("/administer", headers=header).status, 401)

    def test_guessing(self) -> None:
        """After 20 failures within a second nothing of the address is looked at for 10 s."""
        headers = basic("vera", "guess")
        for _ in range(20):
            answered = self.send("/view", scheme="https", headers=headers)
            self.assertEqual(answered.status, 401)
        right = basic("vera", "pass-vera")
        self.assertEqual(self.send("/view", scheme="https", headers=right).status, 403)
        self.house.now += 10.1
        self.assertEqual(self.send("/view", scheme="https", headers=right).status, 200)

    def test_what_is_no_authorization(self) -> None:
        """Any header is answered 401."""
        for header in (
            "Basic",
            "Basic !!!",
            "Basic YQ==",
            "Digest",
            "Bearer x",
            "Digest uri=",
            ",",
            b"Digest \xff",
        ):
            for scheme in ("http", "https"):
                answered = self.send("/view", scheme=scheme, headers={"Authorization": header})
                self.assertEqual(answered.status, 401, header)
