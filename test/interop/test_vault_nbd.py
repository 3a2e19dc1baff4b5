#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""catena vault nbd: disks of points, read and written by clients that others wrote."""
import json
import os
import random
import signal
import subprocess
import unittest

from test_nbd import MIB, nbd, needs, needs_nbd, TOP  # first: it may start another Python
from test_cli import CATENA, DONE, FAILED, USAGE
from test_vault import CHUNK, Vault

assert TOP


class Served(Vault):
    def setUp(self):
        super().setUp()
        dice = random.Random(3)
        self.data = bytearray(dice.randbytes(5 * MIB) + bytes(12 * MIB) + dice.randbytes(3 * MIB + 77))
        self.make('disk.raw', self.data)
        self.point = self.put('disk.raw')['point']
        self.server = None
        self.addCleanup(self.end)

    def make(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)

    def serve(self, *more, point=None):
        with open(self.path('log'), 'ab') as log:
            self.server = subprocess.Popen(
                [CATENA, 'vault', 'nbd', *self.OPEN, point or self.point, '--unix', 'sock', *more],
                cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        line = self.server.stdout.readline().decode()
        with open(self.path('log'), encoding='utf-8') as log:
            self.assertTrue(line, log.read())
        return line

    def end(self, number=signal.SIGKILL):
        if not self.server:
            return None
        self.server.send_signal(number)
        code = self.server.wait(60)
        self.server.stdout.close()
        self.server = None
        if os.path.exists(self.path('sock')):
            os.unlink(self.path('sock'))
        return code

    def uri(self, name=''):
        return 'nbd+unix:///%s?socket=%s' % (name, self.path('sock'))

    def connect(self, name=''):
        handle = nbd.NBD()
        handle.add_meta_context('base:allocation')
        handle.connect_uri(self.uri(name))
        return handle

    def assert_served(self, data, name=''):
        """Whole sectors are served; what fills up the last one is zeros."""
        handle = self.connect(name)
        size = handle.get_size()
        self.assertEqual(size, (len(data) + 511) // 512 * 512)
        got = b''.join(handle.pread(min(4 * MIB, size - at), at) for at in range(0, size, 4 * MIB))
        self.assertEqual(got, bytes(data) + bytes(size - len(data)))
        handle.shutdown()


@needs_nbd
class Reads(Served):
    def test_a_point_is_served_as_it_was_put(self):
        told = json.loads(self.serve('--json'))
        self.assertEqual(told['listeners'][0]['kind'], 'unix')
        self.assert_served(self.data)
        self.assert_served(self.data, 'disk.raw')
        handle = self.connect()
        self.assertTrue(handle.is_read_only())
        self.assertRaises(nbd.Error, handle.pwrite, bytes(512), 0)
        self.assertEqual(self.end(signal.SIGTERM), DONE)

    def test_holes_are_told(self):
        runs = []
        self.serve()
        self.connect().block_status(len(self.data) // 512 * 512, 0,
                                    lambda context, offset, entries, error: runs.extend(entries) or 0)
        self.assertEqual(runs[:4], [6 * MIB, 0, 10 * MIB, 3])

    @needs('nbdcopy')
    @needs('qemu-img')
    def test_other_clients_copy_and_compare_it(self):
        self.serve()
        subprocess.run(['nbdcopy', self.uri(), self.path('copy')], check=True, capture_output=True)
        self.assertEqual(self.read('copy')[:len(self.data)], bytes(self.data))
        subprocess.run(['qemu-img', 'compare', '-f', 'raw', '-F', 'raw', self.path('copy'), self.uri()],
                       check=True, capture_output=True)

    def test_each_disk_of_a_point_has_its_name(self):
        other = random.Random(8).randbytes(MIB)
        self.make('other.raw', other)
        self.serve(point=self.put('disk.raw', 'other.raw', name='both')['point'])
        self.assert_served(self.data, 'disk.raw')
        self.assert_served(other, 'other.raw')
        self.assertRaises(nbd.Error, self.connect, '')
        self.end(signal.SIGTERM)
        self.serve('--disk', 'other.raw', point='latest')
        self.assert_served(other)

    def test_damage_is_an_error_of_its_reader_alone(self):
        folder = self.path('v/packs')
        packs = [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names]
        largest = max(packs, key=os.path.getsize)
        self.serve()
        with open(largest, 'r+b') as pack:  # of the disk's first chunks, or of its last
            pack.seek(CHUNK // 2)
            byte = pack.read(1)
            pack.seek(CHUNK // 2)
            pack.write(bytes([byte[0] ^ 1]))
        handle, failed = self.connect(), []
        for at in range(0, len(self.data) // CHUNK * CHUNK, CHUNK):
            try:
                self.assertEqual(handle.pread(CHUNK, at), bytes(self.data[at:at + CHUNK]))
            except nbd.Error:
                failed.append(at)
        self.assertEqual(len(failed), 1)


@needs_nbd
class Overlays(Served):
    def overwrite(self, at, n=700000, seed=5):
        handle, new = self.connect(), random.Random(seed).randbytes(n)
        handle.pwrite(new, at)
        handle.flush()
        self.data[at:at + n] = new
        return handle

    def test_what_was_flushed_is_there_after_a_kill_and_the_point_is_as_it_was(self):
        before = bytes(self.data)
        for turn in range(3):
            self.serve('--overlay', 'over.vhd')
            self.overwrite(4 * MIB + turn * MIB, seed=turn)
            self.assert_served(self.data)
            self.end(signal.SIGKILL)
        self.serve('--overlay', 'over.vhd')
        self.assert_served(self.data)
        self.assertEqual(self.end(signal.SIGTERM), DONE)
        self.check(self.point, before)

    def test_a_point_is_made_of_what_the_overlay_holds(self):
        self.serve('--overlay', 'over.vhd')
        self.overwrite(6 * MIB, n=CHUNK)
        self.overwrite(9 * MIB, n=CHUNK)
        self.end(signal.SIGTERM)
        told = self.put('--parent', self.point, 'over.vhd')
        self.assertEqual(told['read'], 2 * CHUNK)
        self.check(told['point'], self.data)
        # Nothing was written: it is the same disk.
        self.serve('--overlay', 'empty.vhd')
        self.end(signal.SIGTERM)
        told = self.put('--parent', self.point, 'empty.vhd')
        self.assertEqual(told['read'], 0)
        ids = {each['point']: each['disks'][0]['id'] for each in self.points()}
        self.assertEqual(ids[told['point']], ids[self.point])

    def test_it_is_thrown_away_where_that_is_asked_for(self):
        self.serve('--overlay', 'over.vhd', '--throw-away')
        self.overwrite(0)
        self.assertEqual(self.end(signal.SIGTERM), DONE)
        self.assertFalse(os.path.exists(self.path('over.vhd')))

    def test_it_goes_over_nothing_else(self):
        self.serve('--overlay', 'over.vhd')
        self.end(signal.SIGTERM)
        self.change('disk.raw', self.data, 100)
        other = self.put('disk.raw')['point']
        code, _, err = self.call('vault', 'nbd', *self.OPEN, other, '--unix', 'sock', '--overlay', 'over.vhd')
        self.assertEqual(code, FAILED)
        self.assertIn(b'the parent of', err)

    def test_what_cannot_be_says_why(self):
        for words, why in ((['--unix', 'sock', '--throw-away'], b'is for --overlay'),
                           (['--unix', 'sock', '--overlay', 'over.raw'], b'ends in .vhd'),
                           ([], b'where to listen')):
            code, _, err = self.call('vault', 'nbd', *self.OPEN, self.point, *words)
            self.assertEqual(code, USAGE)
            self.assertIn(why, err)


if __name__ == '__main__':
    unittest.main(verbosity=2)
