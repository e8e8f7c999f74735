#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: elf_bombs.py KIND FILE
       elf_bombs.py many DIR N
       elf_bombs.py refers FILE [link=NAME] [alt=PATH] [id=HEX]

Makes a file that is cheap to make and to keep, and dear to read. Each is an ELF file whose second
page is a function that calls the one it is given (tests/workloads/hostile/calls.c), and which has
beside it what its KIND says; `plain` has nothing. `many` makes N of those that are small, `refers`
one whose further debug information is in a file of that name (.gnu_debuglink), at that path
(.gnu_debugaltlink), or has that build-id.
"""
import lzma
import os
import struct
import sys
import zlib

PAGE = 4096
# push rbp; mov rbp, rsp; call rdi; pop rbp; ret
CODE = bytes.fromhex("554889e5ffd75dc3")
GIB = 1 << 30

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE = 1, 2, 3, 7
SHF_ALLOC, SHF_COMPRESSED = 2, 0x800
ZLIB, ZSTD = 1, 2


class Elf:
    """An ELF file in the making: sections are appended to it as they come."""

    def __init__(self, path, code_size=PAGE):
        self.f = open(path, "wb")
        self.code_size = code_size
        self.sections = [(b"", 0, 0, 0, 0, 0, 0, 0)]
        self.f.seek(PAGE)
        self.f.write(CODE.ljust(PAGE, b"\xcc"))

    def section(self, name, data, kind=SHT_PROGBITS, flags=0, addr=0, link=0, entsize=0):
        """`data` is bytes, or an iterable of them. Returns the section's index."""
        at = self.f.tell()
        for part in [data] if isinstance(data, bytes) else data:
            self.f.write(part)
        self.sections.append(
            (name.encode(), kind, flags, addr, at, self.f.tell() - at, link, entsize))
        return len(self.sections) - 1

    def finish(self, count=None):
        """Writes the headers; `count` is how many sections it claims, in a table that is sparse."""
        names = b"\0"
        headers = b""
        self.sections.append((b".shstrtab", SHT_STRTAB, 0, 0, self.f.tell(), 0, 0, 0))
        for name, kind, flags, addr, offset, size, link, entsize in self.sections:
            if name == b".shstrtab":
                size = sum(len(s[0]) + 1 for s in self.sections)
            elif not name and count:
                size = count
            headers += struct.pack("<IIQQQQIIQQ", len(names) if name else 0, kind, flags, addr,
                                   offset, size, link, 0, 1, entsize)
            if name:
                names += name + b"\0"
        self.f.write(names.ljust(len(names) + -len(names) % 64, b"\0"))
        shoff = self.f.tell()
        self.f.write(headers)
        if count:
            self.f.truncate(shoff + count * 64)
        self.f.seek(0)
        self.f.write(struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, shoff, 0,
                                 64, 56, 1, 64, 0 if count else len(self.sections),
                                 len(self.sections) - 1))
        self.f.write(struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, PAGE + self.code_size,
                                 PAGE + self.code_size, PAGE))
        self.f.close()


def uleb(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7f | 0x80])
        n >>= 7
    return out + bytes([n])


def symbol(name, addr=PAGE, size=len(CODE)):
    return struct.pack("<IBBHQQ", name, 0x12, 0, 1, addr, size)


def add_symbols(elf, names, symbols):
    strings = elf.section(".strtab", names, SHT_STRTAB)
    elf.section(".symtab", symbols, SHT_SYMTAB, link=strings, entsize=24)


# -- what debug information looks like -----------------------------------------------------------
DW_TAG_compile_unit, DW_TAG_subprogram, DW_TAG_lexical_block = 0x11, 0x2e, 0x0b
DW_AT_stmt_list, DW_AT_low_pc, DW_AT_high_pc, DW_AT_ranges = 0x10, 0x11, 0x12, 0x55
DW_FORM_addr, DW_FORM_data4, DW_FORM_sec_offset = 0x01, 0x06, 0x17
CODE_RANGE = struct.pack("<QI", PAGE, PAGE)


def abbreviation(code, tag, children, *attributes):
    return (uleb(code) + uleb(tag) + bytes([children]) +
            b"".join(uleb(a) + uleb(f) for a, f in attributes) + b"\0\0")


RANGE = ((DW_AT_low_pc, DW_FORM_addr), (DW_AT_high_pc, DW_FORM_data4))
UNIT = abbreviation(1, DW_TAG_compile_unit, 1, *RANGE)
FUNCTION = abbreviation(2, DW_TAG_subprogram, 1, *RANGE)
BLOCK = abbreviation(3, DW_TAG_lexical_block, 1)


def unit(entries):
    return struct.pack("<IHIB", 7 + len(entries), 4, 0, 8) + entries


