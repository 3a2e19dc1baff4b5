#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the fuzz targets' first inputs out of the golden images, and makes those that are in none.

    make_corpus.py --check   says whether test/fuzz/corpus holds just what it should (a test)
    make_corpus.py --write   writes what is missing or different
"""
import gzip
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, '..', 'golden')
CODES = {b'MacX': 0, b'W2ku': 1, b'W2ru': 2}
PATHS = {
    'absolute': (0, b'file:///sr/a%20b/%C3%BC.vhd'),
    'host': (0, b'file://localhost/b.vhd'),
    'plain': (0, b'../dir/b.vhd'),
    'drive': (1, 'C:\\sr\\b.vhd'.encode('utf-16-le')),
    'planes': (2, '.\\\u00fc\u6f22\U0001f4be.vhd'.encode('utf-16-le')),
    'up': (2, '..\\x\\b.vhd'.encode('utf-16-le')),
}
# What goes over the owner's socket, one of each.
MESSAGES = {
    'call': b'{"jsonrpc":"2.0","id":1,"method":"vdi.snapshot","params":{"params":{"sr":"/sr","vdi":"a"},'
            b'"state_dir":null,"input":true}}',
    'notification': b'{"jsonrpc":"2.0","method":"progress","params":{"doing":"export","done":4096,'
                    b'"total":1.5e3}}',
    'result': b'{"jsonrpc":"2.0","id":1,"result":{"outcome":0,"result":{"tags":["\\u00fc",null,[{}]]}}}',
    'error': b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"\xc3\xbc","data":{"code":"busy"}}}',
}
# The note of a coalesce: nodes as (uuid, size, raw, path).
INTENTS = {
    'two': [(b'\1' * 16, 1 << 30, 0, b'/d/base.vhd'), (b'\2' * 16, 1 << 31, 0, b'/d/child.vhd')],
    'over-raw': [(bytes(16), 512, 1, b'/d/base.raw'), (b'\3' * 16, 512, 0, b'/e/\xc3\xbc.vhd'),
                 (b'\4' * 16, 512, 0, b'/e/top.vhd')],
}


def intent(nodes):
    body = b''.join(uuid + struct.pack('>QII', size, raw, len(path)) + path
                    for uuid, size, raw, path in nodes)
    head = struct.pack('>8sIIQQQIIQ', b'catcoal', 1, 56 + len(body), 0, 0, 0, 0, len(nodes), 1700000000)
    checksum = ~sum(head + body) & 0xffffffff
    return head[:40] + struct.pack('>I', checksum) + head[44:] + body


def option(code, data=b''):
    return b'IHAVEOPT' + struct.pack('>II', code, len(data)) + data


def reply(code, kind, data=b''):
    return struct.pack('>QIII', 0x3e889045565a9, code, kind, len(data)) + data


def text(data):
    return struct.pack('>I', len(data)) + data


def request(kind, flags, at, n, data=b''):
    return struct.pack('>IHH8sQI', 0x25609513, flags, kind, b'a cookie', at, n) + data


def chunk(kind, data=b'', flags=0):
    return struct.pack('>IHH8sI', 0x668e33ef, flags, kind, b'a cookie', len(data)) + data


def simple(error):
    return struct.pack('>II8s', 0x67446698, error, b'a cookie')


def of_nbd():
    """(target, name, bytes): what both sides of NBD say. The first byte sets up the target."""
    changed = text(b'catena:changed:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0')
    flags, go = struct.pack('>I', 3), option(7, text(b'disk') + struct.pack('>HHH', 2, 3, 1))
    queries = text(b'disk') + struct.pack('>I', 2) + text(b'base:allocation') + changed
    requests = [request(0, 4, 0, 4096), request(1, 1, 512, 5, b'guest'), request(3, 0, 0, 0),
                request(4, 0, 0, 1 << 20), request(6, 18, 0, 1 << 20), request(5, 0, 0, 4096),
                request(7, 8, 0, 1 << 30), request(9, 9, 9, 9)]
    yield 'nbd_wire', 'go', b'\0' + flags + option(8) + option(9, text(b'') + bytes(4)) + \
        option(10, queries) + option(6, text(b'other') + bytes(2)) + go + b''.join(requests) + \
        request(2, 0, 0, 0)
    yield 'nbd_wire', 'export-name', b'\1' + bytes(3) + b'\1' + option(1, b'/disk?session_id=x') + requests[0]
    yield 'nbd_wire', 'leave', b'\4' + flags + option(3) + option(99, b'unknown') + option(3, b'x') + \
        option(2)
    yield 'nbd_wire', 'tls', b'\2' + flags + option(3) + option(5) + option(5) + go + requests[1]
    yield 'nbd_wire', 'requests', b'\x83' + b''.join(requests)
    info = [struct.pack('>HQH', 0, 1 << 30, 0x5ed), struct.pack('>HIII', 3, 1, 4096, 32 << 20), b'\0\1disk']
    greeting = b'NBDMAGICIHAVEOPT\0\3'
    yield 'nbd_wire_client', 'go', b'\0' + greeting + reply(8, 1) + reply(3, 2, text(b'disk') + b'a disk') + \
        reply(10, 4, b'\0\0\0\1base:allocation') + reply(10, 1) + reply(5, 0x80000002, b'no TLS') + \
        b''.join(reply(7, 3, data) for data in info) + reply(7, 1)
    at = struct.pack('>Q', 512)
    yield 'nbd_wire_client', 'chunks', b'\3' + chunk(1, at + b'data') + chunk(2, at + b'\0\0\2\0') + \
        chunk(5, struct.pack('>IIIII', 1, 512, 3, 512, 0), 1) + \
        chunk(0x8001, struct.pack('>IH', 5, 3) + b'bad', 1) + \
        chunk(0x8002, struct.pack('>IH', 5, 0) + at) + chunk(0, b'', 1)
    yield 'nbd_wire_client', 'simple', b'\3' + simple(0) + simple(22)
    yield 'nbd_wire_client', 'export', b'\2' + at + b'\0\3' + bytes(124) + simple(0)
    yield 'nbd_wire_client', 'export-short', b'\x82' + at + b'\0\3' + simple(0)


def cut(image):
    """(target, part, bytes) of one image."""
    footer = image[-512:]
    yield 'vhd_footer', '', footer
    if footer[60:64] == b'\0\0\0\2':
        yield 'vhd_footer', '-511', footer[:511]
        return
    header = image[512:1536]
    yield 'vhd_header', '', header
    for i in range(576, 768, 24):
        code, _, length, _, offset = struct.unpack('>4sIIIQ', header[i:i + 24])
        if code in CODES:
            yield 'vhd_locator', '-' + code.decode(), bytes([CODES[code], 0]) + image[offset:offset + length]
    table, entries = struct.unpack('>Q4xI', header[16:32])
    bat = image[table:table + min(4 * entries, 256)]
    yield 'vhd_bat', '', struct.pack('>QII', len(image) - 512, table // 512, entries) + bat
    first = min([8192] + [512 * e for e in struct.unpack('>%dI' % (len(bat) // 4), bat) if e != 0xffffffff])
    yield 'stream_sink', '', struct.pack('>BxHI', 1, 499, len(image) // 512 - 1) + image[:first]
    batmap = table + (4 * entries + 511) // 512 * 512
    if image[batmap:batmap + 8] == b'tdbatmap':
        yield 'vhd_batmap', '', image[batmap:batmap + 1024]


def wanted():
    """{path below corpus: bytes}, equal inputs once."""
    files, seen = {}, set()
    for name in sorted(os.listdir(GOLDEN)):
        if name.endswith('.vhd.gz'):
            with gzip.open(os.path.join(GOLDEN, name)) as f:
                image = f.read()
            for target, part, data in cut(image):
                if (target, data) not in seen:
                    files['%s/%s%s' % (target, name[:-len('.vhd.gz')], part)] = data
                seen.add((target, data))
    for name, (code, payload) in PATHS.items():
        files['vhd_locator/' + name] = bytes([code, 0]) + payload
    for target, name, data in of_nbd():
        files['%s/%s' % (target, name)] = data
    for name, line in MESSAGES.items():
        files['jsonrpc/' + name] = line
    for name, nodes in INTENTS.items():
        files['vhd_intent/' + name] = intent(nodes)
    return files


def main():
    write = sys.argv[1:] == ['--write']
    if not write and sys.argv[1:] != ['--check']:
        sys.exit(__doc__)
    bad = 0
    files = wanted()
    for path, data in sorted(files.items()):
        full = os.path.join(HERE, 'corpus', path)
        old = None
        if os.path.exists(full):
            with open(full, 'rb') as f:
                old = f.read()
        if old == data:
            continue
        bad += 1
        print('%s %s' % ('wrote' if write else 'missing or different:', path))
        if write:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'wb') as f:
                f.write(data)
    print('%d inputs' % len(files))
    return 1 if bad and not write else 0


if __name__ == '__main__':
    sys.exit(main())
