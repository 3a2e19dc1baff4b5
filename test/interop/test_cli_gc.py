#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""catena gc and sr health, from outside: the members of their JSON that scripts rely on, what waits and why,
settings that last, exit codes."""
import json
import os
import signal
import subprocess
import time
import unittest

from test_cli import BLOCK, CATENA, FINDINGS, INTERRUPTED, MIB, PARTIAL, USAGE, Case

COALESCE = {'bytes_total', 'bytes_done', 'bytes_per_second', 'eta_seconds', 'state', 'reason', 'direction'}
CHAIN = {'vdi', 'depth', 'bytes_to_move', 'eta_seconds', 'state', 'reason'}


class GcCase(Case):
    """An SR with disks whose snapshots were deleted."""

    def setUp(self):
        super().setUp()
        self.run_ok('sr', 'create', 'sr', '--name', 'main')

    def disk(self, name, snapshots=1, seed=1):
        """A disk that was written to between snapshots that are gone; (its uuid, its bytes)."""
        data = self.raw(name + '.raw', seed=seed)
        vdi = self.run_ok('vdi', 'import', '--sr', 'sr', '--name', name, name + '.raw').strip()
        taken = []
        for i in range(snapshots):
            taken.append(self.run_ok('vdi', 'snapshot', '--sr', 'sr', vdi).strip())
            new = os.urandom(50000)
            at = (i * BLOCK + 4321) % (len(data) - len(new))
            self.run_ok('vdi', 'write', '--sr', 'sr', vdi, '--offset', str(at), stdin=new)
            data[at:at + len(new)] = new
        for snapshot in taken:
            self.run_ok('vdi', 'delete', '--sr', 'sr', snapshot)
        return vdi, data

    def node(self, vdi):
        return next(node for node in self.nodes() if node['uuid'] == vdi)

    def nodes(self):
        return self.json('vdi', 'tree', '--sr', 'sr')['nodes']

    def file(self, uuid):
        return self.path('sr/%s.vhd' % uuid)

    def status(self, *words):
        return self.json('gc', 'status', '--sr', 'sr', *words)

    def reads(self, vdi, data):
        self.run_ok('vdi', 'export', '--sr', 'sr', vdi, '-o', 'back.raw')
        self.assertEqual(self.read('back.raw'), data)
        os.unlink(self.path('back.raw'))

    def is_clean(self):
        self.assertEqual(self.json('sr', 'check', 'sr', '--bitmaps')['errors'], 0)
        for node in self.nodes():
            self.run_ok('vhd', 'check', self.file(node['uuid']))

    def slow_run(self, vdi, data):
        """A run that has moved some of 12 MiB down, and not all: the other way it would be 14 MiB."""
        old, new = os.urandom(7 * BLOCK), os.urandom(6 * BLOCK)
        data.extend(bytes(16 * BLOCK - len(data)))
        self.run_ok('gc', 'run', '--sr', 'sr')
        self.run_ok('vdi', 'resize', '--sr', 'sr', vdi, '--size', str(len(data)))
        self.run_ok('vdi', 'write', '--sr', 'sr', vdi, '--offset', str(8 * BLOCK), stdin=old)
        snapshot = self.run_ok('vdi', 'snapshot', '--sr', 'sr', vdi).strip()
        self.run_ok('vdi', 'delete', '--sr', 'sr', snapshot)
        self.run_ok('vdi', 'write', '--sr', 'sr', vdi, stdin=new)
        data[8 * BLOCK:15 * BLOCK] = old
        data[:len(new)] = new
        self.run_ok('gc', 'limit', '--sr', 'sr', '1M')
        run = subprocess.Popen([CATENA, 'gc', 'run', '--sr', 'sr', '--json', '--progress'], cwd=self.dir,
                               env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in run.stderr:
            progress = json.loads(line)['progress']
            if 0 < progress['done'] < progress['total']:
                return run
        self.fail('it ended too early: ' + run.communicate()[0].decode())


class Status(GcCase):
    def test_an_sr_without_work_has_no_coalesces(self):
        status = self.status()
        self.assertEqual((status['coalesces'], status['garbage'], status['history']), ([], [], []))
        self.assertEqual((status['paused'], status['limit']), (False, None))
        self.assertEqual(self.run_ok('gc', 'status', '--sr', 'sr'), '')
        self.assertEqual(self.run_ok('gc', 'watch', '--sr', 'sr', '--times', '1'), 'nothing to do\n')
        self.assertEqual(self.json('sr', 'health', '--sr', 'sr'),
                         {'chains': [], 'healthy': 0, 'unhealthy': 0})
        self.assertEqual(self.run_ok('sr', 'health', 'sr'), '')

    def test_a_deleted_snapshot_leaves_something_to_do(self):
        vdi, _ = self.disk('web', snapshots=3)
        before = self.listing()
        row, = self.status()['coalesces']
        self.assertLessEqual(COALESCE, set(row))
        self.assertEqual((row['state'], row['reason'], row['direction']), ('ready', None, 'push'))
        self.assertEqual((row['vdi'], row['name'], row['layers']), (vdi, 'web', 3))
        self.assertEqual((row['bytes_done'], row['bytes_per_second'], row['phase']), (0, None, None))
        # Three writes of 50000 bytes, as sectors.
        self.assertTrue(3 * 50000 <= row['bytes_total'] <= 3 * 51200, row)
        self.assertEqual(row['nodes'][-1], vdi)
        self.assertEqual(row['tree'], row['nodes'][0])
        chain, = self.json('sr', 'health', '--sr', 'sr')['chains']
        self.assertLessEqual(CHAIN, set(chain))
        self.assertEqual((chain['vdi'], chain['depth'], chain['depth_then']), (vdi, 4, 1))
        self.assertEqual((chain['state'], chain['reason']), ('ready', None))
        self.assertEqual(chain['bytes_to_move'], row['bytes_total'])
        text = self.run_ok('gc', 'status', '--sr', 'main').split()
        self.assertLess(text.index('web'), text.index('ready'))
        self.assertIn('web', self.run_ok('sr', 'health', 'main'))
        self.assertEqual(self.listing(), before)

    def test_what_waits_says_why(self):
        vdi, _ = self.disk('web')
        base = self.node(vdi)['parent']
        os.link(self.file(base), self.path('second-name'))
        row, = self.status()['coalesces']
        self.assertEqual((row['state'], row['eta_seconds']), ('waiting', None))
        self.assertIn('another name', row['reason'])
        self.assertGreaterEqual(row['bytes_total'], 50000)
        chain, = self.json('sr', 'health', 'sr')['chains']
        self.assertEqual((chain['state'], chain['reason']), ('waiting', row['reason']))
        os.unlink(self.path('second-name'))
        self.assertEqual(self.status()['coalesces'][0]['state'], 'ready')

    def test_a_damaged_tree_is_found_and_stops_no_other(self):
        bad, _ = self.disk('bad')
        good, _ = self.disk('good', seed=2)
        self.patch('sr/%s.vhd' % self.node(bad)['parent'], 1536, b'\x7f' * 64)   # its BAT
        rows = {row['vdi']: row for row in self.status()['coalesces']}
        self.assertEqual((rows[good]['state'], rows[bad]['state']), ('ready', 'failed'))
        self.assertIn('.vhd', rows[bad]['reason'])
        health = self.json('sr', 'health', 'sr', code=FINDINGS)
        states = {chain['vdi']: chain['state'] for chain in health['chains']}
        self.assertEqual(states, {good: 'ready', bad: 'failed'})

    def test_a_chain_that_is_too_long_but_needed_is_found(self):
        vdi = self.run_ok('vdi', 'create', '--sr', 'sr', '--name', 'a', '--size', '64M').strip()
        for _ in range(3):
            self.run_ok('vdi', 'snapshot', '--sr', 'sr', vdi)
            self.run_ok('vdi', 'write', '--sr', 'sr', vdi, stdin=b'x')
        self.assertEqual(self.json('sr', 'health', 'sr')['unhealthy'], 0)
        self.run_ok('sr', 'set', 'sr', '--max-depth', '2')
        health = self.json('sr', 'health', 'sr', code=FINDINGS)
        self.assertIn('deep', [chain['state'] for chain in health['chains']])
        self.assertIn(vdi, [chain['vdi'] for chain in health['chains']])

    def test_pause_and_limit_last(self):
        self.disk('web')
        self.assertEqual(self.run_ok('gc', 'pause', '--sr', 'sr'), '')
        self.assertEqual(self.json('gc', 'limit', '--sr', 'sr', '50M'),
                         {'paused': True, 'limit': 50 * MIB, 'guests': 'on', 'windows': []})
        status = self.status()
        self.assertEqual((status['paused'], status['limit']), (True, 50 * MIB))
        self.assertEqual([(row['state'], row['reason']) for row in status['coalesces']],
                         [('waiting', 'paused')])
        code, out, err = self.call('gc', 'status', '--sr', 'sr')
        self.assertEqual(code, 0)
        self.assertIn(b'paused', out)
        self.assertIn(b"'catena gc resume'", err)
        before = self.listing()
        self.run_ok('gc', 'run', '--sr', 'sr', code=PARTIAL)
        self.assertEqual(self.listing(), before)
        self.assertEqual(self.run_ok('gc', 'resume', '--sr', 'sr'), '')
        self.assertEqual(self.json('gc', 'limit', '--sr', 'sr', '0'),
                         {'paused': False, 'limit': None, 'guests': 'on', 'windows': []})
        self.assertEqual(self.status()['coalesces'][0]['state'], 'ready')

    def test_usage(self):
        self.refused('gc', 'limit', '--sr', 'sr', '5', says=['64K'], code=USAGE)
        self.refused('gc', 'limit', '--sr', 'sr', 'fast', says=['not a size'], code=USAGE)
        self.refused('gc', 'limit', '--sr', 'sr', says=['RATE', '--guests', '--window'], code=USAGE)
        self.refused('gc', 'limit', '--sr', 'sr', '--guests', 'perhaps', says=['on|off'], code=USAGE)
        wrong = {'22:00': '00:00 to 24:00', 'funday': 'mon to sun', 'mon 1:00-2:00': 'times',
                 '22:00-22:00': 'never be open', 'sat=10': 'at least 64K', '': 'days or times'}
        for window, says in wrong.items():
            self.refused('gc', 'limit', '--sr', 'sr', '--window', window, says=[says, '--window'], code=USAGE)
        self.refused('gc', 'limit', '--sr', 'sr', '--window', 'always', '--window', 'sat', says=['alone'],
                     code=USAGE)
        many = [word for i in range(17) for word in ('--window', '0%d:00-12:%02d' % (i % 10, i))]
        self.refused('gc', 'limit', '--sr', 'sr', *many, says=['16'], code=USAGE)
        self.assertEqual(self.status()['windows'], [])
        self.refused('gc', 'status', says=['--sr'], code=USAGE)
        self.refused('gc', 'run', '--sr', 'nowhere', says=['nowhere'])
        self.refused('gc', 'halt', '--sr', 'sr', says=['halt'], code=USAGE)


class Run(GcCase):
    def test_all_there_is_to_do_is_done(self):
        web, web_data = self.disk('web', snapshots=3)
        mail, mail_data = self.disk('mail', seed=2)
        # A hidden file in the middle: between two snapshots that are kept, one was deleted.
        db, db_data = self.disk('db', seed=3, snapshots=0)
        kept = [self.run_ok('vdi', 'snapshot', '--sr', 'sr', db, '--name', 'kept').strip()]
        kept_data = [bytes(db_data)]
        for i in range(3):
            self.run_ok('vdi', 'write', '--sr', 'sr', db, '--offset', str(i * BLOCK), stdin=b'%d' % i * 5000)
            db_data[i * BLOCK:i * BLOCK + 5000] = b'%d' % i * 5000
            kept.append(self.run_ok('vdi', 'snapshot', '--sr', 'sr', db).strip())
            kept_data.append(bytes(db_data))
        for i in (2, 1):
            self.run_ok('vdi', 'delete', '--sr', 'sr', kept.pop(i))
            kept_data.pop(i)
        todo = self.status()
        self.assertEqual(len(todo['coalesces']), 3)
        done = self.json('gc', 'run', '--sr', 'sr')
        self.assertEqual((done['coalesced'], done['failed'], done['waiting']), (3, 0, 0))
        self.assertEqual(done['moved'], todo['bytes_total'])
        self.assertEqual((done['coalesces'], done['reasons']), ([], []))
        self.assertEqual(self.status()['coalesces'], [])
        self.assertEqual(self.json('sr', 'health', 'sr')['unhealthy'], 0)
        self.assertEqual([self.node(vdi)['depth'] for vdi in (web, mail)], [1, 1])
        for vdi, data in ((web, web_data), (mail, mail_data), (db, db_data), *zip(kept, kept_data)):
            self.reads(vdi, data)
        self.is_clean()
        for row in self.status()['history']:
            self.assertEqual((row['result'], row['reason'], row['direction']), ('done', None, 'push'))
            self.assertGreaterEqual(row['ended'], row['started'])
        self.assertEqual(len(self.status()['history']), 3)
        self.assertEqual(len(self.status('--history', '1')['history']), 1)
        self.assertEqual(self.json('gc', 'run', '--sr', 'sr')['coalesced'], 0)

    def test_progress_is_in_bytes_on_standard_error(self):
        self.disk('web', snapshots=2)
        total = self.status()['bytes_total']
        code, out, err = self.call('gc', 'run', '--sr', 'sr', '--json', '--progress')
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out)['moved'], total)
        last = json.loads(err.decode().splitlines()[-1])['progress']
        self.assertEqual((last['doing'], last['done'], last['total']), ('coalesce', total, total))
        self.disk('mail', seed=2)
        code, out, err = self.call('gc', 'run', '--sr', 'sr')
        self.assertEqual((code, err), (0, b''))
        self.assertIn(b'coalesced', out)

    def test_smgc_lines(self):
        vdi, _ = self.disk('web', snapshots=2)
        code, out, err = self.call('gc', 'run', '--sr', 'sr', '--log-format', 'smgc', '--json')
        self.assertEqual((code, json.loads(out)['coalesced']), (0, 1))
        lines = err.decode().splitlines()
        for line in lines:
            self.assertRegex(line, r'^[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \S+ SMGC: \[\d+\] ')
        for wanted in (r" SR \w{4} \('main'\) \(3 VDIs in 1 VHD trees\): $",
                       r'\]         \*\w{8}\(\d+\.\d{3}M/\d+\.\d{3}[KM]/\d+\.\d{3}[KM]\)$',
                       r'\] Leaf-coalescing %s\(\S+\) -> \*\w{8}\(\S+\)$' % vdi[:8],
                       r'\] Coalescing \*\w{8}\(\S+\) -> \*\w{8}\(', r'\]   Running VHD coalesce on ',
                       r'\] Coalesced \d+ sectors$', r'\] Deleting unlinked VDI \*\w{8}',
                       r"\(1 VDIs in 1 VHD trees\): $", r'\] GC process exiting, no work left$'):
            self.assertRegex('\n'.join(lines), '(?m)' + wanted)

    def test_what_fails_stops_no_other_and_is_remembered(self):
        bad, _ = self.disk('bad')
        good, data = self.disk('good', seed=2)
        base = self.node(bad)['parent']
        whole = self.read('sr/%s.vhd' % base)
        self.patch('sr/%s.vhd' % base, 1536, b'\x7f' * 64)
        done = self.json('gc', 'run', '--sr', 'sr', code=PARTIAL)
        self.assertEqual((done['coalesced'], done['failed']), (1, 1))
        self.assertEqual([(row['name'], row['state']) for row in done['reasons']], [('bad', 'failed')])
        self.reads(good, data)
        with open(self.file(base), 'wb') as f:
            f.write(whole)
        done = self.json('gc', 'run', '--sr', 'sr')
        self.assertEqual((done['coalesced'], done['failed']), (1, 0))
        self.is_clean()

    def test_what_waits_is_no_failure(self):
        vdi, data = self.disk('web')
        os.link(self.file(self.node(vdi)['parent']), self.path('second-name'))
        done = self.json('gc', 'run', '--sr', 'sr')
        self.assertEqual((done['coalesced'], done['failed'], done['waiting']), (0, 0, 1))
        self.assertEqual(done['reasons'][0]['name'], 'web')
        self.assertIn('another name', self.run_ok('gc', 'run', '--sr', 'sr'))
        os.unlink(self.path('second-name'))
        self.assertEqual(self.json('gc', 'run', '--sr', 'sr')['coalesced'], 1)
        self.reads(vdi, data)

    def test_interrupted_it_goes_on_where_it_was(self):
        for how, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)):
            name = 'web%d' % how
            vdi, data = self.disk(name)
            run = self.slow_run(vdi, data)
            run.send_signal(how)
            run.communicate()
            self.assertEqual(run.returncode, code)
            self.reads(vdi, data)
            self.run_ok('gc', 'limit', '--sr', 'sr', '0')
            left = self.status()['bytes_total']
            self.assertTrue(0 < left < 12 * MIB, left)
            done = self.json('gc', 'run', '--sr', 'sr')
            self.assertEqual((done['coalesced'], done['moved']), (1, left))
            self.reads(vdi, data)
            self.assertEqual(self.node(vdi)['depth'], 1)
        self.is_clean()
        self.assertIn('cancelled', [row['result'] for row in self.status()['history']])


class Windows(GcCase):
    """By the local clock, which is set so that a window is shut, or open, for hours to come."""

    def setUp(self):
        super().setUp()
        self.env['TZ'] = 'UTC0'

    def window(self, begins, ends):
        """So many hours from now."""
        now = time.gmtime()
        hours = [(now.tm_hour + each) % 24 for each in (begins, ends)]
        return '%02d:%02d-%02d:%02d' % (hours[0], now.tm_min, hours[1], now.tm_min)

    def test_settings_last_and_are_shown(self):
        words = ['--guests', 'off', '--window', 'sat,sun', '--window', 'mon-fri 22:00-06:00=200M']
        want = ['sat,sun 00:00-24:00', 'mon-fri 22:00-06:00=200M']
        self.assertEqual(self.run_ok('gc', 'limit', '--sr', 'sr', *words), '')
        status = self.status()
        self.assertEqual((status['guests'], status['windows'], status['limit']), ('off', want, None))
        self.run_ok('gc', 'limit', '--sr', 'sr', '5M')   # the rest stays
        status = self.status()
        self.assertEqual((status['guests'], status['windows'], status['limit']), ('off', want, 5 * MIB))
        _, _, err = self.call('gc', 'status', '--sr', 'sr')
        for text in (b'limit 5.00 MiB/s', b'guests are not spared',
                     b'sat,sun 00:00-24:00, mon-fri 22:00-06:00=200M'):
            self.assertIn(text, err)
        self.run_ok('gc', 'limit', '--sr', 'sr', '--guests', 'on', '--window', 'always')
        status = self.status()
        self.assertEqual((status['guests'], status['windows'], status['limit']), ('on', [], 5 * MIB))
        self.run_ok('gc', 'pause', '--sr', 'sr')
        self.run_ok('gc', 'resume', '--sr', 'sr')
        self.assertEqual(self.status()['limit'], 5 * MIB)

    def test_outside_its_window_nothing_runs(self):
        vdi, data = self.disk('web')
        self.run_ok('gc', 'limit', '--sr', 'sr', '--window', self.window(3, 5))
        status = self.status()
        row, = status['coalesces']
        self.assertEqual(row['state'], 'waiting')
        self.assertRegex(row['reason'], '^outside its window: opens in (2h 5.m|3h)')
        self.assertFalse(status['held']['window_open'])
        self.assertTrue(2 * 3600 < status['held']['window_opens'] - time.time() <= 3 * 3600)
        before = self.listing()
        code, out, err = self.call('gc', 'run', '--sr', 'sr', '--json')
        self.assertEqual(code, PARTIAL)
        done = json.loads(out)
        self.assertEqual((done['coalesced'], done['waiting']), (0, 1))
        self.assertIn('outside its window: opens in', done['warnings'][0])
        self.assertEqual(self.listing(), before)
        self.env['TZ'] = 'UTC-4'   # it is four hours later there
        self.assertTrue(self.status()['held']['window_open'])
        self.assertEqual(self.json('gc', 'run', '--sr', 'sr')['coalesced'], 1)
        self.reads(vdi, data)

    def test_without_work_it_is_done_at_any_time(self):
        self.run_ok('gc', 'limit', '--sr', 'sr', '--window', self.window(3, 5))
        self.run_ok('gc', 'run', '--sr', 'sr')

    def test_a_window_that_is_shut_stops_a_run_under_way(self):
        vdi, data = self.disk('web')
        run = self.slow_run(vdi, data)
        self.assertEqual(self.status()['held'],
                         {'bytes_per_second': MIB, 'guests': 'free', 'guests_bytes_per_second': None,
                          'latency': None, 'window_open': True, 'window_opens': None})
        self.run_ok('gc', 'limit', '--sr', 'sr', '--window', self.window(-5, -3))
        done = json.loads(run.communicate()[0])
        self.assertEqual((run.returncode, done['coalesced'], done['waiting']), (PARTIAL, 0, 1))
        self.assertIn('outside its window', done['warnings'][0])
        self.reads(vdi, data)
        self.assertTrue(0 < self.status()['bytes_total'] < 12 * MIB)
        self.run_ok('gc', 'limit', '--sr', 'sr', '0', '--window', self.window(-1, 1))
        self.assertEqual(self.json('gc', 'run', '--sr', 'sr')['coalesced'], 1)
        self.reads(vdi, data)
        self.is_clean()


class Beside(GcCase):
    """Verbs beside a run under way: they are sent to its process."""

    def setUp(self):
        super().setUp()
        self.vdi, self.data = self.disk('web')
        self.other, self.other_data = self.disk('mail', seed=2, snapshots=0)
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'mail', '--name', 'kept')
        self.under_way = self.slow_run(self.vdi, self.data)
        self.addCleanup(self.end)

    def end(self):
        if self.under_way.poll() is None:
            self.under_way.kill()
        self.under_way.communicate()

    def test_status_shows_how_far_it_is(self):
        for _ in range(100):
            row, = self.status()['coalesces']
            if row['bytes_per_second']:
                break
            time.sleep(0.1)
        self.assertEqual((row['state'], row['reason'], row['vdi']), ('running', None, self.vdi))
        self.assertTrue(0 < row['bytes_done'] < row['bytes_total'], row)
        self.assertGreater(row['bytes_per_second'], 0)
        self.assertGreater(row['eta_seconds'], 0)
        self.assertIn(row['phase'], ('copy', 'sync', 'clear', 'publish', 'punch'))
        self.assertGreater(row['started'], 0)
        chain, = self.json('sr', 'health', 'sr')['chains']
        self.assertEqual((chain['vdi'], chain['state'], chain['depth_then']), (self.vdi, 'running', 1))
        self.assertTrue(0 < chain['bytes_to_move'] < row['bytes_total'])
        self.assertIsNone(self.under_way.poll())

    def test_watch_shows_it_again_and_again(self):
        out = self.run_ok('gc', 'watch', '--sr', 'sr', '--json', '--times', '3')
        states = [json.loads(line)['coalesces'][0] for line in out.splitlines()]
        self.assertEqual([row['state'] for row in states], ['running'] * 3)
        self.assertGreater(states[2]['bytes_done'], states[0]['bytes_done'])
        watch = subprocess.Popen([CATENA, 'gc', 'watch', '--sr', 'sr'], cwd=self.dir, env=self.env,
                                 stdout=subprocess.PIPE)
        self.assertIn(b'bytes_done', watch.stdout.readline())
        self.assertIn(b'running', watch.stdout.readline())
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=20)
        self.assertEqual(watch.returncode, INTERRUPTED)

    def test_other_disks_are_used_meanwhile(self):
        self.run_ok('vdi', 'write', '--sr', 'sr', 'mail', stdin=b'meanwhile')
        self.other_data[:9] = b'meanwhile'
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'mail', '--name', 'new')
        self.run_ok('vdi', 'delete', '--sr', 'sr', 'kept')
        self.reads(self.other, self.other_data)
        self.assertIsNone(self.under_way.poll())

    def test_a_limit_is_heard_at_once(self):
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        out, _ = self.under_way.communicate(timeout=60)
        self.assertEqual((self.under_way.returncode, json.loads(out)['coalesced']), (0, 1))
        self.reads(self.vdi, self.data)
        self.is_clean()

    def test_a_pause_ends_it(self):
        self.run_ok('gc', 'pause', '--sr', 'sr')
        out, _ = self.under_way.communicate(timeout=60)
        self.assertEqual((self.under_way.returncode, json.loads(out)['reasons'][0]['reason']),
                         (PARTIAL, 'paused'))
        self.reads(self.vdi, self.data)
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        self.run_ok('gc', 'resume', '--sr', 'sr')
        self.assertEqual(self.json('gc', 'run', '--sr', 'sr')['coalesced'], 1)
        self.reads(self.vdi, self.data)
        self.is_clean()

    def test_two_at_once_are_refused(self):
        self.refused('gc', 'run', '--sr', 'sr', says=['running already'])

    def test_the_disk_itself_is_used(self):
        """It makes way: a snapshot of a disk that is being emptied into its parent."""
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'web', '--name', 'now')
        self.reads(self.vdi, self.data)
        self.run_ok('gc', 'limit', '--sr', 'sr', '0')
        self.under_way.communicate(timeout=60)
        self.assertEqual(self.under_way.returncode, 0)
        self.json('gc', 'run', '--sr', 'sr')
        self.assertEqual(self.status()['coalesces'], [])
        self.reads(self.vdi, self.data)
        self.is_clean()


if __name__ == '__main__':
    unittest.main(verbosity=2)
