#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command, from outside: what users and scripts rely on. Every command whose form is fixed, every error
that a user meets with its exit code and what it leaves behind, JSON of every verb, interrupts, pipes, and the
names of SRs."""
import gzip
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('CATENA_BUILD') or os.path.join(TOP, 'build')
CATENA = os.path.join(BUILD, 'src', 'catena')
MIB = 1 << 20
BLOCK = 2 * MIB

DONE, FAILED, USAGE, PARTIAL, FINDINGS, INTERRUPTED = 0, 1, 2, 3, 4, 130


class Case(unittest.TestCase):
    """Each test has a folder of its own, which is also the working directory of the command."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='catena-cli-')
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.env = dict(os.environ, XDG_STATE_HOME=os.path.join(self.dir, 'state'))
        self.env.pop('NO_COLOR', None)

    def path(self, name):
        return os.path.join(self.dir, name)

    def call(self, *words, stdin=b''):
        """(exit code, stdout, stderr), the two as bytes"""
        done = subprocess.run([CATENA] + list(words), cwd=self.dir, env=self.env, input=stdin,
                              capture_output=True,
                              timeout=120, check=False)
        self.assertNotIn(b'Sanitizer', done.stderr)
        return done.returncode, done.stdout, done.stderr

    def run_ok(self, *words, stdin=b'', code=DONE):
        got, out, err = self.call(*words, stdin=stdin)
        self.assertEqual(got, code, '%s: %s' % (' '.join(words), err.decode()))
        return out.decode()

    def json(self, *words, stdin=b'', code=DONE):
        return json.loads(self.run_ok(*words, '--json', stdin=stdin, code=code))

    def refused(self, *words, says=(), code=FAILED, stdin=b''):
        """Fails with that code, says all of these, and changes no file; so too with --json."""
        before = self.listing()
        got, out, err = self.call(*words, stdin=stdin)
        text = err.decode()
        self.assertEqual((got, out), (code, b''), text)
        self.assertTrue(text.startswith('catena'), text)
        for word in says:
            self.assertIn(word, text)
        self.assertEqual(self.listing(), before)
        got, out, _ = self.call(*words, '--json', stdin=stdin)
        self.assertEqual(got, code)
        error = json.loads(out)['error']
        self.assertEqual(set(error), {'code', 'message'})
        for word in says:
            self.assertIn(word, error['message'])
        self.assertEqual(self.listing(), before)
        return error['code']

    def listing(self):
        """Every file's name and size, but for the SR's own catalog and the registry."""
        found = set()
        for folder, folders, names in os.walk(self.dir):
            folders[:] = [name for name in folders if name not in ('.catena', 'state')]
            found |= {(os.path.join(folder, name), os.path.getsize(os.path.join(folder,
                                                                                name))) for name in names}
        return found

    def raw(self, name, size=5 * BLOCK + 1536, seed=1):
        """A raw disk with holes, zeros and data; its bytes."""
        dice = random.Random(seed)
        data = bytearray(size)
        for _ in range(8):
            at = dice.randrange(size)
            n = min(dice.choice((512, 5000, 300000)), size - at)
            data[at:at + n] = dice.randbytes(n)
        with open(self.path(name), 'wb') as f:
            f.truncate(size)
            for at in range(0, size, 4096):
                if any(data[at:at + 4096]):
                    f.seek(at)
                    f.write(data[at:at + 4096])
        return data

    def read(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def patch(self, name, at, data):
        with open(self.path(name), 'r+b') as f:
            f.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
            f.write(data)

    def golden(self, name):
        with gzip.open(os.path.join(TOP, 'test', 'golden', name + '.gz')) as packed:
            with open(self.path(name), 'wb') as f:
                f.write(packed.read())


def is_uuid(line):
    parts = line.strip().split('-')
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and line.count('\n') == 1


class Shown(Case):
    """The commands whose form is fixed."""

    def test_an_sr_from_its_making_to_a_restored_delta(self):
        data = self.raw('disk.raw')
        sr = self.run_ok('sr', 'create', 'DIR', '--name', 'main')
        self.assertTrue(is_uuid(sr))
        vdi = self.run_ok('vdi', 'import', '--sr', 'DIR', '--name', 'a', 'disk.raw')
        self.assertTrue(is_uuid(vdi))
        vdi = vdi.strip()
        first = self.run_ok('vdi', 'snapshot', '--sr', 'DIR', vdi, '--name', 's1')
        self.assertTrue(is_uuid(first))
        first = first.strip()
        self.assertEqual(self.run_ok('vdi', 'export', '--sr', 'DIR', first, '--format', 'vhd', '-o',
                                     'full.vhd'), '')
        new = os.urandom(70000)
        self.assertEqual(self.run_ok('vdi', 'write', '--sr', 'DIR', vdi, '--offset', '3000001', stdin=new),
                         '')
        data[3000001:3070001] = new
        second = self.run_ok('vdi', 'snapshot', '--sr', 'DIR', vdi, '--name', 's2').strip()
        self.run_ok('vdi', 'export', '--sr', 'DIR', second, '--format', 'vhd', '--base', first, '-o',
                    'delta.vhd')
        self.assertLess(os.path.getsize(self.path('delta.vhd')), os.path.getsize(self.path('full.vhd')))
        other = self.run_ok('vdi', 'import', '--sr', 'DIR', '--name', 'b', 'full.vhd').strip()
        self.assertEqual(self.run_ok('vdi', 'import', '--sr', 'DIR', '--onto', other, 'delta.vhd').strip(),
                         other)
        self.run_ok('vdi', 'delete', '--sr', 'DIR', first)
        self.run_ok('vdi', 'export', '--sr', 'DIR', other, '-o', 'back.raw')
        self.assertEqual(self.read('back.raw'), data)
        nodes = self.json('vdi', 'tree', '--sr', 'DIR')['nodes']
        for node in nodes:
            self.assertLessEqual({'uuid', 'parent', 'hidden', 'depth', 'allocated'}, set(node))
        self.assertIn(second, [node['uuid'] for node in nodes])
        self.assertNotIn(first, [node['uuid'] for node in nodes])
        self.assertEqual(self.json('sr', 'check', 'DIR')['errors'], 0)

    def test_a_vhd_by_itself(self):
        self.assertTrue(is_uuid(self.run_ok('vhd', 'create', '--size', '64M', 'f.vhd')))
        self.assertTrue(is_uuid(self.run_ok('vhd', 'snapshot', 'f.vhd', 'g.vhd')))
        info = self.json('vhd', 'info', 'g.vhd')
        self.assertEqual((info['size'], info['type'], info['depth']), (64 * MIB, 'differencing', 2))
        self.assertEqual(info['parent']['uuid'], self.json('vhd', 'info', 'f.vhd')['uuid'])
        self.assertEqual(self.run_ok('vhd', 'check', 'f.vhd'), 'f.vhd: valid\n')
        data = self.raw('disk.raw')
        self.run_ok('vhd', 'convert', 'disk.raw', 'f.vhd')
        self.run_ok('vhd', 'convert', 'f.vhd', 'back.raw')
        self.assertEqual(self.read('back.raw'), data)

    def test_an_sr_is_named_by_directory_name_or_uuid(self):
        uuid = self.run_ok('sr', 'create', self.path('DIR'), '--name', 'main').strip()
        for name in ('DIR', './DIR', self.path('DIR'), 'main', uuid):
            self.assertEqual(self.json('vdi', 'list', '--sr', name), {'vdis': []})
            self.assertEqual(self.json('sr', 'show', name)['uuid'], uuid)
            self.assertEqual(self.json('sr', 'show', '--sr', name)['uuid'], uuid)
        self.assertEqual([row['name'] for row in self.json('sr', 'list')['srs']], ['main'])

    def test_streams_go_through_pipes(self):
        data = self.raw('disk.raw')
        self.run_ok('sr', 'create', 'one', '--name', 'one')
        self.run_ok('sr', 'create', 'two')
        self.run_ok('vdi', 'import', '--sr', 'one', '--name', 'a', '--format', 'raw', '-', stdin=bytes(data))
        _, raw, _ = self.call('vdi', 'export', '--sr', 'one', 'a', '--format', 'raw', '-o', '-')
        self.assertEqual(raw, data)
        code, vhd, report = self.call('vdi', 'export', '--sr', 'one', 'a', '--format', 'vhd', '-o', '-',
                                      '--json')
        self.assertEqual((code, json.loads(report)['length']), (DONE, len(vhd)))
        self.run_ok('vdi', 'import', '--sr', 'two', '--name', 'a', '--format', 'vhd', '-', stdin=vhd)
        self.run_ok('vdi', 'import', '--sr', 'two', '--format', 'raw', '--size', str(len(data)), '-',
                    stdin=bytes(data))
        self.run_ok('vdi', 'export', '--sr', 'two', 'a', '-o', 'back.raw')
        self.assertEqual(self.read('back.raw'), data)


class Verbs(Case):
    """Every verb, and its JSON."""

    def setUp(self):
        super().setUp()
        self.data = self.raw('disk.raw')
        self.run_ok('sr', 'create', 'sr')
        self.vdi = self.json('vdi', 'import', '--sr', 'sr', '--name', 'a', 'disk.raw')['uuid']

    def test_vdi_create_set_show_list(self):
        made = self.json('vdi', 'create', '--sr', 'sr', '--size', '10M', '--name', 'new')['uuid']
        self.json('vdi', 'set', '--sr', 'sr', 'new', '--description', 'd', '--tag', 'x', '--tag', 'y',
                  '--name', 'newer')
        shown = self.json('vdi', 'show', '--sr', 'sr', 'newer')
        self.assertEqual((shown['uuid'], shown['description'], shown['tags'], shown['size']),
                         (made, 'd', ['x', 'y'], 10 * MIB))
        self.assertEqual(shown['chain'], [made])
        self.json('vdi', 'set', '--sr', 'sr', made, '--no-tags')
        self.assertEqual(self.json('vdi', 'show', '--sr', 'sr', made)['tags'], [])
        self.assertEqual([row['name'] for row in self.json('vdi', 'list', '--sr', 'sr')['vdis']], ['a',
                                                                                                   'newer'])
        for kind in ('fixed', 'raw'):
            self.json('vdi', 'create', '--sr', 'sr', '--size', '4M', '--kind', kind, '--name', kind)
        self.assertEqual(self.json('vdi', 'show', '--sr', 'sr', 'raw')['kind'], 'raw')

    def test_vdi_snapshot_clone_revert_delete(self):
        snapshot = self.json('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')['uuid']
        clone = self.json('vdi', 'clone', '--sr', 'sr', 's', '--name', 'c')['uuid']
        self.json('vdi', 'write', '--sr', 'sr', 'a', stdin=b'changed')
        self.assertEqual(self.json('vdi', 'diff', '--sr', 'sr', 's', 'a'),
                         {'changes': [{'start': 0, 'length': 512}], 'changed': 512})
        self.json('vdi', 'export', '--sr', 'sr', clone, '-o', 'c.raw')
        self.assertEqual(self.read('c.raw'), self.data)
        self.json('vdi', 'revert', '--sr', 'sr', 'a', snapshot)
        self.json('vdi', 'export', '--sr', 'sr', 'a', '-o', 'a.raw')
        self.assertEqual(self.read('a.raw'), self.data)
        for name in ('s', 'c', 'a'):
            self.json('vdi', 'delete', '--sr', 'sr', name)
        self.assertEqual(self.json('vdi', 'tree', '--sr', 'sr'), {'nodes': []})
        self.assertEqual([name for name in os.listdir(self.path('sr')) if not name.startswith('.')], [])

    def test_vdi_resize_and_map(self):
        self.assertEqual(self.json('vdi', 'resize', '--sr', 'sr', 'a', '100M')['size'], 100 * MIB)
        self.assertEqual(self.json('vdi', 'resize', '--sr', 'sr', 'a', '--size', '200M')['size'], 200 * MIB)
        extents = self.json('vdi', 'map', '--sr', 'sr', 'a')['extents']
        self.assertEqual(sum(extent['length'] for extent in extents), 200 * MIB)
        self.json('vdi', 'export', '--sr', 'sr', 'a', '-o', 'a.raw')
        self.assertEqual(self.read('a.raw'), self.data + bytes(200 * MIB - len(self.data)))

    def test_sr_set_show_scan_check(self):
        self.json('sr', 'set', 'sr', '--name', 'renamed', '--description', 'd', '--max-depth', '2')
        shown = self.json('sr', 'show', 'renamed')
        self.assertEqual((shown['name'], shown['description'], shown['max_depth'], shown['vdis']),
                         ('renamed', 'd', 2, 1))
        self.json('vdi', 'snapshot', '--sr', 'sr', 'a')
        self.json('vdi', 'write', '--sr', 'sr', 'a', stdin=b'x')
        self.assertEqual(self.refused('vdi', 'snapshot', '--sr', 'sr', 'a'), 'too_large')
        self.assertEqual(self.json('sr', 'scan', 'sr')['damaged'], 0)
        self.assertEqual(self.json('sr', 'check', 'sr', '--bitmaps')['errors'], 0)

    def test_sr_adopt_release_forget(self):
        self.json('sr', 'release', 'sr')
        self.assertNotIn('.catena', os.listdir(self.path('sr')))
        self.assertEqual(self.json('sr', 'list'), {'srs': []})
        self.refused('sr', 'create', 'sr', says=['sr adopt'])
        listed = self.json('sr', 'adopt', 'sr', '--dry-run')
        self.assertEqual((listed['uuid'], listed['vdis'], listed['damaged']), (None, 1, 0))
        self.assertNotIn('.catena', os.listdir(self.path('sr')))
        self.json('sr', 'adopt', '--read-only', 'sr', '--name', 'ro')
        self.assertNotIn('.catena', os.listdir(self.path('sr')))
        self.json('vdi', 'export', '--sr', 'ro', self.vdi, '-o', 'a.raw')
        self.assertEqual(self.read('a.raw'), self.data)
        self.assertEqual(self.refused('vdi', 'delete', '--sr', 'ro', self.vdi), 'read_only')
        self.json('sr', 'forget', 'ro')
        self.json('sr', 'adopt', 'sr', '--name', 'again')
        self.assertEqual(self.json('vdi', 'show', '--sr', 'again', self.vdi)['size'], len(self.data))

    def test_vhd_convert_in_every_direction(self):
        for fmt, name in (('vhd', 'o.vhd'), ('fixed', 'f.vhd'), ('raw', 'o.raw')):
            result = self.json('vhd', 'convert', 'disk.raw', name, '--format', fmt)
            self.assertEqual((result['format'], result['size']), (fmt, len(self.data)))
            self.json('vhd', 'convert', name, 'back.raw', *((['--direct'], ['--cached'],
                                                             ['--full'])[len(fmt) - 3]))
            self.assertEqual(self.read('back.raw'), self.data)
            if fmt != 'raw':
                self.assertEqual(self.json('vhd', 'check', '--bitmaps', name)['files'][0]['valid'], True)
        self.json('vhd', 'snapshot', 'o.raw', 's.vhd')
        self.json('vhd', 'convert', 's.vhd', 'flat.vhd')
        self.assertIsNone(self.json('vhd', 'info', 'flat.vhd')['parent'])
        self.json('vhd', 'convert', 'flat.vhd', 'back.raw')
        self.assertEqual(self.read('back.raw'), self.data)

    def test_vhd_tree_map_resize(self):
        self.json('vhd', 'convert', 'disk.raw', 'base.vhd')
        self.json('vhd', 'snapshot', 'base.vhd', 'top.vhd')
        nodes = self.json('vhd', 'tree', 'top.vhd')['nodes']
        self.assertEqual([(os.path.basename(node['file']), node['depth'], node['level']) for node in nodes],
                         [('base.vhd', 1, 0), ('top.vhd', 2, 1)])
        extents = self.json('vhd', 'map', 'top.vhd')['extents']
        self.assertEqual(sum(extent['length'] for extent in extents), len(self.data))
        self.assertEqual({extent['depth'] for extent in extents if extent['data']}, {1})
        for extent in extents:
            if extent['data']:
                with open(self.path('base.vhd'), 'rb') as f:
                    f.seek(extent['offset'])
                    self.assertEqual(f.read(extent['length']),
                                     self.data[extent['start']:extent['start'] + extent['length']])
            else:
                self.assertFalse(any(self.data[extent['start']:extent['start'] + extent['length']]))
        self.assertEqual(self.json('vhd', 'resize', 'top.vhd', '--size', '40G')['size'], 40 << 30)
        self.assertEqual(self.json('vhd', 'check', 'top.vhd')['files'][0]['errors'], 0)
        self.assertEqual([name for name in os.listdir(self.dir) if 'resize' in name], [])

    def test_vhd_create_kinds(self):
        self.json('vhd', 'create', '--size', '8M', '--fixed', 'f.vhd')
        self.assertEqual(os.path.getsize(self.path('f.vhd')), 8 * MIB + 512)
        uuid = '01234567-89ab-4def-8123-456789abcdef'
        self.json('vhd', 'create', '--size', '8M', '--room-for', '1T', '--uuid', uuid, 'r.vhd')
        info = self.json('vhd', 'info', 'r.vhd')
        self.assertEqual((info['uuid'], info['header']['max_bat_entries']), (uuid, 524288))
        self.json('vhd', 'snapshot', 'r.vhd', 's.vhd', '--hide-parent')
        self.assertTrue(self.json('vhd', 'info', 'r.vhd')['hidden'])


class Errors(Case):
    """What a user meets: each names the file and the operation, exits non-zero, leaves no half-made file."""

    def make_vhd(self, name='f.vhd'):
        self.raw('disk.raw')
        self.run_ok('vhd', 'convert', 'disk.raw', name)

    def test_not_a_vhd(self):
        self.raw('disk.raw')
        shutil.copy(self.path('disk.raw'), self.path('n.vhd'))
        for words in (['info', 'n.vhd'], ['check', 'n.vhd'], ['map', 'n.vhd'], ['convert', 'n.vhd', 'o.raw'],
                      ['snapshot', 'n.vhd', 's.vhd'], ['resize', 'n.vhd', '--size', '1G'], ['repair',
                                                                                            'n.vhd']):
            self.assertEqual(self.refused('vhd', *words, says=['n.vhd', 'VHD']), 'corrupt')
        self.run_ok('sr', 'create', 'sr')
        self.refused('vdi', 'import', '--sr', 'sr', 'n.vhd', says=['n.vhd'])

    def test_missing_and_empty_files(self):
        self.assertEqual(self.refused('vhd', 'info', 'none.vhd', says=['none.vhd']), 'not_found')
        self.refused('vhd', 'convert', 'none.raw', 'o.vhd', says=['none.raw'])
        with open(self.path('empty.vhd'), 'wb'):
            pass
        self.refused('vhd', 'info', 'empty.vhd', says=['empty.vhd'])

    def test_damaged_footers_header_bat_and_batmap(self):
        for at, part in ((0, 'footer'), (-512, 'footer'), (512, 'header'), (1536, 'BAT'), (2048 + 20,
                                                                                           'batmap')):
            self.make_vhd()
            self.patch('f.vhd', at, bytes(range(1, 9)))
            _, out, _ = self.call('vhd', 'check', 'f.vhd', '--json')
            found = json.loads(out)['files'][0]['findings']
            self.assertTrue(any(part in finding['part'] for finding in found), found)

    def test_a_damaged_footer_says_what_to_do_and_repair_does_it(self):
        self.make_vhd()
        before = self.read('f.vhd')
        self.patch('f.vhd', 0, bytes(512))
        self.refused('vhd', 'convert', 'f.vhd', 'o.raw', says=['f.vhd', 'footer', 'repair'])
        shown = self.json('vhd', 'repair', 'f.vhd', code=FINDINGS)['files'][0]
        self.assertTrue(shown['findings'][0]['repairable'])
        self.assertNotEqual(self.read('f.vhd'), before)
        self.run_ok('vhd', 'repair', '--yes', 'f.vhd')
        self.assertEqual(self.read('f.vhd'), before)

    def test_a_damaged_bitmap_is_found_where_it_is(self):
        self.make_vhd()
        with open(self.path('f.vhd'), 'rb') as f:
            f.seek(1536)
            entries = [int.from_bytes(f.read(4), 'big') for _ in range(5)]
        entry = [entry for entry in entries if entry != 0xffffffff][0]
        self.patch('f.vhd', entry * 512, bytes(512))
        found = self.json('vhd', 'check', '--bitmaps', 'f.vhd', code=FINDINGS)['files'][0]['findings']
        self.assertTrue([finding for finding in found if 'bit' in finding['part']], found)

    def test_parent_missing(self):
        self.make_vhd()
        self.run_ok('vhd', 'snapshot', 'f.vhd', 'g.vhd')
        os.rename(self.path('f.vhd'), self.path('away.vhd'))
        self.refused('vhd', 'convert', 'g.vhd', 'o.raw', says=['g.vhd', 'f.vhd', self.dir])
        info = self.json('vhd', 'info', 'g.vhd')
        self.assertEqual((info['depth'], info['parent']['found']), (None, False))
        check = self.json('vhd', 'check', 'g.vhd', code=FINDINGS)['files'][0]
        self.assertEqual([finding['part'] for finding in check['findings']], ['parent'])
        self.assertEqual(self.json('vhd', 'tree', 'g.vhd', code=FINDINGS)['nodes'][0]['depth'], None)

    def test_parents_uuid_differs(self):
        self.make_vhd()
        self.run_ok('vhd', 'snapshot', 'f.vhd', 'g.vhd')
        wanted = self.json('vhd', 'info', 'f.vhd')['uuid']
        self.run_ok('vhd', 'convert', 'disk.raw', 'f.vhd')
        there = self.json('vhd', 'info', 'f.vhd')['uuid']
        self.assertEqual(self.refused('vhd', 'convert', 'g.vhd', 'o.raw', says=['f.vhd', wanted, there]),
                         'mismatch')
        self.assertFalse(self.json('vhd', 'info', 'g.vhd')['parent']['uuid_matches'])

    def test_loop_of_parents(self):
        uuid = '01234567-89ab-4def-8123-456789abcdef'
        self.run_ok('vhd', 'create', '--size', '8M', '--uuid', uuid, 'a.vhd')
        self.run_ok('vhd', 'snapshot', 'a.vhd', 'b.vhd')
        self.patch_uuid('b.vhd', uuid)
        os.rename(self.path('b.vhd'), self.path('a.vhd'))
        self.assertEqual(self.refused('vhd', 'convert', 'a.vhd', 'o.raw', says=['loop']), 'mismatch')
        self.assertIsNone(self.json('vhd', 'info', 'a.vhd')['depth'])
        self.run_ok('vhd', 'tree', 'a.vhd', code=FINDINGS)

    def patch_uuid(self, name, uuid):
        """In both footers, with their checksums: what no tool of ours would do."""
        data = bytearray(self.read(name))
        for at in (0, len(data) - 512):
            footer = data[at:at + 512]
            footer[68:84] = bytes.fromhex(uuid.replace('-', ''))
            footer[64:68] = bytes(4)
            footer[64:68] = (~sum(footer) & 0xffffffff).to_bytes(4, 'big')
            data[at:at + 512] = footer
        with open(self.path(name), 'wb') as f:
            f.write(data)

    def test_a_file_that_is_locked_says_by_whom(self):
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--size', '8M', '--name', 'a')
        writer = subprocess.Popen([CATENA, 'vdi', 'write', '--sr', 'sr', 'a'], cwd=self.dir, env=self.env,
                                  stdin=subprocess.PIPE)
        try:
            writer.stdin.write(b'x' * 512)
            writer.stdin.flush()
            leaf = 'sr/' + [name for name in os.listdir(self.path('sr')) if name.endswith('.vhd')][0]
            self.wait_for(lambda: b'vdi write' in self.read('sr/.catena/owner'))
            self.wait_for(lambda: os.path.getsize(self.path(leaf)) > 1 << 20)  # the bytes are there
            code = self.refused('vhd', 'resize', leaf, '--size', '1G', says=[leaf, str(writer.pid)])
            self.assertEqual(code, 'busy')
        finally:
            writer.stdin.close()
        self.assertEqual(writer.wait(), DONE)

    def wait_for(self, done):
        for _ in range(200):
            if done():
                return
            time.sleep(0.05)
        self.fail('it did not come to that')

    def test_size_over_2040_gib(self):
        self.refused('vhd', 'create', '--size', '2041G', 'f.vhd', says=['f.vhd', '2040 GiB'])
        with open(self.path('huge.raw'), 'wb') as f:
            f.truncate(2041 << 30)
        self.refused('vhd', 'convert', 'huge.raw', 'f.vhd', says=['huge.raw', '2040 GiB'])
        self.run_ok('sr', 'create', 'sr')
        self.refused('vdi', 'create', '--sr', 'sr', '--size', '3T', says=['2040 GiB'])
        self.refused('vdi', 'import', '--sr', 'sr', 'huge.raw', says=['huge.raw', '2040 GiB'])
        self.run_ok('vhd', 'create', '--size', '8M', 'g.vhd')
        self.refused('vhd', 'resize', 'g.vhd', '--size', '2041G', says=['g.vhd', '2040 GiB'])

    def test_sr_that_is_no_sr(self):
        os.mkdir(self.path('plain'))
        for words in (['vdi', 'list', '--sr', 'plain'], ['vdi', 'create', '--sr', 'plain', '--size', '1M']):
            self.refused(*words, says=['plain', 'not an SR'])
        self.refused('vdi', 'list', '--sr', './none', says=['none'])
        self.assertEqual(self.refused('vdi', 'list', '--sr', 'none', says=["'none'"]), 'not_found')
        self.run_ok('sr', 'create', 'sr')
        self.assertEqual(self.refused('sr', 'create', 'sr', says=['sr']), 'exists')

    def test_no_space_is_said_before_the_start(self):
        small = self.path('small')
        os.mkdir(small)
        if os.geteuid() != 0 or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', small],
                                               check=False,
                                               stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no small file system can be mounted here')
        self.addCleanup(subprocess.run, ['umount', small], check=False)
        with open(self.path('disk.raw'), 'wb') as f:
            f.write(os.urandom(8 * MIB))
        self.assertEqual(self.refused('vhd', 'convert', 'disk.raw', 'small/f.vhd', says=['small', 'free',
                                                                                         'needed']),
                         'no_space')
        self.assertEqual(self.refused('vhd', 'convert', 'disk.raw', 'small/f.vhd', '--force',
                                      says=['small']), 'no_space')
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'a', 'disk.raw')
        self.refused('vdi', 'export', '--sr', 'sr', 'a', '-o', 'small/a.raw', says=['small', 'free',
                                                                                    'needed'])
        self.refused('vdi', 'export', '--sr', 'sr', 'a', '-o', 'small/a.raw', '--force', says=['small'])
        self.run_ok('sr', 'create', 'small/sr')
        self.refused('vdi', 'import', '--sr', 'small/sr', 'disk.raw', says=['disk.raw', 'free', 'needed'])
        self.refused('vdi', 'import', '--sr', 'small/sr', 'disk.raw', '--force', says=['disk.raw'])
        self.assertEqual(self.json('vdi', 'list', '--sr', 'small/sr'), {'vdis': []})

    def test_streams_that_are_short_long_or_damaged(self):
        self.make_vhd('full.vhd')
        self.run_ok('sr', 'create', 'sr')
        whole = self.read('full.vhd')
        for n in (0, 100, 512, 3000, len(whole) // 2, len(whole) - 2):
            self.assertEqual(self.refused('vdi', 'import', '--sr', 'sr', '--format', 'vhd', '-',
                                          stdin=whole[:n],
                                          says=['standard input', 'byte %d' % n]), 'cut_short')
        self.refused('vdi', 'import', '--sr', 'sr', '--format', 'vhd', '-', stdin=whole + b'x',
                     says=['standard input'])
        for at in (10, 600):
            damaged = bytearray(whole)
            damaged[at] ^= 0xff
            self.refused('vdi', 'import', '--sr', 'sr', '--format', 'vhd', '-', stdin=bytes(damaged))
        data = bytes(self.raw('disk.raw'))
        self.refused('vdi', 'import', '--sr', 'sr', '--format', 'raw', '--size', str(len(data)), '-',
                     stdin=data[:-512],
                     says=['standard input', 'byte %d' % (len(data) - 512)])
        self.refused('vdi', 'import', '--sr', 'sr', '--format', 'raw', '--size', str(len(data)), '-',
                     stdin=data + b'x')
        self.refused('vdi', 'import', '--sr', 'sr', '--format', 'raw', '-', stdin=b'', says=['empty'])
        with open(self.path('cut.vhd'), 'wb') as f:
            f.write(whole[:len(whole) // 2])
        self.refused('vdi', 'import', '--sr', 'sr', 'cut.vhd', says=['cut.vhd'])
        self.assertEqual(self.json('vdi', 'list', '--sr', 'sr'), {'vdis': []})

    def test_a_delta_goes_only_onto_what_it_was_made_against(self):
        self.raw('disk.raw')
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'a', 'disk.raw')
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's1')
        self.run_ok('vdi', 'export', '--sr', 'sr', 's1', '-o', 'full.vhd')
        self.run_ok('vdi', 'write', '--sr', 'sr', 'a', stdin=b'new')
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's2')
        self.run_ok('vdi', 'export', '--sr', 'sr', 's2', '--base', 's1', '-o', 'delta.vhd')
        self.refused('vdi', 'import', '--sr', 'sr', 'delta.vhd', says=['delta.vhd', '--onto'])
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'b', 'full.vhd')
        self.run_ok('vdi', 'write', '--sr', 'sr', 'b', '--offset', '4096', stdin=b'mine')
        self.assertEqual(self.refused('vdi', 'import', '--sr', 'sr', '--onto', 'b', 'delta.vhd',
                                      says=['delta.vhd', 'written']), 'mismatch')
        self.refused('vdi', 'import', '--sr', 'sr', '--onto', 'b', 'full.vhd', says=['full.vhd', '--force'])
        self.run_ok('vdi', 'import', '--sr', 'sr', '--onto', 'b', '--force', 'delta.vhd')
        self.assertEqual(self.refused('vdi', 'import', '--sr', 'sr', '--onto', 'b', 'delta.vhd'), 'mismatch')
        self.run_ok('vdi', 'export', '--sr', 'sr', 'b', '-o', 'b.raw')
        self.assertEqual((self.read('b.raw')[:3], self.read('b.raw')[4096:4100]), (b'new', b'mine'))

    def test_what_exists_is_not_overwritten_by_what_makes(self):
        self.make_vhd()
        self.assertEqual(self.refused('vhd', 'create', '--size', '1M', 'f.vhd', says=['f.vhd']), 'exists')
        self.assertEqual(self.refused('vhd', 'snapshot', 'disk.raw', 'f.vhd', says=['f.vhd']), 'exists')
        os.mkdir(self.path('folder'))
        self.refused('vhd', 'convert', 'disk.raw', 'folder', says=['folder'])

    def test_a_write_past_the_end(self):
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--size', '4M', '--name', 'a')
        self.refused('vdi', 'write', '--sr', 'sr', 'a', '--offset', '4M', stdin=b'x', says=['past the end'])
        self.run_ok('vdi', 'snapshot', '--sr', 'sr', 'a', '--name', 's')
        self.assertEqual(self.refused('vdi', 'write', '--sr', 'sr', 's', stdin=b'x', says=['s']), 'read_only')

    def test_a_name_that_two_things_share(self):
        uuids = [self.run_ok('sr', 'create', name, '--name', 'same').strip() for name in ('one', 'two')]
        self.refused('vdi', 'list', '--sr', 'same', says=uuids)
        self.run_ok('vdi', 'list', '--sr', uuids[0])
        self.run_ok('vdi', 'list', '--sr', 'one')
        vdis = [self.run_ok('vdi', 'create', '--sr', 'one', '--size', '2M', '--name',
                            'twin').strip() for _ in '12']
        self.refused('vdi', 'delete', '--sr', 'one', 'twin', says=vdis)
        shutil.rmtree(self.path('one'))
        self.run_ok('vdi', 'list', '--sr', 'same')


