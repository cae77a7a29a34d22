"""Who is let in, and how they are told: conventions of VAPIX, RFC 7616, RFC 7617."""

import re
from pathlib import Path

from tests.conformance.client import Client, basic, connect, digest
from tests.conformance.harness import ACCOUNTS, ConformanceTestCase, set_up
from tests.conformance.processes import SERIAL, RecorderProgram

#: What every account may ask for.
PATH = "/axis-cgi/usergroup.cgi"
#: What administrators may.
ADMIN_PATH = "/axis-cgi/externalipdeviceinfo/list.cgi"
#: Another address of this machine: one that is locked out locks nobody else out.
STRANGER = "127.0.0.2"


class ChallengeTests(ConformanceTestCase):
    def test_http_asks_for_digest_only(self) -> None:
        """Over HTTP a 401 offers Digest: the serial in the realm, MD5, qop auth, no more."""
        answer = self.ask(PATH, "")
        self.assertEqual(answer.status, 401)
        self.assertEqual(list(answer.challenges), ["digest"])
        challenge = answer.challenges["digest"]
        self.assertRegex(challenge["realm"], r"^AXIS_[0-9A-F]{12}$")
        self.assertEqual(challenge.get("algorithm", "MD5"), "MD5")
        self.assertEqual(challenge["qop"], "auth")
        self.assertEqual(challenge.get("stale", "FALSE").upper(), "FALSE")
        self.assertLessEqual({"nonce"}, set(challenge))
        self.assertFalse({"opaque", "domain"} & set(challenge))

    def test_the_page_of_a_401(self) -> None:
        """A 401 has a page that people can read."""
        answer = self.ask(PATH, "")
        self.assertEqual(answer.header("Content-Type").partition(";")[0], "text/html")
        self.assertTrue(answer.body)

    def test_https_offers_both(self) -> None:
        """Over HTTPS a 401 offers Digest first, then Basic, in one realm."""
        challenges = self.ask(PATH, "", is_secure=True).challenges
        self.ours()
        self.assertEqual(list(challenges), ["digest", "basic"])
        self.assertEqual(challenges["basic"]["realm"], challenges["digest"]["realm"])

    def test_the_realm_is_the_serial_number(self) -> None:
        """What a client learns from the realm is what the device says it is."""
        realm = self.ask(PATH, "").challenges["digest"]["realm"]
        path = "/axis-cgi/basicdeviceinfo.cgi"
        told = self.ask_json(path, "getAllUnrestrictedProperties", role="")
        self.assertEqual(realm, f"AXIS_{told['data']['propertyList']['SerialNumber']}")


