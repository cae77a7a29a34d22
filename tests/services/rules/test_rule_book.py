"""The rule book: what is taken, what is refused by which name, what is there after a restart."""

from dataclasses import replace
from typing import Any

from axis_nvr.services.rules.configurations import (
    MAX_CONFIGURATIONS,
    MAX_RECIPIENTS,
    MAX_VALUE_CHARACTERS,
)
from axis_nvr.services.rules.errors import (
    ActionConfigurationInUse,
    ActionConfigurationNotFound,
    ActionRuleNotFound,
    ActionTemplateNotFound,
    InsufficientActivationRule,
    InvalidActionConfiguration,
    InvalidActivationTimeout,
    InvalidConditionFilter,
    InvalidFilter,
    InvalidMessageContentExpression,
    InvalidTopicExpression,
    ParametersMismatch,
    RecipientConfigurationNotFound,
    RecipientTemplateNotFound,
    UnknownTopicDialect,
)
from axis_nvr.services.rules.model import CONCRETE_SET, SIMPLE, ActionRule, FilterText
from axis_nvr.services.rules.rule_book import MAX_ACTIVATION_SECONDS, MAX_CONDITIONS, MAX_RULES
from axis_nvr.services.rules.templates import ACTION_TEMPLATES, RECIPIENT_TEMPLATES
from axis_nvr.services.state_database import StateError
from tests.services.rules.situations import (
    ALERT,
    DISRUPTION,
    HTTP,
    HTTP_GIVEN,
    INPUT,
    MOTION,
    PULSE,
    RECORD,
    RECORD_FIXED,
    RECORD_GROUP,
    STORAGE,
    TCP,
    TCP_GIVEN,
    RuleTestCase,
    a_rule,
    disk_well,
    input_on,
    item,
    motion_on,
)

HTTP_RECIPIENT = "com.axis.recipient.http"
RECIPIENT_GIVEN = HTTP_GIVEN[2:]


class TemplateTests(RuleTestCase):
    def test_offered(self) -> None:
        """What is offered is what there is code for, with the parameters of its recipient."""
        tokens = [template.token.removeprefix("com.axis.action.") for template in ACTION_TEMPLATES]
        self.assertEqual(
            tokens,
            [
                "fixed.recording.storage",
                "unlimited.recording.storage",
                "unlimited.recording_group.storage",
                "fixed.notification.http",
                "fixed.notification.https",
                "fixed.notification.smtp",
                "fixed.notification.tcp",
            ],
        )
        recipients = {template.token: template for template in RECIPIENT_TEMPLATES}
        for template in ACTION_TEMPLATES:
            if template.recipient:
                theirs = recipients[template.recipient].parameters
                self.assertEqual(template.parameters[-len(theirs) :], theirs)

    def test_parameters_must_match(self) -> None:
        """One that is missing, unknown or there twice is refused, and nothing is kept."""
        for wrong in (STORAGE[1:], (*STORAGE, ("extra", "")), (*STORAGE, STORAGE[0])):
            self.refused(self.book.actions.add("", RECORD, wrong), ParametersMismatch)
        self.refused(self.book.actions.add("", "com.x", ()), ActionTemplateNotFound)
        self.assertEqual(list(self.book.actions), [])

    def test_parameters_that_came_later(self) -> None:
        """Clients of before leave them out; POP before SMTP may be there, and empty."""
        self.add_action(HTTP, HTTP_GIVEN)
        values = self.book.actions.find(1).values
        self.assertEqual((values["method"], values["body"], values["parameters"]), ("", "", "a=1"))
        smtp = "com.axis.action.fixed.notification.smtp"
        names = next(t.parameters for t in ACTION_TEMPLATES if t.token == smtp)
        self.add_action(smtp, (*((name, "") for name in names), ("pop_host", "")))
        self.refused(
            self.book.actions.add("", HTTP, (*HTTP_GIVEN, ("pop_host", ""))),
            ParametersMismatch,
        )


