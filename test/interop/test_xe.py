#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`xe`, from outside: a client of the thin CLI protocol, written from what is known of the protocol, asks
catenad for lists, changes things, fetches disks and VMs and sends them back, with TLS and without."""
import http.client
import os
import random
import socket
import ssl
import struct
import time
import unittest

import test_xapi
from daemon import MIB, needs

BANNER = b'XenSource thin CLI protocol' + struct.pack('<ii', 0, 2)
COMMAND, RESPONSE, BLOB = 9, 10, 11
PRINT, PROMPT, EXIT, GET, PUT, ERROR, STDERR = 0, 3, 4, 12, 13, 14, 16
CHUNK, END = 7, 8
OK, FAILED, WAIT = 5, 6, 18


class Hung(Exception):
    pass


class Xe:
    """One command: what was printed, and how it ended."""

    def __init__(self, port, words, transfers=True, banner=BANNER, typed='', cover=None):
        self.port, self.transfers, self.typed, self.cover = port, transfers, typed, cover
        self.out, self.err, self.error, self.code = '', '', None, None
        body = '\n'.join(words).encode()
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=60)
        if cover:
            self.socket = cover.wrap_socket(self.socket, server_hostname='127.0.0.1')
        self.socket.sendall(b'POST /cli HTTP/1.0\r\nUser-agent: xe-cli/Unix/0.2\r\noriginator: cli\r\n'
                            b'content-length: %d\r\n\r\n' % len(body) + body)
        if banner is not None:
            self.socket.sendall(banner)

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise Hung(data)
            data += more
        return data

    def say(self, tag):
        self.socket.sendall(struct.pack('<iii', 8, RESPONSE, tag))

    def run(self):
        assert self.read(len(BANNER)) == BANNER
        while self.code is None:
            payload = self.read(struct.unpack('<i', self.read(4))[0])
            group, tag = struct.unpack_from('<ii', payload)
            assert group == COMMAND, group
            self.carry_out(tag, payload[8:])
        assert self.socket.recv(1) == b''
        self.socket.close()
        return self

    def carry_out(self, tag, rest):
        if tag == EXIT:
            self.code, = struct.unpack('<i', rest)
            return
        if tag == PROMPT:
            line = self.typed.encode()
            self.socket.sendall(struct.pack('<iiii', 12, BLOB, CHUNK, len(line)) + line +
                                struct.pack('<iii', 8, BLOB, END))
            return
        text, rest = self.text(rest)
        if tag == PRINT:
            self.out += text + '\n'
        elif tag == STDERR:
            self.err += text
        elif tag == ERROR:
            n, = struct.unpack_from('<i', rest)
            rest, params = rest[4:], []
            for _ in range(n):
                param, rest = self.text(rest)
                params.append(param)
            self.error = [text] + params
        else:
            path, rest = self.text(rest)
            self.say(WAIT)
            self.say(OK if self.transfers and self.transfer(tag, text, path) else FAILED)

    @staticmethod
    def text(data):
        n, = struct.unpack_from('<i', data)
        return data[4:4 + n].decode(), data[4 + n:]

    def transfer(self, tag, file, path):
        if self.cover:
            connection = http.client.HTTPSConnection('127.0.0.1', self.port, timeout=60, context=self.cover)
        else:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        connection._http_vsn, connection._http_vsn_str = 10, 'HTTP/1.0'
        if tag == GET:
            connection.request('GET', path)
            answer = connection.getresponse()
            with open(file, 'wb') as f:
                f.write(answer.read())
        else:
            with open(file, 'rb') as f:
                connection.request('PUT', path, f, {'Content-length': str(os.path.getsize(file))})
                answer = connection.getresponse()
                answer.read()
        connection.close()
        return answer.status == 200


class Case(test_xapi.Case):
    """Whose tearDown sees to it that the daemon's log holds no password and no session."""
    cover = None

    def start_xe(self, *words, **how):
        return Xe(self.port, list(words) + ['username=root', 'password=' + self.password], cover=self.cover,
                  **how)

    def xe(self, *words, code=0, **how):
        done = self.start_xe(*words, **how).run()
        self.assertEqual(done.code, code, (done.out, done.err, done.error))
        return done

    def said(self, *words, **how):
        return self.xe(*words, **how).out

    def uuids(self, *words):
        line = self.said(*words, '--minimal').rstrip('\n')
        return line.split(',') if line else []

    def made(self, *words):
        """The uuid that a command says."""
        line = self.said(*words)
        self.assertRegex(line, '^[0-9a-f-]{36}\n$')
        return line.strip()

    def sr(self, name='main'):
        return self.uuids('sr-list', 'name-label=' + name)[0]

    def make(self, name='web', size='4MiB'):
        return self.made('vdi-create', 'sr-uuid=' + self.sr(), 'name-label=' + name, 'virtual-size=' + size)

    def param(self, uuid, name, kind='vdi'):
        return self.said(kind + '-param-get', 'uuid=' + uuid, 'param-name=' + name).rstrip('\n')

    def session(self):
        proxy = test_xapi.xmlrpc.client.ServerProxy('http://127.0.0.1:%d' % self.port)
        self.addCleanup(lambda: proxy('close')())
        return proxy, proxy.session.login_with_password('root', self.password)['Value']

    def vm(self, name='box', *vdis):
        """xe makes VMs of templates alone, and there are none."""
        proxy, session = self.session()
        gib = str(1 << 30)
        made = proxy.VM.create(session, {'name_label': name, 'user_version': '1', 'is_a_template': False,
                                         'memory_static_max': gib, 'memory_dynamic_max': gib,
                                         'memory_dynamic_min': gib, 'memory_static_min': gib,
                                         'VCPUs_max': '1', 'VCPUs_at_startup': '1'})
        uuid = proxy.VM.get_uuid(session, made['Value'])['Value']
        for device, vdi in enumerate(vdis):
            self.made('vbd-create', 'vm-uuid=' + uuid, 'vdi-uuid=' + vdi, 'device=%d' % device)
        return uuid

    # ---- files ----

    def write(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)

    def got(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def filled(self, name='web'):
        data = random.Random(7).randbytes(2 * MIB) + bytes(MIB) + random.Random(8).randbytes(MIB)
        self.write('in.raw', data)
        uuid = self.make(name)
        self.said('vdi-import', 'uuid=' + uuid, 'filename=' + self.path('in.raw'), 'format=raw')
        return uuid, data

    def content(self, uuid):
        self.said('vdi-export', 'uuid=' + uuid, 'filename=' + self.path('out.raw'), '--progress')
        return self.got('out.raw')

    def no_tasks_are_left(self):
        self.assertEqual(self.uuids('task-list'), [])

    def wait_for_no_tasks(self):
        until = time.monotonic() + 20
        while self.uuids('task-list'):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.1)