class DigestTests(ConformanceTestCase):
    def setUp(self) -> None:
        self.nobody = self.client()
        self.challenge = self.nobody.send(PATH).challenges["digest"]
        self.account = self.account_of("admin")

    def status(self, method: str = "GET", path: str = PATH, **other: str) -> int:
        """The status of a request with an answer, parts of which are replaced."""
        proof = digest(self.challenge, self.account, method, other.pop("uri", path), **other)
        return self.nobody.send(path, method, headers={"Authorization": proof}).status

    def test_the_right_answer(self) -> None:
        """An answer with qop is taken, and so is one of RFC 2069 without it."""
        self.assertEqual(self.status(), 200)
        del self.challenge["qop"]
        self.assertEqual(self.status(), 200)

    def test_one_nonce_for_many_requests(self) -> None:
        """A nonce is good for what follows on the connection, with its count going up."""
        for count in range(1, 6):
            self.assertEqual(self.status(nc=f"{count:08x}"), 200)

    def test_the_server_proves_itself(self) -> None:
        """Authentication-Info has rspauth over what the client sent (RFC 7616 §3.5)."""
        proof = digest(self.challenge, self.account, "GET", PATH)
        answer = self.nobody.send(PATH, headers={"Authorization": proof})
        told = dict(re.findall(r'(\w+)="?([^",]+)', answer.header("Authentication-Info")))
        self.assertEqual(set(told), {"rspauth", "cnonce", "nc", "qop"})
        ours = digest(self.challenge, self.account, "", PATH)  # an answer of no method
        self.assertIn(f'response="{told["rspauth"]}"', ours)
        self.assertEqual((told["nc"], told["qop"]), ("00000001", "auth"))

    def test_uri_with_and_without_query(self) -> None:
        """The uri may be absolute and may lack the query; it must name what is asked for."""
        path = f"{PATH}?a=1"
        self.assertEqual(self.status(path=path, uri=f"{self.device.http}{path}"), 200)
        self.ours()
        self.assertEqual(self.status(path=path, uri=PATH), 200)
        self.assertEqual(self.status(path=path, uri="/axis-cgi/pwdgrp.cgi"), 401)
        self.assertEqual(self.status(path=path, uri=f"{PATH}?a=2"), 401)

    def test_a_method_other_than_the_one_signed(self) -> None:
        """An answer for GET does not open POST."""
        proof = digest(self.challenge, self.account, "GET", PATH)
        answer = self.nobody.send(PATH, "POST", headers={"Authorization": proof})
        self.assertEqual(answer.status, 401)

    def test_an_unknown_nonce_is_stale(self) -> None:
        """A nonce that is not known any more is answered with stale=true and a new one."""
        proof = digest(self.challenge, self.account, "GET", PATH, nonce="0" * 44)
        answer = self.nobody.send(PATH, headers={"Authorization": proof})
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.challenges["digest"].get("stale", "").upper(), "TRUE")
        self.challenge = answer.challenges["digest"]
        self.assertEqual(self.status(), 200)

    def test_wrong_answers(self) -> None:
        """Wrong password, user, realm or response: 401, and the nonce is not called stale."""
        account, self.account = self.account, (self.account[0], "wrong")
        self.assertEqual(self.status(), 401)
        self.account = ("nobody", account[1])
        self.assertEqual(self.status(), 401)
        self.account = account
        for other in ({"realm": "AXIS_000000000000"}, {"response": "0" * 32}, {"qop": "auth-int "}):
            self.assertEqual(self.status(**other), 401, other)
        proof = digest(self.challenge, self.account, "GET", PATH, response="0" * 32)
        answer = self.nobody.send(PATH, headers={"Authorization": proof})
        self.assertEqual(answer.challenges["digest"].get("stale", "FALSE").upper(), "FALSE")

    def test_broken_answers(self) -> None:
        """What is no answer at all is answered 401 like one that is wrong."""
        self.ours()
        stranger = Client(self.device.http, source=STRANGER)
        self.addCleanup(stranger.close)
        for value in ("Digest", "Digest username=", "Digest \xff", "Bearer x", "x" * 4000, '"'):
            answer = stranger.send(PATH, headers={"Authorization": value})
            self.assertEqual(answer.status, 401, value[:20])


class BasicTests(ConformanceTestCase):
    def status(self, name: str, password: str, *, is_secure: bool) -> int:
        client = self.client(is_secure=is_secure)
        headers = {"Authorization": basic((name, password))}
        return client.send(PATH, headers=headers).status

    def test_over_https(self) -> None:
        """Over HTTPS Basic opens; a wrong password does not."""
        name, password = self.account_of("admin")
        self.assertEqual(self.status(name, password, is_secure=True), 200)
        self.assertEqual(self.status(name, "wrong", is_secure=True), 401)

    def test_not_over_http(self) -> None:
        """Over HTTP a password in the clear is not taken, be it right."""
        self.ours()
        self.assertEqual(self.status(*self.account_of("admin"), is_secure=False), 401)

    def test_digest_over_https(self) -> None:
        """A client that prefers Digest uses it over HTTPS too."""
        client = self.client(is_secure=True)
        challenge = client.send(PATH).challenges.get("digest")
        if challenge is None:
            self.ours()
        assert challenge is not None
        proof = digest(challenge, self.account_of("admin"), "GET", PATH)
        self.assertEqual(client.send(PATH, headers={"Authorization": proof}).status, 200)


