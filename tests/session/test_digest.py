"""Digest and Basic as a client: the RFCs' own figures, what is preferred, when to stop."""

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.digest import (
    Authenticator,
    Credentials,
    Failure,
    best_challenge,
    digest_response,
    secret_hash,
    verify,
)
from axis_nvr.wire.authentication import Authorization, parse_authorization, parse_challenges

AXIS = 'Digest realm="AXIS_ACCC8E012345", nonce="0000fd2b", stale=FALSE'
URI = "rtsp://192.168.0.90/axis-media/media.amp?videocodec=h264"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class ResponseTests(SynchronousTestCase):
    def test_rfc_7616(self) -> None:
        """The example of RFC 7616 §3.9.1, MD5 and SHA-256."""
        for algorithm, expected in (
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ):
            answer = Authorization(
                "digest",
                {
                    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                    "nc": "00000001",
                    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                    "qop": "auth",
                    "algorithm": algorithm,
                },
            )
            credentials = Credentials("Mufasa", "Circle of Life")
            secret = secret_hash(credentials, "http-auth@example.org", algorithm)
            self.assertEqual(digest_response(secret, "GET", "/dir/index.html", answer), expected)

    def test_rfc_2617(self) -> None:
        """The example of RFC 2617 §3.5."""
        answer = Authorization(
            "digest",
            {
                "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                "nc": "00000001",
                "cnonce": "0a4f113b",
                "qop": "auth",
            },
        )
        secret = secret_hash(Credentials("Mufasa", "Circle Of Life"), "testrealm@host.com")
        response = digest_response(secret, "GET", "/dir/index.html", answer)
        self.assertEqual(response, "6629fae49393a05397450978507c4ef1")

    def test_rfc_2069(self) -> None:
        """The example of RFC 2069 §2.4, with the response of its erratum 749."""
        answer = Authorization("digest", {"nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"})
        secret = secret_hash(Credentials("Mufasa", "CircleOfLife"), "testrealm@host.com")
        response = digest_response(secret, "GET", "/dir/index.html", answer)
        self.assertEqual(response, "1949323746fe6a43ef61f9606e7febea")


class AuthenticatorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authenticator = Authenticator(Credentials("root", "pass"), lambda: "c0ffee")

    def answer(self, challenge: str, method: str = "PLAY", body: bytes = b"") -> Authorization:
        """Take a challenge and return the answer to it."""
        self.assertTrue(self.authenticator.challenge([challenge]))
        value = self.authenticator.authorization(method, URI, body)
        assert value is not None
        return parse_authorization(value)

    def test_nothing_before_a_challenge(self) -> None:
        """Credentials are sent to nobody who has not asked."""
        self.assertIsNone(self.authenticator.authorization("OPTIONS", "*"))

    def test_axis(self) -> None:
        """The challenge of an Axis camera is answered as RFC 2069 has it, nothing added."""
        self.assertTrue(self.authenticator.challenge([AXIS]))
        ha1, ha2 = md5("root:AXIS_ACCC8E012345:pass"), md5(f"DESCRIBE:{URI}")
        self.assertEqual(
            self.authenticator.authorization("DESCRIBE", URI),
            'Digest username="root", realm="AXIS_ACCC8E012345", nonce="0000fd2b",'
            f' uri="{URI}", response="{md5(f"{ha1}:0000fd2b:{ha2}")}"',
        )

    def test_qop(self) -> None:
        """With qop each answer has the next count, and a new nonce begins at one."""
        challenge = 'Digest realm="r", nonce="n", qop="auth-int,auth", opaque="o", algorithm=MD5'
        first = self.answer(challenge)
        ha1, ha2 = md5("root:r:pass"), md5(f"PLAY:{URI}")
        self.assertEqual(
            first.parameters,
            {
                "username": "root",
                "realm": "r",
                "nonce": "n",
                "uri": URI,
                "algorithm": "MD5",
                "opaque": "o",
                "qop": "auth",
                "nc": "00000001",
                "cnonce": "c0ffee",
                "response": md5(f"{ha1}:n:00000001:c0ffee:auth:{ha2}"),
            },
        )
        self.assertEqual(self.answer(challenge).get("nc"), "00000002")
        self.assertEqual(self.answer(challenge.replace('"n"', '"m"')).get("nc"), "00000001")

    def test_auth_int(self) -> None:
        """A server that offers nothing but auth-int gets the body hashed too."""
        answer = self.answer(
            'Digest realm="r", nonce="n", qop="auth-int"', body=b"Renew-Stream: yes"
        )
        ha1 = md5("root:r:pass")
        ha2 = md5(f"PLAY:{URI}:{md5('Renew-Stream: yes')}")
        self.assertEqual(answer.get("response"), md5(f"{ha1}:n:00000001:c0ffee:auth-int:{ha2}"))

    def test_session_algorithms(self) -> None:
        """The -sess algorithms mix both nonces into the secret, with qop and without."""
        answer = self.answer('Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"')
        ha1, ha2 = md5(f"{md5('root:r:pass')}:n:c0ffee"), md5(f"PLAY:{URI}")
        self.assertEqual(answer.get("response"), md5(f"{ha1}:n:00000001:c0ffee:auth:{ha2}"))
        answer = self.answer('Digest realm="r", nonce="n", algorithm=SHA-256-sess')
        ha1 = sha256(f"{sha256('root:r:pass')}:n:c0ffee")
        self.assertEqual(answer.get("response"), sha256(f"{ha1}:n:{sha256(f'PLAY:{URI}')}"))
        self.assertEqual(answer.get("cnonce"), "c0ffee")

    def test_unknown_qop_is_left_out(self) -> None:
        """Options of quality that nobody knows are answered in the form of RFC 2069."""
        answer = self.answer('Digest realm="r", nonce="n", qop="token"')
        self.assertNotIn("qop", answer.parameters)
        self.assertTrue(verify(answer, "PLAY", md5("root:r:pass")))

    def test_no_realm(self) -> None:
        """A challenge without a realm is answered with an empty one."""
        answer = self.answer('Digest nonce="n"')
        self.assertEqual(answer.get("realm", "-"), "")
        self.assertTrue(verify(answer, "PLAY", md5("root::pass")))

    def test_letters_beyond_ascii(self) -> None:
        """Names and passwords are UTF-8; a quote in a name is escaped."""
        self.authenticator = Authenticator(Credentials('r"öt→', "løsen"))
        answer = self.answer('Digest realm="r", nonce="n"')
        self.assertEqual(answer.get("username").encode("latin-1").decode(), 'r"öt→')
        self.assertTrue(verify(answer, "PLAY", md5('r"öt→:r:løsen')))

    def test_basic(self) -> None:
        """A server that offers nothing better gets Basic."""
        answer = self.answer('Basic realm="r"')
        self.assertEqual((answer.username, answer.password), ("root", "pass"))

    def test_next_nonce(self) -> None:
        """The nonce for the next request may come with an answer (RFC 7616 §3.5)."""
        self.answer('Digest realm="r", nonce="n", qop="auth"')
        self.authenticator.next_nonce('nextnonce="m", qop=auth, rspauth="x"')
        value = self.authenticator.authorization("PLAY", URI)
        answer = parse_authorization(value or "")
        self.assertEqual((answer.get("nonce"), answer.get("nc")), ("m", "00000001"))
        self.authenticator.next_nonce('rspauth="x"')
        self.assertIn('nonce="m"', self.authenticator.authorization("PLAY", URI) or "")

    def test_never_shown(self) -> None:
        """Neither credentials nor authenticator show the password."""
        self.answer(AXIS)
        self.assertNotIn("'pass'", repr(self.authenticator))
        self.assertNotIn("'pass'", repr(Credentials("root", "pass")))
        self.assertIn("root", repr(Credentials("root", "pass")))


