"""Parquet files joined byte for byte: their row groups one after the other, under one footer that says where they lie.

So workers make the groups of a file, and whoever joins them looks at no row. A footer is a struct of numbered fields
(https://github.com/apache/parquet-format, parquet.thrift) in Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

MAGIC = b"PAR1"
TRUE, FALSE, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 12
ROWS, GROUPS = 3, 4  # fields of FileMetaData
OFFSET, ORDINAL = "offset", "ordinal"
# Of a RowGroup: where its columns and their pages lie, where it lies itself, and its number.
COLUMN = {2: OFFSET, 3: {9: OFFSET, 10: OFFSET, 11: OFFSET, 14: OFFSET}, 4: OFFSET, 6: OFFSET}
PLACES = {1: COLUMN, 5: OFFSET, 7: ORDINAL}


class JoinedFile:
    """Writes the row groups of other files, which have the same columns.

    Args:
        file: to be written from its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._end = file, file.write(MAGIC)
        self._rows, self._groups = 0, list[bytes]()
        self._before = self._after = b""  # of the footer: what stands before the row count, and after the row groups

    @property
    def begun(self) -> bool:
        """Whether a file was added, which says what columns there are."""
        return bool(self._before)

    def add(self, held: bytes) -> None:
        """Add the row groups of a file."""
        size = int.from_bytes(held[-8:-4], "little")
        footer = _Footer(held[-8 - size : -8], self._end - len(MAGIC))
        for field, kind in footer.fields():
            if field == ROWS:
                self._before = footer.held[: footer.at - 1]
                self._rows += footer.signed()
            elif field == GROUPS:
                for _ in range(footer.listed()[0]):
                    self._groups.append(footer.placed(len(self._groups)))
                self._after = footer.held[footer.at :]
            else:
                footer.skip(kind)
        pages = memoryview(held)[len(MAGIC) : -8 - size]
        self._end += self._file.write(pages)

    def close(self) -> None:
        """Write the footer."""
        count = len(self._groups)
        said = [self._before, _field(LONG), _signed(self._rows), _field(LIST)]
        said += [bytes([min(count, 15) << 4 | STRUCT]), _varint(count) if count >= 15 else b""]
        footer = b"".join([*said, *self._groups, self._after])
        self._file.write(footer + len(footer).to_bytes(4, "little") + MAGIC)


class _Footer:
    """Goes through a footer; `at` is the next byte.

    Args:
        held: the footer.
        by: bytes by which what it describes moves.
    """

    def __init__(self, held: bytes, by: int) -> None:
        self.held, self.at, self._by = held, 0, by
        self._new, self._copied, self._number = list[bytes](), 0, 0  # of the row group that is being placed

    def fields(self) -> Iterator[tuple[int, int]]:
        """The number and type of each field of a struct, whose value is then to be gone over."""
        field = 0
        while head := self.held[self.at]:
            self.at += 1
            field = field + (head >> 4) if head >> 4 else self.signed()
            yield field, head & 15
        self.at += 1

    def placed(self, number: int) -> bytes:
        """The row group that follows, as one of that number that lies where it has moved to."""
        self._new, self._copied, self._number = [], self.at, number
        self._place(STRUCT, PLACES)
        return b"".join([*self._new, self.held[self._copied : self.at]])

    def _place(self, kind: int, places: Any) -> None:
        if kind == LIST:
            for _ in range(self.listed()[0]):
                self._place(STRUCT, places)
        elif kind == STRUCT:
            for field, each in self.fields():
                if field in places:
                    self._place(each, places[field])
                else:
                    self.skip(each)
        else:
            self._new.append(self.held[self._copied : self.at])
            old = self.signed()
            moved = old and old + self._by  # 0 is nowhere
            self._new.append(_signed(self._number if places == ORDINAL else moved))
            self._copied = self.at

    def skip(self, kind: int) -> None:
        """Go over a value."""
        if kind in (SHORT, INT, LONG):
            self.varint()
        elif kind == BINARY:
            size = self.varint()
            self.at += size
        elif kind == STRUCT:
            for _, each in self.fields():
                self.skip(each)
        elif kind == LIST:
            count, each = self.listed()
            for _ in range(count):
                self.skip(BYTE if each in (TRUE, FALSE) else each)
        else:
            self.at += {TRUE: 0, FALSE: 0, BYTE: 1, DOUBLE: 8}[kind]

    def listed(self) -> tuple[int, int]:
        """How many values of which type a list has; they follow."""
        head = self.held[self.at]
        self.at += 1
        return (head >> 4 if head >> 4 < 15 else self.varint()), head & 15

    def signed(self) -> int:
        """A number."""
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def varint(self) -> int:
        """A number that is not negative."""
        value = shift = 0
        while (byte := self.held[self.at]) > 127:
            value |= (byte & 127) << shift
            self.at, shift = self.at + 1, shift + 7
        self.at += 1
        return value | byte << shift


def _field(kind: int) -> bytes:
    """The head of a field whose number is one above that of the field before it."""
    return bytes([1 << 4 | kind])


def _signed(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else ~(value << 1))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
