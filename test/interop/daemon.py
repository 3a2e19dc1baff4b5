# SPDX-License-Identifier: Apache-2.0
"""A catenad for a test: its folder, its configuration, its life, and the command that talks to it."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('CATENA_BUILD') or os.path.join(TOP, 'build')
CATENA = os.path.join(BUILD, 'src', 'catena')
CATENAD = os.path.join(BUILD, 'src', 'catenad')
MIB = 1 << 20
DONE, FAILED, USAGE = 0, 1, 2
PATIENCE = 60


def needs(program):
    return unittest.skipUnless(shutil.which(program), '%s is not installed' % program)


class Case(unittest.TestCase):
    CONFIG = ('[daemon]\nstate-dir = state\n'
              '[http]\nlisten = none\n'
              '[nbd]\nlisten = 127.0.0.1:0\nunix = nbd.sock\n'
              '[sr main]\ndir = sr\ncreate = yes\n'
              '[sr other]\ndir = sr2\ncreate = yes\n')

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='catena-daemon-')
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.env = dict(os.environ, XDG_STATE_HOME=self.path('mine'))
        for name in 'NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'CATENA_SOCKET':
            self.env.pop(name, None)
        self.daemon = None
        self.told = []
        self.addCleanup(self.kill)
        self.configure(self.CONFIG)

    def path(self, name):
        return os.path.join(self.dir, name)

    def configure(self, text, name='c.conf'):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name) + '.new', 'w') as f:
            f.write(text)
        os.replace(self.path(name) + '.new', self.path(name))

    # ---- the daemon ----

    def start(self, **env):
        """Ready when it returns; the lines that it told are in self.told."""
        with open(self.path('log'), 'a') as log:
            self.daemon = subprocess.Popen([CATENAD, '--config', 'c.conf'], cwd=self.dir, stderr=log,
                                           text=True, stdout=subprocess.PIPE, env=dict(self.env, **env))
        self.told = []
        for line in self.daemon.stdout:
            self.told.append(line.rstrip('\n'))
            if line == 'ready\n':
                return self.told
        self.fail('it did not start: %s' % self.log())

    def log(self):
        with open(self.path('log')) as f:
            text = f.read()
        self.assertNotIn('Sanitizer', text)
        return text

    def wait_for_log(self, wanted):
        until = time.monotonic() + PATIENCE
        while wanted not in self.log():
            self.assertLess(time.monotonic(), until, self.log())
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        self.daemon.send_signal(number)
        self.assertEqual(self.daemon.wait(PATIENCE), DONE, self.log())
        self.daemon.stdout.close()
        self.daemon = None

    def kill(self):
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon.stdout.close()
            self.daemon = None

    def refuse(self, *words):
        """What it says where it does not start."""
        done = subprocess.run([CATENAD] + list(words or ('--config', 'c.conf')), cwd=self.dir, env=self.env,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (FAILED, ''), done.stderr)
        return done.stderr

    # ---- commands ----

    def call(self, *words, stdin=b'', **env):
        done = subprocess.run([CATENA] + list(words), cwd=self.dir, env=dict(self.env, **env), input=stdin,
                              capture_output=True, timeout=120, check=False)
        self.assertNotIn(b'Sanitizer', done.stderr)
        return done.returncode, done.stdout, done.stderr.decode()

    def sent(self, *words, code=DONE, stdin=b''):
        """By the control socket; standard output."""
        got, out, err = self.call('--socket', 'state/control.sock', *words, stdin=stdin)
        self.assertEqual(got, code, '%s: %s%s' % (' '.join(words), err, out[-400:]))
        return out

    def json(self, *words):
        return json.loads(self.sent(*words, '--json'))

    def listening(self, kind):
        return [line.split(' ', 2)[2] for line in self.told if line.startswith('listening %s ' % kind)]
