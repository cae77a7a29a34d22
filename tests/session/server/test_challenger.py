"""Digest as a server: challenges in the form of Axis, and which answers are accepted."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.digest import (
    Authenticator,
    Credentials,
    digest_response,
    secret_hash,
    verify,
)
from axis_nvr.session.server.challenger import Challenger, Verdict, uri_matches
from axis_nvr.wire.authentication import (
    Authorization,
    build_digest_authorization,
    parse_authorization,
    parse_challenges,
)

REALM = "AXIS_ACCC8E012345"
URI = "rtsp://192.168.0.90/axis-media/media.amp?videocodec=h264"
USERS = {"root": "pass", "övrig": "løsen"}


class ChallengerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.challenger = Challenger(REALM, b"k" * 16, lifetime_seconds=100)

    def secret_of(self, username: str) -> str | None:
        password = USERS.get(username)
        return None if password is None else secret_hash(Credentials(username, password), REALM)

    def verdict(
        self, header: str | None, now: float, uri: str = URI, method: str = "PLAY"
    ) -> Verdict:
        return self.challenger.check(header, method, uri, now, self.secret_of)[0]

    def answer(self, user: str = "root:pass", method: str = "PLAY") -> str:
        """What a client sends when challenged at 1000."""
        authenticator = Authenticator(Credentials(*user.split(":")))
        self.assertTrue(authenticator.challenge([self.challenger.challenge(1000)]))
        return authenticator.authorization(method, URI) or ""

    def test_form_of_axis(self) -> None:
        """Over RTSP: realm, nonce and stale, no qop and no algorithm; over HTTP both."""
        self.assertRegex(
            self.challenger.challenge(1000),
            r'^Digest realm="AXIS_ACCC8E012345", nonce="[0-9a-f]{44}", stale=FALSE$',
        )
        self.assertIn("stale=TRUE", self.challenger.challenge(1000, stale=True))
        http = Challenger(REALM, b"k" * 16, qop="auth")
        self.assertRegex(
            http.challenge(1000),
            r'^Digest realm="AXIS_ACCC8E012345", nonce="[0-9a-f]{44}", algorithm=MD5, qop="auth"$',
        )

    def test_accepted(self) -> None:
        """Who knows the password gets in, letters beyond ASCII or not, and is named."""
        self.assertIs(self.verdict(self.answer(), 1000), Verdict.ACCEPTED)
        header = self.answer("övrig:løsen")
        self.assertEqual(
            self.challenger.check(header.encode("latin-1"), "PLAY", URI, 1000, self.secret_of),
            (Verdict.ACCEPTED, "övrig"),
        )

    def test_both_forms(self) -> None:
        """Answers with qop and without are checked, with MD5 and SHA-256."""
        for qop in ("", "auth", "auth-int"):
            for algorithm in ("MD5", "SHA-256"):
                challenger = Challenger(REALM, b"k" * 16, algorithm=algorithm, qop=qop)
                authenticator = Authenticator(Credentials("root", "pass"))
                self.assertTrue(authenticator.challenge([challenger.challenge(1)]))
                header = authenticator.authorization("PLAY", URI, b"body")
                secret = secret_hash(Credentials("root", "pass"), REALM, algorithm)
                secret_of = {"root": secret}.get
                for body, expected in ((b"body", True), (b"BODY", qop != "auth-int")):
                    verdict, _ = challenger.check(header, "PLAY", URI, 1, secret_of, body=body)
                    self.assertEqual(verdict is Verdict.ACCEPTED, expected, (qop, algorithm))

    def test_refused(self) -> None:
        """Wrong passwords, users, methods, URIs, realms and nonsense are all wrong."""
        good = self.answer()
        for header in (
            self.answer("root:Pass"),
            self.answer("nobody:pass"),
            self.answer(method="PAUSE"),
            good.replace("ACCC8E", "ACCC8F"),
            good.replace("response=", "answer="),
            good + ", algorithm=SHA-256",
            good + ", qop=auth",
            good.replace("0", "1"),
            "Basic cm9vdDpwYXNz",
            "Digest",
            "Digest username=\xff\xfe, nonce=zz",
            "Basic !",
        ):
            self.assertIs(self.verdict(header, 1000), Verdict.WRONG, header)
        self.assertIs(self.verdict(good, 1000, URI + "&x=y"), Verdict.WRONG)

    def test_unknown_user_has_no_secret(self) -> None:
        """What is compared for an unknown user, to spend the same time, lets nobody in."""
        fields = {"username": "nobody", "realm": REALM, "uri": URI, "response": ""}
        (challenge,) = parse_challenges([self.challenger.challenge(1000)])
        answer = Authorization("digest", fields | {"nonce": challenge.get("nonce")})
        answer.parameters["response"] = digest_response("-", "PLAY", URI, answer)
        self.assertTrue(verify(answer, "PLAY", "-"))
        header = build_digest_authorization(answer.parameters.items())
        self.assertIs(self.verdict(header, 1000), Verdict.WRONG)

    def test_missing(self) -> None:
        """No answer is not a wrong one."""
        for header in (None, ""):
            self.assertIs(self.verdict(header, 1000), Verdict.MISSING)

    def test_stale(self) -> None:
        """A nonce past its time is stale if the password is right, and wrong otherwise."""
        self.assertIs(self.verdict(self.answer(), 1099.9), Verdict.ACCEPTED)
        self.assertIs(self.verdict(self.answer(), 1100.1), Verdict.STALE)
        self.assertIs(self.verdict(self.answer(), 900), Verdict.STALE)
        self.assertIs(self.verdict(self.answer("root:x"), 1100.1), Verdict.WRONG)

    def test_a_nonce_of_before_a_restart(self) -> None:
        """It lets nobody in; with the right password it is stale, as if it were too old."""
        other = Challenger(REALM, b"x" * 16)
        for password, expected in (("pass", Verdict.STALE), ("x", Verdict.WRONG)):
            authenticator = Authenticator(Credentials("root", password))
            self.assertTrue(authenticator.challenge([other.challenge(1000)]))
            header = authenticator.authorization("PLAY", URI)
            self.assertIs(self.verdict(header, 1000), expected)

    def test_client_and_server_over_a_day(self) -> None:
        """A client that follows the challenges stays in while nonces come and go."""
        authenticator = Authenticator(Credentials("root", "pass"))
        refusals = 0
        for now in range(0, 86400, 30):
            header = authenticator.authorization("OPTIONS", URI)
            verdict = self.verdict(header, now, method="OPTIONS")
            if verdict is not Verdict.ACCEPTED:
                refusals += 1
                challenge = self.challenger.challenge(now, stale=verdict is Verdict.STALE)
                self.assertTrue(authenticator.challenge([challenge]))
                header = authenticator.authorization("OPTIONS", URI)
                verdict = self.verdict(header, now, method="OPTIONS")
            self.assertIs(verdict, Verdict.ACCEPTED)
        self.assertEqual(refusals, 720)


class VerifyTests(SynchronousTestCase):
    def test_algorithm_must_be_the_one_asked_for(self) -> None:
        """An answer in another algorithm than asked for proves nothing."""
        answer = Authorization("digest", {"algorithm": "TOKEN", "response": "x"})
        self.assertFalse(verify(answer, "PLAY", "secret"))
        self.assertFalse(verify(answer, "PLAY", "secret", "TOKEN"))

    def test_nonsense(self) -> None:
        """Parameters of any text are compared, not trusted."""
        for response in ("", "\xff", "é" * 32, "0" * 32):
            answer = parse_authorization(f'Digest response="{response}", uri="\xff", nonce="\0"')
            self.assertFalse(verify(answer, "PLAY", "secret"))
        self.assertEqual(parse_challenges([]), [])


class UriTests(SynchronousTestCase):
    def test_accepted_forms(self) -> None:
        """Absolute, relative, without its query, with a slash, or of the presentation."""
        requested = "rtsp://host:554/axis-media/media.amp/stream=0?x=1"
        presentation = "rtsp://host/axis-media/media.amp?x=1"
        for answered in (
            requested,
            "/axis-media/media.amp/stream=0?x=1",
            "/axis-media/media.amp/stream=0",
            "rtsp://other/axis-media/media.amp/stream=0?x=1/",
            presentation,
            "rtsp://host/axis-media/media.amp/",
        ):
            self.assertTrue(uri_matches(answered, requested, presentation), answered)
        for answered in ("", "*", "rtsp://host/axis-media", "/axis-media/media.amp?x=2", "rtsp://"):
            self.assertFalse(uri_matches(answered, requested, presentation), answered)
        self.assertFalse(uri_matches(presentation, requested))
        self.assertTrue(uri_matches("*", "*"))
        self.assertTrue(uri_matches("rtsp://host", "rtsp://host/"))
