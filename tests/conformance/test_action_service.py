"""The action service: templates, action configurations, recipients, rules."""

from tests.conformance.soap import (
    ACTIVE,
    CONCRETE,
    INPUT,
    ITEM_FILTER,
    NAMES,
    NOTIFY,
    PORT,
    TCP,
    SoapTestCase,
    conditions,
    envelope,
    event_filter,
    local,
    new_configuration,
    new_rule,
    removal,
)

RECORDINGS = {
    "com.axis.action.fixed.recording.storage",
    "com.axis.action.unlimited.recording.storage",
    "com.axis.action.unlimited.recording_group.storage",
}
UNLIMITED = "com.axis.action.unlimited.recording.storage"
PARAMETERS = {"stream_options", "pre_duration", "post_duration", "storage_id"}


class TemplateTests(SoapTestCase):
    def test_roles(self) -> None:
        """An operator may ask."""
        self.assert_soap_roles("<aa:GetActionTemplates/>")

    def test_action_templates(self) -> None:
        """The recording actions are there, each with the parameters of the page."""
        found = {
            self.text(one, "aa:TemplateToken"): one for one in self.listed("GetActionTemplates")
        }
        self.assertLessEqual(RECORDINGS, set(found))
        for token in RECORDINGS:
            parameters = found[token].findall("aa:Parameters/aa:Parameter", NAMES)
            names = {parameter.get("Name") for parameter in parameters}
            group = token.endswith("recording_group.storage")
            self.assertEqual(names, {"recording_group_id"} if group else PARAMETERS, token)
            self.assertEqual({parameter.get("Type") for parameter in parameters}, {"string"})

    def test_recipients_of_templates(self) -> None:
        """A template that names a recipient names one that there is, and has its parameters."""
        recipients = {
            self.text(one, "aa:TemplateToken"): [
                p.get("Name") for p in one.findall("aa:Parameters/aa:Parameter", NAMES)
            ]
            for one in self.listed("GetRecipientTemplates")
        }
        for one in self.listed("GetActionTemplates"):
            named = one.findtext("aa:RecipientTemplate", "", NAMES)
            if named:
                own = {p.get("Name") for p in one.findall("aa:Parameters/aa:Parameter", NAMES)}
                self.assertLessEqual(set(recipients[named]), own)


class ActionConfigurationTests(SoapTestCase):
    def test_roles(self) -> None:
        """An operator may ask; viewers may not add."""
        self.assert_soap_roles("<aa:GetActionConfigurations/>")
        self.assertEqual(self.send(envelope(new_configuration()), "viewer").status, 403)

    def test_add_and_get(self) -> None:
        """The id is a small positive integer; what was given is listed."""
        number = self.add_action(new_configuration(name="Tor & <Tür>"))
        self.assertGreater(number, 0)
        one = self.listed_one("GetActionConfigurations", "aa:ConfigurationID", number)
        self.assertEqual(self.text(one, "aa:Name"), "Tor & <Tür>")
        self.assertEqual(self.text(one, "aa:TemplateToken"), NOTIFY)
        told = {p.get("Name"): p.get("Value") for p in one.iterfind("aa:Parameters/*", NAMES)}
        self.assertLessEqual(TCP.items(), told.items())

    def test_without_a_name(self) -> None:
        """The name may lack."""
        body = new_configuration().replace("<aa:Name>Call</aa:Name>", "")
        number = self.add_action(body)
        one = self.listed_one("GetActionConfigurations", "aa:ConfigurationID", number)
        self.assertEqual(one.findtext("aa:Name", "", NAMES), "")

    def test_ids_are_not_used_again(self) -> None:
        """They count upward."""
        first = self.add_action()
        self.done(removal("RemoveActionConfiguration", "ConfigurationID", first))
        self.assertGreater(self.add_action(), first)

    def test_a_recording(self) -> None:
        """Stream options, plain and percent-encoded, come back as they were given."""
        device = self.camera_device()
        for options in (
            f"device={device}&resolution=640x360&fps=10",
            f"&device={device}&resolution=640x360",
            f"device%3D{device}%26videocodec%3Dh264",
        ):
            parameters = {
                "stream_options": options,
                "pre_duration": "5000",
                "post_duration": "30000",
                "storage_id": self.device.disk,
            }
            number = self.add_action(new_configuration(token=UNLIMITED, **parameters))
            one = self.listed_one("GetActionConfigurations", "aa:ConfigurationID", number)
            told = {p.get("Name"): p.get("Value") for p in one.iterfind("aa:Parameters/*", NAMES)}
            self.assertEqual(told, parameters)

    def test_faults_of_adding(self) -> None:
        """An unknown template, a missing and an unexpected parameter, a disk that there is not."""
        before = len(self.listed("GetActionConfigurations"))
        less = {name: value for name, value in TCP.items() if name != "host"}
        parameters = {
            "stream_options": f"device={self.camera_device()}",
            "pre_duration": "0",
            "post_duration": "0",
            "storage_id": "NO_SUCH_DISK",
        }
        for body, name in (
            (new_configuration(token="com.axis.no.such"), "ActionTemplateNotFoundFault"),
            (new_configuration(**less), "ParametersMissmatchFault"),
            (new_configuration(**TCP, other=""), "ParametersMissmatchFault"),
            (new_configuration(token=UNLIMITED, **parameters), "InvalidActionConfigurationFault"),
        ):
            self.assert_fault(body, name)
        self.assertEqual(len(self.listed("GetActionConfigurations")), before)

    def test_removing(self) -> None:
        """What was removed is not there any more; an action that a rule runs is not removed."""
        number = self.add_action()
        rule = self.add_rule(new_rule(number, conditions(event_filter()), name="Night"))
        body = removal("RemoveActionConfiguration", "ConfigurationID", number)
        fault = self.assert_fault(body, "ActionConfigurationIsInUseFault")
        (used,) = fault.children
        self.assertEqual(used.tag, f"{{{NAMES['aa']}}}UsedByActionRules")
        self.assertEqual(self.text(used, "aa:ActionRule/aa:ActionRuleID"), str(rule))
        self.assertEqual(self.text(used, "aa:ActionRule/aa:ActionRuleName"), "Night")
        self.done(removal("RemoveActionRule", "RuleID", rule))
        answer = self.done(body)
        self.assertEqual(answer.tag, f"{{{NAMES['aa']}}}RemoveActionConfigurationResponse")
        self.assertEqual((len(answer), answer.text or ""), (0, ""))
        self.assert_fault(body, "ActionConfigurationNotFoundFault")