class RoleTests(ConformanceTestCase):
    def test_a_role_that_is_too_low(self) -> None:
        """Viewers and operators get 403 from what is an administrator's, nobody gets 401."""
        self.assert_roles(ADMIN_PATH, "admin", schemaversion=2)

    def test_roles_are_cumulative(self) -> None:
        """What viewers may, operators and administrators may too."""
        self.assert_roles(PATH, "admin", "operator", "viewer")

    def test_a_path_that_is_none(self) -> None:
        """404 is for those who have an account; others do not learn what there is."""
        for path in ("/axis-cgi/nothing.cgi", "/nothing", "/axis-cgi/", "/axis-cgi/param.cgi"):
            self.assertEqual(self.ask(path, "viewer").status, 404, path)
            self.assertEqual(self.ask(path, "").status, 401, path)


class HttpTests(ConformanceTestCase):
    def test_head(self) -> None:
        """HEAD is answered as GET is, without the body."""
        path = f"{PATH}?x=1"
        got, head = self.ask(path, "viewer"), self.ask(path, "viewer", method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("Content-Type", "Content-Length"):
            self.assertEqual(head.header(name), got.header(name), name)

    def test_methods_that_are_not_answered(self) -> None:
        """405 tells in Allow which are; only who has an account learns it."""
        self.ours()
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
            answer = self.ask(PATH, "viewer", method=method)
            self.assertEqual((answer.status, answer.header("Allow")), (405, "GET, POST"), method)
            self.assertEqual(self.ask(PATH, "", method=method).status, 401, method)

    def test_headers_on_every_answer(self) -> None:
        """Every answer has the headers that protect browsers, whatever its status."""
        for path, role in ((PATH, "viewer"), (PATH, ""), ("/nothing", "viewer"), ("/nothing", "")):
            answer = self.ask(path, role)
            expected = {
                "X-Frame-Options": "SAMEORIGIN",
                "X-Content-Type-Options": "nosniff",
                "X-XSS-Protection": "1; mode=block",
                "Referrer-Policy": "strict-origin-when-cross-origin",
            }
            self.assertEqual({name: answer.header(name) for name in expected}, expected, path)
            self.assertTrue(answer.header("Content-Security-Policy"), path)
            self.assertTrue(answer.header("Server"), path)

    def test_pipelined_requests(self) -> None:
        """Requests sent without waiting are answered in their order."""
        challenge = self.client().send(PATH).challenges["digest"]
        account = self.account_of("viewer")
        asked = b""
        for uri in (PATH, "/axis-cgi/nothing.cgi", PATH):
            proof = digest(challenge, account, "GET", uri)
            asked += f"GET {uri} HTTP/1.1\r\nHost: x\r\nAuthorization: {proof}\r\n\r\n".encode()
        with connect(self.device.http) as connection:
            connection.sendall(asked.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n")
            answered = connection.makefile("rb").read()
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answered), [b"200", b"404", b"200"])

    def test_tls_1_2_and_newer(self) -> None:
        """TLS is 1.2 or 1.3."""
        if not self.device.https:
            self.client(is_secure=True)
        with connect(self.device.https) as connection:
            self.assertIn(connection.version(), ("TLSv1.2", "TLSv1.3"))  # type: ignore[attr-defined]


