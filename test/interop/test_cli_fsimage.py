#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real file system on a disk whose snapshots come and go while it is changed and coalesced: ext4, made by
mke2fs and changed by debugfs in an image beside the SR, of which what changed is written to the disk. Nothing
is mounted. In the end e2fsck finds nothing, and every file reads as it was written; so does every snapshot on
the way, by its bytes.

CATENA_SEED=N repeats a schedule."""
import hashlib
import json
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

from test_cli import CATENA, MIB, Case

os.environ['PATH'] += ':/usr/sbin:/sbin'
SIZE = 48 * MIB
PIECE = 64 * 1024
SOAK = os.environ.get('CATENA_SOAK', '') not in ('', '0')
ROUNDS = 300 if SOAK else 40
MISSING = [name for name in ('mke2fs', 'debugfs', 'e2fsck') if not shutil.which(name)]


class FileSystem:
    """An image file, and what must be in it."""

    def __init__(self, folder, dice):
        self.image = os.path.join(folder, 'ref.img')
        self.folder = folder
        self.dice = dice
        self.files = {}
        with open(self.image, 'wb') as f:
            f.truncate(SIZE)
        self.tool('mke2fs', '-q', '-t', 'ext4', '-F', '-b', '4096', self.image)

    def tool(self, *words, stdin=''):
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError('%s: %s%s' % (' '.join(words), done.stdout, done.stderr))
        return done.stdout

    def debugfs(self, commands):
        script = os.path.join(self.folder, 'script')
        with open(script, 'w', encoding='ascii') as f:
            f.write('\n'.join(commands) + '\n')
        self.tool('debugfs', '-w', '-f', script, self.image)

    def change(self):
        """A few files come, change and go."""
        commands = []
        for _ in range(self.dice.randrange(1, 5)):
            name = 'f%d' % self.dice.randrange(12)
            if name in self.files:
                commands.append('rm ' + name)
                del self.files[name]
            if self.dice.randrange(4):
                data = self.dice.randbytes(self.dice.choice((100, 5000, 70000, 900000)))
                with open(os.path.join(self.folder, name), 'wb') as f:
                    f.write(data)
                commands.append('write %s %s' % (os.path.join(self.folder, name), name))
                self.files[name] = data
        self.debugfs(commands)

    def read(self):
        with open(self.image, 'rb') as f:
            return f.read()

    def check(self, image):
        self.tool('e2fsck', '-fn', image)
        out = os.path.join(self.folder, 'out')
        for name, data in self.files.items():
            self.tool('debugfs', '-R', 'dump %s %s' % (name, out), image)
            with open(out, 'rb') as f:
                if f.read() != data:
                    raise AssertionError('%s is not what was written to it' % name)
            os.unlink(out)


def changed(before, after):
    """(offset, bytes) of what differs, adjacent pieces joined."""
    runs = []
    for at in range(0, SIZE, PIECE):
        if before[at:at + PIECE] == after[at:at + PIECE]:
            continue
        if runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + after[at:at + PIECE])
        else:
            runs.append((at, after[at:at + PIECE]))
    return runs


@unittest.skipIf(MISSING, 'without ' + ', '.join(MISSING))
class Schedule(Case):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get('CATENA_SEED') or time.time_ns() % 1000000)
        print('CATENA_SEED=%d' % seed, flush=True)
        self.dice = random.Random(seed)
        self.fs = FileSystem(self.dir, self.dice)
        for _ in range(5):
            self.fs.change()
        self.run_ok('sr', 'create', 'sr', '--name', 'main')
        self.vdi = self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'web', 'ref.img').strip()
        self.written = self.fs.read()
        self.snapshots = {}  # uuid -> digest
        self.under_way = None
        self.beside = []  # of each run beside a writer: how many coalesces it ended, or its error
        self.n = {'coalesced': 0, 'single': 0}
        self.addCleanup(self.kill)

    def kill(self):
        if self.under_way:
            self.under_way.kill()
            self.under_way.communicate()

    def begin(self, *words, stdin=subprocess.DEVNULL):
        return subprocess.Popen([CATENA] + list(words), cwd=self.dir, env=self.env, stdin=stdin,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    # ---- what comes by turns

    def write(self):
        """What the file system changed, piece by piece."""
        self.fs.change()
        image = self.fs.read()
        for at, data in changed(self.written, image):
            self.run_ok('vdi', 'write', '--sr', 'sr', self.vdi, '--offset', str(at), stdin=data)
        self.written = image

    def write_slowly(self):
        """All of the disk, by one writer who has it open while gc coalesces it."""
        uuid = self.run_ok('vdi', 'snapshot', '--sr', 'sr', self.vdi).strip()
        self.write()
        self.run_ok('vdi', 'delete', '--sr', 'sr', uuid)
        self.fs.change()
        image = self.fs.read()
        writer = self.begin('vdi', 'write', '--sr', 'sr', self.vdi, stdin=subprocess.PIPE)
        run = None
        for at in range(0, SIZE, MIB):
            writer.stdin.write(image[at:at + MIB])
            writer.stdin.flush()
            if at == 2 * MIB:
                run = threading.Thread(target=self.run_beside)
                run.start()
            time.sleep(0.01)
        _, err = writer.communicate()
        self.assertEqual(writer.returncode, 0, err.decode())
        run.join()
        self.written = image

    def run_beside(self):
        """Whatever it could do: the writer may have been in its way."""
        code, out, err = self.call('gc', 'run', '--sr', 'sr', '--json')
        self.beside.append(json.loads(out)['coalesced'] if code in (0, 3) else err)

    def snapshot(self):
        if len(self.snapshots) < 6:
            uuid = self.run_ok('vdi', 'snapshot', '--sr', 'sr', self.vdi).strip()
            self.snapshots[uuid] = hashlib.sha256(self.written).digest()

    def delete(self):
        if self.snapshots:
            uuid = self.dice.choice(sorted(self.snapshots))
            self.run_ok('vdi', 'delete', '--sr', 'sr', uuid)
            del self.snapshots[uuid]

    def begin_run(self):
        if self.under_way is None:
            self.under_way = self.begin('gc', 'run', '--sr', 'sr')

    def end_run(self):
        """Whatever it could do: what came meanwhile may have been in its way."""
        if self.under_way:
            self.under_way.communicate(timeout=60)
            self.assertIn(self.under_way.returncode, (0, 3))
            self.under_way = None

    def coalesce(self):
        self.end_run()
        self.n['coalesced'] += self.json('gc', 'run', '--sr', 'sr')['coalesced']
        self.is_sound()

    def look(self):
        self.reads(self.vdi, hashlib.sha256(self.written).digest())
        if self.snapshots:
            uuid = self.dice.choice(sorted(self.snapshots))
            self.reads(uuid, self.snapshots[uuid])

    # ---- what must hold

    def reads(self, uuid, digest):
        self.run_ok('vdi', 'export', '--sr', 'sr', uuid, '-o', 'back.raw')
        with open(self.path('back.raw'), 'rb') as f:
            self.assertEqual(hashlib.sha256(f.read()).digest(), digest)
        os.unlink(self.path('back.raw'))

    def is_sound(self):
        nodes = self.json('vdi', 'tree', '--sr', 'sr')['nodes']
        for node in nodes:
            self.run_ok('vhd', 'check', self.path('sr/%s.vhd' % node['uuid']))
        self.assertEqual(self.json('sr', 'check', 'sr', '--bitmaps')['errors'], 0)
        if len(nodes) == 1:
            self.is_read_by_others(self.path('sr/%s.vhd' % nodes[0]['uuid']))

    def is_read_by_others(self, file):
        """Of one file other tools know what it holds."""
        with open(self.path('want.raw'), 'wb') as f:
            f.write(self.written)
        self.n['single'] += 1
        if shutil.which('qemu-img'):
            self.fs.tool('qemu-img', 'compare', '-f', 'vpc', '-F', 'raw', file, self.path('want.raw'))
        if shutil.which('vhdiinfo'):
            self.assertIn(str(SIZE), self.fs.tool('vhdiinfo', file))

    def test_a_file_system_lives_through_all_of_it(self):
        turns = [(self.write, 6), (self.write_slowly, 1), (self.snapshot, 5), (self.delete, 4),
                 (self.begin_run, 3), (self.coalesce, 2), (self.look, 2)]
        for _ in range(ROUNDS):
            turn, = self.dice.choices([turn for turn, _ in turns], [weight for _, weight in turns])
            turn()
        self.end_run()
        self.write_slowly()
        for uuid in sorted(self.snapshots):
            self.reads(uuid, self.snapshots[uuid])
            self.run_ok('vdi', 'delete', '--sr', 'sr', uuid)
        self.snapshots = {}
        self.write_slowly()
        self.begin_run()
        self.write()
        self.coalesce()
        self.assertEqual(self.json('gc', 'status', '--sr', 'sr')['coalesces'], [])
        self.run_ok('vdi', 'export', '--sr', 'sr', self.vdi, '-o', 'end.img')
        self.fs.check(self.path('end.img'))
        self.assertEqual(self.json('vdi', 'tree', '--sr', 'sr')['nodes'][0]['depth'], 1)
        self.assertGreater(self.n['single'], 0)
        self.assertEqual([end for end in self.beside if not isinstance(end, int)], [])
        print('coalesced: %d, beside a writer %s; %d times to one file' %
              (self.n['coalesced'], self.beside, self.n['single']), flush=True)


if __name__ == '__main__':
    unittest.main(verbosity=2)
