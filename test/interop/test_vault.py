#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backups by the command, from outside: points of raw files and VHDs, in encrypted and plain vaults; what is
read again, and what is not; keys; damage; interrupts and kills; and a reader of vaults that was written from
the format's page alone."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import unittest

from test_cli import BLOCK, CATENA, DONE, FAILED, FINDINGS, INTERRUPTED, MIB, TOP, USAGE, Case

READER = os.path.join(TOP, 'test', 'interop', 'vault_reader.py')
CHUNK = 256 << 10


def python_with(*modules):
    """A Python that has them, or None: the packages are the system's, whose Python need not be this one."""
    for program in (sys.executable, '/usr/bin/python3'):
        done = subprocess.run([program, '-c', 'import ' + ', '.join(modules)], capture_output=True,
                              check=False)
        if done.returncode == 0:
            return program
    return None


class Vault(Case):
    OPEN = ['--vault', 'v', '--key-file', 'key']

    def setUp(self):
        super().setUp()
        self.init()

    def init(self):
        _, _, err = self.call('vault', 'init', 'v', '--key-file', 'key')
        self.recovery = err.decode()

    def listing(self):
        """Without who was at work: whoever reads says so, whatever comes of it."""
        return {row for row in super().listing() if '/sessions/' not in row[0]}

    def put(self, *words, name='web'):
        return self.json('vault', 'put', *self.OPEN, '--name', name, *words)

    def get(self, point, to, *words):
        return self.json('vault', 'get', *self.OPEN, point, '-o', to, *words)

    def points(self):
        return self.json('vault', 'list', *self.OPEN)['points']

    def check(self, point, data, **more):
        told = self.get(point, 'out.raw', **more)
        self.assertEqual(self.read('out.raw'), bytes(data))
        self.assertTrue(told['verified'])

    def change(self, name, data, at, n=5000, seed=7):
        new = random.Random(seed).randbytes(n)
        data[at:at + n] = new
        self.patch(name, at, new)


class Points(Vault):
    def test_a_disk_comes_back_as_it_was(self):
        data = self.raw('a.raw')
        told = self.put('a.raw')
        self.assertEqual([told['name'], told['parent']], ['web', None])
        self.check(told['point'], data)
        self.check('latest', data)
        self.check(told['point'][:8], data)
        self.assertEqual(told['read'], told['zeros'] + told['known'] + told['added'])

    def test_sizes_that_are_no_multiple_of_anything(self):
        for size in 0, 1, 511, CHUNK - 1, CHUNK, CHUNK + 1, 257 * CHUNK + 3:
            data = random.Random(size).randbytes(size)
            with open(self.path('odd.raw'), 'wb') as f:
                f.write(data)
            self.check(self.put('odd.raw', name='odd %d' % size)['point'], data)

    def test_what_the_vault_has_is_stored_once(self):
        self.raw('a.raw')
        first = self.put('a.raw')
        again = self.put('a.raw', name='other')
        self.assertEqual((again['added'], again['stored']), (0, 0))
        self.assertEqual(again['known'] + again['zeros'], again['read'])
        found = {point['name']: point for point in self.points()}
        self.assertEqual(found['web']['disks'][0]['id'], found['other']['disks'][0]['id'])
        self.assertEqual(first['point'], found['web']['point'])

    def test_holes_are_neither_read_nor_written(self):
        data = bytearray(64 * MIB)
        data[40 * MIB:40 * MIB + 4096] = b'x' * 4096
        with open(self.path('a.raw'), 'wb') as f:
            f.truncate(len(data))
            f.seek(40 * MIB)
            f.write(b'x' * 4096)
        self.assertLess(self.put('a.raw')['read'], MIB)
        self.check('latest', data)
        self.assertLess(os.stat(self.path('out.raw')).st_blocks * 512, MIB)

    def test_a_vhd_is_read_with_its_parents_and_written(self):
        data = self.raw('a.raw', 5 * BLOCK)
        self.run_ok('vhd', 'convert', 'a.raw', 'a.vhd')
        self.run_ok('vhd', 'snapshot', 'a.vhd', 'b.vhd')
        self.put('b.vhd')
        self.check('latest', data)
        self.get('latest', 'out.vhd')
        self.run_ok('vhd', 'check', 'out.vhd')
        self.run_ok('vhd', 'convert', 'out.vhd', 'again.raw')
        self.assertEqual(self.read('again.raw'), bytes(data))

    def test_several_disks_make_one_point(self):
        data = [self.raw(name, seed=i) for i, name in enumerate(('root.raw', 'data.raw'))]
        self.put('root.raw', 'data.raw')
        self.assertEqual([disk['name'] for disk in self.points()[0]['disks']], ['root.raw', 'data.raw'])
        self.refused('vault', 'get', *self.OPEN, 'latest', '-o', 'x', says=['2 disks', '--disk'], code=USAGE)
        self.refused('vault', 'get', *self.OPEN, 'latest', '-o', 'x', '--disk', 'no', says=["no disk 'no'"])
        for each, name in zip(data, ('root.raw', 'data.raw')):
            self.get('latest', 'out.raw', '--disk', name)
            self.assertEqual(self.read('out.raw'), bytes(each))

    def test_show_and_list_for_people(self):
        self.raw('a.raw')
        point = self.put('a.raw')['point']
        self.assertIn(point, self.run_ok('vault', 'list', *self.OPEN))
        self.assertIn('web', self.run_ok('vault', 'show', *self.OPEN, point))
        self.assertEqual(self.run_ok('vault', 'list', *self.OPEN, '--name', 'none').strip(), '')
        self.refused('vault', 'show', *self.OPEN, '00000000', says=['00000000'])


