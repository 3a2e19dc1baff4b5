#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real guest, whose root is a disk that catena serve serves, started by the README's command line. It
writes files and says which are durable; meanwhile the disk is snapshotted and coalesced below it, the server
restarted or killed. The file system is sound ever after, and what was said to be durable is there: on the
disk, and in each snapshot.

CATENA_SEED=N repeats what is chosen: which files, and at which word of the guest the kill comes."""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import unittest

import guest
from test_nbd import CATENA, DONE, TOP, Case

os.environ['PATH'] += ':/usr/sbin:/sbin'
SOAK = os.environ.get('CATENA_SOAK', '') not in ('', '0')
KILLS = 20 if SOAK else 2
RATE = '4M'  # of coalesces, so that they last while the guest does something
README = os.path.join(TOP, 'README.md')
TOTALS = re.compile(r'Free (blocks|inodes) count wrong \(\d+, counted=\d+\)\.\nFix\? yes\n')
ABSENT = [name for name in ('qemu-system-x86_64', 'busybox', 'mke2fs', 'debugfs', 'e2fsck')
          if not shutil.which(name)]


@unittest.skipIf(ABSENT, 'not installed: ' + ', '.join(ABSENT))
class Guest(Case):

    def setUp(self):
        try:
            kernel, modules = guest.find_kernel()
            super().setUp()
            guest.make_initramfs(self.path('initrd.img'), modules)
        except guest.Absent as what:
            self.skipTest(str(what))
        os.symlink(kernel, self.path('vmlinuz'))
        seed = int(os.environ.get('CATENA_SEED') or random.randrange(1000000))
        print('CATENA_SEED=%d' % seed, flush=True)
        self.dice = random.Random(seed)
        guest.make_root(self.path('root'), self.path('root.img'))
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'web', 'root.img')
        self.run_ok('gc', 'limit', '--sr', 'sr', RATE)
        self.told = guest.Told()
        self.guest = None
        self.snapshots = {}  # name -> what it must hold
        self.looked = 0
        self.n = {'coalesced': 0, 'meanwhile': 0}

    def boot(self):
        """As the README says, but for the socket's place; then what a test wants: no KVM, little memory, no
        words of the kernel, and that an error of the disk is never the guest's."""
        words = [word.replace('/run/catena.sock', self.path('sock')) for word in guest.command_of(README)]
        drive, append = words.index('-drive') + 1, words.index('-append') + 1
        words[drive] += ',file.reconnect-delay=%d,werror=stop,rerror=stop' % guest.PATIENCE
        words[append] += ' quiet loglevel=2 printk.time=0 printk.devkmsg=on panic=-1 FIRST=%d SEED=%d' % (
            len(self.told.manifest), self.dice.randrange(1 << 31))
        words += ['-accel', 'tcg', '-m', '256M', '-nic', 'none', '-no-reboot']
        self.guest = guest.Guest(words, self.dir, self.told)
        self.addCleanup(self.guest.close)
        self.guest.wait('UP', 1)

    # ---- what goes on below it

    def snapshot(self, name):
        _, self.snapshots[name] = self.guest.run_snapshot(
            lambda: self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'web', '--name', name))

    def delete(self, name):
        self.run_ok('vdi', 'delete', '--sr', 'sr', name)
        del self.snapshots[name]

    def coalesce(self):
        self.guest.pump()
        n = self.guest.n('SYNCED')
        self.count_gc(n, self.run_ok('gc', 'run', '--sr', 'sr', '--json'))

    def count_gc(self, n, told):
        """A run that began when the guest had synced n times in this boot."""
        self.guest.pump()
        self.n['coalesced'] += json.loads(told)['coalesced']
        self.n['meanwhile'] += self.guest.n('SYNCED') - n

    def few_more(self, n=3):
        self.guest.wait('SYNCED', self.guest.n('SYNCED') + n)

    # ---- what must hold

    def look_at(self, name, told, is_clean=False):
        """Exports it, and finds the file system sound and the files that are durable as they were. One that
        was not left cleanly needs its journal replayed, and the two totals that the kernel counts when it
        mounts; every other repair would be a question."""
        raw, out = self.path('exported.raw'), self.path('out')
        self.run_ok('vdi', 'export', '--sr', 'sr', name, '--format', 'raw', '-o', raw)
        if not is_clean:
            done = subprocess.run(['e2fsck', '-fy', raw], capture_output=True, text=True, check=False)
            self.assertIn(done.returncode, (0, 1), name + ': ' + done.stdout + done.stderr)
            self.assertNotIn('? yes', TOTALS.sub('', done.stdout), name)
        self.tool('e2fsck', '-fn', raw)
        os.mkdir(out)
        self.tool('debugfs', '-R', 'rdump /data ' + out, raw)
        for file, wanted in told.sums.items():
            path = os.path.join(out, 'data', file)
            found = 'gone'
            if os.path.exists(path):
                with open(path, 'rb') as f:
                    found = hashlib.sha256(f.read()).hexdigest()
            self.assertEqual(found, wanted, '%s: %s' % (name, file))
        if told.manifest:
            with open(os.path.join(out, 'data', 'manifest')) as f:
                lines = f.read().split('\n')
            self.assertEqual(lines[:len(told.manifest)], told.manifest, name)
        shutil.rmtree(out)
        os.unlink(raw)
        self.looked += 1

    def look_at_snapshots(self):
        for name, told in self.snapshots.items():
            self.look_at(name, told)

    def say_what_was_done(self):
        self.assertEqual(self.told.wrong, [])
        print('%d syncs, %d of them while gc ran; %d coalesces; %d file systems looked at' % (
            len(self.told.manifest), self.n['meanwhile'], self.n['coalesced'], self.looked), flush=True)

    # ---- the cases

    def test_a_guest_lives_on_a_disk_that_is_snapshotted_coalesced_and_served_anew(self):
        self.serve()
        self.boot()
        self.few_more(10)
        turn = 0
        while turn < 4 or (self.n['meanwhile'] == 0 and turn < 40):
            for letter in 'ab':
                self.snapshot('%s%d' % (letter, turn))
                self.few_more()
            self.look_at('a%d' % turn, self.snapshots['a%d' % turn])
            self.delete('a%d' % turn)
            if turn > 1:
                self.delete('b%d' % (turn - 2))
            self.coalesce()
            turn += 1
            if turn == 2:
                self.assertEqual(self.stop(), DONE)
                self.serve()
        self.assertGreater(self.n['coalesced'], 0)
        self.assertGreater(self.n['meanwhile'], 0)
        self.few_more()
        self.assertEqual(self.guest.power_off(), 0)
        self.assertEqual(self.stop(), DONE)
        self.assertEqual(self.log(), '')
        self.run_ok('sr', 'check', 'sr')
        self.look_at('web', self.told, is_clean=True)
        self.look_at_snapshots()
        self.say_what_was_done()

    def churn(self, kill, number):
        """Snapshots, deletes and coalesces until the kill."""
        for turn in range(1000000):
            name, old = 's%d-%d' % (number, turn), 's%d-%d' % (number, turn - 2)
            taken, holds = self.guest.run_snapshot(
                lambda: self.run_until(kill, 'vdi', 'snapshot', '--sr', 'sr', 'web', '--name', name))
            if taken is None:
                return
            self.snapshots[name] = holds
            if self.snapshots.pop(old, None):
                if self.run_until(kill, 'vdi', 'delete', '--sr', 'sr', old) is None:
                    return
            n = self.guest.n('SYNCED')
            told = self.run_until(kill, 'gc', 'run', '--sr', 'sr', '--json')
            if told is None:
                return
            self.count_gc(n, told)

    def run_until(self, kill, *words):
        """What it prints; None: the server was killed meanwhile, so nobody knows what was done."""
        with subprocess.Popen([CATENA, *words], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            while True:
                try:
                    out, err = running.communicate(timeout=0.02)
                except subprocess.TimeoutExpired:
                    if not kill.is_set():
                        continue
                    running.kill()
                    running.communicate()
                    return None
                if kill.is_set():
                    return None
                self.assertEqual(running.returncode, DONE, ' '.join(words) + ': ' + err.decode())
                return out

    def kill_both(self, number):
        """After so many syncs as the dice say. The server goes first, in the middle of what it does; the
        guest waits for it until it goes too."""
        n = self.dice.randrange(8, 60)
        kill, failed = threading.Event(), []

        def churn():
            try:
                self.churn(kill, number)
            except BaseException as problem:  # pylint: disable=broad-except
                failed.append(problem)
        churning = threading.Thread(target=churn)
        churning.start()
        try:
            self.guest.wait('SYNCED', n)
        finally:
            kill.set()
            self.stop(signal.SIGKILL)
            self.guest.kill()
            churning.join()
        if failed:
            raise failed[0]

    def test_a_kill_loses_nothing_that_a_guest_was_told_is_durable(self):
        self.serve()
        for number in range(KILLS):
            self.boot()
            self.kill_both(number)
            self.serve()
            self.run_ok('sr', 'check', 'sr')
            self.look_at('web', self.told)
            self.look_at_snapshots()
        self.assertEqual(self.stop(), DONE)
        self.say_what_was_done()


if __name__ == '__main__':
    unittest.main(verbosity=2)
