#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""catena gc and sr health, from outside: the members of their JSON that scripts rely on, what waits and why,
settings that last, exit codes."""
import os
import unittest

from test_cli import BLOCK, FINDINGS, MIB, PARTIAL, USAGE, Case

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


class Status(GcCase):
    def test_an_sr_without_work_has_no_coalesces(self):
        status = self.status()
        self.assertEqual((status['coalesces'], status['garbage'], status['history']), ([], [], []))
        self.assertEqual((status['paused'], status['limit']), (False, None))
        self.assertEqual(self.run_ok('gc', 'status', '--sr', 'sr'), '')
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
        self.assertEqual(self.json('gc', 'limit', '--sr', 'sr', '50M'), {'paused': True, 'limit': 50 * MIB})
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
        self.assertEqual(self.json('gc', 'limit', '--sr', 'sr', '0'), {'paused': False, 'limit': None})
        self.assertEqual(self.status()['coalesces'][0]['state'], 'ready')

    def test_usage(self):
        self.refused('gc', 'limit', '--sr', 'sr', '5', says=['64K'], code=USAGE)
        self.refused('gc', 'limit', '--sr', 'sr', 'fast', says=['not a size'], code=USAGE)
        self.refused('gc', 'limit', '--sr', 'sr', says=['RATE'], code=USAGE)
        self.refused('gc', 'status', says=['--sr'], code=USAGE)
        self.refused('gc', 'run', '--sr', 'nowhere', says=['nowhere'])
        self.refused('gc', 'halt', '--sr', 'sr', says=['halt'], code=USAGE)


if __name__ == '__main__':
    unittest.main(verbosity=2)