class Lists(Case):

    def test_a_disk_is_shown_as_aligned_lines(self):
        uuid = self.make()
        self.assertEqual(self.said('vdi-list'), (
            'uuid ( RO)                : %s\n'
            '          name-label ( RW): web\n'
            '    name-description ( RW): \n'
            '             sr-uuid ( RO): %s\n'
            '        virtual-size ( RO): 4194304\n'
            '            sharable ( RW): false\n'
            '           read-only ( RW): false\n\n\n') % (uuid, self.sr()))

    def test_minimal_is_one_line_with_commas(self):
        self.assertEqual(self.said('vdi-list', '--minimal'), '\n')
        uuids = {self.make('one'), self.make('two,three')}
        self.assertEqual(set(self.uuids('vdi-list')), uuids)
        self.assertEqual(self.said('vdi-list', 'name-label=two,three', 'params=name-label', 'minimal=true'),
                         'two\\,three\n')

    def test_filters_choose(self):
        one = self.make('one')
        snapshot = self.made('vdi-snapshot', 'uuid=' + one)
        self.assertEqual(self.uuids('vdi-list', 'is-a-snapshot=true'), [snapshot])
        self.assertEqual(self.uuids('vdi-list', 'sr-uuid=' + self.sr('other')), [])
        self.assertEqual(len(self.uuids('vdi-list', 'sr-name-label=main', 'managed=true')), 2)
        self.said('vdi-param-set', 'uuid=' + one, 'other-config:backup=yes', 'tags=a,b')
        self.assertEqual(self.uuids('vdi-list', 'other-config:backup=yes'), [one])
        self.assertEqual(self.uuids('vdi-list', 'tags:contains=b'), [one])
        self.assertEqual(self.uuids('vdi-list', 'tags:contains=c'), [])
        self.assertEqual(self.xe('vdi-list', 'colour=red', code=1).err,
                         'Error: Unknown field of a vdi: colour\n')

    def test_what_a_disk_belongs_to_is_shown_by_name(self):
        vdi = self.make()
        vm = self.vm('box', vdi)
        vbd, = self.uuids('vbd-list')
        self.assertEqual(self.param(vdi, 'sr-name-label'), 'main')
        self.assertEqual(self.param(vdi, 'vbd-uuids'), vbd)
        for name, value in (('vdi-uuid', vdi), ('vdi-name-label', 'web'), ('vm-uuid', vm),
                            ('vm-name-label', 'box')):
            self.assertEqual(self.param(vbd, name, 'vbd'), value)
            self.assertEqual(self.uuids('vbd-list', name + '=' + value), [vbd])
        self.assertIn('vm-name-label ( RO): box\n', self.said('vbd-list'))
        host = self.uuids('host-list')[0]
        self.assertEqual(self.param(self.sr(), 'host', 'sr'), self.param(host, 'name-label', 'host'))
        self.assertEqual(self.uuids('pbd-list', 'sr-name-label=other', 'params=host-uuid'), [host])
        self.assertIn('Error: Field is read-only', self.xe('vdi-param-set', 'uuid=' + vdi, 'sr-name-label=x',
                                                           code=1).err)

    def test_a_command_waits_for_what_is_not_yet(self):
        client = self.start_xe('event-wait', 'class=vdi', 'name-label=late', 'virtual-size=/=0')
        self.make('early')
        self.assertEqual(self.uuids('vdi-list', 'name-label=late'), [])
        self.make('late')
        self.assertEqual(client.run().code, 0)

    def test_every_class_is_listed_with_all_that_it_has(self):
        self.vm('box', self.make())
        for kind in ('vdi vm snapshot template sr vbd pbd vif network pif sm host pool task message'.split()):
            self.said(kind + '-list')
            self.said(kind + '-list', 'params=all')
        self.assertRegex(self.said('host-list', '--minimal'), '^[0-9a-f-]{36}\n$')
        self.assertIn('master', self.said('pool-list'))
        self.assertIn('power-state ( RO): halted\n', self.said('vm-list', 'power-state=halted'))
        self.assertIn('type ( RO): User\n', self.said('vdi-list', 'params=uuid,type'))

    def test_many_disks_come_whole(self):
        first = self.make('many')
        for _ in range(40):
            self.said('vdi-snapshot', 'uuid=' + first)
        out = self.said('vdi-list', 'params=all', 'name-label=many')
        self.assertEqual(out.count('\nuuid ( RO)') + 1, 41)


