#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What catena serve does beside moving bytes: it tells where disks are, serves several SRs, some disks
read-only, and lets disks be deleted, reverted and resized while guests are connected."""
import errno
import hashlib
import json
import os
import random
import shlex
import signal
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

import test_nbd
from test_nbd import Case, DONE, FAILED, MIB, SIZE, USAGE, nbd, needs, needs_nbd


class Told(Case):

    def shown(self, name='a'):
        return json.loads(self.run_ok('vdi', 'show', '--sr', 'sr', name, '--json'))

    @needs('nbdinfo')
    def test_each_uri_that_is_shown_leads_to_the_disk(self):
        self.assertNotIn('nbd_uris', self.shown())
        lines = self.serve('--tcp', '127.0.0.1:0', listeners=2)
        uris = self.shown()['nbd_uris']
        port = lines[1].rsplit(':', 1)[1]
        self.assertEqual(uris, [self.uri(self.vdi), 'nbd://127.0.0.1:%s/%s' % (port, self.vdi),
                                self.uri('a'), 'nbd://127.0.0.1:%s/a' % port])
        for uri in uris:
            self.assertEqual(self.tool('nbdinfo', '--size', uri).strip(), str(SIZE))
        said = self.run_ok('vdi', 'show', '--sr', 'sr', 'a')
        self.assertIn('nbd uris', said)
        self.assertIn("<disk type='network'", said)
        self.create('a')
        self.assertEqual(len(self.shown(self.vdi)['nbd_uris']), 2)
        self.assertEqual(self.stop(), DONE)
        self.assertNotIn('qemu', self.shown(self.vdi))

    @needs('qemu-io')
    def test_a_socket_of_any_name_is_reached_by_what_is_told(self):
        self.server_socket = 'a b,&%"\'ö'
        self.serve('--unix', self.server_socket)
        shown = self.shown()
        drive = shlex.split(shown['qemu'])[2]
        uri = drive[len('file='):drive.index(',')]
        self.assertEqual(uri, shown['nbd_uris'][0])
        self.assertEqual(drive[drive.index(','):], ',format=raw,if=virtio,discard=unmap')
        self.tool('qemu-io', '-f', 'raw', uri, '-c', 'write -P 5 0 4k')
        disk = xml.etree.ElementTree.fromstring(shown['libvirt'])
        host = disk.find('source/host')
        self.assertEqual((host.get('transport'), host.get('socket')), ('unix', self.path(self.server_socket)))
        self.assertEqual(disk.find('source').get('name'), self.vdi)
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')
        shown = self.shown('s')
        self.assertIn('readonly=on', shown['qemu'])
        self.assertIsNotNone(xml.etree.ElementTree.fromstring(shown['libvirt']).find('readonly'))


@needs_nbd
class Several(Case):

    def setUp(self):
        super().setUp()
        self.run_ok('sr', 'create', 'sr2')
        self.other = self.run_ok('vdi', 'create', '--sr', 'sr2', '--name', 'b', '--size', str(8 * MIB))

    def test_disks_of_two_srs_under_one_socket(self):
        self.serve('--sr', 'sr2')
        self.assertEqual(self.connect('a').get_size(), SIZE)
        handle = self.connect('b')
        self.assertEqual(handle.get_size(), 8 * MIB)
        handle.pwrite(b'x' * 4096, 0)
        with self.assertRaises(nbd.Error):
            self.connect('')
        # Each is owned, and its verbs are sent here.
        for sr, name in (('sr', 'a'), ('sr2', 'b')):
            self.run_ok('vdi', 'snapshot', '--sr', sr, name, '--name', 's')
            code, _, err = self.call('serve', '--sr', sr, '--unix', 'other')
            self.assertEqual((code, 'pid %d' % self.server.pid in err), (FAILED, True), err)
        handle.pwrite(b'y' * 4096, 0)
        told = json.loads(self.run_ok('vdi', 'show', '--sr', 'sr2', 'b', '--json'))
        self.assertEqual(told['nbd_uris'], [self.uri(self.other)])
        for name in 's', 'b':
            listed = self.tool('nbdinfo', '--list', '--json', self.uri(''))
            self.assertEqual([each['export-name'] for each in json.loads(listed)['exports']].count(name),
                             0 if name == 's' else 1)
        with self.assertRaises(nbd.Error):
            self.connect('s')
        snapshot = json.loads(self.run_ok('vdi', 'show', '--sr', 'sr2', 's', '--json'))['uuid']
        self.assertEqual(self.connect(snapshot).pread(4096, 0), b'x' * 4096)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')
        for sr in 'sr', 'sr2':
            self.run_ok('sr', 'check', sr)

    def test_one_sr_twice_or_one_that_is_none_is_refused_and_nothing_stays_owned(self):
        for words, code, wanted in ((('--sr', 'sr', '--sr', './sr'), USAGE, 'named twice'),
                                    (('--sr', 'sr', '--sr', 'nowhere'), FAILED, 'nowhere')):
            got, _, err = self.call('serve', *words, '--unix', 'sock')
            self.assertEqual((got, wanted in err), (code, True), err)
        self.run_ok('vdi', 'create', '--sr', 'sr', '--name', 'c', '--size', '8M')


@needs_nbd
class ReadOnly(Case):

    def state(self):
        """Of the SR's disks, byte for byte, and when they were written last."""
        seen = {}
        for name in os.listdir(self.path('sr')):
            if name.endswith('.vhd'):
                with open(self.path('sr/' + name), 'rb') as f:
                    seen[name] = hashlib.sha256(f.read()).hexdigest(), os.fstat(f.fileno()).st_mtime_ns
        return seen

    def assert_is_read_only(self, handle):
        self.assertTrue(handle.is_read_only())
        for change in (lambda: handle.pwrite(b'x', 0), lambda: handle.zero(1, 0), lambda: handle.trim(1, 0)):
            with self.assertRaises(nbd.Error) as raised:
                change()
            self.assertEqual(raised.exception.errnum, errno.EPERM)

    def test_all_disks_for_all_clients_and_not_a_byte_is_written(self):
        self.serve()
        self.connect().pwrite(b'before' * 1000, 0)
        self.assertEqual(self.stop(), DONE)
        before = self.state()
        self.serve('--read-only')
        handles = [self.connect() for _ in range(3)]
        for handle in handles:
            self.assert_is_read_only(handle)
            self.assertEqual(handle.pread(6000, 0), b'before' * 1000)
            handle.flush()
        shown = json.loads(self.run_ok('vdi', 'show', '--sr', 'sr', 'a', '--json'))
        self.assertIn('readonly=on', shown['qemu'])
        self.assertFalse(shown['read_only'])
        time.sleep(1.1)  # ticks flush what is written
        code, _, err = self.call('vdi', 'write', '--sr', 'sr', 'a', '--offset', '0', stdin=b'x')
        self.assertEqual(code, FAILED, err)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.state(), before)

    def test_one_disk_whatever_it_is_called_later(self):
        self.create('b')
        self.serve('--read-only-vdi', 'a')
        self.run_ok('vdi', 'set', '--sr', 'sr', 'a', '--name', 'c')
        self.assert_is_read_only(self.connect('c'))
        self.assertFalse(self.connect('b').is_read_only())
        self.assertIn('readonly=on', self.run_ok('vdi', 'show', '--sr', 'sr', 'c'))
        self.assertNotIn('readonly=on', self.run_ok('vdi', 'show', '--sr', 'sr', 'b'))
        self.assertEqual(self.stop(), DONE)
        code, _, err = self.call('serve', '--sr', 'sr', '--unix', 'sock', '--read-only-vdi', 'nobody')
        self.assertEqual((code, '--read-only-vdi' in err, 'nobody' in err), (FAILED, True, True), err)

    def test_a_snapshot_below_a_reader(self):
        self.serve('--read-only')
        handle = self.connect()
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')
        self.assertEqual(handle.pread(4096, 0), bytes(4096))
        self.assert_is_read_only(self.connect())
        self.run_ok('vdi', 'delete', '--sr', 'sr', 's')
        self.run_ok('gc', 'run', '--sr', 'sr')
        self.assertEqual(handle.pread(4096, 0), bytes(4096))


