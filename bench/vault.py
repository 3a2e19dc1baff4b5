# SPDX-License-Identifier: Apache-2.0
"""What the rows about a vault share: a disk with a file system of real files, its days, and whoever backs it
up: Catena, borg, restic. All of them encrypt, and compress by zstd at its lowest level.

Their keys lie in files of the bench's folder, and reach them in their environment or by path, never on a
command line. What they keep at home (caches) lies there too.
"""
import json
import os
import random
import subprocess

from kit import LIMIT_S

CHUNK = 256 << 10


def make_disk(bench, path, size, sources=('/usr/lib', '/usr/share')):
    """An ext4 file system of as many files of these folders as fill two thirds of it."""
    folder, room = bench.fresh('files'), size * 2 // 3
    for source in sources:
        into = os.path.join(folder, os.path.basename(source))
        os.mkdir(into)
        for name in sorted(os.listdir(source)):
            found = os.path.join(source, name)
            if room <= 0 or os.path.islink(found):
                continue
            took = int(subprocess.run(['du', '-sb', found], capture_output=True, text=True,
                                      check=True).stdout.split()[0])
            if took < room:
                bench.run('cp', '-a', found, into)
                room -= took
    bench.drop(path)
    bench.run('mke2fs', '-q', '-t', 'ext4', '-d', folder, path, str(size >> 10) + 'k')
    bench.drop(folder)


def another_day(path, size, day, share=0.01):
    """One chunk in a hundred is written to, as guests do: pages of it, here and there; which extents."""
    dice = random.Random(day)
    extents = []
    with open(path, 'r+b') as f:
        for chunk in sorted(dice.sample(range(size // CHUNK), max(1, int(size // CHUNK * share)))):
            for page in dice.sample(range(CHUNK // 4096), 8):
                f.seek(chunk * CHUNK + page * 4096)
                f.write(dice.randbytes(4096))
            extents.append({'offset': chunk * CHUNK, 'length': CHUNK})
    return extents


def size_of(folder):
    total = 0
    for where, _, names in os.walk(folder):
        total += sum(os.stat(os.path.join(where, name)).st_blocks * 512 for name in names)
    return total


class Ours:
    name = 'catena'

    def __init__(self, bench):
        self.bench, self.vault, self.key = bench, bench.path('vault'), bench.path('key')
        bench.drop(self.vault, self.key)
        bench.run(bench.catena(), 'vault', 'init', self.vault, '--key-file', self.key)
        self.open = ['--vault', self.vault, '--key-file', self.key]
        self.points = []

    def put(self, path, changed=None, since=None):
        more = []
        if changed is not None:
            listed = self.bench.path('changed.json')
            with open(listed, 'w', encoding='utf-8') as f:
                json.dump({'since': since or self.points[-1]['point'], 'extents': changed}, f)
            more = ['--parent', since or self.points[-1]['point'], '--changed', listed]
        told = self.bench.run(self.bench.catena(), 'vault', 'put', *self.open, '--name', 'disk', '--json',
                              *more, path)
        self.points.append(json.loads(told))
        return self.points[-1]

    def get(self, to):
        self.bench.run(self.bench.catena(), 'vault', 'get', *self.open, self.points[-1]['point'], '-o', to)

    def drop(self):
        self.bench.drop(self.vault, self.key)


class Borg:
    name = 'borg'

    def __init__(self, bench):
        self.bench, self.repository = bench, bench.path('borg')
        self.home = bench.fresh('borg-home')
        self.environment = dict(bench.environment, BORG_PASSPHRASE='bench', BORG_BASE_DIR=self.home)
        bench.drop(self.repository)
        self.run('init', '-e', 'repokey', self.repository)
        self.n = 0

    def run(self, *command, to=None):
        done = subprocess.run(['borg', *command], stdout=to or subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env=self.environment, timeout=LIMIT_S, check=False)
        if done.returncode:
            raise RuntimeError('borg: ' + done.stderr.decode(errors='replace')[-300:])

    def put(self, path, *_):
        self.n += 1
        self.run('create', '-C', 'zstd,1', '%s::%d' % (self.repository, self.n), path)

    def get(self, to):
        with open(to, 'wb') as f:
            self.run('extract', '--stdout', '%s::%d' % (self.repository, self.n), to=f)
            os.fsync(f.fileno())

    def drop(self):
        self.bench.drop(self.repository, self.home)


class Restic:
    name = 'restic'

    def __init__(self, bench):
        self.bench, self.repository = bench, bench.path('restic')
        self.environment = dict(bench.environment, RESTIC_PASSWORD='bench',
                                RESTIC_CACHE_DIR=bench.fresh('restic-cache'))
        bench.drop(self.repository)
        self.run('init', '-r', self.repository)

    def run(self, *command, to=None):
        done = subprocess.run(['restic', '-q', *command], stdout=to or subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=self.environment, timeout=LIMIT_S, check=False)
        if done.returncode:
            raise RuntimeError('restic: ' + done.stderr.decode(errors='replace')[-300:])

    def put(self, path, *_):
        self.path = path
        self.run('-r', self.repository, 'backup', path)

    def get(self, to):
        with open(to, 'wb') as f:
            self.run('-r', self.repository, 'dump', 'latest', self.path, to=f)
            os.fsync(f.fileno())

    def drop(self):
        self.bench.drop(self.repository, self.environment['RESTIC_CACHE_DIR'])
