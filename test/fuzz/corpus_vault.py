# SPDX-License-Identifier: Apache-2.0
"""First inputs for the decoders of a vault, after docs/format/vault.md."""
import hashlib
import json
import struct

NAME, SESSION, SALT = bytes(range(16)), bytes(range(16, 32)), bytes(range(64, 96))


def summed(data):
    return data + hashlib.sha256(data).digest()


def vault_object(kind, flags, body):
    head = b'CVLT' + struct.pack('>BBBB16sQ', 1, kind, flags, 0, NAME, len(body))
    salt, sign = SALT if flags & 1 else bytes(32), bytes(96) if flags & 2 else b''
    return summed(head + salt + body + sign)


def entry(kind, level, codec, stored, length, ident):
    return struct.pack('>BBBBIII', kind, level, codec, 0, stored, length, 0) + ident * 32


def pack(sealed, blobs):
    """Blobs as (entry without its length here, bytes)."""
    head = b'CVPK' + struct.pack('>BBH16s16s', 1, sealed, 3 * sealed, NAME, SESSION) + \
        (SALT if sealed else bytes(32))
    data = head + b''.join(stored for _, stored in blobs)
    trailer = b''.join(entry(*kind[:3], len(stored), *kind[3:]) for kind, stored in blobs) + bytes(16)
    end = b'CVPE' + struct.pack('>IQQQ', len(blobs), len(data), 0, len(data) + len(trailer) + 64)
    return data + trailer + end + hashlib.sha256(head + trailer + end).digest()


def index(fan_bits, replaced, packs, entries):
    """Packs as (name, blobs, length), entries as (id, pack, number, place)."""
    head = b'CVINDEX1' + struct.pack('>IIQB7x', len(packs), len(replaced), len(entries), fan_bits)
    rows = b''.join(name * 16 + SESSION + SALT + struct.pack('>QHHI', length, 0, 0, blobs)
                    for name, blobs, length in packs)
    firsts = [int.from_bytes(ident * 4, 'big') >> (32 - fan_bits) for ident, _, _, _ in entries]
    fan = b''.join(struct.pack('>Q', sum(first <= value for first in firsts))
                   for value in range(1 << fan_bits))
    return head + b''.join(name * 16 for name in replaced) + rows + fan + b''.join(
        ident * 32 + struct.pack('>IIQIIBBB5x', row, number, place, 20, 65536, 1, 0, 1)
        for ident, row, number, place in entries)


def docs():
    """(name, bytes): the first byte says which decoder."""
    name, key, when = NAME.hex(), SALT.hex(), '2024-11-21T03:20:42Z'
    disk = {'name': 'sda', 'size': 1 << 26, 'chunk': 1 << 18, 'height': 1, 'root': key, 'id': key,
            'source': {'sr': [None]}, 'written': 5}
    config = {'format': 1, 'created': when, 'chunk': 1 << 18, 'pack': 1 << 25,
              'compression': {'method': 'zstd', 'level': 1}, 'encryption': 'aes-256-gcm', 'admin': key,
              'append_only': False, 'list_lag_seconds': 0, 'incompatible': [], 'compatible': ['x'],
              'autoclear': [], 'mac': key}
    slot = {'kind': 'passphrase', 'role': 'writer', 'label': 'l', 'created': when, 'salt': key,
            'argon2id': {'memory': 65536, 'passes': 3, 'lanes': 1}, 'public': key,
            'for_holder': key + name, 'for_admin': key + name, 'wrapped': key}
    manifest = {'name': 'web', 'time': when, 'session': name, 'parent': name, 'writer': key, 'sequence': 2,
                'previous': key, 'vm': {'a': [{}]}, 'disks': [disk]}
    plain = dict(manifest, parent=None, writer=None, sequence=0, previous=None, vm=None, disks=[])
    bodies = {'config': (0, config), 'config-plain': (0, dict(config, encryption='none')), 'slot': (1, slot),
              'retired': (1, {'kind': 'retired', 'role': 'writer', 'label': 'l', 'created': when,
                              'public': key}),
              'manifest': (3, manifest), 'manifest-plain': (3, plain),
              'session': (4, {'kind': 'read', 'began': when, 'points': [name]}),
              'doom': (5, {'packs': [name], 'instead_of': [name]}),
              'drop': (6, {'points': [name], 'why': 'w'}), 'seal': (7, {'manifest': key}),
              'mac': (8, config),
              'taint': (9, {'packs': {name: [0, 7], name[::-1]: None}, 'points': [name],
                            'instead_of': [name]})}
    for title, (which, body) in bodies.items():
        yield title, bytes([which]) + json.dumps(body, sort_keys=True, separators=(',', ':')).encode()
    yield 'payload', bytes([2, 0, 2, 3, 0]) + SALT * 5


def inputs():
    """(target, name, bytes)"""
    for name, data in docs():
        yield 'vault_docs', name, data
    packs = [(b'a', 2, 400), (b'b', 100, 8000)]
    yield 'index_file', 'small', index(0, [], packs, [(b'\1', 0, 1, 92), (b'\1', 1, 0, 72)])
    yield 'vault_index', 'small', index(0, [b'x', b'y'], packs, [(b'\1', 0, 1, 92), (b'\1', 1, 0, 72)])
    many = [(bytes([3 * i + 1]), 1, i, 72 + 20 * i) for i in range(70)]
    yield 'index_file', 'fan', index(1, [], packs, many)
    yield 'vault_index', 'fan', index(1, [], packs, many)
    yield 'vault_object', 'plain', vault_object(6, 0, b'{"kind":"write"}')
    yield 'vault_object', 'sealed', vault_object(4, 3, bytes(40))
    yield 'vault_object', 'signed', vault_object(1, 2, b'{}')
    rows = b''.join(struct.pack('>16sQQ', bytes([i]) * 16, 200 + i, 100 * (i & 1)) for i in range(5))
    record = b'CVREADS1' + struct.pack('>16sQQ', NAME, 77, 5) + rows
    yield 'read_record', 'rows', summed(record)
    yield 'read_record', 'without-sum', record
    blobs = [((1, 0, 1, 65536, b'\1'), bytes(50)), ((2, 1, 1, 8192, b'\2'), bytes(30))]
    yield 'vault_pack', 'sealed', pack(1, blobs)
    yield 'vault_pack', 'plain', pack(0, blobs * 2)