class Increments(Vault):
    def setUp(self):
        super().setUp()
        self.data = self.raw('a.raw', 40 * MIB)
        self.first = self.put('a.raw', '--state', 'monday')['point']

    def extents(self, *extents, since):
        with open(self.path('c.json'), 'w', encoding='utf-8') as f:
            json.dump({'since': since, 'extents': [{'offset': at, 'length': n} for at, n in extents]}, f)

    def test_only_what_changed_is_read(self):
        for since in self.first, 'monday':
            self.change('a.raw', self.data, 9 * MIB + 100, seed=len(since))
            self.extents((9 * MIB + 100, 5000), since=since)
            told = self.put('a.raw', '--parent', self.first, '--changed', 'c.json')
            self.assertEqual((told['read'], told['added']), (CHUNK, CHUNK))
            self.check(told['point'], self.data)
        self.change('a.raw', self.data, 9 * MIB + 100, seed=0)
        self.extents((9 * MIB + 100, 5000), since=told['point'])
        self.check(self.put('a.raw', '--parent', 'latest', '--changed', 'c.json')['point'], self.data)

    def test_content_decides_the_id_not_its_history(self):
        self.change('a.raw', self.data, 3 * MIB)
        self.extents((3 * MIB, 5000), since=self.first)
        self.put('a.raw', '--parent', self.first, '--changed', 'c.json')
        self.put('a.raw', name='whole')
        self.assertEqual(len({point['disks'][0]['id'] for point in self.points()[1:]}), 1)

    def test_a_disk_that_grew_or_shrank(self):
        self.data += random.Random(3).randbytes(MIB + 77)
        with open(self.path('a.raw'), 'wb') as f:
            f.write(self.data)
        self.extents(since=self.first)
        told = self.put('a.raw', '--parent', self.first, '--changed', 'c.json')
        self.assertLess(told['read'], 2 * MIB)
        self.check(told['point'], self.data)
        del self.data[20 * MIB + 5:]
        os.truncate(self.path('a.raw'), len(self.data))
        self.extents(since=told['point'])
        self.check(self.put('a.raw', '--parent', told['point'], '--changed', 'c.json')['point'], self.data)

    def test_a_list_of_another_state_is_refused(self):
        self.extents((0, 1), since='tuesday')
        put = ['vault', 'put', *self.OPEN, '--name', 'web']
        self.refused(*put, '--parent', self.first, '--changed', 'c.json', 'a.raw',
                     says=["since 'tuesday'", 'monday'])
        self.refused(*put, '--changed', 'c.json', 'a.raw', says=['--parent'], code=USAGE)
        self.refused(*put, '--parent', self.first, '--changed', 'c.json', 'a.raw', 'a.raw', says=['one disk'],
                     code=USAGE)
        with open(self.path('c.json'), 'w', encoding='utf-8') as f:
            f.write('{"since": "monday"}')
        self.refused(*put, '--parent', self.first, '--changed', 'c.json', 'a.raw', says=['extents'])
        self.assertEqual(len(self.points()), 1)

    def refused(self, *words, **more):
        """A run that begins has put its session, which says of itself that it ended or is pruned."""
        code, says = more.get('code', FAILED), more['says']
        got, out, err = self.call(*words)
        self.assertEqual((got, out), (code, b''), err)
        for word in says:
            self.assertIn(word, err.decode())


