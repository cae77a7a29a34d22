"""Templates, action configurations and recipients: every operation and fault."""

from axis_nvr.services.rules.configurations import MAX_NAME_CHARACTERS
from axis_nvr.vapix.soap.fields import MAX_TEXT_CHARACTERS
from axis_nvr.vapix.soap.names import ACTION
from tests.vapix.soap.actions import (
    FIXED,
    RECORDING,
    STREAM,
    ActionTestCase,
    condition,
    configuration,
    escaped,
    event_filter,
)
from tests.vapix.soap.asking import NAMES, envelope


class TemplateTests(ActionTestCase):
    def test_action_templates(self) -> None:
        """Token, recipient and parameters of each, in this order; a parameter has a type."""
        found = self.listed("GetActionTemplates")
        tokens = [one.findtext("aa:TemplateToken", "", NAMES) for one in found]
        self.assertEqual(tokens, [template.token for template in self.book.actions.kind.templates])
        self.assertIn(RECORDING, tokens)
        for one, template in zip(found, self.book.actions.kind.templates, strict=True):
            self.assertEqual(one.findtext("aa:RecipientTemplate", "", NAMES), template.recipient)
            parameters = one.findall("aa:Parameters/aa:Parameter", NAMES)
            told = [(parameter.get("Type"), parameter.get("Name")) for parameter in parameters]
            self.assertEqual(told, [("string", name) for name in template.parameters])

    def test_recipient_templates(self) -> None:
        """The same, without a recipient."""
        found = self.listed("GetRecipientTemplates")
        self.assertIn("com.axis.recipient.http", [one[0].text for one in found])
        names = {child.tag.partition("}")[2] for one in found for child in one}
        self.assertEqual(names, {"TemplateToken", "Parameters"})


class ConfigurationTests(ActionTestCase):
    def test_add_get_remove(self) -> None:
        """What was added is listed with its id, until it is removed; all of it is audited."""
        first, second = (
            self.add(),
            self.add(
                configuration(
                    FIXED, "Two & <3>".replace("&", "&amp;").replace("<", "&lt;"), **STREAM
                )
            ),
        )
        self.assertEqual((first, second), (1, 2))
        one, two = self.listed("GetActionConfigurations")
        texts = [child.tag.partition("}")[2] for child in one]
        self.assertEqual(texts, ["ConfigurationID", "Name", "TemplateToken", "Parameters"])
        self.assertEqual([child.text for child in one][:3], ["1", "Record", RECORDING])
        parameters = {p.get("Name"): p.get("Value") for p in one[3]}
        self.assertEqual(parameters, STREAM)
        self.assertEqual(two.findtext("aa:Name", "", NAMES), "Two & <3>")
        answer = self.done(
            "<aa:RemoveActionConfiguration><aa:ConfigurationID>1</aa:ConfigurationID>"
            "</aa:RemoveActionConfiguration>"
        )
        self.assertEqual(
            (answer.tag, len(answer)), (f"{{{ACTION}}}RemoveActionConfigurationResponse", 0)
        )
        self.assertEqual(len(self.listed("GetActionConfigurations")), 1)
        self.assertEqual(
            self.audited(),
            [
                ("otto", "delete", "action configuration 1"),
                ("otto", "create", "action configuration 2"),
                ("otto", "create", "action configuration 1"),
            ],
        )

    def test_clients(self) -> None:
        """Default namespace, token before name, no name, CDATA, CRLF: all are understood."""
        pairs = "".join(
            f'<Parameter Value="{escaped(v)}" Name="{n}"></Parameter>\r\n'
            for n, v in STREAM.items()
        )
        parameters = f"<Parameters>\r\n{pairs}</Parameters>"
        token = f"<TemplateToken>\r\n  {RECORDING}\r\n</TemplateToken>"
        for children in (
            f"{token}<Name>A</Name>{parameters}",
            f"{parameters}<Name><![CDATA[A]]></Name>{token}",
            f"\r\n{token}{parameters}",
        ):
            new = f"<NewActionConfiguration>{children}</NewActionConfiguration>"
            body = f'<AddActionConfiguration xmlns="{ACTION}">{new}</AddActionConfiguration>'
            self.assertEqual(self.done(body).tag, f"{{{ACTION}}}AddActionConfigurationResponse")
            prefixed = (
                body.replace("</", "</act:").replace("<", "<act:").replace("<act:/act:", "</act:")
            )
            prefixed = prefixed.replace("<act:![", "<![").replace(" xmlns=", " xmlns:act=")
            self.assertEqual(self.done(prefixed).tag, f"{{{ACTION}}}AddActionConfigurationResponse")
        found = [
            one.findtext("aa:Name", "", NAMES) for one in self.listed("GetActionConfigurations")
        ]
        self.assertEqual(found, ["A", "A", "A", "A", "", ""])

    def test_faults(self) -> None:
        """Each by its name, ``Missmatch`` as devices spell it; nothing is kept."""
        less = {name: value for name, value in STREAM.items() if name != "storage_id"}
        for new, name in (
            (configuration("com.axis.action.nonsense", **STREAM), "ActionTemplateNotFoundFault"),
            (configuration(**less), "ParametersMissmatchFault"),
            (configuration(**STREAM, more="1"), "ParametersMissmatchFault"),
            (
                configuration(**{**STREAM, "pre_duration": "x ms"}),
                "InvalidActionConfigurationFault",
            ),
            (
                configuration(name="x" * (MAX_NAME_CHARACTERS + 1), **STREAM),
                "InvalidActionConfigurationFault",
            ),
        ):
            fault = self.fault(
                f"<aa:AddActionConfiguration>{new}</aa:AddActionConfiguration>", name
            )
            self.assertEqual(fault.children, [])
        for number in ("7", "-1", "0", "999999999999999999"):
            self.fault(
                f"<aa:RemoveActionConfiguration><aa:ConfigurationID>{number}</aa:ConfigurationID>"
                "</aa:RemoveActionConfiguration>",
                "ActionConfigurationNotFoundFault",
            )
        self.assertEqual(self.listed("GetActionConfigurations"), [])
        self.assertEqual(self.audited(), [])

    def test_in_use(self) -> None:
        """Who runs an action is told by the fault that keeps it from being removed."""
        self.add()
        self.add_rule(condition(event_filter()))
        fault = self.fault(
            "<aa:RemoveActionConfiguration><aa:ConfigurationID>1</aa:ConfigurationID>"
            "</aa:RemoveActionConfiguration>",
            "ActionConfigurationIsInUseFault",
        )
        (used,) = fault.children
        self.assertEqual(used.tag, f"{{{ACTION}}}UsedByActionRules")
        self.assertEqual(
            [(child.tag.partition("}")[2], child.text) for child in used.iter() if child.text],
            [("ActionRuleID", "1"), ("ActionRuleName", "Door")],
        )

    def test_what_is_malformed(self) -> None:
        """Missing, repeated and unknown elements, wrong kinds, endless texts: a sender's fault."""
        good = configuration(**STREAM)
        for new in (
            "",
            good + good,
            "<aa:NewActionConfiguration/>",
            good.replace("TemplateToken", "Token"),
            good.replace("<aa:Name>", "<aa:Name>x</aa:Name><aa:Name>"),
            good.replace("<aa:Name>Record", f"<aa:Name>{'x' * (MAX_TEXT_CHARACTERS + 1)}"),
            good.replace("<aa:Name>Record", "<aa:Name>Record<aa:b/>"),
            good.replace(' Value="5000"', ""),
            good.replace(' Name="pre_duration"', ""),
            good.replace("aa:Parameter ", "aa:Param "),
            good.replace("/></aa:Parameters>", "><aa:x/></aa:Parameter></aa:Parameters>"),
            good.replace("aa:Name", "aev:Name"),
            good.replace("aa:Name>", "Name>"),
        ):
            fault = self.refused(f"<aa:AddActionConfiguration>{new}</aa:AddActionConfiguration>")
            self.assertEqual((fault.status, fault.code), (400, "Sender"), new[:300])
        for number in ("", "x", "1.0", "1e3", "٣", "9" * 400, "<aa:a/>"):
            fault = self.refused(
                f"<aa:RemoveActionConfiguration><aa:ConfigurationID>{number}</aa:ConfigurationID>"
                "</aa:RemoveActionConfiguration>"
            )
            self.assertEqual((fault.status, fault.detail), (400, ""), number)
        for name in ("Templates", "Configurations", "Rules"):
            fault = self.refused(f"<aa:GetAction{name}><aa:x/></aa:GetAction{name}>")
            self.assertEqual(fault.code, "Sender")
        self.assertEqual(self.listed("GetActionConfigurations"), [])

    def test_what_a_vms_writes_in_place(self) -> None:
        """There is no operation that changes anything in place: the receiver's fault says so."""
        for name in ("SetActionConfigurationParameters", "UpdateActionRule"):
            fault = self.refused(f"<aa:{name}/>")
            self.assertEqual((fault.status, fault.code), (500, "Receiver"))
            self.assertEqual(fault.reason, "Optional action not implemented")


