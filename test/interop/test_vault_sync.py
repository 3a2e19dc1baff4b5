#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Points that go from vault to vault, and what is damaged that comes back, by the command."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

from test_cli import CATENA, FAILED, FINDINGS, MIB, PARTIAL, USAGE
from test_vault import Vault


class Synced(Vault):
    OTHER = ['--vault', 'w', '--key-file', 'other']

    def setUp(self):
        super().setUp()
        self.call('vault', 'init', 'w', '--key-file', 'other', '--chunk', '128K')

    def sync(self, *more, words=('v', 'w', '--key-file', 'key', '--to-key-file', 'other')):
        return self.json('vault', 'sync', *words, *more)

    def three_points(self):
        """Their contents, by name and time's order."""
        data, states = self.raw('a.raw'), []
        for turn in range(3):
            self.change('a.raw', data, (turn + 1) * MIB, seed=turn)
            self.put('a.raw', *(['--parent', 'latest'] if turn else []))
            states.append(bytes(data))
        return states

    def assert_other_has(self, states, opening=None):
        opening = opening or self.OTHER
        points = self.json('vault', 'list', *opening)['points']
        contents = []
        for point in points:
            self.json('vault', 'get', *opening, point['point'], '-o', 'out.raw')
            contents.append(self.read('out.raw'))
        # Where nobody signs, points of one second are in no order.
        self.assertTrue(contents == states if '--key-file' in opening else set(contents) == set(states))
        self.assertEqual(self.json('vault', 'verify', *opening)['findings'], [])
        return points


class Points(Synced):
    def test_all_points_arrive_with_what_is_said_of_them(self):
        states = self.three_points()
        told = self.sync()
        self.assertEqual([told['points'], told['there'], told['sent']], [3, 0, 3])
        theirs = self.assert_other_has(states)
        self.assertEqual([each['time'] for each in theirs], [each['time'] for each in self.points()])
        self.assertEqual(theirs[2]['parent'], theirs[1]['point'])
        # It was said how much.
        self.assertEqual(told['read'], told['bytes'])
        # Of what follows a parent only what differs was read.
        self.assertLess(told['read'], len(states[0]) + 3 * MIB)

    def test_a_second_sync_sends_nothing_in_any_direction(self):
        states = self.three_points()
        self.sync()
        self.assertEqual([self.sync()[key] for key in ('there', 'sent', 'read')], [3, 0, 0])
        back = self.sync(words=('w', 'v', '--key-file', 'other', '--to-key-file', 'key'))
        self.assertEqual([back['there'], back['sent']], [3, 0])
        # By way of a third, which is plain.
        self.call('vault', 'init', 'x', '--no-encryption')
        third = self.sync(words=('w', 'x', '--key-file', 'other', '--to-plain'))
        self.assertEqual(third['sent'], 3)
        self.assert_other_has(states, ['--vault', 'x'])
        self.assertEqual(self.sync(words=('v', 'x', '--key-file', 'key', '--to-plain'))['sent'], 0)

    def test_what_is_asked_for_is_sent(self):
        states = self.three_points()
        self.raw('b.raw', seed=9)
        self.put('b.raw', name='other')
        dry = self.sync('--name', 'web', '--last', '2', '--dry-run')
        self.assertEqual([dry['points'], dry['sent'], len(dry['missing'])], [2, 0, 2])
        self.assertEqual(self.json('vault', 'list', *self.OTHER)['points'], [])
        self.assertEqual(self.sync('--name', 'web', '--last', '2')['sent'], 2)
        self.assert_other_has(states[1:])
        self.assertEqual(self.sync()['sent'], 2)

    def test_names_may_be_several_and_ages_and_vms_say_which(self):
        for i, name in enumerate(('a', 'b', 'c')):
            self.raw('%s.raw' % name, seed=i)
            self.put('%s.raw' % name, name=name)
        for asked, points in ((('--name', 'a', '--name', 'c'), 2), (('--newer-than', '1h'), 3),
                              (('--newer-than', '2001-01-01T00:00:00Z'), 3),
                              (('--newer-than', '2999-01-01T00:00:00Z'), 0),
                              (('--vm', '5a3b4e5c-0000-4000-8000-000000000001'), 0)):
            told = self.sync(*asked, '--dry-run')
            self.assertEqual([told['points'], len(told['missing'])], [points, points])
            self.assertEqual(told['bytes'], sum(each['bytes'] for each in told['missing']))
        self.assertEqual(self.sync('--name', 'a', '--name', 'c')['sent'], 2)
        names = {each['name'] for each in self.json('vault', 'list', *self.OTHER)['points']}
        self.assertEqual(names, {'a', 'c'})

    def damage_newest(self):
        """A byte of the last pack that was put."""
        pack = max((os.path.join(folder, name) for folder, _, names in os.walk(self.path('v/packs'))
                    for name in names), key=os.path.getmtime)
        with open(pack, 'r+b') as file:
            file.seek(os.path.getsize(pack) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))

    def test_one_that_is_recorded_as_damaged_is_not_said_to_be_sent(self):
        states = self.three_points()
        self.damage_newest()
        self.assertEqual(self.call('vault', 'verify', *self.OPEN)[0], FINDINGS)
        status, out, err = self.call('vault', 'sync', 'v', 'w', '--key-file', 'key', '--to-key-file', 'other',
                                     '--json')
        told = json.loads(out)
        self.assertEqual([status, told['sent'], told['left']], [PARTIAL, 2, 1])
        self.assertIn(b'2 points are to be sent', err)
        self.assertIn(b'recorded as damaged', err)
        self.assert_other_has(states[:2])

    def test_a_damaged_point_is_left_out_and_told_of(self):
        states = self.three_points()
        self.damage_newest()
        status, out, err = self.call('vault', 'sync', 'v', 'w', '--key-file', 'key', '--to-key-file', 'other',
                                     '--json')
        told = json.loads(out)
        self.assertEqual([status, told['sent'], told['left'], len(told['left_out'])], [PARTIAL, 2, 1, 1])
        self.assertIn(b'not sent: web of', err)
        self.assert_other_has(states[:2])

    def test_what_cannot_be_says_why(self):
        for words, code, why in (
                (('v', 'v', '--key-file', 'key'), FAILED, b'both are the same vault'),
                (('v', 'w', '--key-file', 'key'), FAILED, b'open vault w'),
                (('v', 'w', '--key-file', 'key', '--to-plain', '--to-key-file', 'other'), USAGE,
                 b'one of them'),
                (('v', 'w', '--key-file', 'key', '--newer-than', 'soon'), USAGE, b'such as 36h')):
            got, _, err = self.call('vault', 'sync', *words)
            self.assertEqual(got, code)
            self.assertIn(why, err)


