"""The tables that RFC 2435 takes for granted: quantizers for Q 1 to 99, and Huffman codes.

Both are the examples of the JPEG standard (ITU-T T.81 Annex K), in its zigzag order.
"""

#: Quantizer of luminance for Q 50 (RFC 2435 Appendix A, T.81 Table K.1).
LUMA_QUANTIZER = bytes.fromhex(
    "100b0c0e0c0a100e 0d0e1211 10131828 1a181616 18312325 1d283a33 3d3c3933"
    "38374048 5c4e4044 57453738 506d5157 5f626768 673e4d71 79706478 5c656763"
)
#: Quantizer of chrominance for Q 50 (RFC 2435 Appendix A, T.81 Table K.2).
CHROMA_QUANTIZER = bytes.fromhex("11121218 15182f1a 1a2f6342 38426363" + 48 * "63")

#: Each table as class and id, how many codes of each length, and the symbols
#: (RFC 2435 Appendix B, T.81 Tables K.3 to K.6).
_HUFFMAN_TABLES = (
    (
        0x00,
        "00010501 01010101 01000000 00000000",
        "00010203 04050607 08090a0b",
    ),
    (
        0x10,
        "00020103 03020403 05050404 0000017d",
        "0102030004110512213141061351610722711432"
        "8191a1082342b1c11552d1f02433627282090a16"
        "1718191a25262728292a3435363738393a434445"
        "464748494a535455565758595a63646566676869"
        "6a737475767778797a838485868788898a929394"
        "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6"
        "b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8"
        "d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8"
        "f9fa",
    ),
    (
        0x01,
        "00030101 01010101 01010100 00000000",
        "00010203 04050607 08090a0b",
    ),
    (
        0x11,
        "00020102 04040304 07050404 00010277",
        "0001020311040521310612415107617113223281"
        "08144291a1b1c109233352f0156272d10a162434"
        "e125f11718191a262728292a35363738393a4344"
        "45464748494a535455565758595a636465666768"
        "696a737475767778797a82838485868788898a92"
        "939495969798999aa2a3a4a5a6a7a8a9aab2b3b4"
        "b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6"
        "d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8"
        "f9fa",
    ),
)


def _segment(table: int, counts: str, symbols: str) -> bytes:
    body = bytes([table]) + bytes.fromhex(counts) + bytes.fromhex(symbols)
    return b"\xff\xc4" + (2 + len(body)).to_bytes(2, "big") + body


#: The four tables as DHT segments.
HUFFMAN_SEGMENTS = b"".join(_segment(*table) for table in _HUFFMAN_TABLES)
