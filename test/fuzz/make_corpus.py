#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the fuzz targets' first inputs out of the golden images.

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