class ConfigurationTests(RuleTestCase):
    def test_after_a_restart(self) -> None:
        """It is as it was; the password is in no list, and nowhere on the disk in the clear."""
        headers = (("http_headers", "Authorization: Bearer streng-geheim\r\nX-Place: hall"),)
        self.add_action(HTTP, (*HTTP_GIVEN, *headers))
        self.add_rule(a_rule(input_on(), timeout=2.5))
        before = (list(self.book.actions), self.book.rules)
        self.reopen()
        self.book = self.load()
        self.assertEqual((list(self.book.actions), self.book.rules), before)
        values = self.book.actions.find(1).values
        self.assertEqual((values["password"], values["login"]), ("geheim", "root"))
        shown = dict(self.book.actions.find(1).shown.parameters)
        self.assertEqual(
            [shown[name] for name in ("password", "proxy_password", "login")], ["", "", "root"]
        )
        self.assertEqual(shown["http_headers"], "Authorization:\r\nX-Place:")
        self.assertNotIn("geheim", repr(before))
        files = b"".join(path.read_bytes() for path in self.folder.path.iterdir())
        self.assertNotIn(b"geheim", files)
        self.assertNotIn(b"Bearer", files)

    def test_ids_count_upward(self) -> None:
        """Each kind for itself, and none is ever used again."""
        self.assertEqual([self.add_action(), self.add_action()], [1, 2])
        self.run_now(self.book.actions.remove(2))
        self.assertEqual(self.add_action(), 3)
        self.assertEqual(self.add_rule(a_rule(input_on())), 1)
        self.run_now(self.book.remove_rule(1))
        self.reopen()
        self.book = self.load()
        self.run_now(self.book.actions.remove(3))
        self.assertEqual((self.add_action(), self.add_rule(a_rule(input_on()))), (4, 2))

    def test_values_are_checked(self) -> None:
        """What cannot be recorded as things are now, and what is too long, is not kept."""
        given = (*STORAGE[:3], ("storage_id", "SD_DISK"))
        self.refused(self.book.actions.add("", RECORD, given), InvalidActionConfiguration)
        long = (("message", "x" * (MAX_VALUE_CHARACTERS + 1)), *TCP_GIVEN[1:])
        self.refused(self.book.actions.add("", TCP, long), InvalidActionConfiguration)
        self.refused(self.book.actions.add("n" * 300, TCP, TCP_GIVEN), InvalidActionConfiguration)

    def test_in_use(self) -> None:
        """An action that a rule names stays, and it is said which rules; also a failover's."""
        self.add_action()
        self.add_action(TCP, TCP_GIVEN)
        self.add_rule(replace(a_rule(input_on(), name="Hall"), failover_action=2))
        for number in (1, 2):
            coroutine = self.book.actions.remove(number)
            self.assertIn("1 'Hall'", self.refused(coroutine, ActionConfigurationInUse))
        self.run_now(self.book.remove_rule(1))
        self.run_now(self.book.actions.remove(1))
        self.refused(self.book.actions.remove(1), ActionConfigurationNotFound)

    def test_groups(self) -> None:
        """The group of an action is in use until the action is gone, over a restart too."""
        self.add_action(RECORD_GROUP, (("recording_group_id", "g1"),))
        self.reopen()
        self.book = self.load()
        self.assertTrue(self.book.uses_group("g1"))
        self.assertFalse(self.book.uses_group("g2"))
        self.run_now(self.book.actions.remove(1))
        self.assertFalse(self.book.uses_group("g1"))

    def test_bounded(self) -> None:
        """There is a most of each kind."""
        self.add_action()
        book: Any = self.book
        full = dict.fromkeys(range(1, MAX_CONFIGURATIONS + 1), book.actions.find(1))
        book.actions._kept = full
        self.refused(self.book.actions.add("", RECORD, STORAGE), InvalidActionConfiguration)
        book._rules = dict.fromkeys(range(MAX_RULES))
        self.refused(self.book.add_rule(a_rule(input_on())), InvalidFilter)
        book.recipients._kept = dict.fromkeys(range(MAX_RECIPIENTS))
        self.refused(
            self.book.recipients.add("", HTTP_RECIPIENT, RECIPIENT_GIVEN),
            InvalidActionConfiguration,
        )

    def test_a_disk_that_fails(self) -> None:
        """What could not be kept is not there, and no rule of it works."""
        self.add_action()
        self.run_engine()
        self.successResultOf(self.database.change(lambda c: c.execute("DROP TABLE action_rules")))
        self.refused(self.book.add_rule(a_rule(input_on())), StateError)
        self.assertEqual(self.book.rules, ())
        self.input(1, True)
        self.assertEqual(self.notes, [])


class RecipientTests(RuleTestCase):
    def test_kept(self) -> None:
        """A recipient is kept, shown without its secrets, and removed."""
        url = ("upload_url", "http://root:geheim@10.0.0.1/x")
        given = (url, *RECIPIENT_GIVEN[1:])
        self.run_now(self.book.recipients.add("Server", HTTP_RECIPIENT, given))
        self.reopen()
        self.book = self.load()
        (kept,) = self.book.recipients
        shown = kept.shown
        self.assertEqual((shown.id, shown.name, shown.template), (1, "Server", HTTP_RECIPIENT))
        self.assertNotIn("geheim", repr(kept))
        self.run_now(self.book.recipients.remove(1))
        self.refused(self.book.recipients.remove(1), RecipientConfigurationNotFound)

    def test_refused(self) -> None:
        """By an unknown template, by parameters that do not match it."""
        self.refused(self.book.recipients.add("", "com.x", ()), RecipientTemplateNotFound)
        self.refused(self.book.recipients.add("", HTTP_RECIPIENT, ()), ParametersMismatch)


