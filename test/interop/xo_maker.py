#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a remote as Xen Orchestra does, by nothing of ours: VMs with disks, full backups and deltas, VHD
files or directories, compressed and encrypted or not.  Used as a module, and as a program that prints what
each point's disks hold:

    xo_maker.py DIR --form file|dir [--filter brotli|gzip] [--cipher chacha20-poly1305|aes-256-gcm] [--key K]
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import random
import struct
import tarfile
import uuid
import xmlrpc.client

BLOCK = 2 << 20
XVA_BLOCK = 1 << 20
VM = '5f2e3f5e-9bd9-4c5a-8d3c-0d1f6b8f2a01'
JOB = 'a3f5b1de-5a11-4b6f-9d8e-1b2c3d4e5f60'
TIMES = ['20260101T020000Z', '20260102T020000Z', '20260103T020000Z']


def checksum(data):
    return ~sum(data) & 0xffffffff


def footer(size, own, is_delta):
    data = bytearray(512)
    struct.pack_into('>8sIIQI4sII', data, 0, b'conectix', 2, 0x10000, 512, 0, b'xo  ', 1, 0x5769326b)
    cylinders = min(size // 512 // (16 * 63), 65535)
    struct.pack_into('>QQHBBI', data, 40, size, size, cylinders, 16, 63, 4 if is_delta else 3)
    data[68:84] = own.bytes
    struct.pack_into('>I', data, 64, checksum(data))
    return bytes(data)


def header(blocks, parent, name):
    data = bytearray(1024)
    struct.pack_into('>8sQQIII', data, 0, b'cxsparse', 0xffffffffffffffff, 1536, 0x10000, blocks, BLOCK)
    if parent:
        data[40:56] = parent.bytes
        text = name.encode('utf-16-be')
        data[64:64 + len(text)] = text
    struct.pack_into('>I', data, 36, checksum(data))
    return bytes(data)


class Remote:
    def __init__(self, top, form='file', packing=None, cipher=None, key=None):
        self.top, self.form, self.packing, self.cipher, self.key = top, form, packing, cipher, key
        os.makedirs(os.path.join(top, 'xo-vm-backups'))
        if cipher:
            self.write('encryption.json', json.dumps({'algorithm': cipher}).encode(), is_clear=True)
            self.write('metadata.json', json.dumps({'random': 'x' * 40}).encode())

    def path(self, *parts):
        return os.path.join(self.top, *parts)

    def encrypted(self, data):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
        kind = AESGCM if self.cipher == 'aes-256-gcm' else ChaCha20Poly1305
        nonce = os.urandom(12)
        return nonce + kind(self.key.encode()).encrypt(nonce, data, None)

    def packed(self, data):
        if self.packing == 'gzip':
            return gzip.compress(data, 1)
        if self.packing == 'brotli':
            import brotli
            return brotli.compress(data, quality=1)
        return data

    def write(self, name, data, is_clear=False):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(data if is_clear or not self.cipher else self.encrypted(data))

    # ---- disks ----

    def name(self, when):
        return when + ('.vhd' if self.form == 'file' else '.alias.vhd')

    def disk(self, folder, when, size, own, blocks, parent=None, parent_when=None):
        """blocks: what it holds itself, by number, each of 2 MiB."""
        parts = (footer(size, own, parent is not None),
                 header(-(-size // BLOCK), parent, self.name(parent_when) if parent else ''))
        if self.form == 'file':
            self.vhd_file(folder + '/' + self.name(when), size, blocks, *parts)
        else:
            self.write(folder + '/' + self.name(when), ('data/%s.vhd' % when).encode())
            self.vhd_dir(folder + '/data/%s.vhd' % when, size, blocks, *parts)

    def vhd_file(self, name, size, blocks, tail, head):
        count = -(-size // BLOCK)
        table = bytearray(b'\xff' * (-(-4 * count // 512) * 512))
        body, at = b'', 1536 + len(table)
        for number in blocks:
            struct.pack_into('>I', table, 4 * number, at // 512)
            body += b'\xff' * 512 + blocks[number]
            at += 512 + BLOCK
        self.write(name, tail + head + bytes(table) + body + tail)

    def vhd_dir(self, name, size, blocks, tail, head):
        count = -(-size // BLOCK)
        bits = bytearray(count)
        for number, data in blocks.items():
            bits[number // 8] |= 0x80 >> number % 8
            self.write('%s/blocks/%d/%d' % (name, number // 1000, number % 1000),
                       self.packed(b'\xff' * 512 + data))
        for part, data in (('footer', tail), ('header', head), ('bat', bytes(bits))):
            self.write(name + '/' + part, self.packed(data))
        if self.packing:
            self.write(name + '/chunk-filters.json', json.dumps([self.packing]).encode())

    # ---- points ----

    def metadata(self, when, vm, disks, **more):
        """disks: {vdi uuid: path from the VM's folder}"""
        day = int(when[6:8])
        refs = {'OpaqueRef:%s-%s' % (vdi, when): vdi for vdi in disks}
        said = {'version': '2.0.0', 'mode': 'delta', 'jobId': JOB, 'scheduleId': JOB,
                'timestamp': (1767232800 + (day - 1) * 86400) * 1000,
                'vdis': {ref: {'uuid': str(uuid.uuid4()), '$snapshot_of$uuid': vdi, 'name_label': 'root'}
                         for ref, vdi in refs.items()},
                'vhds': {ref: disks[vdi] for ref, vdi in refs.items()},
                'vbds': {}, 'vifs': {'OpaqueRef:vif': {'MAC': '02:00:00:00:00:01'}},
                'vtpms': [], 'isVhdDifferencing': {},
                'vm': {'uuid': vm, 'name_label': 'web', 'is_a_template': False, 'other_config': {}},
                'vmSnapshot': {}}
        said.update(more)
        self.write('xo-vm-backups/%s/%s.json' % (vm, when), json.dumps(said).encode())


def xva(disks, has_sums):
    """disks: {uuid: content}"""
    null = 'OpaqueRef:NULL'
    objects = [{'class': 'VM', 'id': 'Ref:0', 'snapshot': {'uuid': VM, 'suspend_VDI': null}},
               {'class': 'VBD', 'id': 'Ref:1', 'snapshot': {'VM': 'Ref:0', 'VDI': null, 'type': 'CD'}}]
    members = []
    for i, (own, content) in enumerate(disks.items()):
        ref = 'Ref:%d' % (2 * i + 3)
        objects += [{'class': 'VBD', 'id': 'Ref:%d' % (2 * i + 2),
                     'snapshot': {'VM': 'Ref:0', 'VDI': ref, 'type': 'Disk'}},
                    {'class': 'VDI', 'id': ref,
                     'snapshot': {'uuid': own, 'virtual_size': str(len(content)), 'name_label': 'root'}}]
        blocks = -(-len(content) // XVA_BLOCK)
        for number in range(blocks):
            block = content[number * XVA_BLOCK:(number + 1) * XVA_BLOCK]
            if number in (0, blocks - 1) or any(block):
                members += [('%s/%08d' % (ref, number), block)]
                if has_sums:
                    members += [('%s/%08d.checksum' % (ref, number),
                                 hashlib.sha1(block).hexdigest().encode())]
    version = {'hostname': 'h', 'export_vsn': 2 if has_sums else 0}
    ova = xmlrpc.client.dumps(({'version': version, 'objects': objects},))
    ova = ova[ova.index('<value>'):ova.rindex('</value>') + len('</value>')]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as tar:
        for name, data in [('ova.xml', ova.encode())] + members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


class Vm:
    """One VM with disks that change from day to day, backed up each day; of what was held when."""

    def __init__(self, remote, vm=VM, disks=1, size=5 * BLOCK + (1 << 20), seed=1):
        self.remote, self.vm, self.size, self.dice = remote, vm, size, random.Random(seed)
        self.vdis = [str(uuid.UUID(int=self.dice.getrandbits(128), version=4)) for _ in range(disks)]
        self.now = {vdi: {} for vdi in self.vdis}
        self.last = dict.fromkeys(self.vdis)
        self.held = {}

    def folder(self, vdi):
        return 'xo-vm-backups/%s/vdis/%s/%s' % (self.vm, JOB, vdi)

    def block(self):
        piece = bytes(self.dice.getrandbits(8) for _ in range(256))
        return piece * (BLOCK // 256)

    def change(self, vdi, count):
        changed = {}
        for number in self.dice.sample(range(-(-self.size // BLOCK)), count):
            changed[number] = self.block()
            if number == self.size // BLOCK:  # the last one reaches past the disk's end, as zeros
                changed[number] = changed[number][:self.size % BLOCK].ljust(BLOCK, b'\0')
        self.now[vdi].update(changed)
        return changed

    def back_up(self, when, count=2, is_full=False, **more):
        paths = {}
        for vdi in self.vdis:
            changed, own = self.change(vdi, count), uuid.UUID(int=self.dice.getrandbits(128), version=4)
            before = None if is_full else self.last[vdi]
            self.remote.disk(self.folder(vdi), when, self.size, own,
                             changed if before else dict(self.now[vdi]), *(before or ()))
            self.last[vdi] = (own, when)
            paths[vdi] = 'vdis/%s/%s/%s' % (JOB, vdi, self.remote.name(when))
        self.held[when] = {vdi: self.content(vdi) for vdi in self.vdis}
        self.remote.metadata(when, self.vm, paths, **more)

    def back_up_whole(self, when, has_sums=True):
        """As one XVA, whose disks have their snapshots' uuids."""
        for vdi in self.vdis:
            self.change(vdi, 2)
        uuids = [str(uuid.UUID(int=self.dice.getrandbits(128), version=4)) for _ in self.vdis]
        held = [self.content(vdi) for vdi in self.vdis]
        name = 'xo-vm-backups/%s/%s.xva' % (self.vm, when)
        self.remote.write(name, xva(dict(zip(uuids, held)), has_sums))
        self.held[when] = dict(zip(uuids, held))
        self.remote.metadata(when, self.vm, {}, mode='full', xva='./%s.xva' % when)

    def content(self, vdi):
        data = bytearray(self.size)
        for number, block in self.now[vdi].items():
            data[number * BLOCK:number * BLOCK + BLOCK] = block
        return bytes(data[:self.size])

    # ---- a merge under way, as far as is asked for ----

    def merge(self, old, new, moved, is_over=False):
        """old goes into new: so many of new's blocks have moved, or all that, and new is gone."""
        for vdi in self.vdis:
            folder = self.folder(vdi)
            names = [self.remote.name(when) for when in (old, new)]
            dirs = [self.remote.path(folder, 'data/%s.vhd' % when) for when in (old, new)]
            blocks = sorted(os.path.join(at, name) for at, _, files in os.walk(dirs[1] + '/blocks')
                            for name in files)
            for block in blocks[:moved]:
                to = dirs[0] + block[len(dirs[1]):]
                os.makedirs(os.path.dirname(to), exist_ok=True)
                os.rename(block, to)
            state = {'child': {}, 'parent': {}, 'chain': names, 'currentBlock': moved, 'step': 'mergeBlocks'}
            self.remote.write('%s/.%s.merge.json' % (folder, names[0]), json.dumps(state).encode())
            if is_over:
                self.finish_merge(folder, dirs, names)

    def finish_merge(self, folder, dirs, names):
        count = -(-self.size // BLOCK)
        bits = bytearray(count)
        for at, _, files in os.walk(dirs[0] + '/blocks'):
            for name in files:
                bits[int(name) // 8] |= 0x80 >> int(name) % 8
        data = os.path.relpath(dirs[0], self.remote.top)
        self.remote.write(data + '/bat', self.remote.packed(bytes(bits)))
        with open(dirs[1] + '/footer', 'rb') as file:
            child = file.read()
        assert not self.remote.packing and not self.remote.cipher
        own = bytearray(child)
        struct.pack_into('>I', own, 60, 3)  # a full one, as the parent was
        struct.pack_into('>I', own, 64, 0)
        struct.pack_into('>I', own, 64, checksum(own))
        self.remote.write(data + '/footer', bytes(own))
        os.unlink(self.remote.path(folder, names[1]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('dir')
    parser.add_argument('--form', choices=('file', 'dir'), default='file')
    parser.add_argument('--filter', choices=('brotli', 'gzip'))
    parser.add_argument('--cipher', choices=('chacha20-poly1305', 'aes-256-gcm'))
    parser.add_argument('--key')
    given = parser.parse_args()
    vm = Vm(Remote(given.dir, given.form, given.filter, given.cipher, given.key), disks=2)
    for i, when in enumerate(TIMES):
        vm.back_up(when, is_full=i == 0)
    print(json.dumps({when: {vdi: hashlib.sha256(data).hexdigest() for vdi, data in held.items()}
                      for when, held in vm.held.items()}))


if __name__ == '__main__':
    main()
