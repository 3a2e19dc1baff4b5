#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the fuzz targets' first inputs out of the golden images, and makes those that are in none.

    make_corpus.py --check   says whether test/fuzz/corpus holds just what it should (a test)
    make_corpus.py --write   writes what is missing or different
"""
import gzip
import hashlib
import os
import struct
import sys
import tarfile
import zlib

import corpus_vault

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
# What xe is asked.
COMMANDS = {
    'list': b'vdi-list\nsr-uuid=0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0\nother-config:a=b=c\n--minimal\n'
            b'username=root\npassword=\xc3\xbc',
    'lines': b'session_id=OpaqueRef:x\r\nvm-export\r\nfilename=\r\n--compress=zstd\r\n\r\n',
}
# What XenAPI clients send and are answered.
XML_SCALARS = (b'<value>text &amp; &#x42;</value>', b'<value><string/></value>',
               b'<value><int>-12</int></value>', b'<value><i4>1</i4></value>',
               b'<value><i8>9223372036854775807</i8></value>',
               b'<value><boolean>1</boolean></value>', b'<value><double>60.1</double></value>',
               b'<value><nil/></value>', b'<value><base64> YWJj ZA== </base64></value>',
               b'<value><dateTime.iso8601>2025-03-19T04:16:24</dateTime.iso8601></value>')
XML_STRUCT = (b'<value><struct><member><name>a</name><value>\xc3\xbc</value></member>'
              b'<member><name>b</name><value><array><data/></array></value></member></struct></value>')
XML_STATUS = b'<value><struct><member><name>Status</name><value>%s</value></member>' \
             b'<member><name>%s</name>%s</member></struct></value>'
XML_PARAMS = b"<?xml version='1.0'?>\n<%s>%s<params>%s</params></%s>"


def xml_array(values):
    return b'<value><array><data>' + b' '.join(values) + b'</data></array></value>'


def ova(kind, fields):
    """An ova.xml with one object."""
    def struct_of(members):
        return b'<value><struct>' + b''.join(b'<member><name>%s</name>%s</member>' % member
                                             for member in members) + b'</struct></value>'

    def text_of(value):
        return b'<value>' + value + b'</value>'

    version = struct_of([(b'hostname', text_of(b'h')), (b'export_vsn', text_of(b'2'))])
    item = struct_of([(b'class', text_of(kind)), (b'id', text_of(b'Ref:0')),
                      (b'snapshot', struct_of(fields))])
    return struct_of([(b'version', version), (b'objects', xml_array([item]))])


def of_xmlrpc():
    """(name, bytes)"""
    def response(value):
        return XML_PARAMS % (b'methodResponse', b'', b'<param>' + value + b'</param>', b'methodResponse')

    yield 'value', xml_array(XML_SCALARS + (XML_STRUCT,))
    yield 'call', XML_PARAMS % (b'methodCall', b'<methodName>VM.get_record</methodName>', b''.join(
        b'<param>' + value + b'</param>' for value in XML_SCALARS[:2] + (XML_STRUCT,)), b'methodCall')
    yield 'success', response(XML_STATUS % (b'Success', b'Value', XML_STRUCT))
    yield 'failure', response(XML_STATUS % (b'Failure', b'ErrorDescription', xml_array(XML_SCALARS[:2])))
    yield 'bare', response(xml_array(XML_SCALARS[:1]))
    yield 'fault', b'<methodResponse><fault>' + XML_STRUCT + b'</fault></methodResponse>'
    yield 'bomb', b'<!DOCTYPE v [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><value>&b;</value>'


# What S3 answers.
# What Xen Orchestra writes beside its backups.
XO_DOCUMENTS = {
    'delta': b'{"mode":"delta","timestamp":1767232800123,"vm":{"uuid":"5f2e3f5e-9bd9-4c5a-8d3c-0d1f6b8f2a01",'
             b'"name_label":"web"},"vhds":{"r1":"./vdis/j/b/1.vhd","r2":"vdis/j/a/1.alias.vhd"},'
             b'"vdis":{"r1":{"name_label":"d","$snapshot_of$uuid":"c"}}}',
    'full': b'{"mode":"full","timestamp":1,"xva":"./a.xva",'
            b'"vm":{"uuid":"5f2e3f5e-9bd9-4c5a-8d3c-0d1f6b8f2a01"}}',
    'merge': b'{"child":{},"parent":{},"chain":["a.vhd","./b.vhd","c/../d.vhd"],"currentBlock":3}',
}
S3_ANSWERS = {
    'listing': b'<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a/b</Key><Size>7</Size>'
               b'</Contents><NextContinuationToken>a/b</NextContinuationToken></ListBucketResult>',
    'upload': b'<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>',
    'error': b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>m</Message></Error>',
    'end': b'<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>',
}

# Logs of changed blocks: two bytes that set up the target, then (parent, child, consistent, size), bitmap.
CBT_LOGS = {
    '10M': (b'\0\0', b'\1' * 16, b'\2' * 16, 1, 10 << 20, bytes(range(20))),
    'odd': (b'\7\3', bytes(16), bytes(16), 0, (9 << 16) + 1, b'\xff\xff'),
}
# Members of archives: (name, size, type, format).
TAR_MEMBERS = {
    'ustar': ('Ref:4/00000007', 1 << 20, tarfile.REGTYPE, tarfile.USTAR_FORMAT),
    'gnu': ('ova.xml', 12345, tarfile.REGTYPE, tarfile.GNU_FORMAT),
    'large': ('disk', 1 << 40, tarfile.REGTYPE, tarfile.GNU_FORMAT),
    'prefix': ('a' * 90 + '/' + 'b' * 90, 1, tarfile.REGTYPE, tarfile.USTAR_FORMAT),
    'folder': ('Ref:4', 0, tarfile.DIRTYPE, tarfile.USTAR_FORMAT),
}
# Members of an XVA: a byte that sets up the target, then lines: how much data (its last bits), name.
XVA_WALKS = {
    'whole': b'1' + b'\n'.join(b'%c%s' % line for line in (
        (b'2', b'Ref:4/00000000'), (b'5', b'Ref:4/00000000.xxhash'), (b'0', b'Ref:4/00000001'),
        (b'4', b'Ref:4/00000001.checksum'), (b'2', b'./Ref:4/00000003'), (b'5', b'./Ref:4/00000003.xxhash'),
        (b'1', b'Ref:4/00000004'), (b'5', b'Ref:4/00000004.xxhash'), (b'2', b'Ref:10/00000000'),
        (b'5', b'Ref:10/00000000.xxhash'), (b'7', b'checksum.xml'))),
    'old': b'02Ref:4/00000002\n1Ref:4/00000003\n2Ref:10/00000000\n7checksum.xml',
}
# Heads of requests; with what follows them they are what a connection says.
HEADS = {
    'get': b'GET /export_raw_vdi/?vdi=a%20b&format=vhd&session_id=x HTTP/1.1\r\nHost: h\r\n'
           b'Range: bytes=1-\r\nAuthorization: Basic cm9vdDpzZWNyZXQ=\r\n\r\n',
    'put': b'PUT http://h:80/import?chunks HTTP/1.1\r\nCookie: task_id=1; chunked=true\r\n'
           b'Content-Length: 5\r\nExpect: 100-continue\r\n\r\n',
    'old': b'POST /RPC2?early=+ HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length:3\r\n\r\n',
    'any': b'OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n',
    'chunked': b'POST /?x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n',
}
CHUNKS = b'4;a=b\r\nWiki\r\n0e\r\npedia, in chunk\r\n0\r\nTrailer: x\r\n\r\n'
# How a daemon is configured.
CONFIGS = {
    'all': b'# all there is\n[daemon]\nstate-dir = /state ; so\nlog = debug\naddress = host\n[http]\n'
           b'listen = 127.0.0.1:80 [::1]:0\ntls = off\ncertificate = c\nkey = k\nconnections = 7\n'
           b'allow-plain = yes\n[nbd]\nlisten = :10809\nunix = n.sock\ntls = required\n[sr main]\n'
           b'dir = /sr\ncreate = yes\n',
    'wrong': b'[htpp]\nlisten\n[http\nlisten = 0.0.0.0:80\ntls = off\nlisten = x\n  log = y\n[sr a/b]\n',
}
# What clients send for fields of objects: class, field, value; and a reference and a time by themselves.
VALUES = {
    'enum': b'VDI type "cbt_metadata"',
    'enums': b'vm allowed_operations ["start","export"]',
    'int': b'VDI virtual_size 9007199254740993',
    'float': b'VM HVM_shadow_multiplier 1.5e3',
    'map': b'VDI other_config {"a":"b","\xc3\xbc":""}',
    'choices': b'VM blocked_operations {"start":"why"}',
    'time': b'VDI snapshot_time "20250319T04:16:24Z"',
    'refs': b'SR VDIs ["OpaqueRef:0d54cb9e-0ba4-4c3e-9d67-5e1f2a3b4c5d","OpaqueRef:NULL"]',
    'ref-alone': b'OpaqueRef:0d54cb9e-0ba4-4c3e-9d67-5e1f2a3b4c5d',
    'time-alone': b'20000229T23:59:60Z',
}


# Which records a client wants.
WISHES = {
    'fields': b'field "is_a_template" = "false" and not (field "power_state"=\'Halted\' or true)',
    'quotes': b'"a\\"b" = field \'a\' OR FALSE and field "n" = "5"',
}
# Calls as they come over HTTP; the first byte says whether as XML.
CALLS = {
    'json-1': b'\0{"method":"pool.get_all","params":["OpaqueRef:x"],"id":"a"}',
    'json-2': b'\0{"jsonrpc":"2.0","id":0,"method":"VDI.create","params":["s",{"size":5,"a":[60.1]}]}',
    'xml': b"\1<?xml version='1.0'?><methodCall><methodName>event.from</methodName><params><param><value>s"
           b"</value></param><param><value><double>60.1</double></value></param></params></methodCall>",
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


def of_xe():
    """(name, bytes): what both sides of an xe say."""
    def line(data):
        return struct.pack('<I', len(data)) + data

    def message(group, tag, *parts):
        return line(struct.pack('<II', group, tag) + b''.join(parts))

    banner = b'XenSource thin CLI protocol' + struct.pack('<II', 0, 2)
    yield 'server', banner + message(9, 0, line(b'text\n')) + message(9, 15, line(b'')) + \
        message(9, 1, line(b'file')) + message(9, 12, line(b'file'), line(b'/export')) + message(9, 3) + \
        message(9, 13, line(b'file'), line(b'/import')) + message(9, 17, line(b'/console')) + \
        message(9, 16, line(b'oh')) + message(9, 4, struct.pack('<I', 1)) + \
        message(9, 14, line(b'CODE'), struct.pack('<I', 2), line(b'a'), line(b''))
    yield 'client', banner + message(10, 5) + message(10, 18) + message(11, 7, struct.pack('<I', 0)) + \
        message(11, 8) + message(10, 6)


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


def of_http():
    """(target, name, bytes): heads, bodies, and whole connections. The first byte sets up the last two."""
    for name, head in HEADS.items():
        yield 'http1', name, head
    yield 'http1_chunks', 'whole', b'\2' + CHUNKS
    yield 'http1_chunks', 'one', b'\0' + CHUNKS
    yield 'http_server', 'many', b'\2' + HEADS['get'] + HEADS['put'] + b'hello' + HEADS['old'] + b'abc' + \
        HEADS['chunked'] + CHUNKS + HEADS['any']
    yield 'http_server', 'chunked', b'\xff' + HEADS['chunked'] + CHUNKS + HEADS['chunked'] + CHUNKS
    yield 'http_server', 'early', b'\1' + b'PUT /?early HTTP/1.1\r\nContent-Length: 999\r\n\r\n' + CHUNKS * 4
    yield 'http_server', 'abort', b'\x40' + HEADS['chunked'] + CHUNKS + b'GET /?abort HTTP/1.1\r\n\r\n' + \
        HEADS['get']
    yield 'http_server', 'silent', b'\1' + b'GET /?silent HTTP/1.1\r\n\r\n' + HEADS['get']


def of_xva():
    """(target, name, bytes): archives of VMs, what compresses them, and dumps of a host."""
    def member(name, data):
        head = name.encode().ljust(100, b'\0') + b'0000644\0' + b'0000000\0' * 2 + \
            b'%011o\0' % len(data) + b'00000000000\0' + b' ' * 8 + b'0' + bytes(100) + \
            b'ustar\00000' + bytes(247)
        return head[:148] + b'%06o\0 ' % sum(head) + head[156:] + data + bytes(-len(data) % 512)

    def struct_of(**members):
        return '<struct>%s</struct>' % ''.join('<member><name>%s</name><value>%s</value></member>' % pair
                                               for pair in members.items())

    def entry(kind, name, **record):
        record = struct_of(**record)
        return '<value>' + struct_of(**{'class': kind, 'id': name, 'snapshot': record}) + '</value>'

    ova = '<value>' + struct_of(version=struct_of(export_vsn='2'), objects='<array><data>' + entry(
        'VM', 'Ref:0', name_label='a') + entry('VBD', 'Ref:1', VM='Ref:0', VDI='Ref:2', type='Disk') + entry(
            'VDI', 'Ref:2', virtual_size='1024') + entry(
                'VIF', 'Ref:3', VM='Ref:0', device='0', network='Ref:4') + entry(
                    'network', 'Ref:4', name_label='n') + '</data></array>') + '</value>'
    block = b'guest' + bytes(1019)
    archive = member('ova.xml', ova.encode()) + member('Ref:2/00000000', block) + \
        member('Ref:2/00000000.checksum', hashlib.sha1(block).hexdigest().encode()) + bytes(1024)
    def stored(data):
        return b'\x1f\x8b\x08' + bytes(7) + struct.pack('<BHH', 1, len(data), len(data) ^ 0xffff) + data + \
            struct.pack('<II', zlib.crc32(data), len(data))

    yield 'xva_inlet', 'plain', b'\xff\1' + archive
    yield 'xva_inlet', 'gzip', b'\xff\0' + stored(archive)
    yield 'xva_inlet', 'pieces', b'\1\1' + archive
    yield 'unpack', 'gzip', b'\x10\x20' + stored(block) * 2
    yield 'unpack', 'zstd', b'\x10\x20' + bytes.fromhex('28b52ffd200b590000') + b'guest guest'
    yield 'db_dump', 'whole', b'<?xml version="1.0"?>\n<database><manifest>' \
        b'<pair key="a" value="b"/></manifest>' \
        b'<table name="VM"><row ref="OpaqueRef:a" x="(\'a\')"/></table></database>'


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
    for target, name, data in list(of_nbd()) + list(of_http()) + list(of_xva()) + list(corpus_vault.inputs()):
        files['%s/%s' % (target, name)] = data
    for name, answer in S3_ANSWERS.items():
        files['s3_xml/' + name] = answer
    for name, document in XO_DOCUMENTS.items():
        files['xo_meta/' + name] = document
    for name, line in MESSAGES.items():
        files['jsonrpc/' + name] = line
    for name, words in COMMANDS.items():
        files['xapi_cli_ask/' + name] = words
    for name, data in of_xe():
        files['xe_cli/' + name] = data
    for name, document in of_xmlrpc():
        files['xmlrpc/' + name] = document
    for name, (setup, parent, child, consistent, size, bits) in CBT_LOGS.items():
        head = struct.pack('<16s16sI4sQ', parent, child, consistent, b'kept', size)
        files['cbt_log/' + name] = setup + head + bits
    for name, (member, size, kind, form) in TAR_MEMBERS.items():
        info = tarfile.TarInfo(member)
        info.size, info.type, info.mtime = size, kind, 1700000000
        files['tar/' + name] = info.tobuf(form)[:512]
    for name, walk in XVA_WALKS.items():
        files['xva/' + name] = walk
    fields = list(zip((b'virtual_size', b'managed', b'progress', b'uuid', b'snapshot_time'),
                      XML_SCALARS[3:4] + XML_SCALARS[5:7] + XML_SCALARS[:1] + XML_SCALARS[9:]))
    files['xva_ova/vdi'] = ova(b'VDI', fields)
    files['xva_ova/other'] = ova(b'VTPM', fields)
    for name, text_of in CONFIGS.items():
        files['config/' + name] = text_of
    for name, line in VALUES.items():
        files['xapi_class/' + name] = line
    for name, wish in WISHES.items():
        files['xapi_where/' + name] = wish
    for name, call in CALLS.items():
        files['xapi_request/' + name] = call
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
