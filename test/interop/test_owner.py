#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two processes and one SR: whoever owns it answers the verbs of the others. Slow exports and imports in one,
everything else beside them; interrupts on either side, an owner that is killed, an owner on another host."""
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('CATENA_BUILD') or os.path.join(TOP, 'build')
CATENA = os.path.join(BUILD, 'src', 'catena')
MIB = 1 << 20
DONE, FAILED, USAGE, PARTIAL, FINDINGS, INTERRUPTED = 0, 1, 2, 3, 4, 130


class Case(unittest.TestCase):

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='catena-owner-')
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.env = dict(os.environ, XDG_STATE_HOME=os.path.join(self.dir, 'state'))
        self.running = []
        self.addCleanup(self.end_all)
        self.make_sr()

    def make_sr(self):
        self.run_ok('sr', 'create', 'sr', '--name', 'main')
        self.data = random.Random(1).randbytes(12 * MIB + 512)
        with open(self.path('a.raw'), 'wb') as f:
            f.write(self.data)
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'a', 'a.raw')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--name', 'b', '--size', '8M')

    def end_all(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *words, **options):
        process = subprocess.Popen([CATENA] + list(words), cwd=options.pop('cwd', self.dir), env=self.env,
                                   **dict({'bufsize': 0, 'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE,
                                           'stderr': subprocess.PIPE}, **options))
        self.running.append(process)
        return process

    def call(self, *words, stdin=b'', cwd=None):
        done = subprocess.run([CATENA] + list(words), cwd=cwd or self.dir, env=self.env, input=stdin,
                              capture_output=True, timeout=120, check=False)
        self.assertNotIn(b'Sanitizer', done.stderr)
        return done.returncode, done.stdout, done.stderr.decode()

    def run_ok(self, *words, stdin=b'', code=DONE, cwd=None):
        got, out, err = self.call(*words, stdin=stdin, cwd=cwd)
        self.assertEqual(got, code, '%s: %s' % (' '.join(words), err))
        return out

    def json(self, *words, **options):
        return json.loads(self.run_ok(*words, '--json', **options))

    def words(self):
        """The owner's, as a dict."""
        with open(self.path('sr/.catena/owner')) as f:
            return dict(line.rstrip('\n').split(': ', 1) for line in f if ': ' in line)

    def wait_for(self, done, what='it did not come to that'):
        for _ in range(1200):
            if done():
                return
            time.sleep(0.05)
        self.fail(what)

    def slow_export(self, vdi='a', *more):
        """An owner that waits for us to read; its first bytes have come."""
        owner = self.start('vdi', 'export', '--sr', 'sr', vdi, '--format', 'raw', '-o', '-', *more)
        first = owner.stdout.read(1)
        self.assertEqual(self.words().get('pid'), str(owner.pid))
        return owner, first

    def start_import(self):
        """One that waits for us to write, and is in the middle."""
        process = self.start('vdi', 'import', '--sr', 'sr', '--name', 'c', '--format', 'raw', '--size', '12M',
                             '-')
        process.stdin.write(self.data[:5 * MIB])
        return process

    def export(self, vdi):
        return self.run_ok('vdi', 'export', '--sr', 'sr', vdi, '--format', 'raw', '-o', '-')

    def finish(self, owner, first=b'', timeout=120):
        rest, err = owner.communicate(timeout=timeout)
        self.assertEqual(owner.returncode, DONE, err)
        return first + rest

    def names(self):
        return sorted(vdi['name'] for vdi in self.json('vdi', 'list', '--sr', 'sr')['vdis'])


