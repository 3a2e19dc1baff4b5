#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Vaults in a directory that hangs, or fails, and recovers (test/fuse/moody.c): what is put waits or is tried
again, and ends good."""
import errno
import os
import subprocess
import time
import unittest

from test_cli import BUILD, FAILED
from test_vault import Vault

MOODY = os.path.join(BUILD, 'test', 'fuse', 'moody')
HANGS = 300 if os.environ.get('CATENA_SOAK') else 20  # tenths of a second


def can_mount():
    return os.path.exists(MOODY) and os.access('/dev/fuse', os.R_OK | os.W_OK)


@unittest.skipUnless(can_mount(), 'FUSE is not to be had here')
class Moody(Vault):
    OPEN = ['--vault', 'mount/v', '--key-file', 'key']

    def init(self):
        for name in ('below', 'mount'):
            os.mkdir(self.path(name))
        with open(self.path('fuse.log'), 'wb') as log:
            self.moody = subprocess.Popen(
                [MOODY, '-f', '-s', '-o', 'attr_timeout=0,entry_timeout=0', self.path('mount')], stderr=log,
                env=dict(self.env, MOODY_BELOW=self.path('below'), MOODY_CONTROL=self.path('control')))
        self.addCleanup(self.unmount)
        for _ in range(200):
            if os.path.ismount(self.path('mount')):
                break
            time.sleep(0.05)
        self.assertTrue(os.path.ismount(self.path('mount')))
        self.json('vault', 'init', 'mount/v', '--key-file', 'key')

    def unmount(self):
        subprocess.run(['fusermount3', '-u', '-z', self.path('mount')], check=False, capture_output=True)
        self.moody.terminate()
        self.moody.wait()

    def is_in_mood(self, *words):
        with open(self.path('control'), 'w', encoding='utf-8') as f:
            f.write(' '.join(str(word) for word in words))

    def put_in_mood(self, *words):
        data = self.raw('a.raw', size=700000, seed=sum(words[1:]))
        self.is_in_mood(*words)
        code, _, err = self.call('vault', 'put', *self.OPEN, '--name', 'web', 'a.raw')
        with open(self.path('control'), encoding='utf-8') as f:
            self.assertEqual(f.read(), '', 'so many calls were not made')
        self.assertEqual(code, 0, err)
        self.check('latest', data)
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])
        return err.decode()

    def test_errors_that_pass(self):
        for number in (errno.EIO, errno.ESTALE, errno.ENOSPC):  # the kernel itself asks again after ESTALE
            for after in (0, 20, 40):
                self.assertIn('trying again', self.put_in_mood(number, 3, after))

    def test_a_directory_that_hangs_is_waited_for(self):
        self.put_in_mood('hang', HANGS, 30)

    def test_errors_that_do_not_pass_end_it_and_nothing_is_shown(self):
        self.raw('a.raw')
        self.is_in_mood(errno.EIO, 1000000, 0)
        code, _, _ = self.call('vault', 'put', *self.OPEN, '--patience', '1', '--name', 'web', 'a.raw')
        self.assertEqual(code, FAILED)
        self.is_in_mood()
        self.assertEqual(self.points(), [])


if __name__ == '__main__':
    unittest.main(verbosity=2)
