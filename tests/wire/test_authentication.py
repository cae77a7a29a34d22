"""Authentication headers: challenges as servers send them, and the answers."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import LocalProtocolError, WireError
from axis_nvr.wire import authentication
from axis_nvr.wire.authentication import (
    Authorization,
    Challenge,
    build_basic,
    build_digest_authorization,
    build_digest_challenge,
    parse_authorization,
    parse_challenges,
)


class ChallengeTests(SynchronousTestCase):
    def test_axis(self) -> None:
        """The challenge of an Axis camera is read, and written byte for byte."""
        value = 'Digest realm="AXIS_ACCC8E012345", nonce="0000fd2bY28", stale=FALSE'
        parameters = {"realm": "AXIS_ACCC8E012345", "nonce": "0000fd2bY28", "stale": "FALSE"}
        self.assertEqual(parse_challenges([value]), [Challenge("digest", parameters)])
        self.assertEqual(
            build_digest_challenge("AXIS_ACCC8E012345", "0000fd2bY28", stale=False), value
        )
        self.assertEqual(
            build_digest_challenge("AXIS_ACCC8E012345", "n", algorithm="MD5", qop="auth"),
            'Digest realm="AXIS_ACCC8E012345", nonce="n", algorithm=MD5, qop="auth"',
        )

    def test_several_in_one_header(self) -> None:
        """Challenges joined by commas in one header are told apart; so are several headers."""
        basic, digest = Challenge("basic", {"realm": "a, b"}), Challenge("digest", {"nonce": "n"})
        one, other = 'Basic realm="a, b"', "Digest nonce=n"
        for values in ([one, other], [f"{one}, {other}"], [f"{one} , ,{other},"]):
            self.assertEqual(parse_challenges(values), [basic, digest], values)
        self.assertEqual(parse_challenges([f"{other},{one}"]), [digest, basic])
        self.assertEqual(parse_challenges([one.encode(), other]), [basic, digest])

    def test_as_cameras_write(self) -> None:
        """No quotes, no commas, no end of quotes, no realm, other cases: all are read."""
        for value, parameters in (
            ("Digest realm=IP Camera(12345), nonce=n", {"realm": "IP Camera(12345)", "nonce": "n"}),
            ('Digest realm="r" nonce="n"', {"realm": "r", "nonce": "n"}),
            ("Digest realm=r nonce=n", {"realm": "r", "nonce": "n"}),
            ('DIGEST Realm = "r" , Nonce="n', {"realm": "r", "nonce": "n"}),
            ('digest nonce="n"', {"nonce": "n"}),
            (r'Digest realm="a\"b\\c"', {"realm": 'a"b\\c'}),
            ('Digest realm="", nonce=""', {"realm": "", "nonce": ""}),
            ('Digest nonce="1", nonce="2"', {"nonce": "1"}),
            ('Digest nonce="bm9uY2U=="', {"nonce": "bm9uY2U=="}),
            ("Digest nonce=bm9uY2U==, realm=r", {"nonce": "bm9uY2U==", "realm": "r"}),
        ):
            self.assertEqual(parse_challenges([value]), [Challenge("digest", parameters)], value)

    def test_stale(self) -> None:
        """``stale`` counts only if it is true, in any case."""
        for value, expected in (("TRUE", True), ('"true"', True), ("FALSE", False), ("", False)):
            (challenge,) = parse_challenges([f"Digest nonce=n, stale={value}"])
            self.assertEqual(challenge.stale, expected)
        self.assertFalse(Challenge("digest").stale)

    def test_bounded(self) -> None:
        """More challenges or parameters than anyone sends are not kept."""
        found = parse_challenges(["Digest " + ", ".join(f"p{i}=x" for i in range(1000))])
        self.assertEqual(len(found[0].parameters), authentication.MAX_AUTHENTICATION_PARAMETERS)
        found = parse_challenges(["Basic realm=x"] * 1000)
        self.assertEqual(len(found), authentication.MAX_CHALLENGES)

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.text("abcXYZ-", min_size=1, max_size=8),
                st.text(st.characters(max_codepoint=0xFF), max_size=20),
            ),
            max_size=5,
            unique_by=lambda item: item[0].lower(),
        )
    )
    def test_round_trip(self, parameters: list[tuple[str, str]]) -> None:
        """Quoted values come back whatever they hold."""
        value = build_digest_authorization(parameters)
        expected = {name.lower(): text for name, text in parameters}
        self.assertEqual(parse_authorization(value).parameters, expected)
        self.assertEqual(parse_challenges([value]), [Challenge("digest", expected)])


class AuthorizationTests(SynchronousTestCase):
    def test_basic(self) -> None:
        """Basic credentials hold any password, colons and letters beyond ASCII too."""
        for username, password in (("root", "pass"), ("", ""), ("rot", "a:b:ö→"), ("ö", " ")):
            answer = parse_authorization(build_basic(username, password))
            self.assertEqual((answer.username, answer.password), (username, password))
        self.assertEqual(
            build_basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        )

    def test_basic_in_latin_1(self) -> None:
        """Credentials that are not UTF-8 are read as Latin-1."""
        self.assertEqual(parse_authorization("Basic 9joh").username, "ö")

    def test_colon_in_username(self) -> None:
        """A user name with a colon cannot be sent as Basic; the error does not tell it."""
        error = self.assertRaises(LocalProtocolError, build_basic, "hemmelig:", "hemmelig")
        self.assertNotIn("hemmelig", str(error))

    def test_refused(self) -> None:
        """What is no answer is refused without being repeated."""
        for value in ("", " ", "Basic", "Basic hemmelig!", "Basic aGVtbWVsaWc="):
            error = self.assertRaises(WireError, parse_authorization, value)
            self.assertNotIn("hemmelig", str(error))

    def test_repr(self) -> None:
        """The shown form holds neither password nor response."""
        for answer in (
            parse_authorization(build_basic("root", "hemmelig")),
            parse_authorization('Digest username="root", response="hemmelig"'),
        ):
            self.assertNotIn("hemmelig", repr(answer))


class FuzzTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(["", "Digest ", "Basic ", "Digest realm="]),
        st.text(st.sampled_from('=,"\\ \tanonce;:/+\xff\0→'), max_size=60),
    )
    def test_fuzz(self, scheme: str, noise: str) -> None:
        """No header raises anything but `WireError`, and reading challenges raises nothing."""
        challenges = parse_challenges([scheme + noise, (scheme + noise).encode()])
        self.assertLessEqual(len(challenges), authentication.MAX_CHALLENGES)
        with contextlib.suppress(WireError):
            self.assertIsInstance(parse_authorization(scheme + noise), Authorization)