class Compared(Vault):
    def differing(self, one, other):
        chunks = max(len(one), len(other) + CHUNK - 1) // CHUNK + 1
        runs = []
        for at in range(0, chunks * CHUNK, CHUNK):
            a, b = (bytes(disk[at:at + CHUNK]).ljust(CHUNK, b'\0') for disk in (one, other))
            if a == b:
                continue
            n = min(CHUNK, max(len(one), len(other)) - at)
            if runs and runs[-1][0] + runs[-1][1] == at:
                runs[-1][1] += n
            else:
                runs.append([at, n])
        return runs

    def test_two_points_differ_where_their_disks_do(self):
        data = self.raw('a.raw')
        first, before = self.put('a.raw')['point'], bytes(data)
        self.change('a.raw', data, 100)
        self.change('a.raw', data, 3 * MIB - 10)
        with open(self.path('a.raw'), 'ab') as f:
            f.write(bytes(2 * MIB) + b'end')
        data += bytes(2 * MIB) + b'end'
        second = self.put('a.raw', '--parent', 'latest')['point']
        told = self.json('vault', 'diff', *self.OPEN, first, second)
        self.assertEqual([[each['offset'], each['length']] for each in told['extents']],
                         self.differing(before, data))
        self.assertEqual(told['disks'], [{'disk': 'a.raw', 'size': len(before), 'other_size': len(data),
                                          'bytes': sum(n for _, n in self.differing(before, data))}])
        self.assertEqual(self.json('vault', 'diff', *self.OPEN, second, 'latest')['extents'], [])

    def test_a_list_of_differences_is_one_of_changes(self):
        data = self.raw('a.raw')
        first = self.put('a.raw')['point']
        self.change('a.raw', data, MIB)
        second = self.put('a.raw')['point']
        told = self.json('vault', 'diff', *self.OPEN, first, second)
        with open(self.path('changed.json'), 'w', encoding='utf-8') as f:
            json.dump(told, f)
        third = self.put('a.raw', '--parent', first, '--changed', 'changed.json')
        self.assertEqual(third['read'], told['disks'][0]['bytes'])
        self.assertEqual(self.json('vault', 'diff', *self.OPEN, second, third['point'])['extents'], [])

    def test_disks_that_one_point_lacks_are_told(self):
        self.raw('a.raw')
        self.raw('b.raw', seed=2)
        first, second = self.put('a.raw')['point'], self.put('a.raw', 'b.raw')['point']
        told = self.json('vault', 'diff', *self.OPEN, first, second)
        self.assertEqual([[each['disk'], each['size']] for each in told['disks']],
                         [['a.raw', os.path.getsize(self.path('a.raw'))], ['b.raw', None]])
        code, _, err = self.call('vault', 'diff', *self.OPEN, first, second, '--disk', 'c')
        self.assertEqual(code, FAILED)
        self.assertIn(b"neither point has a disk 'c'", err)


class Limits(Vault):
    def test_rates_and_lags_are_taken(self):
        data = self.raw('a.raw', size=MIB)
        self.put('a.raw', '--limit-up', '100M')
        self.get('latest', 'out.raw', '--limit-down', '100M')
        self.assertEqual(self.read('out.raw'), bytes(data))
        self.json('vault', 'init', 'slow', '--no-encryption', '--list-lag', '1')
        self.assertEqual(self.json('vault', 'put', '--vault', 'slow', '--name', 'x', 'a.raw')['name'], 'x')
        code, _, err = self.call('vault', 'init', 'never', '--no-encryption', '--list-lag', '4000')
        self.assertEqual(code, USAGE)
        self.assertIn(b'0 to 3600', err)