class Beside(Case):
    """While one process is slow."""

    def test_everything_works_beside_a_slow_export(self):
        owner, first = self.slow_export()
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')
        self.run_ok('vdi', 'write', '--sr', 'sr', 'b', '--offset', '5', stdin=b'hello')
        self.run_ok('vdi', 'clone', '--sr', 'sr', 'b', '--name', 'c')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--name', 'd', '--size', '1M')
        self.run_ok('vdi', 'resize', '--sr', 'sr', 'd', '2M')
        self.run_ok('vdi', 'delete', '--sr', 'sr', 'd')
        self.run_ok('vdi', 'set', '--sr', 'sr', 'c', '--name', 'e')
        self.run_ok('sr', 'scan', 'sr')
        self.assertEqual(self.names(), ['a', 'b', 'e', 's'])
        raw = self.run_ok('vdi', 'export', '--sr', 'sr', 'e', '--format', 'raw', '-o', '-')
        self.assertEqual((len(raw), raw[:10]), (8 * MIB, bytes(5) + b'hello'))
        self.assertEqual(self.words().get('pid'), str(owner.pid))
        self.assertIsNone(owner.poll())
        self.assertEqual(self.finish(owner, first), self.data)
        self.assertEqual(self.names(), ['a', 'b', 'e', 's'])
        self.run_ok('sr', 'check', 'sr')

    def test_results_are_the_same_as_in_process(self):
        verbs = [('vdi', 'list', '--sr', 'sr'), ('vdi', 'show', '--sr', 'sr', 'a'), ('sr', 'show', 'sr'),
                 ('vdi', 'tree', '--sr', 'sr'), ('vdi', 'map', '--sr', 'sr', 'b'), ('sr', 'check', 'sr'),
                 ('vdi', 'export', '--sr', 'sr', 'b', '-o', 'x.raw')]
        before = [(self.call(*words), self.json(*words)) for words in verbs]
        owner, first = self.slow_export()
        for words, (plain, parsed) in zip(verbs, before):
            got = self.json(*words)
            if words[1] == 'show' and words[0] == 'sr':
                parsed.pop('free'), got.pop('free')
            else:
                self.assertEqual(self.call(*words), plain, words)
            self.assertEqual(got, parsed, words)
        self.finish(owner, first)

    def test_errors_are_the_same_as_in_process(self):
        verbs = [('vdi', 'show', '--sr', 'sr', 'nobody'), ('vdi', 'create', '--sr', 'sr', '--size', '3T'),
                 ('vdi', 'set', '--sr', 'sr', 'b'), ('vdi', 'resize', '--sr', 'sr', 'b', '1M'),
                 ('vdi', 'import', '--sr', 'sr', 'missing.raw')]
        before = [self.relative(self.call(*words, *more)) for words in verbs for more in ([], ['--json'])]
        owner, first = self.slow_export()
        after = [self.relative(self.call(*words, *more)) for words in verbs for more in ([], ['--json'])]
        self.assertEqual(after, before)
        self.finish(owner, first)

    def relative(self, got):
        """A path in an error is the one that the owner was given: an absolute one; a uuid is any."""
        code, out, err = got
        here = os.path.realpath(self.dir) + '/'
        texts = [re.sub('[0-9a-f-]{36}', 'UUID', text.replace(here, '')) for text in (out.decode(), err)]
        return (code, *texts)

    def test_what_is_open_is_refused_and_says_so(self):
        owner, first = self.slow_export()
        for words in (['vdi', 'delete', '--sr', 'sr', 'a'], ['vdi', 'write', '--sr', 'sr', 'a']):
            code, _, err = self.call(*words, stdin=b'x')
            self.assertEqual(code, FAILED)
            self.assertIn('open for reading', err)
        self.assertEqual(self.finish(owner, first), self.data)

    def test_files_go_where_the_caller_is(self):
        owner, first = self.slow_export()
        os.mkdir(self.path('there'))
        os.symlink('there', self.path('link'))
        shown = json.loads(self.run_ok('vdi', 'export', '--sr', '../sr', 'a', '-o', '../link/x.raw', '--json',
                                       cwd=self.path('there')))
        self.assertEqual(shown['file'], '../link/x.raw')
        with open(self.path('there/x.raw'), 'rb') as f:
            self.assertEqual(f.read(), self.data)
        self.run_ok('vdi', 'import', '--sr', 'main', '--name', 'c', 'x.raw', cwd=self.path('there'))
        self.assertIn('c', self.names())
        self.finish(owner, first)

    def test_a_name_is_known_where_the_caller_keeps_his(self):
        owner, first = self.slow_export()
        self.run_ok('sr', 'set', 'main', '--name', 'renamed')
        self.assertEqual(self.json('sr', 'list')['srs'][0]['name'], 'renamed')
        self.finish(owner, first)

    def test_a_caller_may_be_slow_too(self):
        owner, first = self.slow_export()
        caller, start = self.start('vdi', 'export', '--sr', 'sr', 'a', '--format', 'raw', '-o', '-'), b''
        start = caller.stdout.read(1)
        self.assertEqual(self.names(), ['a', 'b'])
        self.assertEqual(self.finish(caller, start), self.data)
        self.assertEqual(self.finish(owner, first), self.data)

    def test_an_import_beside_an_export_and_the_other_way_round(self):
        owner = self.start_import()
        self.wait_for(lambda: self.words().get('pid') == str(owner.pid))
        self.assertEqual(self.export('a'), self.data)
        caller = self.start('vdi', 'import', '--sr', 'sr', '--name', 'd', '--format', 'raw', '-')
        caller.stdin.write(self.data[:MIB])
        self.assertEqual(self.names(), ['a', 'b'])
        caller.communicate(self.data[MIB:], timeout=60)
        self.assertEqual(caller.returncode, DONE)
        owner.communicate(self.data[5 * MIB:12 * MIB], timeout=60)
        self.assertEqual(owner.returncode, DONE)
        self.assertEqual(self.names(), ['a', 'b', 'c', 'd'])
        self.assertEqual(self.export('d'), self.data)

    def test_an_owner_stays_until_the_verbs_of_others_have_ended(self):
        owner, first = self.slow_export()
        caller = self.start_import()
        self.wait_for(lambda: 'c' not in self.names() and len(os.listdir(self.path('sr'))) > 3)
        self.assertEqual(first + owner.stdout.read(), self.data)  # the end is seen: the owner has written all
        self.wait_for(lambda: owner.stderr.readline().startswith(b'catena: pid %d ' % caller.pid))
        self.assertIsNone(owner.poll())
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')
        caller.communicate(self.data[5 * MIB:12 * MIB], timeout=60)
        self.assertEqual(caller.returncode, DONE)
        self.assertEqual(owner.wait(60), DONE)
        self.assertEqual(self.names(), ['a', 'b', 'c', 's'])

    def test_progress_is_shown_to_who_called(self):
        owner, first = self.slow_export()
        code, _, err = self.call('vdi', 'export', '--sr', 'sr', 'a', '-o', 'x.raw', '--json', '--progress')
        self.assertEqual(code, DONE, err)
        last = json.loads(err.strip().split('\n')[-1])['progress']
        self.assertEqual(last['done'], len(self.data))
        self.finish(owner, first)

    def test_many_at_once(self):
        owner, first = self.slow_export()
        callers = [self.start('vdi', 'create', '--sr', 'sr', '--name', 'n%d' % i, '--size', '1M')
                   for i in range(40)]
        for caller in callers:
            _, err = caller.communicate(timeout=120)
            self.assertEqual(caller.returncode, DONE, err)
        self.assertEqual(len(self.names()), 42)
        self.finish(owner, first)

    def test_short_verbs_that_meet_all_end_well(self):
        """No long one among them: owners come and go."""
        for n in range(3):
            callers = [self.start('vdi', 'create', '--sr', 'sr', '--name', 'n%d-%d' % (n, i), '--size', '1M')
                       for i in range(12)]
            for caller in callers:
                _, err = caller.communicate(timeout=120)
                self.assertEqual(caller.returncode, DONE, err)
        self.assertEqual(len(self.names()), 38)

    def test_a_folder_with_a_long_path_has_a_socket_too(self):
        folder = os.path.join(self.dir, 'x' * 150)
        os.mkdir(folder)
        os.rename(self.path('sr'), os.path.join(folder, 'sr'))
        os.symlink(os.path.join(folder, 'sr'), self.path('sr'))
        owner, first = self.slow_export()
        self.assertEqual(self.names(), ['a', 'b'])
        self.assertEqual(self.finish(owner, first), self.data)