class RecipientTests(SoapTestCase):
    TOKEN = "com.axis.recipient.tcp"

    def recipient(self, **parameters: str) -> str:
        given = parameters or {"host": "127.0.0.1", "port": "9", "qos": ""}
        return new_configuration("Recipient", self.TOKEN, "Desk", **given)

    def test_roles(self) -> None:
        """An operator may ask."""
        self.assert_soap_roles("<aa:GetRecipientConfigurations/>")

    def test_add_get_remove(self) -> None:
        """A recipient is listed until it is removed."""
        number = self.add(self.recipient(), "ConfigurationID", "RemoveRecipientConfiguration")
        one = self.listed_one("GetRecipientConfigurations", "aa:ConfigurationID", number)
        self.assertEqual(self.text(one, "aa:TemplateToken"), self.TOKEN)
        self.assertEqual(self.text(one, "aa:Name"), "Desk")
        body = removal("RemoveRecipientConfiguration", "ConfigurationID", number)
        answer = self.done(body)
        self.assertEqual(answer.tag, f"{{{NAMES['aa']}}}RemoveRecipientConfigurationResponse")
        self.assert_fault(body, "RecipientConfigurationNotFoundFault")

    def test_faults(self) -> None:
        """An unknown template, parameters that are missing or unexpected."""
        body = self.recipient().replace(self.TOKEN, "com.axis.recipient.no.such")
        self.assert_fault(body, "RecipientTemplateNotFoundFault")
        self.assert_fault(self.recipient(host="127.0.0.1"), "ParametersMissmatchFault")


