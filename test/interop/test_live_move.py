#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that go from one SR of a server to another while clients of NBD write to them: every byte is there
afterwards, a client goes on where it was, and when the server is killed in the middle one of the two SRs has
the disk, with all that a flush acknowledged."""
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest

from test_nbd import CATENA, Case, FAILED, DONE, SIZE, nbd, needs_nbd

KILLS = 100 if os.environ.get('CATENA_SOAK') else 12
SPOT = 4096
INTERRUPTED = 130


class Writer(threading.Thread):
    """Numbers its writes, remembers which may be at each spot, and ends when it is told or its server has."""

    def __init__(self, handle, seed, first=0, may_be=None):
        super().__init__()
        self.handle, self.dice = handle, random.Random(seed)
        self.may_be = may_be or {}  # spot -> numbers, the first of them is sure
        self.number = first
        self.stops = False
        self.is_fit = True

    def run(self):
        try:
            while not self.stops:
                self.write()
                if self.number % 20 == 0:
                    self.handle.flush()
                    self.settle()
        except nbd.Error:
            self.is_fit = False

    def write(self):
        self.number += 1
        spot = self.dice.randrange(SIZE // SPOT)
        self.may_be.setdefault(spot, [0]).append(self.number)
        self.handle.pwrite(self.number.to_bytes(8, 'big') * (SPOT // 8), spot * SPOT)

    def settle(self):
        for numbers in self.may_be.values():
            del numbers[:-1]

    def end(self):
        self.stops = True
        self.join(60)
        return self.is_fit


class Moving(Case):

    def setUp(self):
        super().setUp()
        self.run_ok('sr', 'create', 'sr2')

    def move(self, source, target, code=DONE):
        return self.call('vdi', 'move', '--sr', source, self.vdi, '--to', target)

    def where(self):
        """Of which SRs, once each has had an owner."""
        for sr in 'sr', 'sr2':
            self.run_ok('sr', 'scan', sr)
        return [sr for sr in ('sr', 'sr2')
                if self.vdi in [each['uuid'] for each in self.listed(sr)]]

    def listed(self, sr):
        return json.loads(self.run_ok('vdi', 'list', '--sr', sr, '--json'))['vdis']

    def assert_holds(self, data, may_be):
        for spot in range(SIZE // SPOT):
            piece = data[spot * SPOT:(spot + 1) * SPOT]
            number = int.from_bytes(piece[:8], 'big')
            self.assertEqual(piece, piece[:8] * (SPOT // 8), 'spot %d is torn' % spot)
            self.assertIn(number, may_be.get(spot, [0]), 'spot %d' % spot)

    def read_all(self, handle):
        return b''.join(handle.pread(1 << 20, at) for at in range(0, SIZE, 1 << 20))


@needs_nbd
class Follows(Moving):

    def test_a_disk_goes_back_and_forth_below_who_writes_to_it(self):
        self.serve('--sr', 'sr2')
        writers = [Writer(self.connect(self.vdi), 1)]
        writers[0].start()
        for i in range(6):
            source, target = ('sr', 'sr2') if i % 2 == 0 else ('sr2', 'sr')
            code, _, err = self.move(source, target)
            self.assertEqual(code, DONE, err)
            self.assertEqual([len(self.listed(source)), len(self.listed(target))], [0, 1])
        self.assertTrue(writers[0].end())
        writers[0].handle.flush()
        writers[0].settle()
        self.assertGreater(writers[0].number, 100)
        self.assert_holds(self.read_all(self.connect('a')), writers[0].may_be)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')
        self.assert_holds(self.export(), writers[0].may_be)
        for sr in 'sr', 'sr2':
            self.run_ok('sr', 'check', sr)
        self.assertEqual([name for name in os.listdir(self.path('sr2')) if name.endswith('.vhd')], [])

    def test_where_only_one_of_the_two_is_served_the_guest_is_named(self):
        self.serve()
        handle = self.connect('a')
        handle.pwrite(b'x' * SPOT, 0)
        code, _, err = self.move('sr', 'sr2')
        self.assertEqual((code, '1 NBD client is connected' in err), (FAILED, True), err)
        handle.pwrite(b'y' * SPOT, 0)
        self.assertEqual(self.listed('sr2'), [])
        handle.shutdown()
        for _ in range(50):
            code, _, err = self.move('sr', 'sr2')
            if code == DONE:
                break
            time.sleep(0.1)
        self.assertEqual(code, DONE, err)


@needs_nbd
class Ends(Moving):

    def begin_move(self, source, target):
        return subprocess.Popen([CATENA, 'vdi', 'move', '--sr', source, self.vdi, '--to', target],
                                cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_one_that_is_interrupted_leaves_the_guest_where_it_is(self):
        self.serve('--sr', 'sr2')
        writer = Writer(self.connect(self.vdi), 2)
        writer.start()
        n_stopped, here = 0, 0
        for i in range(20):
            mover = self.begin_move(*(('sr', 'sr2') if here == 0 else ('sr2', 'sr')))
            time.sleep(0.01 + 0.01 * i)
            mover.send_signal(signal.SIGINT)
            code = mover.wait(60)
            self.assertIn(code, (DONE, INTERRUPTED, -signal.SIGINT))
            n_stopped += code == INTERRUPTED
            # Where the command ended before the server had heard of it.
            deadline = time.time() + 30
            while time.time() < deadline:
                there = [len(self.listed(sr)) for sr in ('sr', 'sr2')]
                if sum(there) == 1:
                    break
            self.assertEqual(sum(there), 1)
            here = there.index(1)
        self.assertTrue(writer.end())
        writer.handle.flush()
        writer.settle()
        self.assertGreater(n_stopped, 0)
        self.assert_holds(self.read_all(self.connect('a')), writer.may_be)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(len(self.where()), 1)

    def test_a_kill_at_any_instant_leaves_one_disk_with_all_that_was_flushed(self):
        may_be, number, dice, here = {}, 0, random.Random(3), 'sr'
        n_moved = 0
        for i in range(KILLS):
            self.serve('--sr', 'sr2')
            writer = Writer(self.connect(self.vdi), i, number, may_be)
            writer.start()
            mover = self.begin_move(here, 'sr2' if here == 'sr' else 'sr')
            time.sleep(dice.random() * 0.4)
            self.stop(signal.SIGKILL)
            mover.wait(60)
            writer.end()
            may_be, number = writer.may_be, writer.number
            found = self.where()
            self.assertEqual(len(found), 1, 'round %d: in %s' % (i, found))
            n_moved += found[0] != here
            here = found[0]
            for sr in 'sr', 'sr2':
                self.run_ok('sr', 'check', sr)
            self.serve('--sr', 'sr2')
            data = self.read_all(self.connect(self.vdi))
            self.assert_holds(data, may_be)
            # What is there now is sure from now on.
            for spot, numbers in may_be.items():
                numbers[:] = [int.from_bytes(data[spot * SPOT:spot * SPOT + 8], 'big')]
            self.assertEqual(self.stop(), DONE)
        self.assertGreater(n_moved, 0)


if __name__ == '__main__':
    unittest.main()
