"""Tokens: whose they are, and when they are no more."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.session_tokens import (
    MAX_ACCOUNT_TOKENS,
    MAX_TOKENS,
    TOKEN_SECONDS,
    SessionTokens,
)
from tests.vapix.serving import House


class TokenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House(self.mktemp())
        self.addCleanup(self.house.database.close)
        self.house.set_up()
        self.tokens = SessionTokens(self.house.accounts, lambda: self.house.now)

    def owner(self, token: str) -> str:
        account = self.tokens.account_of(token)
        return "" if account is None else account.name

    def test_a_token_stands_for_an_account(self) -> None:
        """It is a number of 20 digits, good for 15 seconds and for nobody else."""
        vera, otto = self.tokens.issue("vera"), self.tokens.issue("otto")
        self.assertRegex(vera, "[1-9][0-9]{19}")
        self.assertLess(int(vera), 2**64)
        self.assertEqual((self.owner(vera), self.owner(otto)), ("vera", "otto"))
        self.assertEqual(self.owner(vera), "vera")
        self.house.now += TOKEN_SECONDS - 0.1
        self.assertEqual(self.owner(vera), "vera")
        self.house.now += 0.1
        self.assertEqual(self.owner(vera), "")

    def test_what_is_no_token(self) -> None:
        """Anything else stands for nobody, whatever its characters are."""
        token = self.tokens.issue("vera")
        for wrong in ("", token[:-1], f"{token}0", f" {token}", "\ud800", "0" * 20):
            self.assertEqual(self.owner(wrong), "")

    def test_an_account_that_is_gone(self) -> None:
        """The token of an account that was removed stands for nobody."""
        token = self.tokens.issue("vera")
        Deferred.fromCoroutine(self.house.accounts.remove("vera"))
        self.assertEqual(self.owner(token), "")

    def test_tokens_are_limited(self) -> None:
        """Beyond the limit an account's oldest is good no more, and others' stay."""
        other = self.tokens.issue("otto")
        first, second = self.tokens.issue("vera"), self.tokens.issue("vera")
        for _ in range(MAX_ACCOUNT_TOKENS - 1):
            self.tokens.issue("vera")
        self.assertEqual((self.owner(first), self.owner(second)), ("", "vera"))
        self.assertEqual(self.owner(other), "otto")
        for number in range(MAX_TOKENS):
            self.tokens.issue(f"of many {number % 8}")
        self.assertEqual(self.owner(other), "")