class Keys(Vault):
    def test_the_key_file_is_the_users_alone_and_is_needed(self):
        self.assertEqual(os.stat(self.path('key')).st_mode & 0o777, 0o600)
        self.assertEqual(len(self.read('key')), 32)
        self.refused('vault', 'list', '--vault', 'v', says=['encrypted', 'key'])
        with open(self.path('other'), 'wb') as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(os.urandom(32))
        self.refused('vault', 'list', '--vault', 'v', '--key-file', 'other', says=['key'])
        os.chmod(self.path('key'), 0o644)
        self.refused('vault', 'list', *self.OPEN, says=['key'])

    def test_a_passphrase_opens_what_it_made(self):
        for name, text in ('right', 'correct horse\n'), ('wrong', 'battery\n'):
            with open(self.path(name), 'w', encoding='utf-8') as f:
                os.fchmod(f.fileno(), 0o600)
                f.write(text)
        self.run_ok('vault', 'init', 'p', '--passphrase-file', 'right')
        self.raw('a.raw')
        self.run_ok('vault', 'put', '--vault', 'p', '--passphrase-file', 'right', '--name', 'x', 'a.raw')
        self.refused('vault', 'list', '--vault', 'p', '--passphrase-file', 'wrong', says=['passphrase'])

    def test_the_recovery_key_is_told_once_and_nothing_secret_else(self):
        self.assertEqual(self.recovery.count('catena-recovery-1-'), 1)
        self.raw('a.raw')
        self.put('a.raw')
        key = self.read('key')
        for folder, _, names in os.walk(self.path('v')):
            for name in names:
                with open(os.path.join(folder, name), 'rb') as f:
                    held = f.read()
                self.assertNotIn(key, held)
                self.assertNotIn(key.hex().encode(), held)
                self.assertNotIn(b'a.raw', held)

    def test_what_is_there_is_no_place_for_a_vault(self):
        self.refused('vault', 'init', 'v', '--key-file', 'key', says=['v'])
        self.refused('vault', 'init', 'w', says=['--key-file', '--no-encryption'], code=USAGE)
        self.refused('vault', 'init', 'w', '--no-encryption', '--chunk', '100K', says=['power of two'],
                     code=USAGE)

    def test_a_plain_vault_and_a_key_exclude_each_other(self):
        self.run_ok('vault', 'init', 'w', '--no-encryption')
        self.refused('vault', 'list', '--vault', 'w', '--key-file', 'key', says=['not encrypted'])


class Slots(Vault):
    def key(self, *words, **more):
        return self.json('vault', 'key', *self.OPEN, *words, **more)['slots']

    def test_each_role_may_what_it_says(self):
        self.raw('a.raw')
        self.put('a.raw')
        for role in 'reader', 'writer', 'admin':
            self.key('add', '--new-key-file', role, '--role', role, '--label', 'the ' + role)
        self.assertEqual(sorted(slot['label'] for slot in self.key('list') if slot['label']),
                         ['first admin', 'recovery', 'the admin', 'the reader', 'the writer'])
        for role, puts, adds in ('reader', False, False), ('writer', True, False), ('admin', True, True):
            with_key = ['--vault', 'v', '--key-file', role]
            self.run_ok('vault', 'get', *with_key, 'latest', '-o', 'out.raw')
            put = self.call('vault', 'put', *with_key, '--name', role, 'a.raw')
            self.assertEqual(put[0] == DONE, puts, put)
            add = self.call('vault', 'key', *with_key, 'add', '--new-key-file', 'of ' + role)
            self.assertEqual(add[0] == DONE, adds, add)
        self.assertEqual({point['name'] for point in self.points()}, {'web', 'writer', 'admin'})

    def test_who_was_removed_opens_it_no_more_and_the_others_do(self):
        data = self.raw('a.raw')
        self.key('add', '--new-key-file', 'bob', '--role', 'writer', '--label', 'bob')
        self.run_ok('vault', 'put', '--vault', 'v', '--key-file', 'bob', '--name', 'bobs', 'a.raw')
        slot, = [slot['slot'] for slot in self.key('list') if slot['label'] == 'bob']
        self.key('remove', slot)
        self.refused('vault', 'list', '--vault', 'v', '--key-file', 'bob', says=['key'])
        self.key('rotate')
        self.check('latest', data)
        self.put('a.raw', name='after')
        self.check('latest', data)

    def test_what_cannot_be_says_why(self):
        key = ['vault', 'key', *self.OPEN]
        self.refused(*key, 'add', says=['--new-key-file'], code=USAGE)
        self.refused(*key, 'remove', says=['SLOT'], code=USAGE)
        self.refused(*key, 'remove', 'x', says=['no name of a slot'])
        admin, = [slot['slot'] for slot in self.key('list') if slot['kind'] == 'key-file']
        recovery = [slot['slot'] for slot in self.key('list') if slot['kind'] == 'recovery']
        for each in recovery:
            self.key('remove', each)
        self.refused(*key, 'remove', admin, says=['admin'])