class LockoutTests(ConformanceTestCase):
    def test_guessing(self) -> None:
        """Who fails 20 times within a second, or 100 times, gets 403, whatever password and way."""
        self.ours()
        stranger = Client(self.device.https, source="127.0.0.3")
        self.addCleanup(stranger.close)
        wrong = {"Authorization": basic(("eve", "guess"))}
        statuses = [stranger.send(PATH, headers=wrong).status for _ in range(120)]
        tried = statuses.index(403)  # a slow machine does not fail 20 times within a second
        self.assertGreaterEqual(tried, 20)
        self.assertEqual(set(statuses[:tried]), {401})
        right = {"Authorization": basic(self.account_of("admin"))}
        self.assertEqual(stranger.send(PATH, headers=right).status, 403)
        self.assertEqual(stranger.send("/rtsp-over-websocket", headers=right).status, 403)
        self.assertIn(b" 403 ", self.tunnel(right["Authorization"], "127.0.0.3"))
        self.assertEqual(self.ask(PATH).status, 200)
        self.assertIn(b" 200 ", self.tunnel(right["Authorization"], "127.0.0.4"))

    def tunnel(self, authorization: str, source: str) -> bytes:
        """The first line of the answer to who wants RTSP through HTTPS."""
        asked = "GET /axis-media/media.amp HTTP/1.0\r\nx-sessioncookie: abcdefgh\r\n"
        with connect(self.device.https, source) as connection:
            connection.sendall(f"{asked}Authorization: {authorization}\r\n\r\n".encode())
            return connection.makefile("rb").readline()


class FactoryStateTests(ConformanceTestCase):
    def setUp(self) -> None:
        self.ours()
        self.program = RecorderProgram(Path(self.mktemp()).absolute())
        self.addCleanup(self.program.end)
        self.nobody = Client(self.program.http)
        self.addCleanup(self.nobody.close)

    def test_until_there_is_an_administrator(self) -> None:
        """Everything but a few calls is answered 401 with Axis-Setup; then one is made."""
        for path in (PATH, ADMIN_PATH, "/", "/nothing", "/axis-cgi/record/record.cgi"):
            answer = self.nobody.send(path)
            self.assertEqual((answer.status, answer.header("Axis-Setup")), (401, "vapix"), path)
        for path in ("systemready", "apidiscovery", "basicdeviceinfo"):
            body = b'{"method": "getSupportedVersions"}'
            answer = self.nobody.send(f"/axis-cgi/{path}.cgi", "POST", body)
            self.assertEqual(answer.status, 200, path)
        self.check_pwdgrp()
        self.assertEqual(self.needs_setup(), "yes")
        set_up(self.program.http)
        self.assertEqual(self.needs_setup(), "no")
        self.assertEqual(self.nobody.send(PATH).header("Axis-Setup"), "")
        self.check_only_once()

    def needs_setup(self) -> str:
        body = b'{"apiVersion": "1.1", "method": "systemready"}'
        answer = self.nobody.send("/axis-cgi/systemready.cgi", "POST", body)
        return str(answer.json["data"]["needsetup"])

    def check_pwdgrp(self) -> None:
        """Nothing but a whole administrator can be made."""
        add = "action=add&user=root&pwd=x&grp=root"
        first = "Error: not a valid initial admin user."
        other = "Error: initial admin user must be created first."
        for query, words in (
            ("action=get", other),
            ("", other),
            ("action=remove&user=root", other),
            ("action=update&user=root&pwd=x", other),
            (f"{add}&sgrp=viewer", first),
            (f"{add}&sgrp=operator:viewer", first),
            (add, first),
            ("action=add&user=root&grp=root&sgrp=admin", first),
            ("action=add&user=r%2Ft&pwd=x&grp=root&sgrp=admin", first),
            ("action=add&user=root&pwd=x&grp=users&sgrp=admin", first),
        ):
            answer = self.nobody.send(f"/axis-cgi/pwdgrp.cgi?{query}")
            self.assertEqual((answer.status, answer.header("Axis-Setup")), (401, "vapix"), query)
            self.assertIn(words, answer.text, query)

    def check_only_once(self) -> None:
        """The call that made the first is not answered a second time."""
        query = "action=add&user=eve&pwd=x&grp=root&sgrp=admin:operator:viewer:ptz"
        answer = self.nobody.send(f"/axis-cgi/pwdgrp.cgi?{query}")
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.challenges["digest"]["realm"], f"AXIS_{SERIAL}")
        eve = Client(self.program.http, ("eve", "x"))
        self.addCleanup(eve.close)
        self.assertEqual(eve.ask(PATH).status, 401)
        root = Client(self.program.http, ACCOUNTS["admin"])
        self.addCleanup(root.close)
        self.assertEqual(root.ask(PATH).status, 200)
