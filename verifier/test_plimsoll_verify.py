"""Holds the verifier to published vectors, and to a data folder that is written here after the documents alone.

    python3 -m unittest discover verifier
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import random
import shutil
import struct
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict, List, Tuple

import plimsoll_verify as v

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

# ------------------------------------------------------------------------------------- the writing side, for tests


def ed25519_public(seed: bytes) -> bytes:
    return v._encode_point(v._combine(_expand(seed)[0], v._BASE, 0, v._NEUTRAL))


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = _expand(seed)
    public = ed25519_public(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % v._L
    point = v._encode_point(v._combine(nonce, v._BASE, 0, v._NEUTRAL))
    challenge = int.from_bytes(hashlib.sha512(point + public + message).digest(), "little")
    return point + ((nonce + challenge * scalar) % v._L).to_bytes(32, "little")


def _expand(seed: bytes) -> Tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254, digest[32:]


def xchacha_seal(key: bytes, nonce: bytes, text: bytes, associated: bytes) -> bytes:
    blocks = 1 + (len(text) + 63) // 64
    stream = v._chacha_stream(v.hchacha20(key, nonce[:16]), bytes(4) + nonce[16:], blocks)
    sealed = bytes(a ^ b for a, b in zip(text, stream[64:]))
    padded = b"".join(part + bytes(-len(part) % 16) for part in (associated, sealed))
    return sealed + v._poly1305(stream[:32], padded + struct.pack("<QQ", len(associated), len(sealed)))


def crc_by_definition(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def frame(magic: bytes, kind: int, flags: int, about: bytes, body: bytes) -> bytes:
    rest = bytes([kind, flags, 0, 0]) + about + body
    length = struct.pack("<I", len(body))
    return magic + length + struct.pack("<I", v.crc32c(length + rest)) + rest


def file_header(magic: bytes, first: int, node: bytes = b"node-1") -> bytes:
    head = magic + struct.pack("<I", 1)
    rest = struct.pack("<QqB", first, 1_773_478_920_123_456, len(node)) + node.ljust(64, b"\0") + bytes(31)
    return head + struct.pack("<I", v.crc32c(head + rest)) + rest


def inclusion_path(index: int, leaves: List[bytes]) -> List[bytes]:
    """By the recursive definition of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < k:
        return inclusion_path(index, leaves[:k]) + [v.tree_hash(leaves[k:])]
    return inclusion_path(index - k, leaves[k:]) + [v.tree_hash(leaves[:k])]


