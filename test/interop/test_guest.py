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
STOPS = 4      # before each kill, looked at as if it came then
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
        shutil.copy(kernel, self.path('vmlinuz'))
        seed = int(os.environ.get('CATENA_SEED') or random.randrange(1000000))
        print('CATENA_SEED=%d' % seed, flush=True)
        self.dice = random.Random(seed)
        self.run_ok('gc', 'limit', '--sr', 'sr', RATE)
        self.told = guest.Told()
        self.guest = None
        self.snapshots = {}  # name -> what it must hold
        self.looked = 0
        self.n = {'coalesced': 0, 'meanwhile': 0}

    def import_root(self):
        guest.make_root(self.path('root'), self.path('root.img'))
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'web', 'root.img')

    def boot(self, has_boot_loader=False):
        """As the README says, but for the socket's place; then what a test wants: no KVM, little memory, no
        words of the kernel, and that an error of the disk is never the guest's."""
        words, kernel = guest.command_of(README)
        drive, append = words.index('-drive') + 1, kernel.index('-append') + 1
        words[drive] = words[drive].replace('/run/catena.sock', self.path('sock'))
        words[drive] += ',file.reconnect-delay=%d,werror=stop,rerror=stop' % guest.PATIENCE
        kernel[append] += guest.QUIET + ' FIRST=%d SEED=%d' % (len(self.told.manifest),
                                                               self.dice.randrange(1 << 31))
        words += ['-nographic'] if has_boot_loader else kernel
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

    def look_at(self, name, told, is_clean=False, begins=0, sr='sr'):
        """Exports it, and finds the file system sound and the files that are durable as they were. One that
        was not left cleanly needs its journal replayed, and the two totals that the kernel counts when it
        mounts; every other repair would be a question."""
        raw, out = self.path('exported.raw'), self.path('out')
        self.run_ok('vdi', 'export', '--sr', sr, name, '--format', 'raw', '-o', raw)
        if begins:
            with open(raw, 'rb') as whole, open(self.path('part'), 'wb') as f:
                whole.seek(begins)
                shutil.copyfileobj(whole, f)
            os.rename(self.path('part'), raw)
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
            with open(os.path.join(out, 'data', 'manifest'), errors='replace') as f:
                lines = set(f.read().split('\n'))
            self.assertEqual([line for line in told.manifest if line not in lines], [], name)
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

    @unittest.skipUnless(shutil.which('grub-mkimage') and os.path.isdir(guest.GRUB),
                         'grub-common and grub-pc-bin are not installed')
    def test_a_disk_with_a_boot_loader_needs_nothing_beside_it(self):
        guest.make_root(self.path('root'), self.path('root.img'), self.path('vmlinuz'),
                        self.path('initrd.img'))
        guest.add_boot_loader(self.path('root.img'), self.path('disk.raw'))
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'web', 'disk.raw')
        self.serve()
        self.boot(has_boot_loader=True)
        self.few_more()
        self.assertEqual(self.guest.power_off(), 0)
        self.assertEqual(self.stop(), DONE)
        self.look_at('web', self.told, is_clean=True, begins=guest.MIB)

    def test_a_guest_lives_on_a_disk_that_is_snapshotted_coalesced_and_served_anew(self):
        self.import_root()
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
            if turn % 2 == 0:
                for name in list(self.snapshots):  # so the file that the guest writes to goes into its parent
                    self.delete(name)
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
        """Snapshots, deletes and coalesces until the kill. At most two snapshots of this boot are kept; none
        now and then, and the file that the guest writes to goes into its parent."""
        kept = []
        for turn in range(1000000):
            name = 's%d-%d' % (number, turn)
            taken, holds = self.guest.run_snapshot(
                lambda: self.run_until(kill, 'vdi', 'snapshot', '--sr', 'sr', 'web', '--name', name))
            if taken is None:
                return
            self.snapshots[name] = holds
            kept.append(name)
            while len(kept) > (0 if turn % 3 == 1 else 2):
                del self.snapshots[kept[0]]
                if self.run_until(kill, 'vdi', 'delete', '--sr', 'sr', kept.pop(0)) is None:
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

    def look_as_if_killed(self):
        """What a kill would leave now is what the files hold while the server stands still: a copy of them.
        What the guest says until the copy is made, he said of what was done before."""
        self.server.send_signal(signal.SIGSTOP)
        os.waitpid(self.server.pid, os.WUNTRACED)
        try:
            self.guest.pump()
            with self.guest.lock:
                told, snapshots = self.told.copy(), dict(self.snapshots)
            self.tool('cp', '-a', '--sparse=always', 'sr', 'stopped')
        finally:
            self.server.send_signal(signal.SIGCONT)
        self.look_at('web', told, sr='stopped')
        for name in self.dice.sample(sorted(snapshots), min(2, len(snapshots))):
            self.look_at(name, snapshots[name], sr='stopped')
        self.run_ok('sr', 'check', 'stopped')
        shutil.rmtree(self.path('stopped'))

    def kill_both(self, number):
        """After so many syncs as the dice say. The server goes first, in the middle of what it does; the
        guest waits for it until it goes too."""
        moments = sorted(self.dice.sample(range(5, 60), STOPS + 1))
        kill, failed = threading.Event(), []

        def churn():
            try:
                self.churn(kill, number)
            except BaseException as problem:  # pylint: disable=broad-except
                failed.append(problem)
        churning = threading.Thread(target=churn)
        churning.start()
        try:
            for n in moments[:-1]:
                self.guest.wait('SYNCED', n)
                self.look_as_if_killed()
            self.guest.wait('SYNCED', moments[-1])
        finally:
            kill.set()
            self.stop(signal.SIGKILL)
            self.guest.kill()
            churning.join()
        if failed:
            raise failed[0]

    def test_a_kill_loses_nothing_that_a_guest_was_told_is_durable(self):
        self.import_root()
        self.serve()
        for number in range(KILLS):
            self.boot()
            self.kill_both(number)
            self.serve()
            self.run_ok('sr', 'check', 'sr')
            self.look_at('web', self.told)
            self.look_at_snapshots()
            for name in list(self.snapshots)[:-4]:
                self.delete(name)
        self.assertEqual(self.stop(), DONE)
        self.say_what_was_done()


if __name__ == '__main__':
    unittest.main(verbosity=2)