class Params(Case):

    def test_fields_are_read_set_and_cleared(self):
        uuid = self.make()
        self.assertEqual(self.param(uuid, 'virtual-size'), str(4 * MIB))
        self.said('vdi-param-set', 'uuid=' + uuid, 'name-label=new', 'other-config:a=1', 'tags=x,y')
        self.assertEqual(self.param(uuid, 'name-label'), 'new')
        self.assertEqual(self.param(uuid, 'tags'), 'x; y')
        self.assertEqual(self.said('vdi-param-get', 'uuid=' + uuid, 'param-name=other-config',
                                   'param-key=a'), '1\n')
        self.assertIn('other-config (MRW): a: 1\n', self.said('vdi-param-list', 'uuid=' + uuid))
        self.said('vdi-param-clear', 'uuid=' + uuid, 'param-name=other-config')
        self.assertEqual(self.param(uuid, 'other-config'), '')
        done = self.xe('vdi-param-get', 'uuid=' + uuid, 'param-name=other-config', 'param-key=a', code=1)
        self.assertEqual(done.err, 'Error: Key a not found in map\n')

    def test_sets_and_maps_gain_and_lose(self):
        sr = self.sr()
        about = 'uuid=' + sr
        self.said('sr-param-add', about, 'param-name=tags', 'param-key=fast')
        self.said('sr-param-add', about, 'param-name=other-config', 'a=1', 'b=2')
        self.assertEqual(self.param(sr, 'tags', 'sr'), 'fast')
        self.assertEqual(self.said('sr-param-get', about, 'param-name=other-config', 'param-key=b'), '2\n')
        self.said('sr-param-remove', about, 'param-name=tags', 'param-key=fast')
        self.said('sr-param-remove', about, 'param-name=other-config', 'param-key=a')
        self.assertEqual(self.param(sr, 'tags', 'sr'), '')
        self.assertEqual(self.uuids('sr-list', 'other-config:a=1'), [])
        self.assertEqual(self.xe('sr-param-remove', about, 'param-name=tags', code=1).err,
                         "Required parameter not found: param-key\nFor usage run: 'xe help'\n")


