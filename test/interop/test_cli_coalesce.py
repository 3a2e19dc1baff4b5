#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`catena vhd coalesce`, from outside: files without an SR, who else has them, interrupts, and what other
programs read of the result."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

import test_cli
from test_cli import BLOCK, CATENA, FAILED, INTERRUPTED, MIB, USAGE

FIELDS = {'child', 'parent', 'layers', 'bytes_moved', 'grown', 'resumed', 'seconds', 'next', 'warnings'}


class CoalesceCase(test_cli.Case):
    def chain(self, n=3, size=12 * MIB, wrote=300000, step=BLOCK + 4096):
        """The files of a chain from the base up, and what the last one reads."""
        data = self.raw('disk.raw', size=size)
        self.run_ok('sr', 'create', 'sr')
        vdi = self.run_ok('vdi', 'import', '--sr', 'sr', 'disk.raw').strip()
        for i in range(1, n):
            self.run_ok('vdi', 'snapshot', '--sr', 'sr', vdi)
            new = os.urandom(wrote)
            self.run_ok('vdi', 'write', '--sr', 'sr', vdi, '--offset', str(i * step), stdin=new)
            data[i * step:i * step + wrote] = new
        nodes = {node['uuid']: node for node in self.json('vdi', 'tree', '--sr', 'sr')['nodes']}
        run = [vdi]
        while nodes[run[0]]['parent']:
            run.insert(0, nodes[run[0]]['parent'])
        for uuid in run:
            shutil.copy(self.path('sr/%s.vhd' % uuid), self.path('%s.vhd' % uuid))
        shutil.rmtree(self.path('sr'))
        return ['%s.vhd' % uuid for uuid in run], data

    def reads(self, name, data):
        self.run_ok('vhd', 'convert', name, 'back.raw')
        self.assertEqual(self.read('back.raw'), data)
        os.unlink(self.path('back.raw'))

    def is_clean(self, files):
        out = self.run_ok('vhd', 'check', '--bitmaps', *files)
        self.assertEqual(out, ''.join('%s: valid\n' % name for name in files))
        self.assertEqual([name for name in os.listdir(self.dir) if name.endswith('.coalesce')], [])

    def blocks(self, name):
        return self.json('vhd', 'info', name)['blocks_allocated']


class Does(CoalesceCase):
    def test_a_child_is_emptied_into_its_parent(self):
        files, data = self.chain()
        result = self.json('vhd', 'coalesce', files[2])
        self.assertEqual(set(result), FIELDS)
        self.assertEqual((result['child'], result['parent']), (self.path(files[2]), self.path(files[1])))
        self.assertEqual((result['layers'], result['grown'], result['resumed']), (2, 0, False))
        self.assertTrue(300000 <= result['bytes_moved'] <= 301056, result)
        self.assertIn('remove it', result['next'])
        self.assertEqual(self.blocks(files[2]), 0)
        self.reads(files[2], data)
        self.reads(files[1], data)
        self.is_clean(files)
        self.assertLess(os.path.getsize(self.path(files[2])), 16 << 10)
        before = self.listing()
        self.assertEqual(self.json('vhd', 'coalesce', files[2])['bytes_moved'], 0)
        self.assertEqual(self.listing(), before)
        os.unlink(self.path(files[2]))   # as it is told
        self.reads(files[1], data)

    def test_a_run_in_one_pass(self):
        files, data = self.chain(5)
        out = self.run_ok('vhd', 'coalesce', files[4], '--into', files[1])
        self.assertIn('bytes moved', out)
        self.assertEqual([self.blocks(name) for name in files[2:]], [0, 0, 0])
        for name in files[1:]:
            self.reads(name, data)
        self.is_clean(files)

    def test_a_smaller_parent_is_grown(self):
        files, data = self.chain(2)
        self.run_ok('vhd', 'resize', files[1], '--size', '40M')
        data += bytes(40 * MIB - len(data))
        self.assertEqual(self.json('vhd', 'coalesce', files[1])['grown'], 1)
        self.reads(files[0], data)
        self.is_clean(files)

    def test_an_empty_child_changes_nothing(self):
        files, data = self.chain(2)
        self.run_ok('vhd', 'convert', files[1], 'base.raw')
        self.run_ok('vhd', 'snapshot', 'base.raw', 'over.vhd')
        self.assertEqual(self.json('vhd', 'coalesce', 'over.vhd')['bytes_moved'], 0)
        self.assertEqual(self.read('base.raw'), data)

    def test_usage(self):
        files, _ = self.chain(2)
        self.refused('vhd', 'coalesce', code=USAGE)
        self.refused('vhd', 'coalesce', files[0], says=('has no parent',))
        self.refused('vhd', 'coalesce', files[1], '--into', 'disk.raw', says=('disk.raw', 'no ancestor'))
        self.refused('vhd', 'coalesce', 'none.vhd', says=('none.vhd', 'no such file'))

    def test_files_of_an_sr_are_for_gc(self):
        files, _ = self.chain(2)
        os.mkdir(self.path('.catena'))
        self.refused('vhd', 'coalesce', files[1], says=('gc run --sr',))