class Log:
    """A data folder, written as journal-format.md and audit-log.md say."""

    SEED = bytes(range(32))
    ORIGIN = "plimsoll.invalid/node-1"
    TENANT_KEY = bytes(range(32, 64))
    HOUR = 1_773_478_800  # 2026-03-14T09:00:00Z

    def __init__(self, root: Path, per_segment: int = 40) -> None:
        self.root, self.per_segment = root, per_segment
        self.key = v.Key(self.ORIGIN, ed25519_public(self.SEED))
        self.entries: List[bytes] = []
        self.frames: List[Tuple[int, int, bytes]] = []  # kind, flags, id
        self.payloads: List[Tuple[int, bytes, int, bytes]] = []  # sequence, decision, kind, body
        self.signed: List[Tuple[int, int]] = []  # size, time
        self.random = random.Random(7)

    def id(self) -> bytes:
        return bytes([1]) + self.random.randbytes(15)

    def record(self, kind: str, record: Dict[str, Any], about: bytes = bytes(16), flags: int = 0) -> int:
        number = next(number for number, name in v.KINDS.items() if name == kind)
        self.entries.append(json.dumps({"type": kind, "record": record}, separators=(",", ":")).encode())
        self.frames.append((number, flags, about))
        return len(self.entries) - 1

    def decision(self, payload: bytes = b"") -> bytes:
        """A closed decision, with a payload if there are bytes of one."""
        decision = self.id()
        record: Dict[str, Any] = {"id": v.show_id(decision), "tenant": "acme", "outcome": "served"}
        if payload:
            salt, data_key, nonce = (self.random.randbytes(n) for n in (32, 32, 24))
            commitment = hashlib.sha256(b"\x02" + salt + payload).digest()
            record["payload"] = {"commitment": commitment.hex(), "bytes": len(payload)}
            associated = decision + commitment
            wrapped = xchacha_seal(self.TENANT_KEY, nonce, data_key, associated)
            content = xchacha_seal(data_key, bytes(24), salt + payload, associated)
            body = commitment + b"2026-03" + b"\x04acme" + nonce + wrapped + content
            self.payloads.append((len(self.entries), decision, 1, body))
        self.record("closed", record, decision)
        return decision

    def erase(self, decision: bytes, recorded: bool = True) -> None:
        """Overwrites the decision's payloads, and says by which authority."""
        for place, (sequence, of, _, body) in enumerate(self.payloads):
            if of == decision:
                self.payloads[place] = sequence, of, 2, body[:32] + bytes(len(body) - 32)
        if recorded:
            self.record("erasure", {"decisions": [v.show_id(decision)], "basis": "GDPR Art. 17(1)(b)"})

    def release(self) -> bytes:
        manifest = {"artifacts": {"a": self.blob(b"an artifact")}, "models": {"primary": {"type": "rules",
                    "file": self.blob(b"rules")}, "far": {"type": "openai"}}, "prompt": None,
                    "input": {"schema": self.blob(b"{}")}, "output": {"schema": None}}
        release = self.blob(json.dumps(manifest, sort_keys=True).encode())
        self.record("release", {"id": release, "manifest": manifest})
        self.record("deployment", {"release": release})
        return bytes.fromhex(release)

    def retire(self, minimum: int, payload_minimum: int) -> None:
        self.record("retirement", {"minimum": minimum, "payload_minimum": payload_minimum})

    def blob(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.put(f"blobs/{digest[:2]}/{digest[2:]}", data)
        return digest

    def put(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def sign(self) -> None:
        """Writes everything down and signs it."""
        self.write_journal()
        self.write_payloads()
        self.put("payloads/keys/acme/2026-03.key", b"plimsoll-payload-key 1 " + self.TENANT_KEY.hex().encode() + b"\n")
        self.put("audit/log.vkey", f"{self.key}\n".encode())
        if self.signed:
            size, at = self.signed[-1]
            name = f"audit/history/{v.show_time(at)[:13]}.checkpoint"
            self.put(name, self.checkpoint(size, at))
        self.signed.append((len(self.entries), self.HOUR + 3600 * len(self.signed)))
        self.write_tiles()
        self.put("audit/checkpoint", self.checkpoint(*self.signed[-1]))

    def checkpoint(self, size: int, at: int) -> bytes:
        leaves = [v.leaf_hash(entry) for entry in self.entries[:size]]
        return self.checkpoint_of(size, v.tree_hash(leaves), at)

    def checkpoint_of(self, size: int, root: bytes, at: int) -> bytes:
        text = f"{self.ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
        first = self.key.id(1) + ed25519_sign(self.SEED, text.encode())
        timed = f"cosignature/v1\ntime {at}\n{text}".encode()
        second = self.key.id(4) + struct.pack(">Q", at) + ed25519_sign(self.SEED, timed)
        lines = [f"\u2014 {self.ORIGIN} {base64.b64encode(line).decode()}\n" for line in (first, second)]
        return (text + "\n" + "".join(lines)).encode()

    def write_journal(self) -> None:
        for first in range(0, len(self.entries), self.per_segment):
            end = min(first + self.per_segment, len(self.entries))
            data = bytearray(file_header(b"PLIMSEG\n", first))
            for sequence in range(first, end):
                if (sequence - first) % 3 == 0:
                    data += frame(b"PLMF", 0, 0, struct.pack("<Qq", sequence, 1), b"")
                kind, flags, about = self.frames[sequence]
                data += frame(b"PLMF", kind, flags, about, self.entries[sequence])
            data += frame(b"PLMF", 0, 0, struct.pack("<Qq", end, 1), b"")
            if end < len(self.entries):
                index = json.dumps({"first": first, "end": end, "ended_at": 5, "open": []}).encode()
                self.put(f"journal/{first:020d}.idx", f"plimsoll-index 1 {v.crc32c(index):08x}\n".encode() + index + b"\n")
            else:
                data += bytes(64)  # for what comes next
            self.put(f"journal/{first:020d}.seg", data)

    def write_payloads(self) -> None:
        for first in range(0, len(self.entries), self.per_segment):
            data, places = bytearray(file_header(b"PLIMPAY\n", first)), []
            for sequence, decision, kind, body in self.payloads:
                if first <= sequence < first + self.per_segment:
                    places.append((decision, len(data)))
                    data += frame(b"PLMP", kind, 0, decision, body)
            if not places:
                continue
            self.put(f"payloads/{first:020d}.pay", data)
            if first + self.per_segment < len(self.entries):
                rest = struct.pack("<Q", len(places)) + b"".join(a + struct.pack("<Q", o) for a, o in sorted(places))
                self.put(f"payloads/{first:020d}.pix", b"PLIMPIX\n" + struct.pack("<II", 1, v.crc32c(rest)) + rest)

    def write_tiles(self) -> None:
        shutil.rmtree(self.root / "audit" / "tile", ignore_errors=True)
        level, hashes = 0, [v.leaf_hash(entry) for entry in self.entries]
        while hashes:
            for number in range(0, len(hashes), 256):
                tile = hashes[number : number + 256]
                self.put("audit/" + v.tile_name(level, number // 256, len(tile)), b"".join(tile))
            hashes = [v.tree_hash(hashes[at : at + 256]) for at in range(0, len(hashes) - 255, 256)]
            level += 1

    def proof(self, index: int) -> bytes:
        """As audit-log.md lays it out."""
        hashes = inclusion_path(index, [v.leaf_hash(entry) for entry in self.entries[: self.signed[-1][0]]])
        lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(self.entries[index]).decode(), f"index {index}"]
        lines += [base64.b64encode(sibling).decode() for sibling in hashes]
        return "\n".join(lines).encode() + b"\n\n" + self.checkpoint(*self.signed[-1])


# ------------------------------------------------------------------------------------- published vectors


class PublishedVectors(unittest.TestCase):
    def test_ed25519_of_rfc_8032_section_7_1(self):
        for seed, public, message, signature in ED25519:
            seed, public, message, signature = map(bytes.fromhex, (seed, public, message, signature))
            self.assertEqual(ed25519_public(seed), public)
            self.assertEqual(ed25519_sign(seed, message), signature)
            self.assertTrue(v.ed25519_fits(public, message, signature))
            self.assertFalse(v.ed25519_fits(public, message + b"x", signature))
            for bit in (0, 255, 256, 511):
                changed = (int.from_bytes(signature, "little") ^ 1 << bit).to_bytes(64, "little")
                self.assertFalse(v.ed25519_fits(public, message, changed))

    def test_ed25519_has_one_signature_alone(self):
        _, public, message, signature = ED25519[0]
        public, signature = bytes.fromhex(public), bytes.fromhex(signature)
        larger = int.from_bytes(signature[32:], "little") + v._L
        self.assertFalse(v.ed25519_fits(public, b"", signature[:32] + larger.to_bytes(32, "little")))
        self.assertFalse(v.ed25519_fits(public, b"", signature + b"\0"))
        neutral = (1).to_bytes(32, "little")
        self.assertFalse(v.ed25519_fits(neutral, b"anything", neutral + bytes(32)), "a key of small order")
        for encoded in (2**255 - 19, 2**255 - 18, 2, 1 | 1 << 255):  # not canonical, no point, a wrong sign
            with self.assertRaises(v.Defect):
                v._decode_point(encoded.to_bytes(32, "little"))

    def test_the_trees_of_the_certificate_transparency_tests(self):
        for size, root in enumerate(TREE_ROOTS):
            hashes = [v.leaf_hash(bytes.fromhex(leaf)) for leaf in TREE_LEAVES[:size]]
            self.assertEqual(v.tree_hash(hashes).hex(), root)
        path = [bytes.fromhex(sibling) for sibling in TREE_PATH]
        leaf = v.leaf_hash(bytes.fromhex(TREE_LEAVES[0]))
        self.assertEqual(v.inclusion_root(0, 8, leaf, path).hex(), TREE_ROOTS[8])

    def test_every_inclusion_proof_of_small_trees_leads_to_the_root_and_no_other_does(self):
        leaves = [v.leaf_hash(bytes([number])) for number in range(40)]
        for size in range(1, 41):
            root = v.tree_hash(leaves[:size])
            for index in range(size):
                path = inclusion_path(index, leaves[:size])
                self.assertEqual(v.inclusion_root(index, size, leaves[index], path), root)
                for wrong in (path[:-1], [*path, root]):
                    if wrong != path:
                        with self.assertRaises(v.Defect):
                            v.inclusion_root(index, size, leaves[index], wrong)

    def test_crc_32c_of_rfc_3720_appendix_b_4(self):
        for data, checksum in CRC_32C:
            self.assertEqual(v.crc32c(data), checksum)

    def test_crc_32c_is_the_definition_at_every_length(self):
        source = random.Random(3)
        lengths = [*range(300), *(source.randrange(300, 20_000) for _ in range(20))]
        for length in lengths:
            data = source.randbytes(length)
            self.assertEqual(v.crc32c(data), crc_by_definition(data), length)

    def test_hchacha20_and_xchacha20_poly1305_of_the_draft(self):
        nonce = bytes.fromhex("000000090000004a0000000031415927")
        subkey = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
        self.assertEqual(v.hchacha20(bytes(range(32)), nonce).hex(), subkey)
        key, nonce, associated = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
        sealed = bytes.fromhex(XCHACHA_SEALED)
        self.assertEqual(v.xchacha20poly1305_open(key, nonce, sealed, associated), XCHACHA_TEXT)
        self.assertEqual(xchacha_seal(key, nonce, XCHACHA_TEXT, associated), sealed)
        for place in (0, 50, len(sealed) - 1):
            changed = bytearray(sealed)
            changed[place] ^= 1
            with self.assertRaises(v.Defect):
                v.xchacha20poly1305_open(key, nonce, bytes(changed), associated)

    def test_the_signed_note_of_the_go_package(self):
        key = v.Key.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
        text, [(name, signature)] = v.read_note(GO_NOTE.encode())
        self.assertEqual((name, signature[:4]), (key.name, key.id(1)))
        self.assertTrue(v.ed25519_fits(key.public, text.encode(), signature[4:]))

    def test_tiles_are_named_as_in_the_specification(self):
        self.assertEqual(v.tile_name(0, 1_234_067, 256), "tile/0/x001/x234/067")
        self.assertEqual(v.tile_name(1, 5, 112), "tile/1/005.p/112")
        self.assertEqual(v.tile_name(63, 1000, 1), "tile/63/x001/000.p/1")


# ------------------------------------------------------------------------------------- readers


class Readers(unittest.TestCase):
    """Readers refuse with `Defect`, whatever the bytes are."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.log = Log(Path(cls.folder.name))
        cls.log.decision(b'{"input":1,"output":2}')
        cls.log.record("review", {"decision": v.show_id(bytes(16)), "event": "opened"}, flags=1)
        for _ in range(5):
            cls.log.decision()
        cls.log.sign()
        _, cls.decision, _, cls.sealed = cls.log.payloads[0]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def readers(self):
        log, key = self.log, self.log.key
        first = log.frames[0]
        segment = (log.root / "journal" / f"{0:020d}.seg").read_bytes()
        return {
            "key": (str(key).encode(), lambda data: v.Key.read(v.read_text(data, "the key"))),
            "checkpoint": (log.checkpoint(*log.signed[0]), lambda data: v.read_checkpoint(data, key)),
            "note": (log.checkpoint(*log.signed[0]), v.read_note),
            "proof": (log.proof(3), v.read_proof),
            "header": (segment[:128], lambda data: v.read_file_header(data, b"PLIMSEG\n", 0)),
            "frames": (segment, lambda data: list(v.frames(data, b"PLMF"))),
            "record": (log.entries[0], lambda data: v.read_record(v.Frame(0, 0, 0, *first, data))),
            "review": (log.entries[1], lambda data: v.read_record(v.Frame(0, 0, 0, *log.frames[1], data))),
            "payload": (self.sealed, lambda data: v.Sealed.read(data).open(self.decision, log.TENANT_KEY)),
            "json": (b'{"a":[1,2.5e3,"\\u00e9",null]}', v.read_json),
            "base64": (b"AAECAw==", lambda data: v.read_base64(data.decode("latin-1"))),
            "id": (v.show_id(self.decision).encode(), lambda data: v.read_id(data.decode("latin-1"))),
        }

    def test_what_is_right_is_read(self):
        for name, (data, read) in self.readers().items():
            with self.subTest(name):
                read(data)

    def test_random_and_changed_bytes_raise_nothing_but_the_one_error(self):
        source = random.Random(11)
        slow = {"checkpoint", "payload"}
        for name, (data, read) in self.readers().items():
            for _ in range(60 if name in slow else 400):
                for changed in (source.randbytes(source.randrange(200)), self.mutated(source, data)):
                    with self.subTest(name, data=changed):
                        with contextlib.suppress(v.Defect):
                            read(changed)

    @staticmethod
    def mutated(source: random.Random, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(source.randrange(1, 4)):
            place = source.randrange(len(changed) + 1)
            changed[place : place + source.randrange(3)] = source.randbytes(source.randrange(3))
        return bytes(changed)

    def test_json_that_is_deep_or_no_number_or_twice_is_refused(self):
        for text in (b"[" * 100_000, b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b"9" * 5000 + b"]"):
            with self.assertRaises(v.Defect):
                v.read_json(text)

    def test_a_note_has_one_form(self):
        good = self.log.checkpoint(*self.log.signed[0]).decode()
        key, lines = self.log.key, good.split("\n")
        other = "\u2014 witness.example " + base64.b64encode(bytes(68)).decode() + "\n"
        self.assertEqual(v.read_checkpoint((good + other).encode(), key).size, 7)
        self.assertEqual(v.read_checkpoint("\n".join([*lines[:5], ""]).encode(), key, timed=False).time, None)
        size = base64.b64encode(bytes(4) + b"x" * 64).decode()
        wrong = {
            "no time": "\n".join([*lines[:5], ""]),
            "no first line": "\n".join([*lines[:4], lines[5], ""]),
            "a control character": good.replace("-1\n7", "-1\n\t7", 1),
            "carriage returns": good.replace("\n", "\r\n"),
            "not ended": good[:-1],
            "a leading zero": self.signed("0007"),
            "no number": self.signed("7 "),
            "another origin": self.signed("7", origin="plimsoll.invalid/node-2"),
            "a broken line": good + "\u2014 x\n",
            "a dash": good + f"- x {size}\n",
            "its own key twice, once wrong": good + lines[4].replace(lines[4][-6:-4], "AA") + "\n",
        }
        for name, text in wrong.items():
            with self.subTest(name), self.assertRaises(v.Defect):
                v.read_checkpoint(text.encode(), key)

    def signed(self, size: str, origin: str = Log.ORIGIN) -> str:
        text = f"{origin}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n"
        key, timed = self.log.key, b"cosignature/v1\ntime 1\n" + text.encode()
        parts = [key.id(1) + ed25519_sign(Log.SEED, text.encode())]
        parts.append(key.id(4) + struct.pack(">Q", 1) + ed25519_sign(Log.SEED, timed))
        return text + "\n" + "".join(f"\u2014 {Log.ORIGIN} {base64.b64encode(part).decode()}\n" for part in parts)


# ------------------------------------------------------------------------------------- whole folders


class Folders(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.log = Log(self.root)

    def fill(self, decisions: int = 90) -> None:
        self.log.release()
        for number in range(decisions):
            self.log.decision(b'{"input":%d}' % number if number % 4 == 0 else b"")
            if number == 40:
                self.log.sign()

    def verify(self, **options) -> Dict[str, Any]:
        return v.verify(self.root, self.log.key, **options).report()

    def assert_fault(self, what: str, **options) -> Dict[str, Any]:
        report = self.verify(**options)
        self.assertFalse(report["passed"])
        self.assertTrue(any(what in fault["what"] for fault in report["faults"]), report["faults"])
        return report

    def test_a_log_as_it_was_written_passes(self):
        self.fill()
        self.log.sign()
        for root_key in (self.log.key, None):
            report = v.verify(self.root, root_key).report()
            self.assertEqual(report["faults"], [])
        self.assertEqual(report["records"], {"intact": 92, **dict.fromkeys(("unsigned", "let_go", "missing", "changed"), 0)})
        self.assertEqual({name: count for name, count in report["payloads"].items() if count}, {"intact": 23})
        self.assertEqual([report[name] for name in ("size", "blobs", "releases", "history", "minimum")], [92, 4, 1, 1, 0])
        self.assertEqual(self.verify(sealed=True)["payloads"]["unreadable"], 23)

    def test_trees_of_all_heights_pass(self):
        self.log.per_segment = 100_000
        for size in (0, 1, 2, 255, 256, 257, 511, 513, 66_000):
            while len(self.log.entries) < size:
                self.log.record("drill", {"n": len(self.log.entries)})
            self.log.sign()
            report = self.verify()
            self.assertEqual((report["faults"], report["records"]["intact"]), ([], size))

    def test_records_behind_the_checkpoint_are_unsigned(self):
        self.fill(60)
        self.log.sign()
        self.log.decision(b"behind")
        self.log.write_journal()
        self.log.write_payloads()
        report = self.verify()
        self.assertEqual((report["passed"], report["records"]["unsigned"]), (True, 1))

    def test_an_erasure_with_authority_is_told_from_one_without(self):
        self.fill()
        decisions = [decision for _, decision, _, _ in self.log.payloads]
        self.log.erase(decisions[3])
        self.log.sign()
        report = self.verify()
        self.assertEqual((report["passed"], report["payloads"]["erased"]), (True, 1))
        self.log.erase(decisions[5], recorded=False)
        self.log.sign()
        report = self.assert_fault("no record gives authority")
        self.assertEqual(report["faults"][0]["decision"], v.show_id(decisions[5]))

    def test_an_erased_payload_keeps_nothing(self):
        decision = self.log.decision(b"something")
        self.log.erase(decision)
        sequence, of, kind, body = self.log.payloads[0]
        self.log.payloads[0] = sequence, of, kind, body[:-1] + b"x"
        self.log.sign()
        self.assert_fault("not laid out as an erased one")

    def test_what_was_let_go_by_a_record_is_told_from_what_is_missing(self):
        self.fill()
        self.log.retire(40, 80)
        self.log.sign()
        self.put_minimum(40, 80)
        for name in ("journal/{:020d}.seg", "journal/{:020d}.idx", "payloads/{:020d}.pay", "payloads/{:020d}.pix"):
            (self.root / name.format(0)).unlink()
        for name in ("payloads/{:020d}.pay", "payloads/{:020d}.pix"):
            (self.root / name.format(40)).unlink()
        report = self.verify()
        self.assertEqual(report["faults"], [])
        self.assertEqual((report["minimum"], report["payload_minimum"]), (40, 80))
        self.assertEqual((report["records"]["let_go"], report["payloads"]["let_go"]), (40, 10))
        (self.root / "payloads" / f"{80:020d}.pay").unlink()
        report = self.assert_fault("the payload is MISSING")
        self.assertEqual(report["payloads"]["missing"], 3)
        (self.root / "journal" / f"{40:020d}.seg").unlink()
        report = self.assert_fault("records 40 to 79 are MISSING")
        self.assertEqual(report["records"]["missing"], 40)

    def put_minimum(self, minimum: int, payload_minimum: int) -> None:
        told = {"minimum": minimum, "payload_minimum": payload_minimum, "at": 5}
        self.log.put("journal/minimum", json.dumps(told).encode() + b"\n")

    def test_a_minimum_needs_a_record(self):
        self.fill()
        self.log.retire(40, 40)
        self.log.sign()
        self.put_minimum(40, 40)
        self.assertTrue(self.verify()["passed"])
        self.put_minimum(80, 40)
        self.assert_fault("no record says was let go")
        self.put_minimum(40, 80)
        self.assert_fault("no record says was let go")
        for suffix in ("seg", "idx"):
            (self.root / "journal" / f"{0:020d}.{suffix}").unlink()
        (self.root / "journal" / "minimum").unlink()
        self.assert_fault("does not say that records before 40 were let go")

    def test_a_log_that_was_begun_late_has_empty_leaves(self):
        self.fill()
        begun_at = 40
        leaf_hash = v.leaf_hash
        entries = self.log.entries[:]
        self.log.entries[:begun_at] = [b""] * begun_at
        self.log.signed = []
        shutil.rmtree(self.root / "audit", ignore_errors=True)
        self.log.sign()
        for suffix in ("seg", "idx"):
            (self.root / "journal" / f"{0:020d}.{suffix}").unlink()
        self.put_minimum(40, 0)
        report = self.verify()
        self.assertEqual((report["faults"], report["minimum"], report["records"]["let_go"]), ([], 40, 40))
        self.assertEqual(leaf_hash(b""), v.EMPTY_LEAF)
        self.assertNotEqual(entries[0], b"")

    def test_a_record_that_was_rewritten_is_found(self):
        self.fill()
        self.log.sign()
        sequence = 50
        kind, flags, about = self.log.frames[sequence]
        self.log.entries[sequence] = self.log.entries[sequence].replace(b"served", b"SERVED")
        self.log.write_journal()
        report = self.assert_fault("not the one that was logged")
        self.assertEqual((report["records"]["changed"], report["faults"][0]["sequence"]), (1, sequence))
        self.log.write_tiles()
        self.assert_fault("the tiles do not lead to the checkpoint's root")

    def test_a_frame_says_what_its_body_says(self):
        self.fill()
        self.log.frames[5] = 1, 0, self.log.frames[5][2]
        self.log.frames[6] = 2, 1, self.log.frames[6][2]
        self.log.frames[7] = 2, 0, bytes(16)
        self.log.sign()
        report = self.assert_fault("do not fit its body")
        self.assertEqual([fault["sequence"] for fault in report["faults"]], [5, 6, 7])

    def test_a_removed_or_added_record_is_found(self):
        self.fill()
        self.log.sign()
        path = self.root / "journal" / f"{40:020d}.seg"
        data = path.read_bytes()
        found = [item for item in v.frames(data, b"PLMF") if item.kind == 2]
        begin, end = found[4].offset, found[4].offset + 32 + len(found[4].body)
        path.write_bytes(data[:begin] + data[end:])
        self.assert_fault("where")
        path.write_bytes(data[:end] + data[begin:])
        self.assert_fault("where")

    def test_broken_bytes_cost_the_records_up_to_the_next_mark_and_no_more(self):
        self.fill()
        self.log.sign()
        path = self.root / "journal" / f"{40:020d}.seg"
        data = path.read_bytes()
        records = [found for found in v.frames(data, b"PLMF") if found.kind]
        for number, lost in ((0, 3), (1, 2), (2, 1), (38, 1)):  # a mark stands before every third
            place = records[number].offset + 33
            path.write_bytes(data[:place] + b"!" + data[place + 1 :])
            report = self.assert_fault(f"records {40 + number} to {39 + number + lost} are MISSING")
            self.assertEqual(report["records"]["missing"], lost)
            self.assertIn("are in no whole frame", report["faults"][0]["what"])

    def test_checksums_that_are_wrong_in_the_same_way_do_not_cancel_each_other(self):
        self.fill()
        self.log.sign()
        path = self.root / "journal" / f"{40:020d}.seg"
        data = bytearray(path.read_bytes())
        for found in [found for found in v.frames(bytes(data), b"PLMF") if found.kind == 2][3:5]:
            data[found.offset + 8] ^= 1
        path.write_bytes(data)
        self.assertEqual(self.assert_fault("are in no whole frame")["records"]["missing"], 3)

    def test_another_payload_of_the_same_decision_is_found(self):
        self.fill()
        self.log.sign()
        self.log.put("payloads/keys/acme/2026-03.key", b"plimsoll-payload-key 1 " + b"00" * 32 + b"\n")
        report = self.assert_fault("does not open")
        self.assertEqual(report["payloads"]["intact"], 0)
        (self.root / "payloads/keys/acme/2026-03.key").unlink()
        self.assertEqual(self.verify()["payloads"]["unreadable"], 23)

    def test_a_release_has_its_manifest_and_blobs(self):
        self.fill()
        self.log.sign()
        digest = hashlib.sha256(b"rules").hexdigest()
        path = self.root / "blobs" / digest[:2] / digest[2:]
        path.unlink()
        self.assert_fault(f"blobs are MISSING: {digest}")
        self.log.blob(b"rules")
        self.log.put(f"blobs/{'ab'}/{'cd' * 31}", b"another")
        self.assert_fault("not what its name says")

    def test_a_fork_is_seen_against_an_older_checkpoint(self):
        self.fill()
        older = self.log.checkpoint(*self.log.signed[0])
        self.log.sign()
        self.assertEqual(self.verify(against=older)["consistent_with"], 43)
        fork = self.log.checkpoint_of(43, hashlib.sha256(b"another tree").digest(), Log.HOUR)
        report = self.assert_fault("no continuation", against=fork)
        self.assertIsNone(report["consistent_with"])
        cut = self.log.checkpoint_of(93, bytes(32), Log.HOUR)
        self.assert_fault("cut back", against=cut)
        self.log.put("audit/history/2026-03-14T09.checkpoint", fork)
        self.assert_fault("no continuation")
        self.log.put("audit/history/2026-03-14T09.checkpoint", self.log.checkpoint(43, Log.HOUR + 3600))
        self.assert_fault("the hour of its name")

    def test_another_key_is_not_the_logs(self):
        self.fill(5)
        self.log.sign()
        stranger = v.Key(Log.ORIGIN, ed25519_public(bytes(32)))
        report = v.verify(self.root, stranger).report()
        self.assertEqual([fault["place"] for fault in report["faults"]], ["audit/log.vkey", "audit/checkpoint"])

    @unittest.skipUnless(fcntl, "needs file locks")
    def test_what_a_running_node_is_writing_is_no_fault(self):
        self.fill(30)
        self.log.sign()
        self.log.decision(b"behind")
        self.log.write_journal()
        self.log.write_payloads()
        last = self.root / "journal" / f"{0:020d}.seg"
        last.write_bytes(last.read_bytes().rstrip(b"\0")[:-60])
        payloads = self.root / "payloads" / f"{0:020d}.pay"
        payloads.write_bytes(payloads.read_bytes() + b"PLMPxxxx")
        self.assertEqual(len(self.verify()["faults"]), 2)
        self.log.put("journal/lock", b"1\n")
        with open(self.root / "journal" / "lock", "rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assertEqual(self.verify()["faults"], [])

    def test_any_flipped_byte_is_found(self):
        self.fill()
        self.log.erase(self.log.payloads[2][1])
        self.log.sign()
        self.assertTrue(self.verify()["passed"])
        source = random.Random(5)
        files = [path for path in sorted(self.root.rglob("*")) if path.is_file()]
        for path in files:
            data = path.read_bytes()
            for _ in range(int(os.environ.get("FLIPS", "4"))):
                place = source.randrange(len(data))
                changed = bytearray(data)
                changed[place] ^= 1 << source.randrange(8)
                path.write_bytes(changed)
                with self.subTest(path.name, place=place, was=data[place], now=changed[place]):
                    self.assertFalse(self.verify()["passed"])
            path.write_bytes(data)


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls.folder.name) / "data"
        cls.log = Log(cls.root)
        for _ in range(10):
            cls.log.decision(b"a payload")
        cls.log.sign()
        cls.proof = Path(cls.folder.name) / "a.tlog-proof"
        cls.proof.write_bytes(cls.log.proof(4))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_main(self, *arguments: object) -> Tuple[int, str, str]:
        raw = io.BytesIO()
        out, err = io.TextIOWrapper(raw, write_through=True), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = v.main([str(argument) for argument in arguments])
            except SystemExit as left:
                code = left.code
        return code, raw.getvalue().decode(), err.getvalue()

    def test_a_folder_that_is_well_and_one_that_is_not(self):
        code, out, err = self.run_main("verify", self.root, "--key", self.log.key)
        self.assertEqual((code, out.splitlines()[-1], err), (0, "all is well", ""))
        code, out, err = self.run_main("verify", self.root, "--json")
        self.assertEqual((code, json.loads(out)["records"]["intact"]), (0, 10))
        self.assertIn("against its own key", err)
        path = self.root / "audit" / "checkpoint"
        good = path.read_bytes()
        path.write_bytes(good.replace(b"10", b"11"))
        self.addCleanup(path.write_bytes, good)
        code, out, _ = self.run_main("verify", self.root, "--key", self.root / "audit" / "log.vkey")
        self.assertEqual((code, out.splitlines()[-1]), (1, "faults: 1"))

    def test_a_proof_is_checked_and_its_record_printed(self):
        code, out, err = self.run_main("proof", self.proof, "--key", self.log.key)
        self.assertEqual((code, out.encode()), (0, self.log.entries[4] + b"\n"))
        self.assertIn("record 4 of plimsoll.invalid/node-1", err)
        other = Path(self.folder.name) / "other"
        for old, new in ((b"index 4", b"index 5"), (b"extra ey", b"extra ez"), (b"\n10\n", b"\n11\n")):
            other.write_bytes(self.proof.read_bytes().replace(old, new, 1))
            code, out, _ = self.run_main("proof", other, "--key", self.log.key)
            self.assertEqual((code, out), (1, ""))

    def test_usage_is_told_apart_from_faults(self):
        for arguments in ([], ["verify"], ["verify", self.root / "nowhere"], ["verify", self.root, "--key", "no key"],
                          ["verify", self.root, "--against", "nowhere"], ["proof", "nowhere", "--key", self.log.key]):
            self.assertEqual(self.run_main(*arguments)[0], 2, arguments)


# ------------------------------------------------------------------------------------- the vectors

ED25519 = [  # secret key, public key, message, signature
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]

TREE_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
TREE_ROOTS = [  # of the first 0 to 8 of these leaves
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
TREE_PATH = [  # from the first leaf of eight
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]

CRC_32C = [
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
    (bytes.fromhex("01c0000000000000000000000000000014000000000004000000001400000018280000000000000002" + "00" * 7), 0xD9963A56),
    (b"123456789", 0xE3069283),
]

XCHACHA_TEXT = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
)
XCHACHA_SEALED = (
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
    "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
)

GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

if __name__ == "__main__":
    unittest.main()