class Disks(Case):

    def test_disks_are_made_cloned_copied_moved_and_destroyed(self):
        uuid = self.make()
        clone = self.made('vdi-clone', 'uuid=' + uuid, 'new-name-label=twin')
        self.assertEqual(self.param(clone, 'name-label'), 'twin')
        copy = self.made('vdi-copy', 'uuid=' + uuid, 'sr-uuid=' + self.sr('other'))
        self.assertEqual(self.param(copy, 'sr-uuid'), self.sr('other'))
        self.said('vdi-destroy', 'uuid=' + copy)
        self.assertEqual(self.xe('vdi-destroy', 'uuid=' + copy, code=1).error, ['UUID_INVALID', 'VDI', copy])
        moved = self.made('vdi-pool-migrate', 'uuid=' + clone, 'sr-uuid=' + self.sr('other'))
        self.assertEqual(self.param(moved, 'sr-name-label'), 'other')
        self.assertEqual(self.said('sr-scan', 'uuid=' + self.sr()), '')

    def test_disks_grow(self):
        uuid = self.make()
        self.said('vdi-resize', 'uuid=' + uuid, 'disk-size=8MiB')
        self.assertEqual(self.param(uuid, 'virtual-size'), str(8 * MIB))
        self.said('vdi-resize', 'uuid=' + uuid, 'disk-size=%d' % (10 * MIB), 'online=true')
        self.assertEqual(self.param(uuid, 'virtual-size'), str(10 * MIB))
        self.assertEqual(self.xe('vdi-resize', 'uuid=' + uuid, 'disk-size=big', code=1).err,
                         'Error: No size: big\n')

    def test_changed_blocks_are_told(self):
        uuid, _ = self.filled()
        self.said('vdi-enable-cbt', 'uuid=' + uuid)
        self.assertEqual(self.param(uuid, 'cbt-enabled'), 'true')
        first = self.made('vdi-snapshot', 'uuid=' + uuid)
        self.said('vdi-import', 'uuid=' + uuid, 'filename=' + self.path('in.raw'), 'format=raw')
        second = self.made('vdi-snapshot', 'uuid=' + uuid)
        self.assertRegex(self.said('vdi-list-changed-blocks', 'vdi-from-uuid=' + first,
                                   'vdi-to-uuid=' + second), '^[A-Za-z0-9+/]+=*\n$')
        self.said('vdi-data-destroy', 'uuid=' + first)
        self.assertEqual(self.param(first, 'type'), 'CBT metadata')

    def test_errors_name_objects_by_uuid(self):
        uuid = self.make()
        snapshot = self.made('vdi-snapshot', 'uuid=' + uuid)
        error = self.xe('vdi-resize', 'uuid=' + snapshot, 'disk-size=8MiB', code=1).error
        self.assertEqual(error[:2], ['VDI_READONLY', snapshot])

    def test_what_is_missing_is_said(self):
        self.assertEqual(self.xe('vdi-snapshot', code=1).err,
                         "Required parameter not found: uuid\nFor usage run: 'xe help'\n")
        self.assertEqual(self.xe('vdi-frobnicate', code=1).err,
                         "Unknown command: vdi-frobnicate\nFor usage run: 'xe help'\n")
        self.assertIn('vdi-export\n', Xe(self.port, ['help']).run().out)


