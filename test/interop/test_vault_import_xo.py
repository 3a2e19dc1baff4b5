#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Backups of Xen Orchestra become points of a vault: remotes of every form, made by xo_maker.py, and one by
Xen Orchestra's own library, where npm can fetch it."""
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import unittest

import xo_maker
from test_cli import FAILED, PARTIAL, TOP
from test_vault import Vault, python_with
from xo_maker import TIMES

KEY = '0123456789abcdefghijklmnopqrstuv'
MAKER = os.path.join(TOP, 'test', 'interop', 'xo_maker.py')


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Imported(Vault):
    def tree(self, top='xo'):
        """All that is below, with content and times."""
        found = []
        for folder, dirs, names in os.walk(self.path(top)):
            for name in dirs + names:
                path = os.path.join(folder, name)
                stat = os.stat(path)
                content = b'' if os.path.isdir(path) else self.read(path)
                found.append((path, stat.st_mode, stat.st_mtime_ns, sha(content)))
        return sorted(found)

    def import_xo(self, *more, code=0):
        before = self.tree()
        told = self.json('vault', 'import-xo', *self.OPEN, 'xo', *more, code=code)
        self.assertEqual(self.tree(), before)
        return told

    def assert_vault_has(self, held):
        """held: {time: {vdi: bytes, or their sum}}, all that is there."""
        points = self.points()
        self.assertEqual(len(points), len(held))
        for point in points:
            when = point['time'].replace('-', '').replace(':', '')
            self.assertEqual({disk['name'] for disk in point['disks']}, set(held[when]))
            for disk in point['disks']:
                want = held[when][disk['name']]
                self.get(point['point'], 'out.raw', '--disk', disk['name'])
                self.assertEqual(sha(self.read('out.raw')), want if isinstance(want, str) else sha(want))
                os.unlink(self.path('out.raw'))

    def make(self, *words):
        program = python_with('cryptography', 'brotli')
        if not program:
            self.skipTest('no Python has cryptography and brotli')
        done = subprocess.run([program, MAKER, self.path('xo')] + list(words), capture_output=True,
                              check=True)
        return json.loads(done.stdout)


class Forms(Imported):
    def test_vhd_files(self):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo')), disks=2)
        for when in TIMES:
            vm.back_up(when)
        told = self.import_xo()
        self.assertEqual([told[key] for key in ('points', 'there', 'imported', 'left')], [3, 0, 3, 0])
        self.assert_vault_has(vm.held)
        # Of the deltas only what they hold was read.
        self.assertLessEqual(told['read'], 2 * (2 + 2 + 2) * xo_maker.BLOCK)
        self.assertEqual([point['name'] for point in self.points()], ['web'] * 3)
        self.assertEqual(self.json('vault', 'verify', *self.OPEN)['findings'], [])

    def test_directories_packed_or_not(self):
        for words in ((), ('--filter', 'gzip'), ('--filter', 'brotli')):
            with self.subTest(words):
                held = self.make('--form', 'dir', *words)
                self.assertEqual(self.import_xo()['imported'], 3)
                self.assert_vault_has(held)
                shutil.rmtree(self.path('xo'))
                shutil.rmtree(self.path('v'))
                self.init()

    def test_encrypted_with_the_key_alone(self):
        with open(self.path('xo.key'), 'w', encoding='ascii') as file:
            file.write(KEY + '\n')
        with open(self.path('other.key'), 'w', encoding='ascii') as file:
            file.write(KEY[::-1])
        for cipher in ('chacha20-poly1305', 'aes-256-gcm'):
            with self.subTest(cipher):
                held = self.make('--form', 'dir', '--filter', 'brotli', '--cipher', cipher, '--key', KEY)
                for words, why in (((), b'give its key by --xo-key-file'),
                                   (('--xo-key-file', 'other.key'), b'this key does not open it')):
                    code, _, err = self.call('vault', 'import-xo', *self.OPEN, 'xo', *words)
                    self.assertEqual(code, FAILED)
                    self.assertIn(why, err)
                self.assertEqual(self.import_xo('--xo-key-file', 'xo.key')['imported'], 3)
                self.assert_vault_has(held)
                shutil.rmtree(self.path('xo'))
                shutil.rmtree(self.path('v'))
                self.init()


