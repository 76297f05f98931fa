"""The directory of tags at the head of a TIFF file, which EXIF data begins with too.

References
----------
TIFF 6.0, Adobe, 1992, section 2; BigTIFF as in libtiff; CIPA DC-008 (EXIF 2.32), 2019, 4.6.
"""

import struct
from dataclasses import dataclass, field

from indexing.errors import PictureError
from indexing.pixels.encoded import damaged, truncated

__all__ = ["Directory", "exif_orientation"]

# Type number -> struct code of the integers, and the size of every type in bytes.
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES |= {16: 8, 17: 8, 18: 8}

_ASCII = 2
_ORIENTATION = 274
# Far beyond what files have: a palette has 196,608 values, a directory some tens of entries.
_MAX_ENTRIES, _MAX_VALUES = 2**16, 2**20


@dataclass(frozen=True)
class Directory:
    """A directory of a TIFF file: the first one, or one that a tag of it points to.

    Parameters
    ----------
    data : bytes
        The whole file.
    order : str
        ``"<"`` or ``">"``.
    big : bool
        BigTIFF: 64-bit offsets.
    entries : dict of int to int
        Tag to where its entry lies, in the order of the file; of equal tags the first.
    """

    data: bytes = field(repr=False)
    order: str
    big: bool
    entries: dict[int, int]

    @classmethod
    def of(cls, data: bytes) -> "Directory":
        """Read the directory that the header points to.

        Raises
        ------
        PictureError
            TRUNCATED if it runs past the end, DAMAGED if there is no header.
        """
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 16:
            raise damaged("no TIFF header")
        (magic,) = struct.unpack_from(order + "H", data, 2)
        if magic not in (42, 43):
            raise damaged(f"TIFF version {magic}")
        big = magic == 43
        offset: int
        (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        return cls._at(data, order, big, offset)

    @classmethod
    def _at(cls, data: bytes, order: str, big: bool, offset: int) -> "Directory":
        """Read the directory that lies at an offset."""
        head = 8 if big else 2
        if offset + head > len(data):
            raise truncated("the directory of tags is missing")
        (n_entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
        step = 20 if big else 12
        if n_entries > _MAX_ENTRIES:
            raise damaged(f"a directory of {n_entries} tags")
        if offset + head + n_entries * step > len(data):
            raise truncated("the directory of tags runs past the end")
        entries: dict[int, int] = {}
        for at in range(offset + head, offset + head + n_entries * step, step):
            entries.setdefault(struct.unpack_from(order + "H", data, at)[0], at)
        return cls(data, order, big, entries)

    def integers(self, tag: int) -> tuple[int, ...]:
        """Return the values of a tag of an integer type; empty if the tag is absent.

        Raises
        ------
        PictureError
            TRUNCATED if the values lie past the end, DAMAGED if they are no integers.
        """
        if tag not in self.entries:
            return ()
        kind, count, where = self._values(tag)
        if kind not in _CODES or count > _MAX_VALUES:
            raise damaged(f"tag {tag} has {count} values of type {kind}")
        return struct.unpack_from(f"{self.order}{count}{_CODES[kind]}", self.data, where)

    def text(self, tag: int) -> str:
        """Return the text of a tag, without what fills it up; empty if the tag is absent.

        Raises
        ------
        PictureError
            TRUNCATED if the text lies past the end, DAMAGED if it is none.
        """
        if tag not in self.entries:
            return ""
        kind, count, where = self._values(tag)
        if kind != _ASCII or count > _MAX_VALUES:
            raise damaged(f"tag {tag} has {count} values of type {kind}")
        return self.data[where : where + count].split(b"\0")[0].decode("latin-1").strip()

    def pointed_to(self, tag: int) -> "Directory | None":
        """Return the directory that a tag points to; None if the tag is absent.

        Raises
        ------
        PictureError
            TRUNCATED if it lies past the end, DAMAGED if the tag is no pointer.
        """
        offsets = self.integers(tag)
        return self._at(self.data, self.order, self.big, offsets[0]) if offsets else None

    def with_only(self, tags: frozenset[int]) -> bytes:
        """Return the file with a directory of only `tags` in place of all its directories.

        Everything else stays where it is, so that offsets hold; the new directory is appended.

        Raises
        ------
        PictureError
            TRUNCATED if values lie past the end, DAMAGED if they cannot be what they are for:
            what Pillow would warn of.
        """
        step = 20 if self.big else 12
        kept, total = [], 0
        for tag in sorted(tags & self.entries.keys()):
            kind, count, _ = self._values(tag)
            total += count * _BYTES[kind]
            if total > len(self.data) or (kind == 1 and count != 1):
                raise damaged(f"tag {tag} has {count} values of type {kind}")
            kept.append(self.data[self.entries[tag] : self.entries[tag] + step])
        start = len(self.data) + len(self.data) % 2
        if self.big:
            head = struct.pack(self.order + "HHHQ", 43, 8, 0, start)
        else:
            head = struct.pack(self.order + "HI", 42, start)
        return b"".join(
            (
                self.data[:2],
                head,
                memoryview(self.data)[2 + len(head) :],
                bytes(start - len(self.data)),
                struct.pack(self.order + ("Q" if self.big else "H"), len(kept)),
                *kept,
                bytes(8),  # no further directory
            )
        )

    def _values(self, tag: int) -> tuple[int, int, int]:
        """Return the type of a tag that is there, the number of its values and where they lie."""
        at = self.entries[tag]
        form = self.order + ("HQ" if self.big else "HI")
        kind, count = struct.unpack_from(form, self.data, at + 2)
        if kind not in _BYTES:
            raise damaged(f"tag {tag} is of type {kind}")
        where, room, pointer = (at + 12, 8, "Q") if self.big else (at + 8, 4, "I")
        if count * _BYTES[kind] > room:
            (where,) = struct.unpack_from(self.order + pointer, self.data, where)
        if where + count * _BYTES[kind] > len(self.data):
            raise truncated(f"the values of tag {tag} lie past the end")
        return kind, count, where


def exif_orientation(exif: bytes) -> int:
    """Return the orientation that EXIF data gives, 1 to 8; 1 if it gives none that makes sense.

    Examples
    --------
    >>> entry = struct.pack(">HHIHH", 274, 3, 1, 6, 0)
    >>> exif_orientation(b"MM" + struct.pack(">HIH", 42, 8, 1) + entry + bytes(4))
    6
    """
    try:
        values = Directory.of(exif.removeprefix(b"Exif\0\0")).integers(_ORIENTATION)
    except PictureError:
        return 1
    return values[0] if len(values) == 1 and 1 <= values[0] <= 8 else 1
