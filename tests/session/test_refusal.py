"""What a no means: one table of status codes."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.digest import Failure
from axis_nvr.session.refusal import (
    Fault,
    RefusalKind,
    fault_of,
    refusal_kind,
    refusal_words,
)
from axis_nvr.wire.rtsp import REASONS


class RefusalTests(SynchronousTestCase):
    def test_who_is_at_fault(self) -> None:
        """3xx nobody, 4xx we, 5xx they (RFC 2326 §7.1.1)."""
        for status in REASONS:
            if status >= 300:
                expected = {3: Fault.NOBODY, 4: Fault.OURS, 5: Fault.THEIRS}[status // 100]
                self.assertIs(fault_of(status), expected)

    def test_kinds(self) -> None:
        """Each status has its kind."""
        for status, kind in (
            (302, RefusalKind.NOT_FOLLOWED),
            (400, RefusalKind.REQUEST),
            (401, RefusalKind.WRONG_CREDENTIALS),
            (403, RefusalKind.FORBIDDEN),
            (404, RefusalKind.NOT_FOUND),
            (453, RefusalKind.BUSY),
            (454, RefusalKind.SESSION_LOST),
            (461, RefusalKind.UNSUPPORTED_TRANSPORT),
            (463, RefusalKind.ENCRYPTION_REQUIRED),
            (500, RefusalKind.SERVER),
            (503, RefusalKind.BUSY),
            (551, RefusalKind.UNSUPPORTED_OPTION),
            (999, RefusalKind.SERVER),
        ):
            self.assertIs(refusal_kind(status), kind)

    def test_failures(self) -> None:
        """Each reason not to answer a 401 has its kind."""
        kinds = {
            Failure.WRONG_CREDENTIALS: RefusalKind.WRONG_CREDENTIALS,
            Failure.NO_CREDENTIALS: RefusalKind.NO_CREDENTIALS,
            Failure.UNKNOWN_SCHEME: RefusalKind.UNKNOWN_AUTHENTICATION,
            Failure.NEVER_SATISFIED: RefusalKind.UNKNOWN_AUTHENTICATION,
        }
        for failure in Failure:
            self.assertIs(refusal_kind(401, failure), kinds[failure])

    def test_words(self) -> None:
        """Our words stand before the camera's where they tell a person what to do."""
        self.assertEqual(refusal_words(RefusalKind.REQUEST, "Bad Request"), "Bad Request")
        self.assertEqual(refusal_words(RefusalKind.REQUEST, ""), "")
        self.assertIn("SRTP", refusal_words(RefusalKind.ENCRYPTION_REQUIRED, ""))
        self.assertIn("(Busy)", refusal_words(RefusalKind.BUSY, "Busy"))