class Gc(Case):
    """A coalesce that takes its time, and everything else beside it."""

    def make_work(self):
        """Something to move; how it reads at the end."""
        data = bytearray(self.data)
        for n in range(2):
            self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's%d' % n)
            new = random.Random(n).randbytes(3 * MIB)
            self.run_ok('vdi', 'write', '--sr', 'sr', 'a', '--offset', str((n + 1) * MIB), stdin=new)
            data[(n + 1) * MIB:(n + 4) * MIB] = new
        self.run_ok('vdi', 'delete', '--sr', 'sr', 's0')
        self.run_ok('gc', 'limit', '--sr', 'sr', '64K')
        return bytes(data)

    def slow_run(self):
        run = self.start('gc', 'run', '--sr', 'sr', '--json')
        self.wait_for(lambda: self.words().get('command') == 'catena gc run')
        self.wait_for(lambda: self.states() == ['running'])
        return run

    def states(self):
        return [row['state'] for row in self.json('gc', 'status', '--sr', 'sr')['coalesces']]

    def test_everything_works_beside_a_coalesce(self):
        data = self.make_work()
        run = self.slow_run()
        self.assertEqual(self.export('a'), data)
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's2')
        self.run_ok('vdi', 'write', '--sr', 'sr', 'a', stdin=b'new')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--name', 'c', '--size', '1M')
        self.run_ok('vdi', 'delete', '--sr', 'sr', 'b')
        self.assertEqual(self.names(), ['a', 'c', 's1', 's2'])
        self.assertEqual(self.json('sr', 'health', 'sr')['chains'][0]['state'], 'running')
        self.assertEqual(self.states(), ['running'])
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        out, err = run.communicate(timeout=120)
        self.assertEqual(run.returncode, DONE, err)
        self.assertGreaterEqual(json.loads(out)['coalesced'], 1)
        self.assertEqual(self.export('a'), b'new' + data[3:])
        self.assertEqual(self.export('s2'), data)
        self.run_ok('sr', 'check', 'sr')

    def test_a_pause_from_elsewhere_ends_the_run(self):
        data = self.make_work()
        run = self.slow_run()
        self.run_ok('gc', 'pause', '--sr', 'sr')
        run.communicate(timeout=60)
        self.assertEqual(run.returncode, PARTIAL)
        self.run_ok('gc', 'resume', '--sr', 'sr')
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        self.run_ok('gc', 'run', '--sr', 'sr')
        self.assertEqual(self.export('a'), data)

    def test_a_run_in_another_process_is_one_to_interrupt(self):
        data = self.make_work()
        owner, first = self.slow_export('b')
        run = self.start('gc', 'run', '--sr', 'sr', '--log-format', 'smgc')
        self.wait_for(lambda: self.states() == ['running'])
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, INTERRUPTED)
        self.assertIn(b' SMGC: [', err)  # to who called, not to the owner
        self.assertEqual(self.export('a'), data)
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        self.run_ok('gc', 'run', '--sr', 'sr')
        self.assertEqual(self.states(), [])
        self.assertEqual(self.export('a'), data)
        _, err = owner.communicate(timeout=60)
        self.assertEqual((owner.returncode, err), (DONE, b''))

    def test_a_run_that_is_killed_is_gone_on_with(self):
        data = self.make_work()
        run = self.slow_run()
        run.kill()
        run.wait()
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        self.run_ok('gc', 'run', '--sr', 'sr')
        self.assertEqual(self.states(), [])
        self.assertEqual(self.export('a'), data)


