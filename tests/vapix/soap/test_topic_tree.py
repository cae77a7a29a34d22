"""The tree of events."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.event_declaration import (
    BOOLEAN,
    INTEGER,
    STRING,
    EventDeclaration,
    ItemDeclaration,
)
from axis_nvr.vapix.soap.topic_tree import topic_set
from axis_nvr.vapix.xml_stream import written

PORT = EventDeclaration(
    "tns1:Device/tnsaxis:IO/Port",
    "Input port",
    is_property=True,
    source=(
        ItemDeclaration("port", INTEGER, "Port number", ("0", "1"), value_names={"1": "Gate"}),
    ),
    data=(ItemDeclaration("state", BOOLEAN, is_state=True),),
    level_names={"tns1:Device": "Device", "tns1:Device/tnsaxis:IO": "In & out"},
)


class TopicSetTests(SynchronousTestCase):
    def test_one_event(self) -> None:
        """As devices write it: prefixes where the namespace changes, attributes as they are."""
        self.assertEqual(
            written(topic_set([PORT])),
            '<wstop:TopicSet><tns1:Device aev:NiceName="Device">'
            '<tnsaxis:IO aev:NiceName="In &amp; out">'
            '<Port wstop:topic="true" aev:NiceName="Input port">'
            '<aev:MessageInstance aev:isProperty="true"><aev:SourceInstance>'
            '<aev:SimpleItemInstance aev:NiceName="Port number" Type="xsd:int" Name="port">'
            "<aev:Value>0</aev:Value>"
            '<aev:Value aev:NiceName="Gate">1</aev:Value>'
            "</aev:SimpleItemInstance>"
            "</aev:SourceInstance><aev:DataInstance>"
            '<aev:SimpleItemInstance Type="xsd:boolean" Name="state" isPropertyState="true" />'
            "</aev:DataInstance></aev:MessageInstance></Port></tnsaxis:IO></tns1:Device>"
            "</wstop:TopicSet>",
        )

    def test_an_event_without_a_state(self) -> None:
        """Does not tell that it is a property, and has no instances that it does not have."""
        failed = EventDeclaration(
            "tns1:Device/tnsaxis:SystemMessage/ActionFailed",
            data=(ItemDeclaration("description", STRING),),
        )
        self.assertIn(
            '<ActionFailed wstop:topic="true"><aev:MessageInstance><aev:DataInstance>'
            '<aev:SimpleItemInstance Type="xsd:string" Name="description" />'
            "</aev:DataInstance></aev:MessageInstance></ActionFailed>",
            written(topic_set([failed])),
        )
        bare = written(topic_set([EventDeclaration("tnsaxis:A")]))
        self.assertIn('<tnsaxis:A wstop:topic="true"><aev:MessageInstance /></tnsaxis:A>', bare)

    def test_what_is_for_programs(self) -> None:
        """Is marked, without a prefix."""
        hidden = EventDeclaration("tnsaxis:A/B", is_application_data=True)
        text = written(topic_set([hidden]))
        self.assertIn('<B wstop:topic="true" isApplicationData="true">', text)

    def test_levels_are_shared(self) -> None:
        """Events of the same levels stand in the same elements; one may stand in another."""
        above = EventDeclaration("tnsaxis:Storage/RAID", "RAID")
        below = EventDeclaration("tnsaxis:Storage/RAID/RAIDActive", "RAID active")
        other = EventDeclaration("tnsaxis:Storage/Recording")
        for declarations in ([above, below, other], [below, other, above]):
            root = topic_set(declarations)
            self.assertEqual([child.tag for child in root], ["tnsaxis:Storage"])
            self.assertEqual([child.tag for child in root[0]], ["RAID", "Recording"])
            raid = root[0][0]
            self.assertEqual([child.tag for child in raid], ["aev:MessageInstance", "RAIDActive"])
            self.assertEqual(raid.get("aev:NiceName"), "RAID")