class Machines(Case):

    def test_a_vm_is_meant_by_name_uuid_or_fields(self):
        box, other = self.vm('box'), self.vm('other')
        for words in (['vm=box'], ['vm=' + box], ['uuid=' + box], ['name-label=box']):
            snapshot = self.made('vm-snapshot', *words, 'new-name-label=before')
            self.assertEqual(self.param(snapshot, 'snapshot-of', 'snapshot'), box)
        twin = self.vm('box')
        self.assertEqual(self.xe('vm-snapshot', 'vm=box', 'new-name-label=x', code=1).err,
                         'Error: Multiple matching VMs found: give the uuid of one\n')
        self.assertEqual(self.xe('vm-snapshot', 'vm=none', 'new-name-label=x', code=1).err,
                         'Error: No matching VMs found\n')
        self.assertEqual(self.xe('vm-snapshot', 'new-name-label=x', code=1).err,
                         "Required parameter not found: vm\nFor usage run: 'xe help'\n")
        self.assertEqual(set(self.uuids('vm-list')), {box, other, twin})
        self.assertEqual(len(self.uuids('snapshot-list', 'snapshot-of=' + box)), 4)

    def test_a_snapshot_is_made_gone_back_to_and_taken_away(self):
        vdi, data = self.filled()
        vm = self.vm('box', vdi)
        snapshot = self.made('vm-snapshot', 'vm=box', 'new-name-label=before', 'new-name-description=why')
        self.assertEqual(self.param(snapshot, 'name-description', 'snapshot'), 'why')
        self.write('zero.raw', bytes(4 * MIB))
        self.said('vdi-import', 'uuid=' + vdi, 'filename=' + self.path('zero.raw'))
        self.assertNotEqual(self.content(vdi), data)
        self.said('snapshot-revert', 'snapshot-uuid=' + snapshot)
        self.assertEqual(self.content(self.uuids('vbd-list', 'vm-uuid=' + vm, 'params=vdi-uuid')[0]), data)
        self.assertEqual(self.xe('snapshot-uninstall', 'uuid=' + vm, 'force=true', code=1).err,
                         'Error: %s is no snapshot\n' % vm)
        self.said('snapshot-uninstall', 'snapshot-uuid=' + snapshot, 'force=true')
        self.assertEqual((self.uuids('snapshot-list'), self.uuids('vdi-list', 'is-a-snapshot=true')),
                         ([], []))
        again = self.made('vm-snapshot', 'vm=box', 'new-name-label=again')
        self.said('snapshot-destroy', 'snapshot-uuid=' + again)
        self.assertEqual(len(self.uuids('vdi-list', 'is-a-snapshot=true')), 1)

    def test_a_vm_goes_with_its_disks_when_somebody_says_yes(self):
        alone, shared = self.make('alone'), self.make('shared')
        vm = self.vm('box', alone, shared)
        self.vm('other', shared)
        done = self.xe('vm-uninstall', 'vm=box', typed='no\n', code=1)
        self.assertIn('VDI: %s (alone)\n' % alone, done.out)
        self.assertNotIn(shared, done.out)
        self.assertEqual(done.err, 'Error: Aborted\n')
        self.xe('vm-uninstall', 'vm=box', typed='yes' * 1000, code=1)
        self.assertEqual(len(self.uuids('vm-list')), 2)
        self.assertIn('All objects destroyed', self.said('vm-uninstall', 'uuid=' + vm, typed='YES\n'))
        self.assertEqual(self.uuids('vm-list', 'params=name-label'), ['other'])
        self.assertEqual(self.uuids('vdi-list', 'managed=true'), [shared])

    def test_clones_and_copies_have_disks_of_their_own(self):
        self.vm('box', self.make())
        clone = self.made('vm-clone', 'vm=box', 'new-name-label=twin')
        copy = self.made('vm-copy', 'vm=box', 'new-name-label=far', 'sr-uuid=' + self.sr('other'))
        self.assertEqual(set(self.uuids('vbd-list', 'params=vm-uuid')), set(self.uuids('vm-list')))
        self.assertIn('sr-name-label ( RO): other\n', self.said('vm-disk-list', 'uuid=' + copy))
        out = self.said('vm-disk-list', 'vm=twin', 'vbd-params=uuid', 'vdi-params=virtual-size')
        self.assertRegex(out, '^Disk 0 VBD:\nuuid [^\n]*\n\n\nDisk 0 VDI:\nvirtual-size [^\n]*\n\n\n$')
        self.said('vm-destroy', 'uuid=' + clone)
        self.assertEqual(len(self.uuids('vdi-list', 'managed=true')), 3)

    def test_power_states_are_what_others_say(self):
        vm = self.vm()
        self.assertEqual(self.xe('vm-start', 'vm=box', code=1).error[0], 'OPERATION_NOT_ALLOWED')
        self.assertEqual(self.xe('vm-shutdown', 'vm=box', code=1).error[0], 'VM_BAD_POWER_STATE')
        self.said('vm-reset-powerstate', 'uuid=' + vm, 'force=true')
        self.assertEqual(self.param(vm, 'power-state', 'vm'), 'halted')

    def there_and_back(self, *how):
        vdi, data = self.filled()
        vm = self.vm('box', vdi)
        file = 'filename=' + self.path('box.xva')
        self.said('vm-export', 'vm=box', file, *how)
        back = self.made('vm-import', file, 'sr-uuid=' + self.sr('other'))
        self.assertNotEqual(back, vm)
        disk, = self.uuids('vbd-list', 'vm-uuid=' + back, 'params=vdi-uuid')
        self.assertEqual(self.param(disk, 'sr-name-label'), 'other')
        self.assertEqual(self.content(disk), data)
        self.no_tasks_are_left()
        return self.got('box.xva')

    def test_a_vm_goes_out_and_comes_in(self):
        self.assertEqual(self.there_and_back()[:7], b'ova.xml')

    def test_so_it_does_by_zstd(self):
        self.assertEqual(self.there_and_back('compress=zstd')[:4], b'\x28\xb5\x2f\xfd')

    def test_so_it_does_by_gzip(self):
        self.assertEqual(self.there_and_back('compress=true')[:2], b'\x1f\x8b')

    def test_a_snapshot_goes_out_too(self):
        self.vm('box', self.make())
        snapshot = self.made('vm-snapshot', 'vm=box', 'new-name-label=s')
        file = 'filename=' + self.path('s.xva')
        self.said('snapshot-export-to-template', 'snapshot-uuid=' + snapshot, file)
        self.assertEqual(len(self.made('vm-import', file)), 36)

    def test_what_is_no_archive_is_refused(self):
        self.write('x', b'x' * 4096)
        done = self.xe('vm-import', 'filename=' + self.path('x'), code=1)
        self.assertTrue(done.error, done.err)
        self.assertEqual(self.uuids('vm-list'), [])
        self.no_tasks_are_left()