class RuleTests(SoapTestCase):
    def test_roles(self) -> None:
        """An operator may ask; a viewer may not add a rule."""
        self.assert_soap_roles("<aa:GetActionRules/>")
        body = envelope(new_rule(self.add_action(), conditions(event_filter())))
        self.assertEqual(self.send(body, "viewer").status, 403)

    def test_add_and_get(self) -> None:
        """What was given comes back in the order of the schema, the topic in concrete dialect."""
        action = self.add_action()
        start = f"<aa:StartEvent>{event_filter(content='')}</aa:StartEvent>"
        two = conditions(event_filter(), event_filter(INPUT + "//.", ACTIVE.replace("1", "0")))
        timeout = "<aa:ActivationTimeout>PT5S</aa:ActivationTimeout>"
        number = self.add_rule(new_rule(action, start, two, timeout, name="Gate", enabled="0"))
        one = self.listed_one("GetActionRules", "aa:RuleID", number)
        names = ["RuleID", "Name", "Enabled", "StartEvent", "Conditions", "ActivationTimeout"]
        self.assertEqual(local(one), [*names, "PrimaryAction"])
        self.assertEqual(self.text(one, "aa:Name"), "Gate")
        self.assertIn(self.text(one, "aa:Enabled"), ("false", "0"))
        self.assertEqual(self.text(one, "aa:ActivationTimeout"), "PT5S")
        self.assertEqual(self.text(one, "aa:PrimaryAction"), str(action))
        self.assertEqual(self.text(one, "aa:StartEvent/wsnt:TopicExpression"), INPUT)
        contents = one.findall("aa:Conditions/aa:Condition/wsnt:MessageContent", NAMES)
        self.assertEqual([c.text for c in contents], [ACTIVE, ACTIVE.replace("1", "0")])
        self.assertEqual({c.get("Dialect") for c in contents}, {ITEM_FILTER})
        topics = {t.get("Dialect") for t in one.iter(f"{{{NAMES['wsnt']}}}TopicExpression")}
        self.assertEqual(topics, {CONCRETE})

    def test_how_clients_write_it(self) -> None:
        """Default namespace or any prefix; prefixes of topics declared, or well known; CDATA."""
        action = self.add_action()
        content = f"boolean(//SimpleItem[@Name='port' and @Value='{PORT}'])"
        for topic, written in (
            (INPUT, content),
            ("tns1:Device/tnsaxis:IO/tnsaxis:VirtualInput", f"<![CDATA[{content}]]>"),
            ("onvif:Device/axis:IO/VirtualInput", content.replace("'", "&#39;")),
            ("\r\n  tns1:Device/tnsaxis:IO/VirtualInput//.\r\n", content.replace("'", "&quot;")),
        ):
            found = (
                f'<w:TopicExpression Dialect="{CONCRETE}">{topic}</w:TopicExpression>'
                f'<w:MessageContent Dialect="{ITEM_FILTER}">{written}</w:MessageContent>'
            )
            body = (
                '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
                f'<AddActionRule xmlns="{NAMES["aa"]}" xmlns:w="{NAMES["wsnt"]}">'
                "<NewActionRule>\r\n  <Name>Any</Name><Enabled>true</Enabled>\r\n"
                f"  <Conditions><Condition>{found}</Condition></Conditions>"
                f"<PrimaryAction>{action}</PrimaryAction></NewActionRule></AddActionRule>"
                "</s:Body></s:Envelope>"
            )
            answer = self.content(self.send(body.encode()))
            number = int(self.text(answer, "aa:RuleID"))
            self.addCleanup(self.done, removal("RemoveActionRule", "RuleID", number))
            self.listed_one("GetActionRules", "aa:RuleID", number)

    def test_several_message_contents(self) -> None:
        """May stand in one filter; all of them are told again."""
        more = event_filter() + event_filter().partition("</wsnt:TopicExpression>")[2]
        number = self.add_rule(new_rule(self.add_action(), conditions(more)))
        one = self.listed_one("GetActionRules", "aa:RuleID", number)
        contents = one.findall("aa:Conditions/aa:Condition/wsnt:MessageContent", NAMES)
        self.assertEqual([c.text for c in contents], [ACTIVE, ACTIVE])

    def test_faults(self) -> None:
        """Each of the action service by its name; no rule is made."""
        before = len(self.listed("GetActionRules"))
        action, good = self.add_action(), conditions(event_filter())
        late = "<aa:ActivationTimeout>P300D</aa:ActivationTimeout>"
        for body, name in (
            (new_rule(action, conditions(event_filter("tns1:No"))), "InvalidConditionFilterFault"),
            (new_rule(999_999, good), "ActionConfigurationNotFoundFault"),
            (new_rule(action), "InsufficientActivationRuleFault"),
            (new_rule(action, good, late), "InvalidActivationTimeoutFault"),
        ):
            fault = self.assert_fault(body, name)
        self.assertEqual(local_names(fault.children), ["MaximumTimeout"])
        self.assertRegex(fault.children[0].text or "", r"^P")
        self.assertEqual(len(self.listed("GetActionRules")), before)

    def test_faults_of_filters(self) -> None:
        """Each of WS-Notification by its name, with the time; no rule is made."""
        before = len(self.listed("GetActionRules"))
        action = self.add_action()
        for content, name in (
            ("", "InvalidFilterFault"),
            (event_filter(dialect="urn:none"), "TopicExpressionDialectUnknownFault"),
            (event_filter("tns1:9"), "InvalidTopicExpressionFault"),
            (event_filter(content="boolean("), "InvalidMessageContentExpressionFault"),
        ):
            fault = self.assert_fault(new_rule(action, conditions(content)), name, "wsnt")
            self.assertEqual(local_names(fault.children), ["Timestamp"])
        self.assertEqual(len(self.listed("GetActionRules")), before)

    def test_removing(self) -> None:
        """A rule that was removed is not there any more."""
        number = self.add_rule(new_rule(self.add_action(), conditions(event_filter())))
        body = removal("RemoveActionRule", "RuleID", number)
        self.assertEqual(self.done(body).tag, f"{{{NAMES['aa']}}}RemoveActionRuleResponse")
        self.assert_fault(body, "ActionRuleNotFoundFault")

    def test_changing_in_place(self) -> None:
        """There is no operation for it: a receiver's fault says so."""
        fault = self.refused("<aa:SetActionConfigurationParameters/>")
        self.assertEqual((fault.status, fault.code), (500, "Receiver"))
        self.assertEqual(fault.reason, "Optional action not implemented")


def local_names(found: list) -> list[str]:  # type: ignore[type-arg]
    """Give the names of elements, without namespaces."""
    return [one.tag.partition("}")[2] for one in found]