class Ends(Case):
    """Interrupts, deaths."""

    def test_an_interrupt_of_the_caller_stops_his_verb_and_no_other(self):
        owner, first = self.slow_export()
        caller = self.start_import()
        files = set(os.listdir(self.path('sr')))
        self.wait_for(lambda: len(os.listdir(self.path('sr'))) > 3)
        caller.send_signal(signal.SIGINT)
        self.assertEqual(caller.wait(60), INTERRUPTED)
        self.assertIn(b'interrupted', caller.stderr.read())
        self.assertEqual(len([name for name in os.listdir(self.path('sr')) if name.endswith('.vhd')]), 2)
        self.assertLessEqual(len(os.listdir(self.path('sr'))), max(len(files), 3))
        self.assertEqual(self.names(), ['a', 'b'])
        self.assertEqual(self.finish(owner, first), self.data)

    def test_a_caller_who_is_killed_leaves_nothing(self):
        owner, first = self.slow_export()
        caller = self.start_import()
        self.wait_for(lambda: len(os.listdir(self.path('sr'))) > 3)
        caller.kill()  # we still hold the other end of its input
        self.wait_for(lambda: len(os.listdir(self.path('sr'))) == 3)
        self.assertEqual(self.names(), ['a', 'b'])
        self.assertEqual(self.finish(owner, first), self.data)

    def test_an_export_whose_caller_is_killed_ends_though_nobody_reads(self):
        owner, first = self.slow_export('b')
        caller = self.start('vdi', 'export', '--sr', 'sr', 'a', '--format', 'raw', '-o', '-')
        caller.stdout.read(1)
        self.assertEqual(self.call('vdi', 'delete', '--sr', 'sr', 'a')[0], FAILED)
        caller.kill()
        self.wait_for(lambda: self.call('vdi', 'delete', '--sr', 'sr', 'a')[0] == DONE)
        self.finish(owner, first)

    def test_an_interrupt_of_the_owner_stops_his_own_verb_and_waits_for_others(self):
        owner, _ = self.slow_export()
        caller = self.start_import()
        self.wait_for(lambda: len(os.listdir(self.path('sr'))) > 3)
        owner.send_signal(signal.SIGINT)
        self.wait_for(lambda: owner.stderr.readline().startswith(b'catena: pid %d ' % caller.pid))
        self.assertIsNone(owner.poll())
        caller.communicate(self.data[5 * MIB:12 * MIB], timeout=60)
        self.assertEqual(caller.returncode, DONE)
        self.assertEqual(owner.wait(60), INTERRUPTED)
        self.assertEqual(self.names(), ['a', 'b', 'c'])

    def test_a_second_interrupt_stops_the_verbs_of_others_cleanly(self):
        owner, _ = self.slow_export()
        caller = self.start_import()
        self.wait_for(lambda: len(os.listdir(self.path('sr'))) > 3)
        owner.send_signal(signal.SIGINT)
        self.wait_for(lambda: owner.stderr.readline().startswith(b'catena: pid %d ' % caller.pid))
        owner.send_signal(signal.SIGINT)
        self.assertEqual(owner.wait(60), INTERRUPTED)
        self.assertEqual(caller.wait(60), INTERRUPTED)
        self.assertEqual(len(os.listdir(self.path('sr'))), 3)
        self.assertEqual(self.names(), ['a', 'b'])

    def test_an_owner_that_is_killed_in_the_middle_is_told_and_replaced(self):
        owner, _ = self.slow_export()
        caller = self.start_import()
        self.wait_for(lambda: len(os.listdir(self.path('sr'))) > 3)
        owner.kill()
        self.assertEqual(caller.wait(60), FAILED)
        err = caller.stderr.read().decode()
        self.assertIn('pid %d (catena vdi export), which owned the SR, ended' % owner.pid, err)
        self.assertEqual(self.words().get('pid'), str(owner.pid))  # words without a lock
        self.assertTrue(stat.S_ISSOCK(os.stat(self.path('sr/.catena/owner.sock')).st_mode))
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')
        self.assertEqual(self.names(), ['a', 'b', 's'])
        self.assertEqual(len([n for n in os.listdir(self.path('sr')) if n.endswith('.new')]), 0)
        self.assertFalse(os.path.exists(self.path('sr/.catena/owner.sock')))
        self.run_ok('sr', 'check', 'sr')

    def test_an_owner_that_leaves_is_followed(self):
        for _ in range(5):
            owner, first = self.slow_export('b')
            callers = [self.start('vdi', 'create', '--sr', 'sr', '--size', '1M') for _ in range(3)]
            self.finish(owner, first)
            for caller in callers:
                _, err = caller.communicate(timeout=60)
                self.assertEqual(caller.returncode, DONE, err)
        self.assertEqual(len(self.names()), 17)


    def test_an_owner_that_is_stopped_is_named_while_it_is_waited_for(self):
        owner, first = self.slow_export()
        owner.send_signal(signal.SIGSTOP)
        caller = self.start('vdi', 'list', '--sr', 'sr')
        line = caller.stderr.readline().decode()
        self.assertIn('pid %d (catena vdi export)' % owner.pid, line)
        owner.send_signal(signal.SIGCONT)
        out, _ = caller.communicate(timeout=60)
        self.assertEqual(caller.returncode, DONE)
        self.assertEqual(len(out.splitlines()), 3)
        self.assertEqual(self.finish(owner, first), self.data)

    def test_an_sr_that_is_handed_back_meanwhile(self):
        """An import that has not begun holds nothing of the SR."""
        owner = self.start('vdi', 'import', '--sr', 'sr', '--format', 'vhd', '-')
        self.wait_for(lambda: self.words().get('pid') == str(owner.pid))
        self.run_ok('sr', 'release', 'sr')
        with open(self.path('b.vhd'), 'wb') as f:
            f.write(b'no vhd')
        with open(self.path('b.vhd'), 'rb') as f:
            owner.communicate(f.read(), timeout=60)
        self.assertEqual(owner.returncode, FAILED)
        self.assertFalse(os.path.exists(self.path('sr/.catena')))
        self.run_ok('sr', 'adopt', 'sr')
        self.assertEqual(len(self.names()), 2)