def zlib_zeros(size):
    """What unpacks to `size` zeros: one piece that is copied, and the right checksum."""
    piece = 1 << 24
    c = zlib.compressobj(9)
    head = c.compress(bytes(piece)) + c.flush(zlib.Z_FULL_FLUSH)
    repeated = c.compress(bytes(piece)) + c.flush(zlib.Z_FULL_FLUSH)
    yield head
    for _ in range(size // piece - 1):
        yield repeated
    yield b"\1\0\0\xff\xff" + struct.pack(">I", (size % 65521) << 16 | 1)


def zstd_zeros(size):
    """A frame of RLE blocks, each of which is 4 bytes and unpacks to 128 KiB."""
    blocks = size >> 17
    yield struct.pack("<IBBQ", 0xfd2fb528, 0xc0, 0x38, size)
    for i in range(blocks):
        yield struct.pack("<I", (i == blocks - 1) | 1 << 1 | 1 << 17 << 3)[:3] + b"\0"


def add_packed(elf, size, how, stream):
    elf.section(".debug_abbrev", UNIT + b"\0")
    header = struct.pack("<IIQQ", how, 0, size, 1)
    elf.section(".debug_info", (part for s in ([header], stream(size)) for part in s),
                flags=SHF_COMPRESSED)


# -- kinds ---------------------------------------------------------------------------------------
def plain(elf):
    elf.finish()


def sections(elf):
    """A section header table of 48 million entries, none of which take room on a disk."""
    elf.finish(count=3 * GIB // 64)


def symbols(elf):
    """200,000 functions at one address, whose names differ only behind a million bytes."""
    n, length = 200000, 1 << 20
    add_symbols(elf, b"\0" + b"a" * (length + n) + b"\0", b"".join(symbol(1 + i) for i in range(n)))
    elf.finish()


def names(elf):
    """A function whose name doubles with each of its 60 parameters, when it is demangled."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    name = "_Z1fSt4pairIiiE"
    for i in range(1, 34):
        s = f"S{digits[i - 1]}_"
        name += f"St4pairI{s}{s}E"
    add_symbols(elf, b"\0" + name.encode() + b"\0", symbol(1))
    elf.finish()


def packed_zlib(elf):
    """3 MB of debug information that unpack to 3 GiB."""
    add_packed(elf, 3 * GIB, ZLIB, zlib_zeros)
    elf.finish()


def packed_small(elf):
    """The same with 256 MiB in a quarter of a megabyte."""
    add_packed(elf, GIB // 4, ZLIB, zlib_zeros)
    elf.finish()


def packed_zstd(elf):
    add_packed(elf, 3 * GIB, ZSTD, zstd_zeros)
    elf.finish()


def packed_lie(elf):
    """A kilobyte that says that it unpacks to 2^62 bytes."""
    elf.section(".debug_abbrev", UNIT + b"\0")
    elf.section(".debug_info", struct.pack("<IIQQ", ZLIB, 0, 1 << 62, 1) + zlib.compress(bytes(PAGE)),
                flags=SHF_COMPRESSED)
    elf.finish()


def packed_xz(elf):
    """.gnu_debugdata of 255 MiB, with a dictionary of 128 MiB."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 128 << 20}]
    c = lzma.LZMACompressor(filters=filters)
    elf.section(".gnu_debugdata", [c.compress(bytes(255 << 20)), c.flush()])
    elf.finish()


def debuglink(elf):
    """A file of debug information of 12 GiB, none of which are on a disk, to be checksummed."""
    path = elf.f.name + ".debug"
    refers(elf, link=os.path.basename(path))
    other = Elf(path)
    add_symbols(other, b"\0link\0", symbol(1))
    other.finish()
    os.truncate(path, 12 * GIB)


def eh_frame(elf):
    """Unwind information every few bytes of which change the rules: some 40 million rows."""
    rows = 20 << 20
    elf.code_size = 2 * rows + PAGE
    cie = struct.pack("<IB", 0, 1) + b"zR\0\1\x78\x10\1\x00" + b"\x0c\x07\x08\x90\x01"
    cie += b"\0" * (-len(cie) % 4)
    pair = b"\x41\x0e\x10\x41\x0e\x18"
    at = elf.f.tell()
    fde = struct.pack("<IQQB", len(cie) + 8, PAGE, 2 * rows, 0)
    elf.section(".eh_frame", [struct.pack("<I", len(cie)), cie,
                              struct.pack("<I", len(fde) + len(pair) * rows), fde] +
                [pair * (1 << 20)] * (rows >> 20) + [bytes(4)], flags=SHF_ALLOC, addr=at)
    elf.finish()


def units(elf):
    """Four million units of 23 bytes, each of which is about the same code."""
    elf.section(".debug_abbrev", UNIT + b"\0")
    elf.section(".debug_info", [unit(b"\1" + CODE_RANGE) * (1 << 20)] * 4)
    elf.finish()


def nesting(elf):
    """A function with blocks in blocks in blocks, 64 million deep."""
    inner = 64 << 20
    entries = b"\1" + CODE_RANGE + b"\2" + CODE_RANGE
    elf.section(".debug_abbrev", UNIT + FUNCTION + BLOCK + b"\0")
    elf.section(".debug_info", [struct.pack("<IHIB", 7 + len(entries) + inner, 4, 0, 8) + entries] +
                [b"\3" * (1 << 20)] * (inner >> 20))
    elf.finish()


def numbered_abbreviations(high):
    """16,384 forms of 8 bytes each, numbered from high << 14 on."""
    forms = bytearray(b"\0\0\0\0" + bytes([DW_TAG_lexical_block, 0, 0, 0])) * (1 << 14)
    forms[0::8] = bytes(i & 0x7f | 0x80 for i in range(1 << 14))
    forms[1::8] = bytes(i >> 7 | 0x80 for i in range(1 << 14))
    forms[2::8] = bytes([high & 0x7f | 0x80]) * (1 << 14)
    forms[3::8] = bytes([high >> 7]) * (1 << 14)
    return forms


def abbreviations(elf):
    """Eight million forms of entries, of which the last is used."""
    blocks = 512
    last = abbreviation((blocks + 1) << 14, DW_TAG_compile_unit, 1, *RANGE) + b"\0"
    elf.section(".debug_abbrev",
                [*(numbered_abbreviations(high) for high in range(1, blocks + 1)), last])
    elf.section(".debug_info", unit(uleb((blocks + 1) << 14) + CODE_RANGE))
    elf.finish()


def lines(elf):
    """A table of 31 million lines, a byte each."""
    program = 31 << 20
    header = b"\1\1\1\xfb\x0e\x0d" + b"\0\1\1\1\1\0\0\0\1\0\0\1" + b"\0" + b"a.c\0\0\0\0" + b"\0"
    start = b"\0\x09\x02" + struct.pack("<Q", PAGE)
    size = 2 + 4 + len(header) + len(start) + program
    elf.section(".debug_abbrev", abbreviation(
        1, DW_TAG_compile_unit, 1, *RANGE, (DW_AT_stmt_list, DW_FORM_sec_offset)) + FUNCTION + b"\0")
    elf.section(".debug_info", unit(b"\1" + CODE_RANGE + bytes(4) + b"\2" + CODE_RANGE + b"\0\0"))
    elf.section(".debug_line", [struct.pack("<IHI", size, 4, len(header)) + header + start] +
                [b"\x13\x0f" * (1 << 19)] * (program >> 20))
    elf.finish()


def ranges(elf):
    """A function in eight million pieces, all of them the same."""
    attributes = ((DW_AT_ranges, DW_FORM_sec_offset),)
    elf.section(".debug_abbrev", abbreviation(1, DW_TAG_compile_unit, 1, (DW_AT_low_pc, DW_FORM_addr),
                                              *attributes) +
                abbreviation(2, DW_TAG_subprogram, 0, *attributes) + b"\0")
    elf.section(".debug_info", unit(b"\1" + bytes(8) + bytes(4) + b"\2" + bytes(4) + b"\0"))
    elf.section(".debug_ranges", [struct.pack("<QQ", PAGE, 2 * PAGE) * (1 << 16)] * 128 + [bytes(16)])
    elf.finish()


def padded(name):
    return name.encode() + b"\0" * (4 - len(name) % 4)


def refers(elf, link=None, alt=None, id=None):
    if link:
        elf.section(".gnu_debuglink", padded(link) + struct.pack("<I", 0x12345678))
    if id:
        build_id = bytes.fromhex(id)
        elf.section(".note.gnu.build-id",
                    struct.pack("<III", 4, len(build_id), 3) + b"GNU\0" + build_id, kind=SHT_NOTE)
    if alt:
        elf.section(".debug_abbrev", UNIT + b"\0")
        elf.section(".debug_info", unit(b"\1" + CODE_RANGE + b"\0"))
        elf.section(".gnu_debugaltlink", alt.encode() + b"\0" + bytes(range(20)))
    elf.finish()


KINDS = {f.__name__: f for f in (
    plain, sections, symbols, names, packed_zlib, packed_small, packed_zstd, packed_lie, packed_xz,
    debuglink, eh_frame, units, nesting, abbreviations, lines, ranges)}
SMALL = ("sections", "packed_small", "packed_lie", "packed_zstd", "names", "debuglink")


def make(kind, path):
    KINDS[kind](Elf(path))
    os.chmod(path, 0o755)


def copy(path, to):
    """A copy that takes no more room: what follows the first hole is a hole there as well."""
    with open(path, "rb") as f, open(to, "wb") as g:
        data = os.lseek(f.fileno(), 0, os.SEEK_HOLE)
        os.lseek(f.fileno(), 0, os.SEEK_SET)
        g.write(f.read(data))
        g.truncate(os.stat(path).st_size)
    os.chmod(to, 0o755)


def main():
    if sys.argv[1] == "refers":
        refers(Elf(sys.argv[2]), **dict(a.split("=", 1) for a in sys.argv[3:]))
        os.chmod(sys.argv[2], 0o755)
        return
    if sys.argv[1] != "many":
        make(sys.argv[1], sys.argv[2])
        return
    for kind in SMALL:
        make(kind, f"{sys.argv[2]}/{kind}.so")
    for i in range(len(SMALL), int(sys.argv[3])):
        copy(f"{sys.argv[2]}/{SMALL[i % len(SMALL)]}.so", f"{sys.argv[2]}/{i}.so")


main()