class Again(Imported):
    def test_a_second_run_does_nothing_and_a_later_one_goes_on(self):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo'), 'dir'))
        vm.back_up(TIMES[0])
        vm.back_up(TIMES[1])
        self.assertEqual(self.import_xo()['imported'], 2)
        told = self.import_xo()
        self.assertEqual([told['there'], told['imported'], told['read']], [2, 0, 0])
        # Xen Orchestra has let the first one go, and merged it.
        vm.back_up(TIMES[2])
        os.unlink(self.path('xo/xo-vm-backups/%s/%s.json' % (vm.vm, TIMES[0])))
        dry = self.import_xo('--dry-run')
        self.assertEqual([dry['imported'], len(dry['missing'])], [0, 1])
        self.assertEqual(dry['missing'][0]['bytes'], 2 * xo_maker.BLOCK)
        told = self.import_xo()
        self.assertEqual([told['points'], told['imported'], told['read']], [2, 1, 2 * xo_maker.BLOCK])
        self.assert_vault_has(vm.held)

    def test_vms_are_chosen(self):
        remote = xo_maker.Remote(self.path('xo'))
        vms = [xo_maker.Vm(remote, xo_maker.VM[:-1] + digit, seed=int(digit)) for digit in '12']
        for vm in vms:
            vm.back_up(TIMES[0])
        self.assertEqual(self.import_xo('--vm', vms[1].vm)['points'], 1)
        self.assert_vault_has(vms[1].held)
        self.assertEqual(self.import_xo()['imported'], 1)