class Damage(Vault):
    def damage(self, folder):
        """A byte in the middle of the largest file below it."""
        found = max((os.path.join(where, name) for where, _, names in os.walk(self.path(folder))
                     for name in names), key=os.path.getsize)
        with open(found, 'r+b') as f:
            f.seek(os.path.getsize(found) // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 16]))

    def test_a_damaged_chunk_is_never_restored(self):
        self.raw('a.raw')
        self.put('a.raw')
        self.damage('v/packs')
        self.refused('vault', 'get', *self.OPEN, 'latest', '-o', 'out.raw', says=['restore point latest'])
        self.refused('vault', 'get', *self.OPEN, 'latest', '-o', 'out.raw', '--no-hash', says=['restore'])

    def test_where_nothing_can_be_put_it_is_restored_all_the_same(self):
        data = self.raw('a.raw')
        point = self.put('a.raw')['point']
        shutil.rmtree(self.path('v/sessions'))
        with open(self.path('v/sessions'), 'w', encoding='ascii'):
            pass  # nothing can be made in what is no folder
        self.check(point, data)

    def test_a_damaged_index_costs_nothing(self):
        data = self.raw('a.raw')
        self.put('a.raw')
        self.damage('v/indexes')
        shutil.rmtree(self.path('state'))
        self.check('latest', data)

    def verify(self, *words, code=DONE):
        return self.json('vault', 'verify', *self.OPEN, *words, code=code)

    def test_verify_finds_damage_and_the_next_put_heals_it(self):
        data = self.raw('a.raw')
        first = self.put('a.raw')['point']
        told = self.verify()
        self.assertEqual((told['findings'], told['packs_read'], told['points']), ([], told['packs'], 1))
        self.assertFalse(self.points()[0]['damaged'])
        self.damage('v/packs')
        told = self.verify(code=FINDINGS)
        self.assertEqual(sorted({row['what'] for row in told['findings']}), ['blob', 'disk'])
        disk = [row for row in told['findings'] if row['what'] == 'disk'][0]
        self.assertEqual((disk['point'], disk['name'], disk['disk']), (first, 'web', 'a.raw'))
        self.assertTrue(disk['offset'] % CHUNK == 0 and 0 < disk['length'] <= len(data) - disk['offset'])
        self.assertTrue(self.points()[0]['damaged'] and told['recorded'])
        code, _, err = self.call('vault', 'put', *self.OPEN, '--name', 'web', 'a.raw', '--parent', first)
        self.assertEqual(code, FAILED)
        self.assertIn(b'is damaged', err)
        self.put('a.raw')
        self.check(first, data)
        self.assertEqual(self.verify(code=FINDINGS)['damaged_points'], 0)
        self.assertEqual([point['damaged'] for point in self.points()], [False, False])

    def test_verify_reads_what_it_is_asked_for(self):
        self.raw('a.raw')
        self.put('a.raw')
        self.assertEqual(self.verify('--level', 'tags')['packs_read'], 1)
        self.assertEqual(self.verify('--new', '--level', 'tags')['packs_read'], 0)
        self.assertEqual(self.verify('--new')['packs_read'], 1)
        self.assertEqual(self.verify('--percent', '1')['packs_read'], 1)
        self.refused('vault', 'verify', *self.OPEN, '--new', '--percent', '3', says=['exclude'], code=USAGE)
        self.refused('vault', 'verify', *self.OPEN, '--percent', '101', says=['1 to 100'], code=USAGE)

    def test_a_damaged_configuration_says_so(self):
        self.damage('v/config') if os.path.isdir(self.path('v/config')) else self.patch('v/config', 100, b'!')
        self.refused('vault', 'list', *self.OPEN, says=['config'])


class Interrupted(Vault):
    def begin(self, *words):
        return subprocess.Popen([CATENA, *words], cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def big(self):
        with open(self.path('big.raw'), 'wb') as f:
            for i in range(256):
                f.write(random.Random(i).randbytes(MIB))

    def wait_for_packs(self, n):
        until = time.monotonic() + 60
        while sum(len(names) for _, _, names in os.walk(self.path('v/packs'))) < n:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.002)

    def test_a_put_that_is_stopped_or_killed_shows_nothing_and_harms_nothing(self):
        data = self.raw('a.raw')
        self.put('a.raw')
        self.big()
        for how in signal.SIGINT, signal.SIGKILL:
            process = self.begin('vault', 'put', *self.OPEN, '--name', 'big', 'big.raw')
            self.wait_for_packs(2)
            process.send_signal(how)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, INTERRUPTED if how == signal.SIGINT else -how)
            self.assertEqual([point['name'] for point in self.points()], ['web'])
            self.check('latest', data)
        told = self.put('big.raw', name='big')
        self.assertGreater(told['known'], 0)
        self.check(told['point'], self.read('big.raw'))

    def test_a_restore_that_is_stopped_leaves_no_half_made_file(self):
        self.big()
        self.put('big.raw')
        with open(self.path('out.raw'), 'wb') as f:
            f.write(b'old')
        process = self.begin('vault', 'get', *self.OPEN, 'latest', '-o', 'out.raw')
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        if process.returncode == DONE:
            self.skipTest('it was quicker than the interrupt')
        self.assertEqual(process.returncode, INTERRUPTED)
        self.assertEqual(self.read('out.raw'), b'old')
        self.assertEqual([name for name in os.listdir(self.dir) if name.startswith('.')], [])