class WhoElse(CoalesceCase):
    def test_another_child(self):
        files, data = self.chain()
        self.run_ok('vhd', 'snapshot', files[1], 'other.vhd')
        self.refused('vhd', 'coalesce', files[2], says=('other.vhd names', files[1]))
        self.refused('vhd', 'coalesce', files[2], '--into', files[0], says=('other.vhd names',))
        os.unlink(self.path('other.vhd'))
        self.run_ok('vhd', 'coalesce', files[2])
        self.reads(files[2], data)

    def test_what_cannot_be_read_may_be_a_child(self):
        files, data = self.chain()
        shutil.copy(self.path(files[2]), self.path('bad.vhd'))
        size = os.path.getsize(self.path('bad.vhd'))
        self.patch('bad.vhd', 512, bytes(1024))   # its header
        self.refused('vhd', 'coalesce', files[2], says=('bad.vhd may be a child',))
        self.patch('bad.vhd', 0, bytes(512))
        self.patch('bad.vhd', size - 512, bytes(512))   # and now it is no VHD any more
        self.run_ok('vhd', 'coalesce', files[2])
        self.reads(files[2], data)

    def test_force_passes_over_what_cannot_be_read(self):
        files, data = self.chain()
        shutil.copy(self.path(files[2]), self.path('bad.vhd'))
        self.patch('bad.vhd', 512, bytes(1024))
        self.run_ok('vhd', 'coalesce', files[2], '--force')
        self.reads(files[2], data)

    def held_open(self, name, program):
        holder = subprocess.Popen([sys.executable, '-c', program, self.path(name)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.assertEqual(holder.stdout.readline(), b'open\n')
        return holder

    def test_whoever_has_a_file_open_without_a_lock_is_named(self):
        files, data = self.chain()
        for name, mode in ((files[0], 'rb'), (files[1], 'r+b'), (files[2], 'rb')):
            holder = self.held_open(
                name, 'import sys\nf = open(sys.argv[1], "%s")\nprint("open", flush=True)\nsys.stdin.read()' %
                mode)
            self.refused('vhd', 'coalesce', files[2], '--into', files[0],
                         says=('is open in pid %d' % holder.pid, name))
            holder.communicate()
        self.run_ok('vhd', 'coalesce', files[2], '--into', files[0])
        self.reads(files[2], data)

    def test_whoever_has_a_lock_is_named(self):
        """Ours, and the single bytes that qemu takes."""
        files, data = self.chain()
        for at in (100, 201):
            holder = self.held_open(
                files[1], 'import fcntl, os, struct, sys\n'
                'fd = os.open(sys.argv[1], os.O_RDWR)\n'
                'fcntl.fcntl(fd, 37, struct.pack("hhqqi", fcntl.F_RDLCK, 0, %d, 1, 0))\n'
                'print("open", flush=True)\nsys.stdin.read()' % at)
            self.refused('vhd', 'coalesce', files[2], says=('locked by pid %d' % holder.pid, files[1]))
            holder.communicate()
        self.run_ok('vhd', 'coalesce', files[2])
        self.reads(files[2], data)

    def test_a_second_name(self):
        files, _ = self.chain()
        os.link(self.path(files[1]), self.path('second'))
        self.refused('vhd', 'coalesce', files[2], says=(files[1], 'another name'))


class Interrupted(CoalesceCase):
    def slow(self, files, *more):
        """One that has moved some of 12 MiB, and not all."""
        run = subprocess.Popen([CATENA, 'vhd', 'coalesce', files[-1], '--limit', '1M', '--json', '--progress',
                                *more], cwd=self.dir, env=self.env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        for line in run.stderr:
            progress = json.loads(line)['progress']
            if 0 < progress['done'] < progress['total']:
                return run
        self.fail('it ended too early: ' + run.communicate()[0].decode())

    def test_it_goes_on_where_it_was(self):
        for how, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)):
            files, data = self.chain(2, size=16 * MIB, wrote=6 * BLOCK)
            run = self.slow(files)
            self.refused_while_it_runs(files)
            run.send_signal(how)
            run.communicate()
            self.assertEqual(run.returncode, code)
            self.reads(files[1], data)
            self.is_told(files)
            done = self.json('vhd', 'coalesce', files[1])
            self.assertTrue(done['resumed'])
            self.assertTrue(0 < done['bytes_moved'] < 6 * BLOCK, done)
            self.reads(files[1], data)
            self.reads(files[0], data)
            self.is_clean(files)
            for name in files:
                os.unlink(self.path(name))

    def refused_while_it_runs(self, files):
        got, _, err = self.call('vhd', 'coalesce', files[1])
        self.assertEqual(got, FAILED)
        self.assertIn('locked by pid', err.decode())

    def is_told(self, files):
        """By each file of it, to whoever looks; and no other child is made meanwhile."""
        for name in files:
            info = self.json('vhd', 'info', name)['coalesce']
            self.assertEqual((info['child'], info['into']), (self.path(files[1]), self.path(files[0])))
            self.assertIn('vhd coalesce', self.run_ok('vhd', 'check', name))
        self.refused('vhd', 'snapshot', files[0], 'new.vhd', says=('not done', 'catena vhd coalesce'))

    def test_one_with_another_target_waits(self):
        files, data = self.chain(4, size=16 * MIB, wrote=3 * BLOCK, step=BLOCK)
        run = self.slow(files, '--into', files[1])
        run.send_signal(signal.SIGINT)
        run.communicate()
        self.refused('vhd', 'coalesce', files[3], says=('was interrupted', '--into', files[1]))
        self.refused('vhd', 'coalesce', files[2], says=('part of another coalesce', '--into', files[1]))
        self.refused('vhd', 'coalesce', files[1], says=('part of another coalesce',))
        self.run_ok('vhd', 'coalesce', files[3], '--into', files[1])
        self.run_ok('vhd', 'coalesce', files[1])
        self.reads(files[3], data)
        self.reads(files[0], data)
        self.is_clean(files)


class Others(CoalesceCase):
    """What other programs read."""

    def program(self, name):
        if not shutil.which(name):
            self.skipTest('%s is not here' % name)
        return name

    def coalesced(self):
        """The result as a file of its own: a base that took all in."""
        files, data = self.chain(3, size=12 * MIB)
        self.run_ok('vhd', 'coalesce', files[2], '--into', files[0])
        return files[0], data

    def test_qemu_reads_the_same(self):
        qemu = self.program('qemu-img')
        name, data = self.coalesced()
        subprocess.run([qemu, 'convert', '-f', 'vpc', '-O', 'raw', name, 'q.raw'], cwd=self.dir, check=True)
        got = self.read('q.raw')
        self.assertEqual(got[:len(data)], data)
        self.assertFalse(any(got[len(data):]))

    def test_vhdiinfo_reads_the_same(self):
        name, data = self.coalesced()
        done = subprocess.run([self.program('vhdiinfo'), name], cwd=self.dir, capture_output=True, check=True)
        self.assertIn('(%d bytes)' % len(data), done.stdout.decode())

    def test_a_qemu_that_has_it_open_is_kept_out_of_the_way(self):
        qemu = self.program('qemu-io')
        files, data = self.chain()
        holder = subprocess.Popen([qemu, '-r', '-f', 'vpc', files[0]], cwd=self.dir, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        holder.stdin.write(b'read 0 512\n')
        holder.stdin.flush()
        while b'read 512' not in holder.stdout.readline():
            pass
        self.refused('vhd', 'coalesce', files[1], says=('pid %d' % holder.pid, files[0]))
        holder.communicate(b'quit\n')
        self.run_ok('vhd', 'coalesce', files[1])
        self.reads(files[2], data)


if __name__ == '__main__':
    unittest.main(verbosity=2)