class RecipientTests(ActionTestCase):
    def new(self, kind: str = "tcp", **parameters: str) -> str:
        given = parameters or {"host": "10.0.0.1", "port": "99", "qos": ""}
        new = configuration(f"com.axis.recipient.{kind}", "Desk", **given).replace(
            "NewAction", "NewRecipient"
        )
        return f"<aa:AddRecipientConfiguration>{new}</aa:AddRecipientConfiguration>"

    def test_add_get_remove(self) -> None:
        """What was added is listed with its id, until it is removed."""
        answer = self.done(self.new())
        self.assertEqual(answer.findtext("aa:ConfigurationID", "", NAMES), "1")
        (one,) = self.listed("GetRecipientConfigurations")
        self.assertEqual(one.findtext("aa:Name", "", NAMES), "Desk")
        self.assertEqual(one.findtext("aa:TemplateToken", "", NAMES), "com.axis.recipient.tcp")
        remove = (
            "<aa:RemoveRecipientConfiguration><aa:ConfigurationID>1</aa:ConfigurationID>"
            "</aa:RemoveRecipientConfiguration>"
        )
        self.assertEqual(len(self.done(remove)), 0)
        self.assertEqual(self.listed("GetRecipientConfigurations"), [])
        self.fault(remove, "RecipientConfigurationNotFoundFault")
        self.assertEqual(
            self.audited(), [("otto", "delete", "recipient 1"), ("otto", "create", "recipient 1")]
        )

    def test_passwords(self) -> None:
        """Are not told again."""
        names = next(
            t for t in self.book.recipients.kind.templates if t.token.endswith(".http")
        ).parameters
        given = dict.fromkeys(names, "") | {"upload_url": "http://10.0.0.1/", "password": "s3cret"}
        self.done(self.new("http", **given))
        answered = self.post(envelope("<aa:GetRecipientConfigurations/>"))
        self.assertIn("http://10.0.0.1/", answered.text)
        self.assertNotIn("s3cret", answered.text)

    def test_faults(self) -> None:
        """Each by its name."""
        self.fault(self.new("nonsense"), "RecipientTemplateNotFoundFault")
        self.fault(self.new(host="10.0.0.1"), "ParametersMissmatchFault")