class RuleRefusalTests(RuleTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.appear()
        self.add_action()
        self.add_action(RECORD_FIXED)

    def refuse(self, rule: ActionRule, kind: type[Exception]) -> str:
        words = self.refused(self.book.add_rule(rule), kind)
        self.assertEqual(self.book.rules, ())
        return words

    def test_a_condition_describes_one_event_with_a_state(self) -> None:
        """Not none, not several, not one without a state, and no instance that is not known."""
        unknown = (
            FilterText("tns1:Device/tnsaxis:Sensor/PIR"),
            FilterText(PULSE),
            motion_on("nowhere"),
            disk_well("SD_DISK"),
            FilterText(INPUT, contents=(item("port", "33"),)),
            FilterText(INPUT, contents=(item("state", "1"),)),
        )
        for text in unknown:
            words = self.refuse(a_rule(text), InvalidConditionFilter)
            self.assertEqual(words, "could not match any property events")
        for text in (FilterText("tnsaxis:Storage//."), FilterText("", contents=(item("a", "1"),))):
            self.assertIn("must describe one", self.refuse(a_rule(text), InvalidConditionFilter))

    def test_what_a_condition_may_be(self) -> None:
        """Any instance; several contents; ``not``; prefixes on each level; the other dialects."""
        self.bus.set_state(ALERT, (("alert", "0"), ("wear", "7")), (("disk_id", "HDD_DISK"),))
        good = (
            FilterText(INPUT),
            FilterText(
                "tns1:Device/tnsaxis:IO/tnsaxis:VirtualInput", contents=(item("port", "2"),)
            ),
            FilterText(MOTION, SIMPLE, (f"not({item('active', '1')})", item("device", "yard"))),
            FilterText(f"{MOTION}|tnsaxis:Nothing//.", CONCRETE_SET, (item("active", "true"),)),
            FilterText(ALERT, contents=(item("wear", "7"), item("alert", "1"))),
            FilterText(DISRUPTION, "", (item("disk_id", "NetworkShare"),)),
        )
        for number, text in enumerate(good, 1):
            self.assertEqual(self.add_rule(a_rule(text)), number)
        self.assertEqual(self.book.rules[2].conditions, (good[2],))

    def test_expressions(self) -> None:
        """What cannot be read is refused by the part that cannot."""
        no_topic, no_content = FilterText("tns1:Device/ /x y"), FilterText(INPUT, contents=("(",))
        self.refuse(a_rule(no_topic), InvalidTopicExpression)
        self.refuse(a_rule(FilterText(f"{INPUT}|{MOTION}")), InvalidTopicExpression)
        self.refuse(a_rule(no_content), InvalidMessageContentExpression)
        self.refuse(a_rule(FilterText(INPUT, "urn:other")), UnknownTopicDialect)
        self.refuse(a_rule(input_on(), start=FilterText(INPUT, "urn:x")), UnknownTopicDialect)
        self.refuse(a_rule(FilterText(INPUT, contents=("",) * 17)), InvalidFilter)
        self.refuse(a_rule(FilterText(" ")), InvalidFilter)

    def test_too_little(self) -> None:
        """A rule needs something that starts it, and an unlimited action something that ends it."""
        self.refuse(a_rule(action=2), InsufficientActivationRule)
        self.refuse(a_rule(start=FilterText(PULSE)), InsufficientActivationRule)
        self.assertEqual(self.add_rule(a_rule(start=FilterText(PULSE), action=2)), 1)

    def test_limits(self) -> None:
        """Of conditions, of names, of the time between executions."""
        self.refuse(a_rule(*[input_on()] * (MAX_CONDITIONS + 1)), InvalidFilter)
        self.refuse(a_rule(input_on(), name="n" * 257), InvalidFilter)
        for seconds in (-1.0, MAX_ACTIVATION_SECONDS + 1, float("nan")):
            rule = a_rule(input_on(), timeout=seconds)
            words = self.refuse(rule, InvalidActivationTimeout)
            self.assertIn("86400", words)

    def test_actions_that_are_not(self) -> None:
        """Neither the first nor the other may be one that is not there."""
        self.refuse(a_rule(input_on(), action=7), ActionConfigurationNotFound)
        rule = replace(a_rule(input_on()), failover_action=7)
        self.refuse(rule, ActionConfigurationNotFound)
        self.refused(self.book.remove_rule(1), ActionRuleNotFound)