class Transfers(Case):

    def test_what_is_imported_is_exported_the_same(self):
        uuid, data = self.filled()
        self.assertEqual(self.content(uuid), data)
        self.no_tasks_are_left()

    def test_a_vhd_goes_out_and_comes_in(self):
        uuid, data = self.filled()
        self.said('vdi-export', 'uuid=' + uuid, 'filename=' + self.path('out.vhd'), 'format=vhd')
        self.assertEqual(self.got('out.vhd')[:8], b'conectix')
        other = self.make('other')
        self.said('vdi-import', 'uuid=' + other, 'filename=' + self.path('out.vhd'), 'format=vhd')
        self.assertEqual(self.content(other), data)

    def test_a_difference_is_smaller_and_goes_onto_a_copy_of_its_base(self):
        uuid, data = self.filled()
        base = self.made('vdi-snapshot', 'uuid=' + uuid)
        copy = self.made('vdi-copy', 'uuid=' + base, 'sr-uuid=' + self.sr('other'))
        changed = data[:MIB] + random.Random(9).randbytes(MIB) + data[2 * MIB:]
        self.write('changed.raw', changed)
        self.said('vdi-import', 'uuid=' + uuid, 'filename=' + self.path('changed.raw'))
        self.said('vdi-export', 'uuid=' + uuid, 'filename=' + self.path('d.vhd'), 'format=vhd',
                  'base=' + base)
        self.said('vdi-import', 'uuid=' + copy, 'filename=' + self.path('d.vhd'), 'format=vhd')
        self.assertEqual(self.content(copy), changed)

    def test_a_transfer_that_failed_fails_the_command(self):
        uuid, _ = self.filled()
        done = self.xe('vdi-export', 'uuid=' + uuid, 'filename=' + self.path('x'), transfers=False, code=1)
        self.assertIn('could not transfer', done.err)
        done = self.xe('vdi-export', 'uuid=' + uuid, 'filename=' + self.path('x'), 'format=q', code=1)
        self.assertTrue(done.error or done.err)
        self.no_tasks_are_left()

    def test_a_client_that_goes_leaves_nothing(self):
        uuid, _ = self.filled()
        client = self.start_xe('vdi-export', 'uuid=' + uuid, 'filename=x')
        client.read(len(BANNER) + 4)
        client.socket.close()
        self.wait_for_no_tasks()

    def test_a_task_is_cancelled_from_beside(self):
        uuid, _ = self.filled()
        client = self.start_xe('vdi-export', 'uuid=' + uuid, 'filename=x')
        client.read(len(BANNER) + 4)
        task, = self.uuids('task-list', 'name-label=vdi-export')
        self.said('task-cancel', 'uuid=' + task)
        self.assertEqual(self.param(task, 'status', 'task'), 'cancelled')
        client.socket.close()
        self.wait_for_no_tasks()