@needs_nbd
class Under(Case):
    """What is done to disks while clients are connected."""

    def refused(self, *words):
        code, _, err = self.call(*words)
        self.assertEqual(code, FAILED, err)
        return err

    def test_who_is_connected_is_named_and_nobody_else_is_in_the_way(self):
        self.create('b')
        for name in 'a', 'b':
            self.run_ok('vdi', 'snapshot', '--sr', 'sr', name, '--name', name + '-snap')
        self.serve()
        one, two = self.connect('a'), self.connect('a')
        three = self.connect('a-snap')
        for words in (('delete', 'a'), ('revert', 'a', 'a-snap')):
            err = self.refused('vdi', words[0], '--sr', 'sr', *words[1:])
            self.assertIn('2 NBD clients are connected', err)
            self.assertIn('disconnect before you ' + words[0], err)
        self.assertIn('1 NBD client is connected', self.refused('vdi', 'delete', '--sr', 'sr', 'a-snap'))
        # Of another disk, beside them.
        self.run_ok('vdi', 'revert', '--sr', 'sr', 'b', 'b-snap')
        self.run_ok('vdi', 'resize', '--sr', 'sr', 'b', '32M')
        self.run_ok('vdi', 'delete', '--sr', 'sr', 'b-snap')
        self.run_ok('vdi', 'delete', '--sr', 'sr', 'b')
        one.pwrite(b'x' * 4096, 0)
        self.assertEqual(two.pread(4096, 0), b'x' * 4096)
        self.assertEqual(three.pread(4096, 0), bytes(4096))
        for handle in one, two, three:
            handle.shutdown()
        for words in (('revert', '--sr', 'sr', 'a', 'a-snap'), ('delete', '--sr', 'sr', 'a-snap'),
                      ('delete', '--sr', 'sr', 'a')):
            for _ in range(100):
                if self.call('vdi', *words)[0] == DONE:
                    break
                time.sleep(0.05)
            else:
                self.fail(words)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')

    def test_a_disk_grows_under_writers(self):
        self.serve()
        handles = [self.connect(), self.connect()]
        model = [bytearray(SIZE), bytearray(SIZE)]
        done, failed = threading.Event(), []

        def write(which):
            """Its own half of each sector pair, so that both know what they must read."""
            dice = random.Random(which)
            try:
                while not done.is_set():
                    at = dice.randrange(SIZE // 1024) * 1024 + 512 * which
                    data = dice.randbytes(512)
                    handles[which].pwrite(data, at)
                    model[which][at:at + 512] = data
                    if dice.randrange(20) == 0:
                        handles[which].flush()
                    if handles[which].pread(512, at) != data:
                        failed.append(at)
            except nbd.Error as error:
                failed.append(error)
        writers = [threading.Thread(target=write, args=(i,)) for i in range(2)]
        for writer in writers:
            writer.start()
        try:
            for mib in 32, 64, 4096:
                self.run_ok('vdi', 'resize', '--sr', 'sr', 'a', '%dM' % mib)
                self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's%d' % mib)
                time.sleep(0.2)
            for mib in 32, 64, 4096:
                self.run_ok('vdi', 'delete', '--sr', 'sr', 's%d' % mib)
            running = self.start('gc', 'run', '--sr', 'sr')
            for mib in 5000, 6000, 7000:
                self.run_ok('vdi', 'resize', '--sr', 'sr', 'a', '%dM' % mib)
            self.assertEqual(running.wait(60), DONE)
            self.run_ok('gc', 'run', '--sr', 'sr')  # what a resize ended goes on, into what must grow for it
            shown = json.loads(self.run_ok('vdi', 'show', '--sr', 'sr', 'a', '--json'))
            self.assertLessEqual(shown['depth'], 2, shown)
        finally:
            done.set()
            for writer in writers:
                writer.join()
        self.assertEqual(failed, [])
        self.assertEqual([handle.get_size() for handle in handles], [SIZE, SIZE])
        late = self.connect()
        self.assertEqual(late.get_size(), 7000 * MIB)
        late.pwrite(b'end', 7000 * MIB - 3)
        want = b''.join(model[0][at:at + 512] + model[1][at + 512:at + 1024] for at in range(0, SIZE, 1024))
        self.assertEqual(b''.join(late.pread(8 * MIB, at) for at in range(0, SIZE, 8 * MIB)), want)
        with self.assertRaises(nbd.Error):
            handles[0].pread(1, SIZE)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')
        self.run_ok('sr', 'check', 'sr')

    def test_a_snapshot_that_is_compared_with_steps_aside_too(self):
        self.serve()
        writer = self.connect()
        writer.pwrite(b'a' * MIB, 0)
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 'old')
        writer.pwrite(b'b' * MIB, MIB)
        self.run_ok('vdi', 'resize', '--sr', 'sr', 'a', '4G')
        snapshot = self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 'new')
        writer.pwrite(b'c' * 4096, 4096)
        context = 'catena:changed:' + snapshot
        handle = self.connect(contexts=[context])
        seen, done = [], threading.Event()

        def compare():
            while not done.is_set():
                try:
                    seen.append(self.status(handle, 2 * MIB, context))
                except nbd.Error as error:
                    seen.append(error)
        comparing = threading.Thread(target=compare)
        comparing.start()
        try:
            # What 'old' leaves hidden is smaller than its child, and must grow below both.
            self.run_ok('vdi', 'delete', '--sr', 'sr', 'old')
            self.run_ok('gc', 'run', '--sr', 'sr')
        finally:
            done.set()
            comparing.join()
        seen.append(self.status(handle, 2 * MIB, context))
        self.assertEqual([each for each in seen if each != [(4096, 0), (4096, 1), (2 * MIB - 8192, 0)]], [])
        self.assertEqual(json.loads(self.run_ok('vdi', 'show', '--sr', 'sr', 'a', '--json'))['depth'], 2)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')

    def start(self, *words):
        running = subprocess.Popen([test_nbd.CATENA] + list(words), cwd=self.dir, env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(running.wait)
        return running

    def test_kills_while_it_grows_lose_nothing_that_was_flushed(self):
        size, flushed = SIZE, {}
        for round_ in range(max(6, test_nbd.KILLS // 8)):
            self.serve()
            handle = self.connect()
            self.assertIn(handle.get_size(), (size, size + MIB))
            size = handle.get_size()
            for at, data in flushed.items():
                self.assertEqual(handle.pread(512, at), data)
            dice = random.Random(round_)
            for _ in range(20):
                at = dice.randrange(size // 512) * 512
                flushed[at] = dice.randbytes(512)
                handle.pwrite(flushed[at], at)
            handle.flush()
            running = self.start('vdi', 'resize', '--sr', 'sr', 'a', str(size + MIB))
            time.sleep(dice.uniform(0, 0.06))
            self.stop(signal.SIGKILL)
            running.wait(60)  # it goes on by itself, where it had not begun
        self.run_ok('sr', 'check', 'sr')


if __name__ == '__main__':
    unittest.main(verbosity=2)
