"""Reads the properties of a Linux binary that decide whether it starts on Lambda: part of
check_zips.py.

Supports little-endian ELF64, the format of both architectures of Lambda. Uses the section headers,
which strip keeps.
"""

import re
import struct

# The e_machine of each of Lambda's architectures.
MACHINES = {"arm64": 183, "x86_64": 62}
# Section types: the symbol table, which strip removes, dynamic linking, and required versions.
SYMTAB, DYNAMIC, VERNEED = 2, 6, 0x6FFFFFFE
# The dynamic entry for a required library.
NEEDED = 1


class Elf:
    """A binary."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("is not a little-endian ELF64 binary")
        self.data = data
        self.machine = self._read("<H", 18)[0]
        (table,), (size, count, names) = self._read("<Q", 40), self._read("<HHH", 58)
        # The fields of a section: name, type, flags, address, offset, size, link, info, alignment,
        # entry size.
        self.sections = [self._read("<IIQQQQIIQQ", table + n * size) for n in range(count)]
        self.names = [self._text(self.sections[names], section[0]) for section in self.sections]

    def _read(self, form: str, at: int) -> tuple:
        return struct.unpack_from(form, self.data, at)

    def _text(self, strings: tuple, offset: int) -> str:
        at = strings[4] + offset
        return self.data[at:self.data.index(b"\0", at)].decode()

    def _of_type(self, kind: int):
        """Yields each section of a type with its string section."""
        for section in self.sections:
            if section[1] == kind:
                yield section, self.sections[section[6]]

    def is_stripped(self) -> bool:
        """Returns whether it has neither symbols nor debug information."""
        return not any(section[1] == SYMTAB for section in self.sections) \
            and not any(name.startswith((".debug", ".zdebug")) for name in self.names)

    def libraries(self) -> set[str]:
        """Returns the shared libraries that it requires."""
        return {
            self._text(strings, value)
            for section, strings in self._of_type(DYNAMIC)
            for tag, value in struct.iter_unpack("<qQ", self.data[section[4]:section[4] + section[5]])
            if tag == NEEDED
        }

    def glibc(self) -> tuple[int, ...]:
        """Returns the oldest glibc with every symbol that it requires, for example (2, 34)."""
        versions = [tuple(map(int, found[1].split(".")))
                    for name in self._needed_versions() if (found := re.fullmatch(r"GLIBC_([\d.]+)", name))]
        return max(versions, default=(0,))

    def _needed_versions(self):
        for section, strings in self._of_type(VERNEED):
            file = section[4]
            for _ in range(section[7]):
                _, count, _, first, next_file = self._read("<HHIII", file)
                version = file + first
                for _ in range(count):
                    _, _, _, name, next_version = self._read("<IHHII", version)
                    yield self._text(strings, name)
                    version += next_version
                file += next_file
