#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Points of a vault become restore points of Xen Orchestra: read again by a reader of VHDs that is none of
ours, by `vault import-xo`, and by libvhdi, where that is."""
import glob
import json
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

import xo_maker
from test_cli import CATENA, FAILED, MIB, USAGE
from test_vault import Vault
from xo_maker import BLOCK, TIMES


class Vhd:
    """A file of a chain, with the rules that Xen Orchestra's own reading has."""

    def __init__(self, path):
        self.path = path
        with open(path, 'rb') as file:
            self.data = file.read()
        foot, head = self.data[:512], self.data[512:1536]
        assert foot == self.data[-512:] and foot[:8] == b'conectix' and foot[28:32] == b'xo  '
        for part, at in ((foot, 64), (head, 36)):
            bare = bytearray(part)
            bare[at:at + 4] = bytes(4)
            assert struct.unpack('>I', part[at:at + 4])[0] == xo_maker.checksum(bare)
        self.size, self.kind, self.uuid = struct.unpack('>Q', foot[48:56])[0], foot[63], foot[68:84]
        table, count = struct.unpack('>Q', head[16:24])[0], struct.unpack('>I', head[28:32])[0]
        assert table == 1536 and head[:8] == b'cxsparse'
        self.parent_uuid = head[40:56]
        self.parent_name = head[64:576].decode('utf-16-be').rstrip('\0')
        self.blocks, end = {}, table + -(-4 * count // 512) * 512
        for number in range(count):
            sector = struct.unpack('>I', self.data[table + 4 * number:table + 4 * number + 4])[0]
            if sector != 0xffffffff:
                # One behind the other, in order, with bitmaps of ones.
                assert sector * 512 == end and self.data[end:end + 512] == b'\xff' * 512
                self.blocks[number] = self.data[end + 512:end + 512 + BLOCK]
                end += 512 + BLOCK
        assert end == len(self.data) - 512

    def content(self):
        data = bytearray(self.size)
        if self.kind == 4:
            parent = Vhd(os.path.join(os.path.dirname(self.path), self.parent_name))
            assert parent.uuid == self.parent_uuid
            assert os.path.basename(parent.path) < os.path.basename(self.path)
            before = parent.content()
            data[:len(before)] = before
        for number, block in self.blocks.items():
            data[number * BLOCK:number * BLOCK + BLOCK] = block
        return bytes(data[:self.size])


class Exported(Vault):
    def remote(self, *parts):
        return self.path(os.path.join('xo', *parts))

    def setUp(self):
        super().setUp()
        os.mkdir(self.path('xo'))

    def export(self, *points, code=0):
        return self.json('vault', 'export-xo', *self.OPEN, *points, 'xo', code=code)

    def three_points(self):
        data, states = self.raw('a.raw', size=7 * MIB + 512), []
        for turn in range(3):
            self.change('a.raw', data, (2 * turn + 1) * MIB, seed=turn)
            self.put('a.raw', *(['--parent', 'latest'] if turn else []))
            states.append(bytes(data))
        return states

    def metadata(self):
        found = {}
        for folder, _, names in os.walk(self.remote('xo-vm-backups')):
            for name in names:
                if name.endswith('.json'):
                    with open(os.path.join(folder, name), encoding='utf-8') as file:
                        found[os.path.join(folder, name)] = json.load(file)
        return [found[path] | {'path': path} for path in sorted(found)]

    def disks(self, meta):
        return [Vhd(os.path.join(os.path.dirname(meta['path']), path)) for path in meta['vhds'].values()]

    def ids(self):
        return [point['point'] for point in self.points()]


class Layout(Exported):
    def test_points_are_a_chain_that_reads_as_they_do(self):
        states = self.three_points()
        told = self.export(*reversed(self.ids()))
        self.assertEqual([told[key] for key in ('points', 'there', 'exported')], [3, 0, 3])
        self.assertEqual([each['deltas'] for each in told['files']], [0, 1, 1])
        metas = self.metadata()
        self.assertEqual(len(metas), 3)
        for meta, state in zip(metas, states):
            for key in ('mode', 'jobId', 'scheduleId', 'timestamp', 'vdis', 'vhds', 'vmSnapshot', 'vbds',
                        'vifs'):
                self.assertIn(key, meta)
            self.assertEqual([meta['version'], meta['mode'], meta['vm']['name_label']],
                             ['2.0.0', 'delta', 'web'])
            self.assertEqual(set(meta['vdis']), set(meta['vhds']))
            self.assertEqual({vbd['VDI'] for vbd in meta['vbds'].values()}, set(meta['vdis']))
            disk, = self.disks(meta)
            self.assertEqual(disk.content(), state)
        # Of the deltas only the blocks that hold what differs.
        self.assertLessEqual(max(len(self.disks(meta)[0].blocks) for meta in metas[1:]), 2)
        names = os.listdir(self.remote('xo-vm-backups'))
        self.assertEqual([name for name in names if '.' in name], [])
        self.assertEqual(self.json('vault', 'check', *self.OPEN)['findings'], [])

    def test_a_second_run_writes_nothing_and_a_later_one_goes_on(self):
        states = self.three_points()
        first, second, third = self.ids()
        self.export(first, second)
        before = self.listing_of('xo')
        self.assertEqual(self.export(first, second)['there'], 2)
        self.assertEqual(self.listing_of('xo'), before)
        self.assertEqual(self.export(third)['files'][0]['deltas'], 1)
        self.assertEqual(self.disks(self.metadata()[2])[0].content(), states[2])

    def listing_of(self, top):
        return sorted((os.path.join(folder, name), os.stat(os.path.join(folder, name)).st_mtime_ns)
                      for folder, _, names in os.walk(self.path(top)) for name in names)

    def test_a_vhd_never_has_two_children(self):
        states = self.three_points()
        first, second, third = self.ids()
        self.export(first, third)  # third's parent is not there: it is whole
        self.assertEqual(self.export(second)['files'][0]['deltas'], 0)
        contents = {meta['catena_point'][33:]: self.disks(meta)[0].content() for meta in self.metadata()}
        for point, state in zip((first, second, third), states):
            self.assertTrue(contents[point] == state)

    def test_full_is_asked_for(self):
        self.three_points()
        told = self.export('--full', *self.ids())
        self.assertEqual([each['deltas'] for each in told['files']], [0, 0, 0])

    def test_the_cache_goes_and_nothing_else(self):
        self.three_points()
        first, second, _ = self.ids()
        self.export(first)
        folder = os.path.dirname(self.metadata()[0]['path'])
        for name in ('cache.json.gz', 'other.txt'):
            with open(os.path.join(folder, name), 'w', encoding='ascii') as file:
                file.write('x')
        self.export(second)
        self.assertEqual(sorted(name for name in os.listdir(folder) if not name.endswith('.json')),
                         ['other.txt', 'vdis'])


class RoundTrip(Exported):
    def test_what_came_from_xen_orchestra_goes_back_as_it_was(self):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo/old'), 'dir'), disks=2)
        for when in TIMES:
            vm.back_up(when)
        self.json('vault', 'import-xo', *self.OPEN, 'xo/old')
        self.json('vault', 'export-xo', *self.OPEN, *self.ids(), 'xo')
        metas = [meta for meta in self.metadata() if '/old/' not in meta['path']]
        self.assertEqual([os.path.basename(meta['path'])[:-5] for meta in metas], TIMES)
        for meta, when in zip(metas, TIMES):
            self.assertEqual(meta['vm']['uuid'], vm.vm)
            self.assertEqual(meta['vifs']['OpaqueRef:vif']['MAC'], '02:00:00:00:00:01')
            self.assertNotIn('$vifs', meta['vm'])
            for ref, record in meta['vdis'].items():
                disk = Vhd(os.path.join(os.path.dirname(meta['path']), meta['vhds'][ref]))
                self.assertEqual(disk.content(), vm.held[when][record['$snapshot_of$uuid']])
        # And again into another vault.
        self.call('vault', 'init', 'w', '--no-encryption')
        shutil.rmtree(self.path('xo/old'))
        told = self.json('vault', 'import-xo', '--vault', 'w', 'xo')
        self.assertEqual([told['imported'], told['left']], [3, 0])

    def test_libvhdi_reads_it(self):
        if not shutil.which('vhdiinfo'):
            self.skipTest('vhdiinfo is not installed')
        self.three_points()
        self.export(*self.ids())
        for meta in self.metadata():
            for path in meta['vhds'].values():
                done = subprocess.run(['vhdiinfo', os.path.join(os.path.dirname(meta['path']), path)],
                                      capture_output=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertIn(b'7340544 bytes', done.stdout)


class Refused(Exported):
    def test_what_cannot_be_says_why(self):
        self.three_points()
        point = self.ids()[0]
        for words, code, why in (((point,), USAGE, b'and last the remote'),
                                 (('ffffffff', 'xo'), FAILED, b'there is no point'),
                                 ((point, 'nowhere'), FAILED, b'nowhere')):
            got, _, err = self.call('vault', 'export-xo', *self.OPEN, *words)
            self.assertEqual(got, code)
            self.assertIn(why, err)
        os.makedirs(self.remote('xo-vm-backups'))
        with open(self.remote('encryption.json'), 'w', encoding='ascii') as file:
            file.write('{"algorithm": "aes-256-gcm"}')
        got, _, err = self.call('vault', 'export-xo', *self.OPEN, point, 'xo')
        self.assertEqual(got, FAILED)
        self.assertIn(b'encrypted', err)

    def test_what_was_killed_lists_nothing_half_and_goes_on(self):
        states = self.three_points()
        for wait in (0.02, 0.05, 0.08):
            running = subprocess.Popen([CATENA, 'vault', 'export-xo'] + self.OPEN + self.ids() + ['xo'],
                                       cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(wait)
            running.send_signal(signal.SIGKILL)
            running.wait()
            for meta in self.metadata():
                self.assertIn(self.disks(meta)[0].content(), states)
            for lock in glob.glob(self.remote('xo-vm-backups', '*.lock')):
                os.rmdir(lock)  # a dead one's: the next run would wait for it to be that
        self.export(*self.ids())
        self.assertEqual([self.disks(meta)[0].content() for meta in self.metadata()], states)


if __name__ == '__main__':
    unittest.main(verbosity=2)
