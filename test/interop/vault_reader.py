#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of vaults, after docs/format/vault.md and nothing else: shares no code with the first.

    vault_reader.py DIR                                  the points, one a line: name, time, what of
    vault_reader.py DIR POINT OUT [--disk N]             a disk of one, raw, into the file OUT
    … --key-file KEY                                     of an encrypted vault

Reads a directory; knows key files alone; everything is checked that the page says how to check, but the tags
of a plain vault, which tell no more than the ids do. Looks at packs, not at indexes: these may be missing.
Wants python3-cryptography and python3-zstandard.
"""
import argparse
import hashlib
import hmac
import json
import os
import struct
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
import zstandard

CONFIG, KEY_SLOT, MANIFEST, SEAL = 1, 2, 4, 5
SEALED, SIGNED = 1, 2
CHUNK, NODE, AS_IS = 1, 2, 0
PIECE, TAG, IDS = 1 << 20, 16, 256
NULL = bytes(32)


class Damaged(Exception):
    pass


def must(claim, what):
    if not claim:
        raise Damaged(what)


def hkdf(key, salt, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(key)


def read_file(*path):
    with open(os.path.join(*path), 'rb') as f:
        return f.read()


def nonce(number, last=False):
    value = bytearray(number.to_bytes(12, 'big'))
    value[0] |= 0x80 * last
    return bytes(value)


class Envelope:
    """An object but packs; its body still sealed where it is."""

    def __init__(self, data, kind, name=None):
        must(len(data) >= 96 and data[:5] == b'CVLT\1', 'no object of version 1')
        must(hashlib.sha256(data[:-32]).digest() == data[-32:], 'the sum does not fit')
        self.kind, self.flags, self.epoch, self.name, n, self.salt = struct.unpack(
            '>xxxxxBBB16sQ32s', data[:64])
        must(self.kind == kind and self.flags < 4, 'another kind, or unknown flags')
        must(name is None or name == self.name, 'its name is another')
        must(self.flags & SEALED or (self.salt == NULL and self.epoch == 0), 'salt or epoch without seal')
        must(len(data) == 64 + n + 32 + (96 if self.flags & SIGNED else 0), 'its length')
        self.head, self.body, self.signer = data[:64], data[64:64 + n], None
        if self.flags & SIGNED:
            self.signer = data[64 + n:96 + n]
            key = Ed25519PublicKey.from_public_bytes(self.signer)
            key.verify(data[96 + n:160 + n], data[:96 + n])

    def opened(self, seal_masters):
        if not self.flags & SEALED:
            return self.body
        must(self.epoch < len(seal_masters), 'it is of an epoch whose master this key has not')
        cipher = AESGCM(hkdf(seal_masters[self.epoch], self.salt,
                             b'catena vault object' + bytes([self.kind]) + self.name))
        pieces = [self.body[at:at + PIECE + TAG] for at in range(0, len(self.body), PIECE + TAG)]
        bound = self.head[:24] + bytes(8)
        return b''.join(cipher.decrypt(nonce(number, number == len(pieces) - 1), piece, bound)
                        for number, piece in enumerate(pieces))


class Vault:
    def __init__(self, folder, key_file):
        self.folder = folder
        envelope = Envelope(read_file(folder, 'config'), CONFIG)
        self.id = envelope.name
        self.config = json.loads(envelope.body)
        must(self.config['format'] == 1 and not self.config['incompatible'], 'a format we do not know')
        self.encrypted = self.config['encryption'] != 'none'
        must(self.encrypted == (key_file is not None), 'a key for a plain vault, or none for another')
        self.seal_masters, self.id_key, self.writers = [], None, set()
        if self.encrypted:
            self.take_keys(envelope, read_file(key_file))
        self.packs, self.blobs = {}, {}
        for path, _, names in os.walk(os.path.join(folder, 'packs')):
            for name in names:
                if len(name) == 32:  # else not of a vault
                    self.take_pack(os.path.join(path, name), name)

    # ---- keys ----

    def take_keys(self, envelope, key):
        must(len(key) == 32, 'no key file')
        slots = [Envelope(read_file(self.folder, 'keys', name), KEY_SLOT, bytes.fromhex(name))
                 for name in os.listdir(os.path.join(self.folder, 'keys'))]
        payloads = [payload for payload in (self.unwrap(slot, key) for slot in slots) if payload]
        must(payloads, 'no slot opens by this key')
        admin, masters = max(payloads, key=lambda payload: len(payload[1]))
        must(envelope.signer == admin and admin.hex() == self.config['admin'], 'a configuration by another')
        for slot in slots:
            must(slot.signer == admin, 'a slot that is not signed by the admin')
            # A retired one, too: whether an admin has seen what it signed in time, we cannot tell.
            self.writers.add(bytes.fromhex(json.loads(slot.body).get('public') or ''))
        self.seal_masters = [hkdf(master, self.id, b'catena vault seal' + struct.pack('>I', epoch))
                             for epoch, master in enumerate(masters)]
        self.id_key = hkdf(masters[0], self.id, b'catena vault id')
        self.check_mac(hkdf(masters[0], self.id, b'catena vault config'))

    def unwrap(self, slot, key):
        """The admin's public key and the masters, or None: it is not for this key."""
        body = json.loads(slot.body)
        if body['kind'] != 'key-file':
            return None
        salt = bytes.fromhex(body['salt'])
        wrapping = hkdf(key, salt, b'catena vault slot' + self.id)
        try:
            own = AESGCM(wrapping).decrypt(bytes(12), bytes.fromhex(body['for_holder']), b'')
        except InvalidTag:
            return None
        inner = hkdf(own, salt, b'catena vault payload' + self.id + slot.name)
        payload = AESGCM(inner).decrypt(bytes(12), bytes.fromhex(body['wrapped']), slot.name)
        n, = struct.unpack('>H', payload[:2])
        return payload[4:36], [payload[36 + 32 * i:68 + 32 * i] for i in range(n)]

    def check_mac(self, key):
        rest = {name: value for name, value in self.config.items() if name != 'mac'}
        text = json.dumps(rest, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()
        mac = hmac.new(key, text, hashlib.sha256).hexdigest()
        must(hmac.compare_digest(mac, self.config['mac']), 'the configuration is not by a holder of the keys')

    # ---- packs ----

    def take_pack(self, path, name):
        with open(path, 'rb') as f:
            head, length = f.read(72), os.fstat(f.fileno()).st_size
            f.seek(length - 64)
            end = f.read()
            magic, n, at, zero, total = struct.unpack('>4sIQQQ', end[:32])
            must(magic == b'CVPE' and zero == 0 and total == length, 'pack %s has no end' % name)
            must(at + 48 * n + 16 + 64 == length, 'pack %s: its trailer' % name)
            f.seek(at)
            trailer = f.read(48 * n + 16)
        must(hashlib.sha256(head + trailer + end[:32]).digest() == end[32:], 'pack %s: its sum' % name)
        magic, version, flags, epoch, inner, session, salt = struct.unpack('>4sBBH16s16s32s', head)
        must(magic == b'CVPK' and version == 1 and inner.hex() == name, 'pack %s: its head' % name)
        must(flags == self.encrypted, 'pack %s is sealed, the vault is not, or the other way' % name)
        cipher = None
        if self.encrypted:
            must(epoch < len(self.seal_masters), 'pack %s: of an unknown epoch' % name)
            cipher = AESGCM(hkdf(self.seal_masters[epoch], salt, b'catena vault pack' + inner + session))
        entries = self.open_blob(cipher, n, trailer, inner)
        place = 72
        for number in range(n):
            entry = entries[48 * number:48 * number + 48]
            stored, = struct.unpack('>I', entry[4:8])
            self.blobs[entry[16:]] = (path, cipher, number, place, stored, entry, inner)
            place += stored
        must(place == at, 'pack %s: its blobs do not end where the trailer begins' % name)

    @staticmethod
    def open_blob(cipher, number, data, bound):
        return cipher.decrypt(nonce(number), data, bound) if cipher else data[:-TAG]

    def content(self, ident, kind, level):
        must(ident in self.blobs, 'blob %s is in no pack' % ident.hex())
        path, cipher, number, place, stored, entry, name = self.blobs[ident]
        with open(path, 'rb') as f:
            f.seek(place)
            data = f.read(stored)
        data = self.open_blob(cipher, number, data, entry[:4] + bytes(4) + entry[8:] + name)
        length, = struct.unpack('>I', entry[8:12])
        if entry[2] != AS_IS:
            data = zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
        must((entry[0], entry[1], len(data)) == (kind, level, length), 'blob %s is another' % ident.hex())
        what = bytes([CHUNK]) if kind == CHUNK else bytes([NODE, level])
        must(self.id_of(what + data) == ident, 'blob %s is damaged' % ident.hex())
        return data

    def id_of(self, data):
        if self.encrypted:
            return hmac.new(self.id_key, data, hashlib.sha256).digest()
        return hashlib.sha256(data).digest()

    # ---- points ----

    def points(self):
        """{name: manifest} of those that are sealed."""
        found = {}
        names = os.listdir(os.path.join(self.folder, 'points'))
        for name in sorted(names):
            if name + '.ok' in names:
                found[name] = self.manifest(name)
        return found

    def manifest(self, name):
        data = read_file(self.folder, 'points', name)
        envelope = Envelope(data, MANIFEST, bytes.fromhex(name))
        seal = Envelope(read_file(self.folder, 'points', name + '.ok'), SEAL, bytes.fromhex(name))
        manifest = json.loads(envelope.opened(self.seal_masters))
        sum_of = json.loads(seal.opened(self.seal_masters))['manifest']
        must(sum_of == hashlib.sha256(data).hexdigest(), 'point %s: the seal is of another' % name)
        if self.encrypted:
            must(envelope.flags & seal.flags & SEALED, 'point %s lies open' % name)
            must(envelope.signer in self.writers and envelope.signer == seal.signer and
                 envelope.signer.hex() == manifest['writer'], 'point %s: not by a writer' % name)
        return manifest

    def restore(self, disk, out):
        size, chunk, height = disk['size'], disk['chunk'], disk['height']
        root = bytes.fromhex(disk['root'])
        count = -(-size // chunk)
        must(IDS ** height >= count and (height == 0 or IDS ** (height - 1) < count), 'height of the disk')
        ident = self.id_of(bytes([3]) + struct.pack('>QI', size, chunk) + root)
        must(ident.hex() == disk['id'], 'the id of the disk')
        with open(out, 'wb') as f:
            f.truncate(size)
            self.write(f, root, height, 0, disk)

    def write(self, f, ident, level, first, disk):
        """What the node of this level stands for, from chunk `first` on."""
        size, chunk = disk['size'], disk['chunk']
        if ident == NULL:
            return
        must(first * chunk < size, 'something behind the end of the disk')
        if level == 0:
            f.seek(first * chunk)
            f.write(self.content(ident, CHUNK, 0)[:size - first * chunk])
            return
        node = self.content(ident, NODE, level)
        for i in range(IDS):
            self.write(f, node[32 * i:32 * i + 32], level - 1, first + i * IDS ** (level - 1), disk)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('vault')
    parser.add_argument('point', nargs='?')
    parser.add_argument('out', nargs='?')
    parser.add_argument('--disk', type=int, default=0)
    parser.add_argument('--key-file')
    args = parser.parse_args()
    try:
        vault = Vault(args.vault, args.key_file)
        if args.point:
            vault.restore(vault.manifest(args.point)['disks'][args.disk], args.out)
            return
        for name, manifest in vault.points().items():
            print(name, manifest['time'], manifest['name'])
    except (Damaged, InvalidSignature, InvalidTag) as error:
        sys.exit('vault_reader.py: %s' % (error or type(error).__name__))


if __name__ == '__main__':
    main()