class Whole(Imported):
    """Backups of mode full, each one XVA."""

    def test_xvas_with_checksums_or_not_and_deltas_beside_them(self):
        for has_sums in (True, False):
            with self.subTest(has_sums):
                vm = xo_maker.Vm(xo_maker.Remote(self.path('xo')), disks=2)
                vm.back_up_whole(TIMES[0], has_sums)
                vm.back_up_whole(TIMES[1], has_sums)
                vm.back_up(TIMES[2], is_full=True)
                self.assertEqual(self.import_xo()['imported'], 3)
                self.assert_vault_has(vm.held)
                again = self.import_xo()
                self.assertEqual([again['there'], again['imported'], again['read']], [3, 0, 0])
                shutil.rmtree(self.path('xo'))
                shutil.rmtree(self.path('v'))
                self.init()

    def test_compressed_by_the_host(self):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo')), disks=2)
        for when in TIMES[:2]:
            vm.back_up_whole(when)
        path = self.path('xo/xo-vm-backups/%s/%s.xva' % (vm.vm, TIMES[1]))
        with open(path, 'rb') as file:
            data = file.read()
        with open(path, 'wb') as file:
            file.write(gzip.compress(data))
        self.assertEqual(self.import_xo()['imported'], 2)
        self.assert_vault_has(vm.held)

    def test_damaged_and_short_ones_are_left_out(self):
        def flip(data):
            at = data.index(b'Ref:3/00000000') + 512 + 5000
            return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

        whys = {'its checksum is': flip, 'ends': lambda data: data[:len(data) // 2],
                'no XVA': lambda data: os.urandom(1 << 16)}
        for why, change in whys.items():
            with self.subTest(why):
                vm = xo_maker.Vm(xo_maker.Remote(self.path('xo')))
                for when in TIMES[:2]:
                    vm.back_up_whole(when)
                path = self.path('xo/xo-vm-backups/%s/%s.xva' % (vm.vm, TIMES[0]))
                with open(path, 'rb') as file:
                    data = file.read()
                with open(path, 'wb') as file:
                    file.write(change(data))
                told = self.import_xo(code=PARTIAL)
                self.assertEqual([told['imported'], told['left']], [1, 1])
                self.assertIn(why, told['left_out'][0]['why'])
                self.assert_vault_has({TIMES[1]: vm.held[TIMES[1]]})
                shutil.rmtree(self.path('xo'))
                shutil.rmtree(self.path('v'))
                self.init()


class Broken(Imported):
    def left(self, told):
        return {os.path.basename(each['path'])[:-5]: each['why'] for each in told['left_out']}

    def merging(self, moved, is_over=False):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo'), 'dir'))
        for when in TIMES:
            vm.back_up(when, count=3)
        vm.merge(TIMES[0], TIMES[1], moved, is_over)
        return vm

    def test_of_a_merge_under_way_the_result_and_what_is_above(self):
        for moved in range(4):
            with self.subTest(moved):
                vm = self.merging(moved)
                told = self.import_xo(code=PARTIAL)
                self.assertEqual(list(self.left(told)), [TIMES[0]])
                self.assertIn('being merged', self.left(told)[TIMES[0]])
                self.assert_vault_has({when: vm.held[when] for when in TIMES[1:]})
                shutil.rmtree(self.path('xo'))
                shutil.rmtree(self.path('v'))
                self.init()

    def test_at_a_merges_end_the_result_has_the_old_name_still(self):
        vm = self.merging(3, is_over=True)
        os.unlink(self.path('xo/xo-vm-backups/%s/%s.json' % (vm.vm, TIMES[0])))
        self.assertEqual(self.import_xo()['imported'], 2)
        self.assert_vault_has({when: vm.held[when] for when in TIMES[1:]})

    def test_what_is_broken_stands_in_no_others_way(self):
        for form in ('file', 'dir'):
            with self.subTest(form):
                remote = xo_maker.Remote(self.path('xo'), form)
                vm = xo_maker.Vm(remote)
                vm.back_up(TIMES[0])
                other = xo_maker.Vm(remote, xo_maker.VM[:-1] + '2', seed=2)
                other.back_up(TIMES[1])
                vm.back_up(TIMES[2])
                os.unlink(self.path('xo/%s/%s' % (vm.folder(vm.vdis[0]), remote.name(TIMES[0]))))
                with open(self.path('xo/xo-vm-backups/%s/%s.json' % (vm.vm, '20251231T020000Z')), 'w',
                          encoding='ascii') as file:
                    file.write('{')
                told = self.import_xo(code=PARTIAL)
                self.assertEqual([told['points'], told['imported'], told['left']], [4, 1, 3])
                self.assertIn('not there', self.left(told)[TIMES[0]])
                self.assertIn(TIMES[0], self.left(told)[TIMES[2]])
                self.assert_vault_has(other.held)
                shutil.rmtree(self.path('xo'))
                shutil.rmtree(self.path('v'))
                self.init()

    def test_a_block_that_is_damaged_is_never_other_data(self):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo'), 'dir', 'gzip'))
        vm.back_up(TIMES[0])
        vm.back_up(TIMES[1])
        blocks = self.path('xo/%s/data/%s.vhd/blocks/0' % (vm.folder(vm.vdis[0]), TIMES[1]))
        with open(os.path.join(blocks, os.listdir(blocks)[0]), 'r+b') as file:
            file.truncate(100)
        told = self.import_xo(code=PARTIAL)
        self.assertEqual([told['imported'], list(self.left(told))], [1, [TIMES[1]]])
        self.assert_vault_has({TIMES[0]: vm.held[TIMES[0]]})

    def test_paths_that_climb_are_refused(self):
        vm = xo_maker.Vm(xo_maker.Remote(self.path('xo')))
        vm.back_up(TIMES[0])
        vm.remote.metadata(TIMES[1], vm.vm, {vm.vdis[0]: '../../../key'})
        told = self.import_xo(code=PARTIAL)
        self.assertIn('climbs', self.left(told)[TIMES[1]])

    def test_another_folder_is_no_remote(self):
        os.mkdir(self.path('xo'))
        code, _, err = self.call('vault', 'import-xo', *self.OPEN, 'xo')
        self.assertEqual(code, FAILED)
        self.assertIn(b'no remote of Xen Orchestra', err)


if __name__ == '__main__':
    unittest.main(verbosity=2)