class Talk(Case):
    """How it speaks: usage, help, exit codes, colours, progress, interrupts."""

    def test_usage_is_exit_2_and_says_what_would_be_right(self):
        for words, says in ((['vhd', 'inof'], "did you mean 'vhd info'"), (['vdj', 'list'],
                                                                           "did you mean 'vdi'"),
                            (['vdi', 'list'], '--sr is missing'), (['vhd', 'info'], 'FILE is missing'),
                            (['vhd', 'create', 'f.vhd', '--size', 'x'], 'not a size'),
                            (['vhd', 'create', 'f.vhd', '--siez', '1'], "did you mean '--size'"),
                            (['vhd', 'info', 'a', 'b'], 'one word too many'),
                            (['vdi', 'import', '--sr', 'x', '-'], '--format'),
                            (['vdi', 'export', '--sr', 'x', 'y', '-o', 'f.raw', '--base', 'z'], '--base'),
                            (['vdi', 'import', '--sr', 'x', '--onto', 'y', '--name', 'z', 'f.vhd'], '--onto'),
                            (['sr', 'set', 'x'], 'nothing to set')):
            self.assertEqual(self.refused(*words, says=[says], code=USAGE), 'usage')

    def test_where_output_is_data_errors_keep_away_from_it(self):
        code, out, err = self.call('vdi', 'export', '--sr', 'x', 'y', '-o', '-', '--json')
        self.assertEqual((code, out), (USAGE, b''))
        self.assertIn('--format', json.loads(err)['error']['message'])

    def test_help_is_there_for_everything(self):
        self.assertIn('catena vdi', self.run_ok('help'))
        for noun in ('vhd', 'sr', 'vdi'):
            text = self.run_ok(noun)
            lines = text.split('Commands:')[1].split('\n')
            verbs = [line.split()[0] for line in lines if line.startswith('  ') and line[2:3].strip()]
            self.assertGreater(len(verbs), 8)
            for verb in verbs:
                self.assertTrue(self.run_ok(noun, verb, '--help').startswith('Usage: catena %s %s' % (noun,
                                                                                                      verb)))
                self.assertEqual(self.run_ok('help', noun, verb), self.run_ok(noun, verb, '-h'))
        self.assertTrue(self.run_ok('--version').startswith('catena '))

    def test_several_files_are_all_checked(self):
        self.run_ok('vhd', 'create', '--size', '8M', 'good.vhd')
        result = self.json('vhd', 'check', 'none.vhd', 'good.vhd', code=PARTIAL)
        self.assertEqual([file['valid'] for file in result['files']], [False, True])
        self.assertIn('none.vhd', result['files'][0]['error'])

    def on_a_terminal(self, *words, env=()):
        """What the command shows on a terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.dir)
            os.execve(CATENA, [CATENA] + list(words), dict(self.env, TERM='xterm', **dict(env)))
        shown = b''
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown

    def test_colours_are_for_terminals_that_want_them(self):
        self.run_ok('vhd', 'create', '--size', '8M', 'f.vhd')
        self.patch('f.vhd', 0, bytes(512))
        code, shown = self.on_a_terminal('vhd', 'check', 'f.vhd')
        self.assertEqual(code, FINDINGS)
        self.assertIn(b'\x1b[31m', shown)
        self.assertNotIn(b'\x1b', self.on_a_terminal('vhd', 'check', 'f.vhd',
                                                     env={'NO_COLOR': '1'}.items())[1])
        self.assertNotIn('\x1b', self.run_ok('vhd', 'check', 'f.vhd', code=FINDINGS))

    def test_progress_goes_to_standard_error_where_asked_for(self):
        self.raw('disk.raw')
        code, out, err = self.call('vhd', 'convert', 'disk.raw', 'f.vhd', '--progress')
        self.assertEqual((code, out), (DONE, b''))
        self.assertIn(b'convert 100%', err)
        code, out, err = self.call('vhd', 'convert', 'disk.raw', 'f.vhd', '--progress', '--json')
        last = json.loads(err.decode().strip().split('\n')[-1])['progress']
        self.assertEqual(last['done'], last['total'])
        self.assertEqual(json.loads(out)['format'], 'vhd')
        self.assertEqual(self.call('vhd', 'convert', 'disk.raw', 'f.vhd', '--json')[2], b'')

    def interrupt(self, *words):
        """Starts it with an input that stays open, interrupts it once it waits; (exit code, stderr)"""
        running = subprocess.Popen([CATENA] + list(words), cwd=self.dir, env=self.env, stdin=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        running.stdin.write(b'x' * 70000)
        running.stdin.flush()
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
        return running.returncode, err.decode()

    def test_an_interrupt_removes_what_was_half_made(self):
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--size', '8M', '--name', 'a')
        before = {name for name, _ in self.listing()}
        for words in (['vdi', 'import', '--sr', 'sr', '--format', 'raw', '-'],
                      ['vdi', 'import', '--sr', 'sr', '--format', 'raw', '--size', '8M', '-'],
                      ['vdi', 'write', '--sr', 'sr', 'a']):
            code, err = self.interrupt(*words)
            self.assertEqual(code, INTERRUPTED, err)
            self.assertIn('interrupted', err)
            self.assertEqual({name for name, _ in self.listing()}, before)
        self.assertEqual(len(self.json('vdi', 'list', '--sr', 'sr')['vdis']), 1)
        self.assertEqual(self.json('sr', 'check', 'sr')['errors'], 0)

    def test_a_reader_that_has_gone_is_noticed(self):
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'create', '--sr', 'sr', '--size', '64M', '--name', 'a')
        export = subprocess.Popen([CATENA, 'vdi', 'export', '--sr', 'sr', 'a', '--format', 'raw', '-o', '-'],
                                  cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        export.stdout.read(1)
        export.stdout.close()
        self.assertIn(b'standard output', export.stderr.read())
        export.stderr.close()
        self.assertEqual(export.wait(), FAILED)

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([CATENA, 'help'], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b'No space left', done.stderr)


class Golden(Case):
    """Files of XenServer's own tools, through the command."""

    def test_golden_images_read_as_they_should(self):
        for name in ('pattern-8M.raw', 'pattern2-8M.raw', 'base.vhd', 'mid.vhd', 'leaf.vhd', 'leafdata.vhd',
                     'raw-child.vhd', 'coalesced-8M.vhd', 'vhdtool-full.vhd', 'vhdtool-delta.vhd'):
            self.golden(name)
        for name, pattern in (('leaf.vhd', 'pattern-8M.raw'), ('leafdata.vhd', 'pattern2-8M.raw'),
                              ('raw-child.vhd', 'pattern-8M.raw'), ('coalesced-8M.vhd', 'pattern-8M.raw')):
            self.run_ok('vhd', 'convert', name, 'o.raw')
            self.assertEqual(self.read('o.raw'), self.read(pattern), name)
        self.run_ok('sr', 'create', 'sr')
        self.run_ok('vdi', 'import', '--sr', 'sr', '--name', 'a', 'vhdtool-full.vhd')
        self.run_ok('vdi', 'export', '--sr', 'sr', 'a', '-o', 'o.raw')
        self.assertEqual(self.read('o.raw'), self.read('pattern-8M.raw'))
        self.run_ok('vdi', 'import', '--sr', 'sr', '--onto', 'a', '--force', 'vhdtool-delta.vhd')
        self.run_ok('vdi', 'export', '--sr', 'sr', 'a', '-o', 'o.raw')
        self.assertEqual(self.read('o.raw'), self.read('pattern2-8M.raw'))


if __name__ == '__main__':
    if not os.path.exists(CATENA):
        print('%s is not built' % CATENA)
        sys.exit(77)
    unittest.main(verbosity=1)
