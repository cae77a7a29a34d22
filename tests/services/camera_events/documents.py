"""Documents as cameras send them."""

from axis_nvr.wire.notification import Items, Notification, Operation, build_document

UUID = "5581ad80-95b0-11e0-b883-accc8e000001"
VMD_ANY = "tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY"
VMD_FIRST = "tnsaxis:CameraApplicationPlatform/VMD/Camera1Profile1"
#: 2026-02-03 04:05:06 UTC.
NOW_US = 1_770_091_506_000_000

#: A state of VMD 4 in the form that VAPIX shows, written by hand and not by our own builder.
BY_HAND = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema"><tt:Event>'
    b'<wsnt:NotificationMessage xmlns:tns1="http://www.onvif.org/ver10/topics"'
    b' xmlns:tnsaxis="http://www.axis.com/2009/event/topics"'
    b' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
    b' xmlns:wsa5="http://www.w3.org/2005/08/addressing"><wsnt:Topic'
    b' Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple">'
    b"tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY</wsnt:Topic>"
    b"<wsnt:ProducerReference><wsa5:Address>uri://"
    b"bf32a3b9-e5e7-4d57-a48d-1b5be9ae7b16/ProducerReference</wsa5:Address>"
    b"</wsnt:ProducerReference><wsnt:Message>"
    b'<tt:Message UtcTime="2026-02-03T04:05:06.000000Z" PropertyOperation="Changed">'
    b"<tt:Source></tt:Source><tt:Key></tt:Key><tt:Data>"
    b'<tt:SimpleItem Name="active" Value="1"/></tt:Data></tt:Message></wsnt:Message>'
    b"</wsnt:NotificationMessage></tt:Event></tt:MetadataStream>"
)


def state(
    topic: str = VMD_ANY,
    value: str = "1",
    operation: Operation | None = Operation.CHANGED,
    *,
    item: str = "active",
    source: Items = (),
    utc_us: int = NOW_US,
) -> Notification:
    """A state as a camera tells it."""
    return Notification(topic, utc_us, operation, source, ((item, value),))


def document(*notifications: Notification) -> bytes:
    """Notifications in one document."""
    return build_document(notifications, UUID)
