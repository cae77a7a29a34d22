"""ONVIF metadata out of RTP."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.depacketizers import metadata
from axis_nvr.session.depacketizers.metadata import MetadataDepacketizer
from tests.session.depacketizers.payloads import Packet, datas, feed, marked, pieces

DOCUMENT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<tt:MetadataStream '
    b'xmlns:tt="http://www.onvif.org/ver10/schema"><tt:Event/></tt:MetadataStream>'
)


class MetadataTests(SynchronousTestCase):
    def test_document_cut_anywhere(self) -> None:
        """Parts up to the marker are one document, unchanged."""
        for size in range(1, len(DOCUMENT)):
            frames = feed(MetadataDepacketizer(), marked(pieces(DOCUMENT, size), 7))
            self.assertEqual(datas(frames), [DOCUMENT])
            self.assertEqual((frames[0].timestamp, frames[0].sync), (7, True))

    def test_marker_never_set(self) -> None:
        """Another timestamp ends a document too."""
        packets: list[Packet] = [(p, t, False) for t in (1, 2) for p in pieces(DOCUMENT, 50)]
        self.assertEqual(datas(feed(MetadataDepacketizer(), packets)), [DOCUMENT, DOCUMENT])

    def test_loss(self) -> None:
        """A document that lacks a part is thrown away, whichever it is, and the next tells."""
        parts = pieces(DOCUMENT, 30)
        last = len(parts) - 1
        for missing in range(len(parts)):
            packets: list[Packet] = [
                (part, 1, index == last, int(index == missing + 1))
                for index, part in enumerate(parts)
                if index != missing
            ]
            packets += [(DOCUMENT, 2, True, int(missing == last))]
            made = MetadataDepacketizer()
            frames = feed(made, packets)
            self.assertEqual([(f.timestamp, f.lost) for f in frames], [(2, 1)])
            self.assertTrue(frames[0].damaged)
            self.assertEqual(made.discarded_units, 1)

    def test_loss_of_whole_documents(self) -> None:
        """Nothing that came whole is thrown away, XML declaration or not."""
        for document in (DOCUMENT, DOCUMENT[39:], b"\xef\xbb\xbf" + DOCUMENT, b"<MetadataStream/>"):
            packets: list[Packet] = [(DOCUMENT, 1, True), (document, 9, True, 5)]
            frames = feed(MetadataDepacketizer(), packets)
            self.assertEqual(datas(frames), [DOCUMENT, document])
            self.assertEqual([frame.lost for frame in frames], [0, 5])

    def test_largest_document(self) -> None:
        """A document without end is thrown away before it fills the memory."""
        self.patch(metadata, "MAX_DOCUMENT_BYTES", 1000)
        made = MetadataDepacketizer()
        packets: list[Packet] = [(DOCUMENT, 1, False)] * 100
        frames = feed(made, [*packets, (DOCUMENT, 2, True)])
        self.assertEqual([(f.timestamp, f.damaged) for f in frames], [(2, True)])

    def test_the_end_of_the_stream(self) -> None:
        """An unmarked last document is given out if it is closed."""
        self.assertEqual(datas(feed(MetadataDepacketizer(), [(DOCUMENT, 1, False)])), [DOCUMENT])
        self.assertEqual(feed(MetadataDepacketizer(), [(DOCUMENT[:-5], 1, False)]), [])