class Repaired(Synced):
    def damage(self, vault='v'):
        """A byte of each pack."""
        for folder, _, names in os.walk(self.path(vault + '/packs')):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, 'r+b') as file:
                    file.seek(os.path.getsize(path) // 2)
                    byte = file.read(1)
                    file.seek(-1, os.SEEK_CUR)
                    file.write(bytes([byte[0] ^ 1]))

    def verify(self, *more):
        status, out, err = self.call('vault', 'verify', *self.OPEN, *more, '--json')
        return status, json.loads(out), err

    def assert_whole(self, states):
        points = self.points()
        self.assertEqual(len(points), len(states))
        for point, state in zip(points, states):
            self.get(point['point'], 'out.raw')
            self.assertTrue(self.read('out.raw') == state)

    def test_another_vault_has_it_still(self):
        states = self.three_points()
        self.sync()
        self.damage()
        status, told, _ = self.verify()
        self.assertEqual(status, FINDINGS)
        self.assertGreater(told['damaged_points'], 0)
        status, told, err = self.verify('--repair-from', 'w', '--repair-key-file', 'other')
        self.assertEqual(told['damaged_points'], 0)
        self.assertIn(b'3 of 3 damaged points are whole again', err)
        self.assertGreater(told['stored'], 0)
        self.assert_whole(states)
        # What is damaged goes where no point needs it any more.
        self.call('vault', 'prune', *self.OPEN, '--keep-last', '9', '--grace', '0s')
        self.assert_whole(states)

    def test_what_cannot_be_read_there_either_is_said(self):
        self.three_points()
        self.sync()
        self.damage()
        self.damage('w')
        status, told, err = self.verify('--repair-from', 'w', '--repair-key-file', 'other')
        self.assertEqual([status, told['repaired'] < 3], [FINDINGS, True])
        self.assertIn(b'not repaired: ', err)
        self.assertIn(b'of 3 damaged points', err)

    def test_a_file_or_a_folder_of_files_has_it_still(self):
        for where in ('a.raw', 'files'):
            with self.subTest(where):
                data = self.raw('a.raw')
                self.put('a.raw')
                self.damage()
                if where == 'files':
                    os.mkdir(self.path('files'))
                    os.rename(self.path('a.raw'), self.path('files/a.raw'))
                self.assertEqual(self.verify('--repair-from', where)[1]['repaired'], 1)
                self.assert_whole([bytes(data)])
                shutil.rmtree(self.path('v'))
                self.init()

    def test_what_has_other_content_heals_nothing(self):
        self.raw('a.raw')
        self.put('a.raw')
        self.damage()
        self.raw('b.raw', seed=8)
        status, told, err = self.verify('--repair-from', 'b.raw')
        self.assertEqual([status, told['repaired'], told['damaged_points']], [FINDINGS, 0, 1])
        self.assertIn(b'0 of 1 damaged points', err)


class Interrupted(Synced):
    def test_what_was_killed_shows_nothing_half_and_goes_on(self):
        states = self.three_points()
        for wait in (0.01, 0.03, 0.06, 0.1):
            command = [CATENA, 'vault', 'sync', 'v', 'w', '--key-file', 'key', '--to-key-file', 'other']
            running = subprocess.Popen(command, cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(wait)
            running.send_signal(signal.SIGKILL)
            running.wait()
            there = self.json('vault', 'list', *self.OTHER)['points']
            self.assert_other_has(states[:len(there)])
        self.sync()
        self.assert_other_has(states)
        self.assertEqual(self.sync()['sent'], 0)
        self.assertFalse([name for name in os.listdir(self.dir) if name.startswith('.')])


if __name__ == '__main__':
    unittest.main(verbosity=2)
