"""Rules: every operation and fault."""

from xml.etree import ElementTree as ET

from axis_nvr.services.rules.model import CONCRETE, CONCRETE_SET, ITEM_FILTER
from axis_nvr.vapix.soap.names import ACTION, WSNT
from tests.vapix.soap.actions import (
    FIXED,
    INPUT,
    NEVER,
    ON,
    STREAM,
    ActionTestCase,
    condition,
    configuration,
    event_filter,
    rule,
)
from tests.vapix.soap.asking import NAMES, envelope, fault_of


class RuleTests(ActionTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.add()
        self.add(configuration(FIXED, **STREAM))

    def rules(self) -> list[ET.Element]:
        return self.listed("GetActionRules")

    def test_a_whole_rule(self) -> None:
        """All that a rule may have comes back, in the order of the schema."""
        start = f"<aa:StartEvent>{event_filter('tnsaxis:Told', '')}</aa:StartEvent>"
        two = condition(event_filter(), event_filter(content=""))
        timeout = "<aa:ActivationTimeout>PT90S</aa:ActivationTimeout>"
        body = rule(start, two, timeout).replace(
            "</aa:PrimaryAction>", "</aa:PrimaryAction><aa:FailoverAction>2</aa:FailoverAction>"
        )
        self.assertEqual(self.done(body).findtext("aa:RuleID", "", NAMES), "1")
        (one,) = self.rules()
        self.assertEqual(
            [(child.tag.partition("}")[2], child.text) for child in one],
            [
                ("RuleID", "1"),
                ("Name", "Door"),
                ("Enabled", "true"),
                ("StartEvent", None),
                ("Conditions", None),
                ("ActivationTimeout", "PT1M30S"),
                ("PrimaryAction", "1"),
                ("FailoverAction", "2"),
            ],
        )
        self.assertEqual(
            one.findtext("aa:StartEvent/wsnt:TopicExpression", "", NAMES), "tnsaxis:Told"
        )
        contents = one.findall("aa:Conditions/aa:Condition/wsnt:MessageContent", NAMES)
        self.assertEqual([(c.text, c.get("Dialect")) for c in contents], [(ON, ITEM_FILTER)])
        self.assertEqual(len(one.findall("aa:Conditions/aa:Condition", NAMES)), 2)

    def test_the_least(self) -> None:
        """A rule of a condition alone; what was not given is not told."""
        body = rule(condition(event_filter(content=""))).replace("<aa:Name>Door</aa:Name>", "")
        self.done(body.replace("true", " 0 "))
        (one,) = self.rules()
        names = [child.tag.partition("}")[2] for child in one]
        self.assertEqual(names, ["RuleID", "Enabled", "Conditions", "PrimaryAction"])
        self.assertEqual(one.findtext("aa:Enabled", "", NAMES), "false")

    def test_remove(self) -> None:
        """A rule that was removed is gone; its id is not used again."""
        self.assertEqual(self.add_rule(condition(event_filter())), 1)
        remove = "<aa:RemoveActionRule><aa:RuleID>1</aa:RuleID></aa:RemoveActionRule>"
        self.assertEqual(len(self.done(remove)), 0)
        self.assertEqual(self.rules(), [])
        self.fault(remove, "ActionRuleNotFoundFault")
        self.assertEqual(self.add_rule(condition(event_filter())), 2)
        self.assertEqual(
            self.audited()[:3],
            [
                ("otto", "create", "rule 2"),
                ("otto", "delete", "rule 1"),
                ("otto", "create", "rule 1"),
            ],
        )

    def test_dialects(self) -> None:
        """Whatever dialect is sent, concrete is told; the suffix may stand in any."""
        for topic, dialect in ((f"{INPUT}//.", CONCRETE), (f"{INPUT}|{INPUT}//.", CONCRETE_SET)):
            self.add_rule(condition(event_filter(topic, "", dialect)))
            found = self.rules()[-1].find("aa:Conditions/aa:Condition/wsnt:TopicExpression", NAMES)
            assert found is not None, "it was added"
            self.assertEqual((found.text, found.get("Dialect")), (topic, CONCRETE))

    def test_the_prefixes_of_topics(self) -> None:
        """Declared anywhere around, under any name, or not at all."""
        for topic, declared in (
            (INPUT, ""),
            (INPUT.replace("IO/", "IO/tnsaxis:"), ""),
            ("onvif:Device/axis:IO/axis:VirtualInput", ""),
            (
                "t:Device/a:IO/a:VirtualInput",
                'xmlns:t="http://www.onvif.org/ver10/topics"'
                ' xmlns:a="http://www.axis.com/2009/event/topics"',
            ),
        ):
            body = rule(condition(event_filter(topic)))
            self.done(body.replace("<aa:AddActionRule>", f"<aa:AddActionRule {declared}>"))
        self.assertEqual(len(self.rules()), 4)

    def test_faults(self) -> None:
        """Each by its name; nothing is kept."""
        good = condition(event_filter())
        start = f"<aa:StartEvent>{event_filter('tnsaxis:Told', '')}</aa:StartEvent>"
        for body, name in (
            (rule(condition(event_filter("tns1:Nowhere"))), "InvalidConditionFilterFault"),
            (rule(condition(event_filter("tnsaxis:Told", ""))), "InvalidConditionFilterFault"),
            (rule(condition(event_filter(content=NEVER))), "InvalidConditionFilterFault"),
            (rule(good, action=77), "ActionConfigurationNotFoundFault"),
            (rule(), "InsufficientActivationRuleFault"),
            (rule(start, action=1), "InsufficientActivationRuleFault"),
        ):
            fault = self.fault(body, name)
            self.assertEqual(fault.children, [])
        fault = self.refused(rule(condition(event_filter("tns1:Nowhere"))))
        self.assertEqual(fault.reason, "could not match any property events")
        self.assertEqual(self.rules(), [])

    def test_activation_timeouts(self) -> None:
        """A day is the most; the fault tells it. What is no duration is the sender's fault."""
        whole = "<aa:ActivationTimeout>{}</aa:ActivationTimeout>"
        for text, written in (("PT0S", "PT0S"), ("PT24H", "P1D"), (" PT0.5S ", "PT0.5S")):
            self.add_rule(condition(event_filter()), whole.format(text))
            self.assertEqual(self.rules()[-1].findtext("aa:ActivationTimeout", "", NAMES), written)
        for text in ("-PT1S", "PT86401S", "P1M", "P999999999Y"):
            body = rule(condition(event_filter()), whole.format(text))
            fault = self.fault(body, "InvalidActivationTimeoutFault")
            told = [(child.tag, child.text) for child in fault.children]
            self.assertEqual(told, [(f"{{{ACTION}}}MaximumTimeout", "P1D")])
        for text in ("5", "PT", "5s", "<aa:x/>"):
            fault = self.refused(rule(condition(event_filter()), whole.format(text)))
            self.assertEqual((fault.code, fault.detail), ("Sender", ""), text)
        self.assertEqual(len(self.rules()), 3)

    def test_faults_of_filters(self) -> None:
        """Those of WS-Notification, which tell the time, for conditions and start events alike."""
        for content, name in (
            ("", "InvalidFilterFault"),
            ("<wsnt:Other/>", "InvalidFilterFault"),
            (event_filter(dialect="urn:x"), "TopicExpressionDialectUnknownFault"),
            (event_filter("tns1:9"), "InvalidTopicExpressionFault"),
            (event_filter("nobody:Device"), "InvalidTopicExpressionFault"),
            (event_filter(f"{INPUT}|{INPUT}"), "InvalidTopicExpressionFault"),
            (event_filter(content="boolean("), "InvalidMessageContentExpressionFault"),
            (event_filter(content="1 or 1"), "InvalidMessageContentExpressionFault"),
        ):
            for part in (condition(content), f"<aa:StartEvent>{content}</aa:StartEvent>"):
                fault = self.fault(rule(part), name, WSNT)
                told = [(child.tag, child.text) for child in fault.children]
                self.assertEqual(told, [(f"{{{WSNT}}}Timestamp", "2023-11-14T22:13:20.000000Z")])
        self.assertEqual(self.rules(), [])

    def test_what_is_malformed(self) -> None:
        """Missing, repeated, unknown elements and wrong kinds: the sender's fault, nothing kept."""
        good = rule(condition(event_filter()))
        for body in (
            "<aa:AddActionRule/>",
            good.replace("Conditions>", "Conditoins>"),
            good.replace("<aa:Enabled>true</aa:Enabled>", ""),
            good.replace("true", "yes"),
            good.replace("<aa:PrimaryAction>1</aa:PrimaryAction>", ""),
            good.replace(">1<", "><"),
            good.replace(">1<", ">one<"),
            good.replace(
                "</aa:NewActionRule>", "<aa:PrimaryAction>2</aa:PrimaryAction></aa:NewActionRule>"
            ),
            rule("<aa:Conditions/>"),
            rule("<aa:Conditions>x</aa:Conditions>"),
            rule(condition(event_filter()) * 2),
        ):
            fault = self.refused(body)
            self.assertEqual((fault.status, fault.code, fault.detail), (400, "Sender", ""), body)
        self.assertEqual(self.rules(), [])

    def test_a_state_that_cannot_be_kept(self) -> None:
        """Is the receiver's fault."""
        self.house.database.close()
        answered = self.post(envelope(rule(condition(event_filter()))))
        fault = fault_of(self, answered)
        self.assertEqual((fault.status, fault.code), (500, "Receiver"))