class Prune(Vault):
    def prune(self, *words, **more):
        return self.json('vault', 'prune', *self.OPEN, '--grace', '0s', *words, **more)

    def fill(self, n):
        for i in range(n):
            data = random.Random(i).randbytes(3 << 20)
            with open(self.path('disk.raw'), 'wb') as f:
                f.write(data)
            self.put('disk.raw')
        return data

    def test_old_points_go_and_what_they_needed(self):
        data = self.fill(4)
        told = self.prune('--keep-last', '2', '--dry-run')
        self.assertEqual((told['let_go'], told['removed'], len(self.points())), (2, 2, 4))
        told = self.prune('--keep-last', '2')
        self.assertEqual((told['let_go'], told['removed'], told['left']), (2, 2, 2))
        self.assertEqual(len(self.points()), 2)
        self.check('latest', data)
        told = self.prune('--keep-last', '2')
        self.assertEqual((told['let_go'], told['removed'], told['left']), (0, 0, 2))
        self.assertEqual(self.json('vault', 'check', *self.OPEN)['points'], 2)

    def test_a_rule_is_for_a_name_and_forget_for_a_point(self):
        self.fill(2)
        self.put('disk.raw', name='other')
        told = self.prune('--keep-last', '1', '--name', 'other')
        self.assertEqual(told['let_go'], 0)
        self.json('vault', 'forget', *self.OPEN, self.points()[0]['point'])
        self.assertEqual(len(self.points()), 2)
        self.assertEqual(self.prune()['removed'], 1)


class Reader(Vault):
    """A second reader, written from docs/format/vault.md alone."""

    def setUp(self):
        super().setUp()
        self.python = python_with('cryptography', 'zstandard')
        if not self.python:
            self.skipTest('python3-cryptography or python3-zstandard is not installed')

    def read_by_other(self, *words):
        done = subprocess.run([self.python, READER, *words], cwd=self.dir, capture_output=True, text=True,
                              timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_it_restores_what_we_put(self):
        data = self.raw('a.raw', 30 * MIB + 5)
        self.run_ok('vault', 'init', 'w', '--no-encryption', '--chunk', '64K')
        for vault in (['v', '--key-file', 'key'], ['w']):
            told = self.json('vault', 'put', '--vault', *vault, '--name', 'web', 'a.raw')
            self.assertIn(told['point'], self.read_by_other(*vault))
            self.read_by_other(vault[0], told['point'], 'out.raw', *vault[1:])
            self.assertEqual(self.read('out.raw'), bytes(data))


if __name__ == '__main__':
    unittest.main()