class PreferenceTests(SynchronousTestCase):
    def chosen(self, *values: str) -> str:
        """Which nonce of those offered is answered, ``basic`` for Basic, ``-`` for none."""
        best = best_challenge(parse_challenges(values))
        return best.get("nonce", best.scheme) if best else "-"

    def test_best_offered(self) -> None:
        """SHA-512-256, SHA-256, MD5, Basic: wherever and in whatever order they stand."""
        md5, sha = "Digest realm=r, nonce=md5", "Digest realm=r, nonce=sha, algorithm=SHA-256"
        basic = "Basic realm=r"
        for values, expected in (
            ([basic, md5], "md5"),  # Digest only in the second header
            ([f"{basic}, {md5}"], "md5"),
            ([md5, sha], "sha"),
            ([sha, md5], "sha"),
            ([f"{md5}, algorithm=MD5, {sha}, {basic}"], "sha"),
            ([sha, "Digest nonce=best, algorithm=SHA-512-256"], "best"),
            (["Digest nonce=x, algorithm=TOKEN", basic], "basic"),
            (["Digest nonce=sess, algorithm=sha-256-sess", md5], "sess"),
            (["Digest nonce=1", "Digest nonce=2, algorithm=md5"], "1"),
            (["NTLM", "Negotiate abc=="], "-"),
            ([], "-"),
        ):
            self.assertEqual(self.chosen(*values), expected, values)


class FailureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authenticator = Authenticator(Credentials("root", "pass"))

    def test_second_refusal(self) -> None:
        """A request refused again with its credentials, same realm, not stale: they are wrong."""
        self.assertTrue(self.authenticator.challenge([AXIS]))
        self.assertFalse(self.authenticator.challenge([AXIS.replace("0000", "1111")], True))
        self.assertIs(self.authenticator.failure, Failure.WRONG_CREDENTIALS)

    def test_stale(self) -> None:
        """A refusal that says ``stale=TRUE`` is answered with the new nonce."""
        self.assertTrue(self.authenticator.challenge([AXIS]))
        stale = AXIS.replace("0000", "1111").replace("FALSE", "TRUE")
        self.assertTrue(self.authenticator.challenge([stale], True))
        self.assertIn("1111fd2b", self.authenticator.authorization("PLAY", URI) or "")

    def test_other_realm(self) -> None:
        """Another realm is another question."""
        self.assertTrue(self.authenticator.challenge([AXIS]))
        self.assertTrue(self.authenticator.challenge([AXIS.replace("ACCC", "0040")], True))

    def test_new_nonce_between_requests(self) -> None:
        """A first refusal of a later request brings a new nonce, not wrong credentials (quirk 5).

        Axis M5525 says ``stale=FALSE`` though nothing but the nonce is old.
        """
        self.assertTrue(self.authenticator.challenge([AXIS]))
        self.assertTrue(self.authenticator.challenge([AXIS.replace("0000", "1111")], False))

    def test_nothing_in_common(self) -> None:
        """Schemes that nobody knows, and no credentials at all, are told apart."""
        self.assertFalse(self.authenticator.challenge(["NTLM"]))
        self.assertIs(self.authenticator.failure, Failure.UNKNOWN_SCHEME)
        authenticator = Authenticator(None)
        self.assertFalse(authenticator.challenge([AXIS]))
        self.assertIs(authenticator.failure, Failure.NO_CREDENTIALS)
        self.assertIsNone(authenticator.authorization("PLAY", URI))