class Refused(Case):

    def test_an_owner_on_another_host_is_named(self):
        with open(self.path('sr/.catena/owner'), 'w') as f:
            f.write('host: storage-9\npid: 4711\ncommand: catena gc run\nsince: 2026-01-01T00:00:00Z\n'
                    'socket: owner.sock\n')
        code, out, err = self.call('vdi', 'snapshot', '--sr', 'sr', 'a')
        self.assertEqual((code, out), (FAILED, b''))
        self.assertIn('pid 4711 on host storage-9 (catena gc run)', err)
        self.assertIn('another host', err)

    def test_the_socket_is_for_its_user_alone(self):
        owner, first = self.slow_export()
        path = self.path('sr/.catena/owner.sock')
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        if os.geteuid() == 0:
            # Another uid with the socket already in hand: modes do not help any more, the uid does.
            code = ('import os,socket,sys; s=socket.socket(socket.AF_UNIX); d=os.open(sys.argv[1],os.O_PATH);'
                    'os.chmod(sys.argv[1]+"/owner.sock",0o777);os.setgid(65534);os.setuid(65534);'
                    's.connect("/proc/self/fd/%d/owner.sock"%d);'
                    's.settimeout(30); sys.exit(0 if s.recv(1)==b"" else 1)')
            done = subprocess.run([sys.executable, '-c', code, self.path('sr/.catena')], timeout=60,
                                  capture_output=True, check=False)
            if b'PermissionError' not in done.stderr:
                self.assertEqual(done.returncode, 0, done.stderr)
        self.finish(owner, first)


