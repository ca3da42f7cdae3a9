#!/usr/bin/env python3
"""Checks Plimsoll's audit log with nothing but Python's standard library (3.9 or newer).

    plimsoll_verify.py verify DATA [--key VKEY] [--against CHECKPOINT] [--sealed] [--json]
    plimsoll_verify.py proof FILE --key VKEY

This is the second verifier: it was written from the documents `docs/reference/audit-log.md` and
`docs/reference/journal-format.md` and from the standards that they name, and shares no code with the program
that writes the log. It reads files and changes none. Exit code: 0 all is well, 1 something is not, 2 usage.

Sources: Merkle tree RFC 6962 (section 2.1) and RFC 9162 (section 2.1.3.2); Ed25519 RFC 8032; CRC-32C RFC 3720
(appendix B.4); ChaCha20-Poly1305 RFC 8439; XChaCha20 draft-irtf-cfrg-xchacha-03; and of https://c2sp.org
signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof.

The file is meant to be read from top to bottom: primitives, texts (keys, checkpoints, proofs), the tree in its
tiles, the files of the journal, and at last `Verification`, which puts them together in the order of the document.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import struct
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

try:
    import fcntl
except ImportError:  # no such locks here, and so no node that holds one
    fcntl = None  # type: ignore[assignment]


class Defect(ValueError):
    """Something does not read as the documents say, or does not fit. No reader here raises anything else."""


# ------------------------------------------------------------------------------------- Merkle tree (RFC 6962)


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


EMPTY_LEAF = leaf_hash(b"")


def tree_hash(hashes: Sequence[bytes]) -> bytes:
    """The root over consecutive nodes of one level. Pairing from the left and carrying an odd last node up
    is the same tree as RFC 6962's split at the largest power of two."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    level = list(hashes)
    while len(level) > 1:
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def inclusion_root(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Defect(f"leaf {index} is not in a tree of {size}")
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Defect("the inclusion proof has more hashes than the tree has levels")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise Defect("the inclusion proof has fewer hashes than it needs")
    return root


# ------------------------------------------------------------------------------------- CRC-32C (RFC 3720)


def _crc_table() -> List[int]:
    byte = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        byte.append(value)
    first = [byte[pair & 255] ^ pair >> 8 for pair in range(65536)]
    return [byte[value & 255] ^ value >> 8 for value in first]


ONES = 0xFFFFFFFF
_CRC_TABLE = _crc_table()  # what 16 bits make of the register
# In the ring of the checksum's (reflected) polynomial, 1 = x^454 + x^505 + x^510 + x^532 + x^563, which was found
# by search; squaring doubles all exponents. So the lowest 454·2^k bits of a message may be taken away and added
# again at those places: a few shifts of one large integer do what a table does in 57·2^k steps. The tests hold
# `crc32c` against the table.
_CRC_FOLDS = [(154, 177, 183, 258, 290), *(tuple(n << k for n in (454, 505, 510, 532, 563)) for k in range(20))]


def crc_register(data: bytes, register: int) -> int:
    """What `data`, each byte's lowest bit first, makes of the register."""
    bits = 8 * len(data)
    rest = int.from_bytes(data, "little") ^ register
    for a, b, c, d, e in reversed(_CRC_FOLDS[: (bits // 1017).bit_length() + 1]):
        while bits >= a + e:
            low = rest & ((1 << a) - 1)
            rest = rest >> a ^ low ^ low << (b - a) ^ low << (c - a) ^ low << (d - a) ^ low << (e - a)
            bits -= a
    zeros = -bits % 16  # put in front of what is left, where they change nothing
    rest <<= zeros
    for _ in range((bits + zeros) // 16):
        rest = _CRC_TABLE[rest & 65535] ^ rest >> 16
    return rest


def crc32c(data: bytes) -> int:
    return crc_register(data, ONES) ^ ONES


# ------------------------------------------------------------------------------------- Ed25519 (RFC 8032)

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
Point = Tuple[int, int, int, int]  # extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z
_NEUTRAL: Point = (0, 1, 1, 0)


def _add(p: Point, q: Point) -> Point:
    """The sum of two points (section 5.1.4); holds for doubling too."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _combine(m: int, p: Point, n: int, q: Point) -> Point:
    """m·p + n·q, doubling for both at once."""
    addends = (None, p, q, _add(p, q))
    total = _NEUTRAL
    for bit in range(max(m.bit_length(), n.bit_length()) - 1, -1, -1):
        total = _add(total, total)
        addend = addends[(m >> bit & 1) + 2 * (n >> bit & 1)]
        if addend:
            total = _add(total, addend)
    return total


def _decode_point(data: bytes) -> Point:
    """The point with these 32 bytes (section 5.1.3), which must be the canonical ones."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == -u % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if len(data) != 32 or y >= _P or v * x * x % _P != u or (x == 0 and sign):
        raise Defect("32 bytes are no point of the curve")
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode_point(p: Point) -> bytes:
    inverse = pow(p[2], _P - 2, _P)
    x, y = p[0] * inverse % _P, p[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def ed25519_fits(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's over the message (section 5.1.7, without the cofactor: the stricter
    of the two equations that it allows). A key of small order, under which anything fits, is refused."""
    if len(signature) != 64:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    x, y, z, t = _decode_point(public)
    if scalar >= _L or _encode_point(_combine(8, (x, y, z, t), 0, _NEUTRAL)) == _encode_point(_NEUTRAL):
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    expected = _combine(scalar, _BASE, challenge, (_P - x, y, z, _P - t))
    return _encode_point(expected) == signature[:32]


# ------------------------------------------------------- XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha)

_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def _chacha_rounds(state: List[int], lanes: int) -> List[int]:
    """Twenty rounds (RFC 8439, section 2.3). Each word is an integer of `lanes` lanes, a 32-bit number in every
    64 bits, so that all blocks of a payload are computed at once."""
    mask = int.from_bytes(struct.pack("<Q", 0xFFFFFFFF) * lanes, "little")
    s = list(state)
    for number in range(20):
        for column in range(4):
            slant = number & 1  # odd rounds work on the diagonals
            a, b, c, d = (4 * row + (column + row * slant) % 4 for row in range(4))
            for target, other, changed, left in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                s[target] = (s[target] + s[other]) & mask
                mixed = s[changed] ^ s[target]
                s[changed] = (mixed << left | mixed >> (32 - left)) & mask
    return s


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey of a key and 16 bytes of nonce (draft-irtf-cfrg-xchacha-03, section 2.2)."""
    words = _chacha_rounds([*_CONSTANTS, *struct.unpack("<8I4I", key + nonce)], 1)
    return struct.pack("<8I", *words[:4], *words[12:])


def _chacha_stream(key: bytes, nonce: bytes, blocks: int) -> bytes:
    """The first blocks of the key stream, 64 bytes each, counted from 0 (RFC 8439, section 2.4)."""
    every = int.from_bytes(struct.pack("<Q", 1) * blocks, "little")
    counter = int.from_bytes(struct.pack(f"<{blocks}Q", *range(blocks)), "little")
    words = [every * word for word in (*_CONSTANTS, *struct.unpack("<8I", key))]
    state = [*words, counter, *(every * word for word in struct.unpack("<3I", nonce))]
    mixed = _chacha_rounds(state, blocks)
    sums = [(a + b).to_bytes(8 * blocks + 1, "little") for a, b in zip(mixed, state)]
    return b"".join(word[8 * block : 8 * block + 4] for block in range(blocks) for word in sums)


def _poly1305(key: bytes, message: bytes) -> bytes:
    """The authenticator of a message under a one-time key (RFC 8439, section 2.5)."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def xchacha20poly1305_open(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    """What was sealed (draft-irtf-cfrg-xchacha-03, section 2.3; RFC 8439, section 2.8)."""
    if len(sealed) < 16:
        raise Defect("what is sealed is shorter than its tag")
    text, tag = sealed[:-16], sealed[-16:]
    stream = _chacha_stream(hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], 1 + (len(text) + 63) // 64)
    padded = [part + bytes(-len(part) % 16) for part in (associated, text)]
    lengths = struct.pack("<2Q", len(associated), len(text))
    if _poly1305(stream[:32], b"".join(padded) + lengths) != tag:
        raise Defect("what is sealed does not open: its tag is not its own")
    mask = int.from_bytes(stream[64 : 64 + len(text)], "little")
    return (int.from_bytes(text, "little") ^ mask).to_bytes(len(text), "little")


# ------------------------------------------------------------------------------------- keys, checkpoints, proofs

TREE_MAX = 2**63  # leaves


def read_text(data: bytes, what: str) -> str:
    """UTF-8 without control characters but newline, as a signed note must be."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Defect(f"{what} is not UTF-8") from None
    if any(ord(char) < 32 and char != "\n" for char in text):
        raise Defect(f"{what} has control characters")
    return text


def read_base64(text: str) -> bytes:
    """RFC 4648, section 4, in its one canonical form: padded, with zero bits behind the end."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Defect("what should be base64 is not") from None
    if base64.b64encode(data).decode() != text:
        raise Defect("base64 with bits behind its end")
    return data


def read_number(text: str) -> int:
    """A decimal number below 2^63 without leading zeros."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text) or int(text) >= TREE_MAX:
        raise Defect("what should be a number is not")
    return int(text)


def is_name(name: str) -> bool:
    """Whether a key may be called this (signed-note)."""
    return name != "" and not any(char.isspace() or char == "+" or ord(char) < 32 for char in name)


class Key(NamedTuple):
    """A verifier's key (signed-note): `<name>+<key id>+<base64 of 0x01 and the public key>`."""

    name: str
    public: bytes

    @classmethod
    def read(cls, text: str) -> Key:
        parts = text.split("+", 2)
        if len(parts) != 3 or not is_name(parts[0]):
            raise Defect("the key does not read as NAME+ID+BASE64")
        data = read_base64(parts[2])
        if len(data) != 33 or data[0] != 1:
            raise Defect("the key is not one of Ed25519")
        key = cls(parts[0], data[1:])
        if key.id(1).hex() != parts[1]:
            raise Defect("the key's id is not that of its name and bytes")
        return key

    def id(self, kind: int) -> bytes:
        """The id under which it makes signatures of a kind."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id(1).hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"


class Checkpoint(NamedTuple):
    """A tree that the log has signed (tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes
    time: Optional[int]  # seconds since 1970 by the node's clock, if the log's cosignature tells it


def read_note(data: bytes) -> Tuple[str, List[Tuple[str, bytes]]]:
    """A signed note's text, and the names and bytes of its signatures, none of which is checked yet."""
    if len(data) > 64 << 10:
        raise Defect("the note is longer than 64 KiB")
    text, middle, signatures = read_text(data, "the note").rpartition("\n\n")
    if not middle or not signatures.endswith("\n"):
        raise Defect("the note has no signatures, or its last line is not ended")
    found = []
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        signature = read_base64(encoded)
        if dash != "\u2014" or not is_name(name) or len(signature) < 5:
            raise Defect("a line of the note is no signature")
        found.append((name, signature))
    if len(found) > 64:
        raise Defect("the note has more than 64 signatures")
    return text + "\n", found


def read_checkpoint(data: bytes, key: Key, timed: bool = True) -> Checkpoint:
    """A checkpoint whose signature by `key` fits, and with `timed` its cosignature (tlog-cosignature) too.
    Signatures by keys that are not known are passed over; one that is known and does not fit refuses it all."""
    text, signatures = read_note(data)
    signed, at = False, None
    for name, signature in signatures:
        if name != key.name:
            continue
        if signature[:4] == key.id(1):
            signed = ed25519_fits(key.public, text.encode(), signature[4:])
            fits = signed
        elif signature[:4] == key.id(4):
            at = int.from_bytes(signature[4:12], "big")
            message = f"cosignature/v1\ntime {at}\n{text}".encode()
            fits = len(signature) == 76 and ed25519_fits(key.public, message, signature[12:])
        else:
            continue
        if not fits:
            raise Defect("a signature by the log's key does not fit")
    if not signed:
        raise Defect(f"no signature by `{key.name}` with the given key")
    if timed and at is None:
        raise Defect("the log's signature that tells the time is missing")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or "" in lines:
        raise Defect("the checkpoint is not three lines or more")
    root = read_base64(lines[2])
    if lines[0] != key.name or len(root) != 32:
        raise Defect("the checkpoint is not one of this log, or its root is no hash")
    return Checkpoint(lines[0], read_number(lines[1]), root, at)


class Proof(NamedTuple):
    """That a record is in the log (tlog-proof), with the record itself as `extra`."""

    index: int
    entry: bytes
    path: List[bytes]
    checkpoint: bytes


def read_proof(data: bytes) -> Proof:
    """A proof, of which nothing is checked yet."""
    if len(data) > 32 << 20:
        raise Defect("the proof is longer than 32 MiB")
    head, middle, checkpoint = data.partition(b"\n\n")
    lines = read_text(head, "the proof").split("\n")
    if not middle or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Defect("the proof does not begin as one of c2sp.org/tlog-proof@v1 with its entry")
    if not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Defect("the proof's second and third line are not `extra` and `index`")
    path = [read_base64(line) for line in lines[3:]]
    if any(len(sibling) != 32 for sibling in path):
        raise Defect("a line of the inclusion proof is no hash")
    entry = read_base64(lines[1][6:])
    if not entry:
        raise Defect("the proof's entry is empty, and no record is")
    return Proof(read_number(lines[2][6:]), entry, path, checkpoint)


def check_proof(proof: Proof, key: Key) -> Checkpoint:
    """The checkpoint under which the proof's entry is leaf `index` of the log of `key`."""
    checkpoint = read_checkpoint(proof.checkpoint, key, timed=False)
    root = inclusion_root(proof.index, checkpoint.size, leaf_hash(proof.entry), proof.path)
    if root != checkpoint.root:
        raise Defect("the entry and the inclusion proof do not lead to the checkpoint's root")
    return checkpoint


# ------------------------------------------------------------------------------------- the tree in its tiles


def read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Defect(f"it cannot be read: {error.strerror}") from None


def tile_name(level: int, number: int, width: int) -> str:
    """Where a tile lies (tlog-tiles): 1234067 is `x001/x234/067`."""
    text = str(number)
    text = text.zfill(-(-len(text) // 3) * 3)
    groups = [text[at : at + 3] for at in range(0, len(text), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + ("" if width == 256 else f".p/{width}")


class Tiles:
    """The tree of `size` leaves in the folder `audit/`. The hashes of level l are the roots of 256^l leaves."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.levels = (size.bit_length() + 7) // 8  # that have a hash
        self.read: Dict[int, Tuple[int, Union[bytes, Defect]]] = {}  # the last tile that was read of each level
        # A node that is running removes partial tiles that newer ones replace: they are read at once.
        self.edge = {level: self.load(level, self.hashes(level) >> 8) for level in range(self.levels)}

    def hashes(self, level: int) -> int:
        """How many hashes a level has."""
        return self.size >> 8 * level

    def name(self, level: int, number: int) -> str:
        return tile_name(level, number, min(256, self.hashes(level) - 256 * number))

    def load(self, level: int, number: int) -> Union[bytes, Defect]:
        expected = 32 * min(256, self.hashes(level) - 256 * number)
        try:
            data = read_file(self.folder / self.name(level, number)) if expected else b""
        except Defect as defect:
            return defect
        return data if len(data) == expected else Defect(f"it has {len(data)} bytes instead of {expected}")

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile, as far as this tree has them."""
        found = self.edge[level]
        if number < self.hashes(level) >> 8:
            if self.read.get(level, (None,))[0] != number:
                self.read[level] = number, self.load(level, number)
            found = self.read[level][1]
        if isinstance(found, Defect):
            raise found
        return found

    def hash(self, level: int, index: int) -> bytes:
        """One hash of a level."""
        at = 32 * (index & 255)
        return self.tile(level, index >> 8)[at : at + 32]

    def root(self, size: int) -> bytes:
        """The root that the tree had at this size: folded from the roots of its full subtrees, the largest first
        (RFC 6962, section 2.1). That it can be had from the same tiles is what shows consistency."""
        subtrees = []
        for level in range(self.levels - 1, -1, -1):
            count = size >> 8 * level
            end = (count & 255) * 32
            hashes = split(self.tile(level, count >> 8)[:end]) if end else []
            for bit in range(7, -1, -1):
                if count >> bit & 1:
                    subtrees.append(tree_hash(hashes[: 1 << bit]))
                    hashes = hashes[1 << bit :]
        root = subtrees.pop() if subtrees else tree_hash([])
        while subtrees:
            root = node_hash(subtrees.pop(), root)
        return root


def split(data: bytes) -> List[bytes]:
    """The hashes of a tile."""
    return [data[at : at + 32] for at in range(0, len(data), 32)]


# ------------------------------------------------------------------------------------- the files of the journal

FILE_HEADER = struct.Struct("<8sIIQqB64s31s")
FRAME_HEADER = struct.Struct("<4sIIBBH16s")
BODY_MAX = 16 << 20
MARK = 0
KINDS = dict(enumerate(
    "opened closed release deployment review drill runbook_run node recovery uncounted access erasure hold "
    "retirement policy approval deployment_review verification tenant key label alarm alert".split(), start=1))
REVIEW_FLAGS = {"opened": 1, "answered": 2, "expired": 2}


class Frame(NamedTuple):
    """A record, a mark or a payload, with what stands before it."""

    offset: int
    end: int
    checksum: int
    kind: int
    flags: int
    id: bytes
    body: bytes


class Broken(NamedTuple):
    """Bytes that are in no whole frame; `resumed` if a frame follows at which reading goes on."""

    offset: int
    end: int
    resumed: bool


def read_file_header(data: bytes, magic: bytes, first: int) -> bytes:
    """The node's name, from the header of a segment or payload file that is called `first`."""
    if len(data) < FILE_HEADER.size:
        raise Defect("its header is not whole")
    found, version, checksum, number, _, length, node, zeros = FILE_HEADER.unpack_from(data)
    if found != magic or version != 1:
        raise Defect("its header does not begin as one of version 1")
    if crc32c(data[:12] + data[16 : FILE_HEADER.size]) != checksum:
        raise Defect("the checksum of its header does not fit")
    if length > 64 or any(node[length:]) or any(zeros):
        raise Defect("its header is not laid out as one")
    if number != first:
        raise Defect(f"its header says that it is number {number}")
    return node[:length]


def frame_at(data: bytes, offset: int, magic: bytes) -> Optional[Frame]:
    """What would be the frame that begins here; its checksum is yet to be looked at."""
    if len(data) - offset < FRAME_HEADER.size:
        return None
    found, length, checksum, kind, flags, zeros, about = FRAME_HEADER.unpack_from(data, offset)
    begin = offset + FRAME_HEADER.size
    if found != magic or zeros or length > BODY_MAX or begin + length > len(data):
        return None
    return Frame(offset, begin + length, checksum, kind, flags, about, data[begin : begin + length])


def checksums_fit(data: bytes, group: Sequence[Frame]) -> bool:
    """Whether the frames are whole. What a frame's checksum covers, with its first 32 bits inverted, as the register
    begins with ones, and then the checksum, inverted again, leave zeros in the register: so a chain of them is looked
    at at once, which is several times as fast and tells changes as surely as any one CRC-32C does."""
    chain = []
    for frame in group:
        chain.append(struct.pack("<I", len(frame.body) ^ ONES))
        chain.append(data[frame.offset + 12 : frame.end])
        chain.append(struct.pack("<I", frame.checksum ^ ONES))
    return crc_register(b"".join(chain), 0) == 0


def whole_frame_at(data: bytes, offset: int, magic: bytes) -> Optional[Frame]:
    frame = frame_at(data, offset, magic)
    return frame if frame and checksums_fit(data, [frame]) else None


def next_whole_frame(data: bytes, offset: int, magic: bytes) -> int:
    """Where reading goes on behind broken bytes: in a segment at a mark, which tells the sequence."""
    following = data.find(magic, offset + 1)
    while following >= 0:
        is_mark = data[following + 12 : following + 13] == bytes([MARK])
        if (is_mark or magic == b"PLMP") and whole_frame_at(data, following, magic):
            return following
        following = data.find(magic, following + 1)
    return len(data)


def frames(data: bytes, magic: bytes) -> Iterator[Union[Frame, Broken]]:
    """Everything behind a file's header, looked at a megabyte at a time, and one by one where that does not fit."""
    offset, one_by_one = FILE_HEADER.size, 0
    while offset < len(data):
        group, end = [], offset
        while offset >= one_by_one and end < offset + (1 << 20):
            frame = frame_at(data, end, magic)
            if not frame:
                break
            group.append(frame)
            end = frame.end
        if group and checksums_fit(data, group):
            yield from group
            offset = end
            continue
        one_by_one = max(one_by_one, end)
        frame = whole_frame_at(data, offset, magic)
        if frame:
            yield frame
            offset = frame.end
        elif data.count(0, offset) == len(data) - offset:
            return
        else:
            end = next_whole_frame(data, offset, magic)
            yield Broken(offset, end, end < len(data))
            offset = end


def _refuse(text: str) -> Any:
    raise Defect(f"JSON does not know {text}")


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Defect("a JSON object has a member twice")
    return members


_STRICT = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_once)
_QUICK = json.JSONDecoder(parse_constant=_refuse)


def read_json(data: bytes, decoder: json.JSONDecoder = _STRICT) -> Any:
    """JSON in UTF-8; the quick decoder, for decisions alone, does not look for members that stand twice."""
    try:
        return decoder.decode(data.decode("utf-8"))
    except Defect:
        raise
    except (ValueError, RecursionError):
        raise Defect("it is not JSON") from None


_CROCKFORD = str.maketrans("0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789abcdefghijklmnopqrstuv")


def read_id(text: str) -> bytes:
    """The 16 bytes of an id (ULID): 26 digits of Crockford's base 32."""
    if not re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", text):
        raise Defect(f"`{text[:30]}` is not an id")
    return int(text.translate(_CROCKFORD), 32).to_bytes(16, "big")


def show_id(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> shift & 31] for shift in range(125, -1, -5))


def read_digest(text: str) -> bytes:
    """A SHA-256 digest in 64 lower-case hexadecimal digits."""
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise Defect("a digest is not 64 hexadecimal digits")
    return bytes.fromhex(text)


def read_record(frame: Frame) -> Dict[str, Any]:
    """What a frame of a segment holds, if kind, flags and id fit the body."""
    try:
        entry = read_json(frame.body, _QUICK if frame.kind <= 2 else _STRICT)
        kind, record = entry["type"], entry["record"]
        about = record["decision"] if kind in ("opened", "review", "access", "label") else None
        about = about["id"] if kind == "opened" else record["id"] if kind == "closed" else about
        flags = REVIEW_FLAGS[record["event"]] if kind == "review" else 0
        expected = kind, flags, read_id(about) if about else bytes(16)
    except (KeyError, TypeError, AttributeError):
        raise Defect("the body is not a record") from None
    if expected != (KINDS.get(frame.kind), frame.flags, frame.id) or not isinstance(record, dict):
        raise Defect("kind, flags or id of the frame do not fit its body")
    return record


class Sealed(NamedTuple):
    """The body of a payload's frame of kind 1."""

    commitment: bytes
    month: str
    tenant: str
    nonce: bytes
    wrapped: bytes
    content: bytes

    @classmethod
    def read(cls, body: bytes) -> Sealed:
        at = 40 + (body[39] if len(body) > 39 else 0)
        month, tenant = body[32:39].decode("latin-1"), body[40:at].decode("latin-1")
        if len(body) < at + 24 + 48 + 48:
            raise Defect("the payload is shorter than one can be")
        if not re.fullmatch("[0-9]{4}-[0-9]{2}", month) or not re.fullmatch("[a-z0-9][a-z0-9._-]*", tenant):
            raise Defect("the payload names no month or no tenant")
        return cls(body[:32], month, tenant, body[at : at + 24], body[at + 24 : at + 72], body[at + 72 :])

    def length(self) -> int:
        """Of the payload: what is sealed has a salt of 32 bytes before it and a tag of 16 behind."""
        return len(self.content) - 48

    def open(self, decision: bytes, tenant_key: bytes) -> bytes:
        """The payload, if it is the one that was committed to."""
        associated = decision + self.commitment
        data_key = xchacha20poly1305_open(tenant_key, self.nonce, self.wrapped, associated)
        content = xchacha20poly1305_open(data_key, bytes(24), self.content, associated)
        if hashlib.sha256(b"\x02" + content).digest() != self.commitment:
            raise Defect("the payload is not what was committed to")
        return content[32:]


def is_locked(path: Path) -> bool:
    """Whether a running node holds the journal."""
    try:
        with open(path, "rb") as file:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


# ------------------------------------------------------------------------------------- verification


def read_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**64:
        raise Defect("what should be a number is not")
    return value


def manifest_blobs(manifest: Dict[str, Any]) -> List[bytes]:
    """The digests of the blobs that a release is made of."""
    named = [*(manifest.get("artifacts") or {}).values()]
    named += [model.get("file") for model in (manifest.get("models") or {}).values()]
    for part, member in (("prompt", "template"), ("input", "schema"), ("output", "schema")):
        named.append((manifest.get(part) or {}).get(member))
    return [read_digest(digest) for digest in named if digest is not None]


class Finding:
    """What does not read or fit within a `with` is a fault, and the next thing is looked at."""

    def __init__(self, verification: Verification, where: Union[str, Path], more: Dict[str, Any]) -> None:
        self.verification, self.where, self.more = verification, where, more

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Optional[BaseException], _: Any) -> bool:
        if isinstance(error, Defect):
            self.verification.fault(error, self.where, **self.more)
        elif isinstance(error, (KeyError, TypeError, AttributeError)):  # a member is missing, or of another type
            self.verification.fault("it does not read as one of its kind", self.where, **self.more)
        else:
            return False
        return True


class Verification:
    """All that `audit-log.md` asks for under "Verification", section by section."""

    def __init__(self, data: Path, key: Optional[Key], against: Optional[bytes], sealed: bool) -> None:
        self.data, self.key, self.against, self.sealed = data, key, against, sealed
        self.live = is_locked(data / "journal" / "lock")
        self.faults: List[Dict[str, Any]] = []
        self.records = dict.fromkeys("intact unsigned let_go missing changed".split(), 0)
        self.payloads = dict.fromkeys("intact unreadable erased let_go missing changed to_erase".split(), 0)
        self.blobs = self.whole_releases = self.history = 0
        self.minimum = self.payload_minimum = 0
        self.consistent_with: Optional[int] = None
        self.node: Optional[bytes] = None
        self.cursor = 0  # behind the last record that was read
        self.gaps: List[Tuple[int, int]] = []  # sequences that were not
        self.retirements: Set[Tuple[int, int]] = {(0, 0)}  # what records let go: minimum, payload minimum
        self.erased: Set[bytes] = set()  # decisions
        self.releases: Dict[bytes, Tuple[int, Any]] = {}  # digest: sequence, manifest if a record has it
        self.named: Dict[int, Dict[bytes, Tuple[int, int]]] = {}  # of a segment: payload: sequence, length
        self.framed: Set[bytes] = set()  # payloads, by decision and commitment, that have a frame
        self.tenant_keys: Dict[Path, Union[bytes, Defect, None]] = {}
        self.segments: List[Tuple[int, Path]] = []
        self.checkpoint: Optional[Checkpoint] = None
        self.checkpoint_bytes = b""
        with self.finding("audit/checkpoint"):
            self.checkpoint = self.read_own_checkpoint()
            self.size = self.checkpoint.size
            self.tiles = Tiles(data / "audit", self.size)
            self.segments = self.numbered("journal", ".seg")
            self.check_tiles()
            self.check_segments()
            self.check_records()
            self.check_payloads()
            self.check_blobs()
            self.check_older_checkpoints()

    def finding(self, where: Union[str, Path], **more: Any) -> Finding:
        return Finding(self, where, more)

    def fault(self, what: object, where: Union[str, Path], **more: Any) -> None:
        place = where.relative_to(self.data).as_posix() if isinstance(where, Path) else where
        self.faults.append({"place": place, "what": str(what), **more})

    def numbered(self, folder: str, suffix: str) -> List[Tuple[int, Path]]:
        """The files of a folder that are called by their first sequence, in order."""
        found = (self.data / folder).glob("[0-9]" * 20 + suffix)
        return sorted((int(path.name[:20]), path) for path in found)

    # 1 · The checkpoint

    def read_own_checkpoint(self) -> Checkpoint:
        path = self.data / "audit" / "log.vkey"
        if path.exists():
            with self.finding(path):
                told = read_file(path)
                self.key = self.key or Key.read(read_text(told, "the key")[:-1])
                if told != f"{self.key}\n".encode():
                    raise Defect("it is another key")
        if not self.key:
            raise Defect("there is no key to check it with")
        self.checkpoint_bytes = read_file(self.data / "audit" / "checkpoint")
        return read_checkpoint(self.checkpoint_bytes, self.key)

    # 2 · Tiles

    def check_tiles(self) -> None:
        for level in range(self.tiles.levels):
            for number in range((self.tiles.hashes(level) + 255) >> 8):
                with self.finding("audit/" + self.tiles.name(level, number)):
                    self.check_tile(level, number)
        with self.finding("audit/tile"):
            if self.tiles.root(self.size) != self.checkpoint.root:
                raise Defect("the tiles do not lead to the checkpoint's root")

    def check_tile(self, level: int, number: int) -> None:
        """A full tile must have the root that the tile above it has for it."""
        hashes = self.tiles.tile(level, number)
        if len(hashes) < 8192:
            return
        try:
            above = self.tiles.hash(level + 1, number)
        except Defect:
            return  # told when that tile's turn comes
        if tree_hash(split(hashes)) != above:
            raise Defect("it does not have the root that the tile above has for it")

    # 3 · Segments

    def check_segments(self) -> None:
        for (first, path), (following, _) in zip(self.segments, [*self.segments[1:], (None, None)]):
            with self.finding(path):
                end = self.check_segment(first, path, following is None)
                if following is not None:
                    with self.finding(path.with_suffix(".idx")):
                        self.check_index(path.with_suffix(".idx"), first, end)
                    if end != following:
                        raise Defect(f"it ends before record {end}, and the next file begins with {following}")

    def check_segment(self, first: int, path: Path, last: bool) -> int:
        """Reads a segment from end to end; returns the sequence behind its last record."""
        data, names = read_file(path), self.named.setdefault(first, {})
        self.check_header(data, b"PLIMSEG\n", first, path, last and first >= self.size)
        sequence, lost = first, False
        for found in frames(data, b"PLMF"):
            if isinstance(found, Broken):
                if not (self.live and last and sequence >= self.size and not found.resumed):
                    self.fault(f"bytes {found.offset} to {found.end} are in no whole frame", path)
                lost = True
            elif found.kind == MARK:
                told = int.from_bytes(found.id[:8], "little")
                if found.body or found.flags or (told != sequence and not lost):
                    self.fault(f"the mark at {found.offset} says {told} where {sequence} is next", path)
                sequence, lost = told, False
            else:
                self.check_record(sequence, found, path, names)
                sequence += 1
        return sequence

    def check_header(self, data: bytes, magic: bytes, first: int, path: Path, newest: bool) -> None:
        """The header of a segment or payload file; of the newest a running node may have written a part."""
        if self.live and newest and len(data) < FILE_HEADER.size:
            return
        with self.finding(path):
            node = read_file_header(data, magic, first)
            self.node = self.node or node
            if node != self.node:
                raise Defect("it is another node's")

    def check_index(self, path: Path, first: int, end: int) -> None:
        head, _, line = read_file(path).partition(b"\n")
        line, newline = line[:-1], line[-1:]
        if newline != b"\n" or head != f"plimsoll-index 1 {crc32c(line):08x}".encode():
            raise Defect("the checksum of the index does not fit")
        told = read_json(line)
        if (told["first"], told["end"]) != (first, end):
            raise Defect(f"the index does not tell that the segment holds {first} to before {end}")

    # 4 · Records

    def check_record(self, sequence: int, frame: Frame, path: Path, names: Dict[bytes, Tuple[int, int]]) -> None:
        if sequence > self.cursor:
            self.gaps.append((self.cursor, sequence))
        self.cursor = max(self.cursor, sequence + 1)
        state = self.record_state(sequence, frame.body)
        with self.finding(path, sequence=sequence):
            if state:
                self.records[state] += 1
            if state == "changed":
                raise Defect("the record is not the one that was logged")
            record = read_record(frame)
            if state:
                self.note(sequence, frame, record, names)

    def record_state(self, sequence: int, entry: bytes) -> Optional[str]:
        """As what a record counts that was read. Without a tile, which is told of the tile, nobody knows."""
        if sequence >= self.size:
            return "unsigned"
        try:
            return "intact" if self.tiles.hash(0, sequence) == leaf_hash(entry) else "changed"
        except Defect:
            return None

    def note(self, sequence: int, frame: Frame, record: Dict[str, Any], names: Dict[bytes, Tuple[int, int]]) -> None:
        """Keeps what the other sections need of a record: what payloads it names, what it gives authority for."""
        kind = KINDS[frame.kind]
        if kind in ("opened", "closed"):
            payload = (record["decision"] if kind == "opened" else record).get("payload")
            if payload is not None:
                named = frame.id + read_digest(payload["commitment"])
                names.setdefault(named, (sequence, read_count(payload["bytes"])))
        elif kind == "release":
            self.releases[read_digest(record["id"])] = sequence, record["manifest"]
        elif kind == "deployment":
            self.releases.setdefault(read_digest(record["release"]), (sequence, None))
        elif kind == "erasure":
            self.erased.update(read_id(decision) for decision in record["decisions"])
        elif kind == "retirement":
            self.retirements.add((read_count(record["minimum"]), read_count(record["payload_minimum"])))

    def check_records(self) -> None:
        """What was not read was let go by authority, or is MISSING."""
        self.gaps.append((self.cursor, max(self.cursor, self.size)))
        begun_at = 0  # what was let go before there was a log: the tree begins with so many empty leaves
        if self.gaps[0][0] == 0:
            with contextlib.suppress(Defect):
                while begun_at < min(self.gaps[0][1], self.size) and self.tiles.hash(0, begun_at) == EMPTY_LEAF:
                    begun_at += 1
        self.minimum = max(begun_at, *(minimum for minimum, _ in self.retirements))
        self.payload_minimum = max(self.minimum, *(minimum for _, minimum in self.retirements))
        for begin, end in self.gaps:
            end = max(begin, min(end, self.size))
            missing = min(max(begin, self.minimum), end)
            self.records["let_go"] += missing - begin
            self.records["missing"] += end - missing
            if missing < end:
                self.fault(f"records {missing} to {end - 1} are MISSING", "journal", sequence=missing)
        with self.finding("journal/minimum"):
            self.check_minimum(self.data / "journal" / "minimum", begun_at)

    def check_minimum(self, path: Path, begun_at: int) -> None:
        told = read_json(read_file(path)) if path.exists() else {"minimum": 0}
        minimum = read_count(told["minimum"])
        payload_minimum = max(minimum, read_count(told.get("payload_minimum", 0)))
        if (minimum, payload_minimum) not in self.retirements and payload_minimum > begun_at:
            raise Defect("it publishes what no record says was let go")
        if self.segments and minimum < self.segments[0][0] <= self.minimum:
            raise Defect(f"it does not say that records before {self.segments[0][0]} were let go")

    # 5 · Payloads

    def check_payloads(self) -> None:
        files = self.numbered("payloads", ".pay")
        for first, path in files:
            with self.finding(path):
                self.check_payload_file(first, path, first == files[-1][0])
        first_named: Dict[bytes, int] = {}
        for _, names in sorted(self.named.items()):
            for named, (sequence, _) in names.items():
                if named not in self.framed:
                    self.settle(named, first_named.setdefault(named, sequence))

    def settle(self, named: bytes, sequence: int) -> None:
        """A payload that a record names and that has no frame."""
        erased = "erased" if named[:16] in self.erased else "missing"
        state = "let_go" if sequence < self.payload_minimum else erased
        self.payloads[state] += 1
        if state == "missing":
            self.fault("the payload is MISSING", "payloads", sequence=sequence, decision=show_id(named[:16]))

    def check_payload_file(self, first: int, path: Path, last: bool) -> None:
        data, places = read_file(path), []
        self.check_header(data, b"PLIMPAY\n", first, path, last)
        for found in frames(data, b"PLMP"):
            if isinstance(found, Broken):
                if not (self.live and last and not found.resumed):
                    self.fault(f"bytes {found.offset} to {found.end} are in no whole frame", path)
                continue
            places.append((found.id, found.offset))
            self.framed.add(found.id + found.body[:32])
            state = "changed"
            with self.finding(path, decision=show_id(found.id)):
                state = self.payload_state(found, self.named.get(first, {}))
            self.payloads[state] += 1
            if state in ("intact", "unreadable") and found.id in self.erased:
                self.payloads["to_erase"] += 1
        index = path.with_suffix(".pix")
        if self.segments and first < self.segments[-1][0] and (places or index.exists()):
            entries = b"".join(about + struct.pack("<Q", offset) for about, offset in sorted(places))
            rest = struct.pack("<Q", len(places)) + entries
            with self.finding(index):
                if read_file(index) != b"PLIMPIX\n" + struct.pack("<II", 1, crc32c(rest)) + rest:
                    raise Defect("the index does not list the file's frames")

    def payload_state(self, frame: Frame, names: Dict[bytes, Tuple[int, int]]) -> str:
        """As what a payload's frame counts."""
        if frame.kind not in (1, 2) or frame.flags:
            raise Defect(f"the payload's frame is of kind {frame.kind}, flags {frame.flags}")
        if frame.kind == 2:
            if len(frame.body) < 32 or any(frame.body[32:]):
                raise Defect("the payload is not laid out as an erased one")
            if frame.id not in self.erased:
                raise Defect("the payload is erased, and no record gives authority for it")
            return "erased"
        sealed = Sealed.read(frame.body)
        _, length = names.get(frame.id + sealed.commitment, (0, sealed.length()))
        if sealed.length() != length:
            raise Defect("the payload is not as long as its record says")
        key = self.tenant_key(self.data / "payloads" / "keys" / sealed.tenant / f"{sealed.month}.key")
        if key is None:
            return "unreadable"
        sealed.open(frame.id, key)
        return "intact"

    def tenant_key(self, path: Path) -> Optional[bytes]:
        """The key of a tenant and month, if it is there and payloads are to be opened."""
        if path not in self.tenant_keys:
            self.tenant_keys[path] = None
            if path.exists() and not self.sealed:
                match = re.fullmatch(rb"plimsoll-payload-key 1 ([0-9a-f]{64})\n", read_file(path))
                self.tenant_keys[path] = bytes.fromhex(match[1].decode()) if match else Defect("its key is broken")
        key = self.tenant_keys[path]
        if isinstance(key, Defect):
            raise key
        return key

    # 6 · Blobs

    def check_blobs(self) -> None:
        for path in sorted((self.data / "blobs").glob("??/*")):
            name = path.parent.name + path.name
            if re.fullmatch("[0-9a-f]{64}", name):
                with self.finding(path):
                    if hashlib.sha256(read_file(path)).hexdigest() != name:
                        raise Defect("the blob is not what its name says")
                    self.blobs += 1
        for release, (sequence, manifest) in self.releases.items():
            with self.finding(f"release {release.hex()}", sequence=sequence):
                told = read_file(self.blob_path(release))
                if manifest is None:
                    continue
                if json.dumps(read_json(told), sort_keys=True) != json.dumps(manifest, sort_keys=True):
                    raise Defect("the blob is not the manifest that was recorded")
                missing = [digest.hex() for digest in manifest_blobs(manifest) if not self.blob_path(digest).exists()]
                if missing:
                    raise Defect("blobs are MISSING: " + ", ".join(missing))
                self.whole_releases += 1

    def blob_path(self, digest: bytes) -> Path:
        return self.data / "blobs" / digest.hex()[:2] / digest.hex()[2:]

    # 7 · Older checkpoints

    def check_older_checkpoints(self) -> None:
        for path in sorted((self.data / "audit" / "history").glob("*.checkpoint")):
            self.history += 1
            with self.finding(path):
                older = self.read_older_checkpoint(read_file(path), timed=True)
                if show_time(older.time)[:13] + ".checkpoint" != path.name:
                    raise Defect("it was not signed in the hour of its name")
        if self.against is not None:
            with self.finding("the older checkpoint"):
                self.consistent_with = self.read_older_checkpoint(self.against, timed=False).size

    def read_older_checkpoint(self, data: bytes, timed: bool) -> Checkpoint:
        older = read_checkpoint(data, self.key, timed)
        if older.size > self.size:
            raise Defect(f"it has {older.size} leaves, and the newest {self.size}: the log was cut back")
        if self.tiles.root(older.size) != older.root:
            raise Defect(f"the log is no continuation of it: it had another tree of {older.size} leaves")
        return older

    def report(self) -> Dict[str, Any]:
        """What `--json` prints."""
        told = self.checkpoint
        return {
            "passed": not self.faults,
            "origin": told.origin if told else None,
            "size": told.size if told else None,
            "root": told.root.hex() if told else None,
            "checkpoint_at": show_time(told.time) if told else None,
            "minimum": self.minimum,
            "payload_minimum": self.payload_minimum,
            "records": self.records,
            "payloads": self.payloads,
            "blobs": self.blobs,
            "releases": self.whole_releases,
            "history": self.history,
            "consistent_with": self.consistent_with,
            "fault_count": len(self.faults),
            "faults": self.faults,
        }


def verify(data: Path, key: Optional[Key], against: Optional[bytes] = None, sealed: bool = False) -> Verification:
    """Checks a data folder. A node that runs meanwhile signs newer checkpoints and lets records go: if faults were
    found and the checkpoint is another one now, everything is looked at again."""
    for _ in range(3):
        done = Verification(data, key, against, sealed)
        path = data / "audit" / "checkpoint"
        if not (done.live and done.faults and path.exists() and path.read_bytes() != done.checkpoint_bytes):
            break
    return done


# ------------------------------------------------------------------------------------- command line


def show_time(seconds: Optional[int]) -> str:
    if seconds is None or seconds >= 253402300800:  # the year 10000
        return "at no known time"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def show_report(report: Dict[str, Any]) -> str:
    lines = ["{origin}: {size} leaves, root {root}, signed {checkpoint_at}".format(**report)]
    for name in ("records", "payloads"):
        lines.append(f"  {name}: " + ", ".join(f"{count} {state}" for state, count in report[name].items()))
    lines.append("  {blobs} blobs, {releases} releases, {history} older checkpoints".format(**report))
    if report["consistent_with"] is not None:
        lines.append("  it continues the older checkpoint of {consistent_with} leaves".format(**report))
    for fault in report["faults"][:100]:
        about = [f"{name} {fault[name]}" for name in ("sequence", "decision") if name in fault]
        lines.append("  fault: " + ", ".join([fault["place"], *about]) + ": " + fault["what"])
    lines.append("all is well" if report["passed"] else "faults: {fault_count}".format(**report))
    return "\n".join(lines)


def read_key_argument(text: str) -> Key:
    """A key, given as text or as the name of a file."""
    path = Path(text)
    return Key.read((read_text(path.read_bytes(), "the key") if path.is_file() else text).rstrip("\n"))


def run_verify(args: argparse.Namespace) -> int:
    if not (args.data / "audit").is_dir():
        raise OSError(f"`{args.data}` has no folder `audit`: give the data folder of a node")
    if not args.key:
        print("without --key the folder is checked against its own key alone", file=sys.stderr)
    key = read_key_argument(args.key) if args.key else None
    against = args.against.read_bytes() if args.against else None
    report = verify(args.data, key, against, args.sealed).report()
    print(json.dumps(report, indent=2) if args.json else show_report(report))
    return 0 if report["passed"] else 1


def run_proof(args: argparse.Namespace) -> int:
    key, data = read_key_argument(args.key), args.file.read_bytes()
    try:
        proof = read_proof(data)
        checkpoint = check_proof(proof, key)
    except Defect as defect:
        print(f"the proof does not hold: {defect}", file=sys.stderr)
        return 1
    print(f"record {proof.index} of {checkpoint.origin}, under its checkpoint of {checkpoint.size} leaves, signed "
          f"{show_time(checkpoint.time)}", file=sys.stderr)
    sys.stdout.buffer.write(proof.entry + b"\n")
    return 0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="check a data folder")
    command.add_argument("data", type=Path, help="the node's data folder")
    command.add_argument("--key", help="the log's public key, or a file with it")
    command.add_argument("--against", type=Path, metavar="CHECKPOINT", help="an older checkpoint, kept elsewhere")
    command.add_argument("--sealed", action="store_true", help="open no payload, also where keys are there")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run_verify)
    command = commands.add_parser("proof", help="check a proof of one record, and print the record")
    command.add_argument("file", type=Path, help="the proof, `*.tlog-proof`")
    command.add_argument("--key", required=True, help="the log's public key, or a file with it")
    command.set_defaults(run=run_proof)
    args = parser.parse_args(arguments)
    try:
        return args.run(args)
    except (OSError, Defect) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