class Strangers(Case):

    def ask(self, *words):
        return Xe(self.port, list(words)).run()

    def test_a_wrong_password_is_refused(self):
        done = self.ask('vdi-list', 'username=root', 'password=wrong')
        self.assertEqual((done.code, done.out, done.err),
                         (1, '', "Authentication failed\nFor usage run: 'xe help'\n"))
        done = self.ask('vdi-list')
        self.assertEqual((done.code, done.err),
                         (1, "Username/password must be specified\nFor usage run: 'xe help'\n"))

    def test_a_session_may_be_given(self):
        _, session = self.session()
        for _ in range(2):
            self.assertEqual(self.ask('host-list', '--minimal', 'session_id=' + session).code, 0)
        done = self.ask('host-list', 'session_id=OpaqueRef:none')
        self.assertEqual((done.code, done.error[0]), (1, 'SESSION_INVALID'))

    def test_who_does_not_speak_the_protocol_is_cut_off(self):
        client = self.start_xe('vdi-list', banner=b'x' * len(BANNER))
        client.read(len(BANNER))
        self.assertRaises((Hung, ConnectionError), client.read, 1)
        client.socket.close()

    def test_nonsense_where_an_answer_is_due_is_cut_off(self):
        self.vm()
        uuid = self.make()
        for words in (['vdi-export', 'uuid=' + uuid, 'filename=x'], ['vm-uninstall', 'vm=box']):
            client = self.start_xe(*words)
            client.read(len(BANNER) + 4)
            client.socket.sendall(struct.pack('<ii', 1 << 30, RESPONSE))
            with self.assertRaises((Hung, ConnectionError)):
                while True:
                    client.read(1)
            client.socket.close()
        self.assertEqual(len(self.uuids('vm-list')), 1)

    def test_a_command_that_is_too_long_is_refused(self):
        for words, status in ((['name-label=' + 'x' * 210000], b' 413 '), (['a=b'] * 1001, b' 400 ')):
            client = self.start_xe('vdi-list', *words, banner=None)
            self.assertIn(status, client.read(16))
            client.socket.close()

    def test_the_daemon_stops_while_one_says_nothing(self):
        client = self.start_xe('vdi-list', banner=None)
        self.assertEqual(client.read(len(BANNER)), BANNER)
        began = time.monotonic()
        self.stop()
        self.assertLess(time.monotonic() - began, 8)
        self.assertRaises((Hung, ConnectionError), client.read, 1)
        client.socket.close()


@needs('openssl')
class ByTls(Case):
    CONFIG = Case.CONFIG.replace('tls = off', 'tls = on')

    def setUp(self):
        super().setUp()
        self.cover = ssl.create_default_context(cafile=self.path('state/tls/server-cert.pem'))

    def test_all_of_it_goes_by_tls(self):
        uuid, data = self.filled()
        self.assertEqual(self.content(uuid), data)
        self.assertEqual(self.uuids('vdi-list', 'name-label=web'), [uuid])
        done = Xe(self.port, ['vdi-list', 'username=root', 'password=wrong'], cover=self.cover).run()
        self.assertEqual((done.code, done.err.split('\n')[0]), (1, 'Authentication failed'))
        self.no_tasks_are_left()

    def test_one_who_goes_in_the_middle_leaves_nothing(self):
        uuid = self.make()
        client = self.start_xe('vdi-export', 'uuid=' + uuid, 'filename=x')
        client.read(len(BANNER) + 4)
        client.socket.close()
        self.wait_for_no_tasks()


if __name__ == '__main__':
    unittest.main()