class Threads(Case):
    """What the thread sanitizer should see: every pair of threads at work on one SR."""

    def test_verbs_of_every_kind_at_once(self):
        owner, first = self.slow_export()
        callers = [self.start('vdi', 'export', '--sr', 'sr', 'a', '-o', 'x%d.vhd' % i) for i in range(3)]
        callers += [self.start('vdi', 'import', '--sr', 'sr', '--name', 'i%d' % i, 'a.raw') for i in range(3)]
        callers += [self.start('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's%d' % i) for i in range(3)]
        callers += [self.start('vdi', 'list', '--sr', 'sr', stdout=subprocess.DEVNULL) for _ in range(3)]
        callers += [self.start('gc', 'run', '--sr', 'sr'), self.start('sr', 'check', 'sr')]
        for caller in callers:
            _, err = caller.communicate(timeout=200)
            self.assertEqual(caller.returncode, DONE, err)
        self.assertEqual(self.finish(owner, first), self.data)
        self.assertEqual(self.export('i2'), self.data)


class Raw(Case):
    """What others than our own caller send."""

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(self.path('sr/.catena'))
        s.connect('owner.sock')
        os.chdir(here)
        s.settimeout(60)
        self.addCleanup(s.close)
        return s

    def lines(self, s):
        got = b''
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionResetError:
            pass  # it did not read all of what we sent
        return [json.loads(line) for line in got.split(b'\n') if line]

    def ask(self, line):
        s = self.connect()
        s.sendall(line)
        return self.lines(s)

    def test_what_is_no_call_is_refused_and_the_owner_goes_on(self):
        owner, first = self.slow_export()
        for line in (b'\n', b'{}\n', b'GET / HTTP/1.0\r\n\r\n',
                     b'{"jsonrpc":"2.0","id":1,"method":"vhd.info","params":{}}\n',
                     b'{"jsonrpc":"2.0","id":1,"method":"vdi.list","params":{"input":true,"params":{}}}\n',
                     b'{"jsonrpc":"2.0","id":1,"method":"vdi.list","params":{}}\n',
                     b'{"jsonrpc":"2.0","id":1,"method":"sr.create","params":{"params":{"dir":"x"}}}\n',
                     b'[' * 100000 + b'\n', b'x' * ((1 << 20) + 1)):
            got = self.ask(line)
            self.assertEqual(len(got), 1, line[:50])
            self.assertEqual(got[0]['error']['code'], -32600, line[:50])
        self.assertEqual(self.names(), ['a', 'b'])
        self.assertEqual(self.finish(owner, first), self.data)

    def verb(self, method, **params):
        call = {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': {'params': params}}
        return json.dumps(call).encode() + b'\n'

    def test_another_sr_is_not_ours(self):
        owner, first = self.slow_export()
        os.mkdir(self.path('other'))
        got = self.ask(self.verb('vdi.list', sr=self.path('other')))
        self.assertEqual(got[0]['method'], 'begun')
        self.assertIn('owns the SR', got[1]['error']['message'])
        self.finish(owner, first)

    def test_streams_that_did_not_come_are_missed(self):
        owner, first = self.slow_export()
        sr = self.path('sr')
        for line, what in ((self.verb('vdi.write', sr=sr, vdi='b'), 'input'),
                           (self.verb('vdi.import', sr=sr, file='-', format='raw'), 'input'),
                           (self.verb('vdi.export', sr=sr, vdi='b', output='-', format='raw'), 'output')):
            self.assertEqual(self.ask(line)[-1]['error']['message'].split(': ')[-1],
                             'there is no standard ' + what)
        self.assertEqual(self.finish(owner, first), self.data)

    def test_parameters_are_checked_as_ever(self):
        owner, first = self.slow_export()
        for line in (self.verb('vdi.create', sr=self.path('sr')), self.verb('vdi.list', sr=5),
                     self.verb('vdi.list', sr=self.path('sr'), more=True)):
            error = self.ask(line)[-1]['error']
            self.assertEqual((error['code'], error['data']['outcome']), (-32000, 3), error)
        self.finish(owner, first)

    def test_who_says_nothing_holds_nobody_up(self):
        owner, first = self.slow_export()
        for _ in range(20):
            self.connect()
        half = self.connect()
        half.sendall(b'{"jsonrpc"')
        self.assertEqual(self.names(), ['a', 'b'])
        # It leaves, though they are connected, and before it would have lost its patience with them.
        self.assertEqual(self.finish(owner, first, timeout=25), self.data)

    def test_who_does_not_take_his_answer_holds_nobody_up(self):
        owner, first = self.slow_export()
        s = self.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        s.sendall(self.verb('vdi.list', sr=self.path('sr')))
        self.assertEqual(self.names(), ['a', 'b'])
        self.assertEqual(self.lines(s)[-1]['id'], 1)
        self.finish(owner, first)


if __name__ == '__main__':
    unittest.main(verbosity=0)
