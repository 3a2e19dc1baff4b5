#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The XenAPI of catenad, by clients that others wrote: Python's xmlrpc.client, and xen-api, which is what
Xen Orchestra connects with (test/interop/xapi; npm fetches it, where there is npm)."""
import base64
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest
import xmlrpc.client

import daemon
from daemon import MIB, TOP

CLIENT = os.path.join(TOP, 'test', 'interop', 'xapi')


class Case(daemon.Case):
    CONFIG = ('[daemon]\nstate-dir = state\n'
              '[http]\nlisten = 127.0.0.1:0\ntls = off\n'
              '[nbd]\nlisten = none\n'
              '[sr main]\ndir = sr\ncreate = yes\n'
              '[sr other]\ndir = sr2\ncreate = yes\n')

    def setUp(self):
        super().setUp()
        self.start()
        self.url = self.listening('http')[0]
        self.port = int(self.url.rsplit(':', 1)[1].rstrip('/'))
        with open(self.path('state/admin-password')) as f:
            self.password = f.read().strip()

    def tearDown(self):
        if self.daemon:
            self.stop()
        text = self.log()
        for secret in 'OpaqueRef:', self.password:
            self.assertNotIn(secret, text)


class Proxied(Case):
    """As XenAPI.py does it: one proxy, a session in front of each call, the status unwrapped."""

    def setUp(self):
        super().setUp()
        self.proxy = xmlrpc.client.ServerProxy('http://127.0.0.1:%d' % self.port)
        self.addCleanup(lambda: self.proxy('close')())
        self.session = self.ask('session.login_with_password', 'root', self.password, '1.0', 'test')

    def ask(self, name, *params):
        answer = getattr(self.proxy, name)(*params)
        self.assertEqual(answer['Status'], 'Success', answer)
        return answer['Value']

    def ok(self, name, *params):
        return self.ask(name, self.session, *params)

    def fails(self, name, *params):
        answer = getattr(self.proxy, name)(self.session, *params)
        self.assertEqual(answer['Status'], 'Failure', answer)
        return answer['ErrorDescription']

    def make(self, name='web', size=10 * MIB):
        sr = self.ok('pool.get_all_records')
        sr = list(sr.values())[0]['default_SR']
        return self.ok('VDI.create', {'SR': sr, 'name_label': name, 'virtual_size': str(size), 'type': 'user',
                                      'sharable': False, 'read_only': False, 'other_config': {}})


class Xml(Proxied):

    def test_types_are_those_that_clients_of_xmlrpc_know(self):
        record = self.ok('VDI.get_record', self.make())
        self.assertEqual(record['virtual_size'], str(10 * MIB))
        self.assertIs(record['managed'], True)
        self.assertEqual(record['snapshot_time'], xmlrpc.client.DateTime('19700101T00:00:00Z'))
        self.assertEqual((record['VBDs'], record['other_config']), ([], {}))
        self.assertEqual(record['snapshot_of'], 'OpaqueRef:NULL')
        self.assertIsInstance(self.proxy.system.listMethods(), list)

    def test_every_class_has_records_with_all_fields(self):
        """Those that other hosts' records have (xapi/fields.txt), also where nobody ever set any; and each
        has its getter."""
        with open(os.path.join(CLIENT, 'fields.txt')) as f:
            theirs = {part.split()[0]: set(part.split()[1:]) for part in re.split(r'\n(?=\w)', f.read())}
        self.make_one_of_each()
        seen = set()
        classes = [name[:-len('.get_all_records')] for name in self.proxy.system.listMethods()
                   if name.endswith('.get_all_records')]
        self.assertIn('VM_guest_metrics', classes)
        for name in classes:
            for record in self.ok('%s.get_all_records' % name).values():
                seen.add(name)
                self.assertEqual(theirs.get(name, set()) - set(record), set(), name)
                ref = self.ok('%s.get_by_uuid' % name, record['uuid'])
                self.assertEqual(self.ok('%s.get_record' % name, ref), record)
                for field in record:
                    self.assertEqual(self.ok('%s.get_%s' % (name, field), ref), record[field], field)
        self.assertEqual(set(theirs) - seen, {'session'})
        record = self.ok('session.get_record', self.session)
        self.assertEqual(theirs['session'] - set(record), set())

    def make_one_of_each(self):
        vdi = self.make()
        self.ok('VDI.snapshot', vdi)
        vm = self.ok('VM.create', {'name_label': 'v'})
        self.ok('VBD.create', {'VM': vm, 'VDI': vdi, 'userdevice': '0', 'bootable': True, 'mode': 'RW',
                               'type': 'Disk', 'empty': False})
        network = self.ok('network.get_all')[0]
        self.ok('VIF.create', {'VM': vm, 'network': network, 'device': '0', 'MAC': '', 'MTU': '1500',
                               'other_config': {}})
        self.ok('task.create', 't', '')
        self.ok('message.create', 'm', '1', 'VM', self.ok('VM.get_uuid', vm), 'text')

    def test_a_snapshot_as_a_task(self):
        vdi = self.make()
        task = self.ok('Async.VDI.snapshot', vdi)
        token = ''
        while self.ok('task.get_status', task) == 'pending':
            token = self.ok('event.from', ['task/%s' % task], token, 5.0)['token']
        result = self.ok('task.get_result', task)
        self.assertEqual(result, '<value>%s</value>' % self.ok('VDI.get_snapshots', vdi)[0])
        self.ok('task.destroy', task)

    def test_the_command_and_the_api_see_one_another(self):
        vdi = self.make('seen')
        uuid = self.ok('VDI.get_uuid', vdi)
        self.assertIn(uuid, self.sent('vdi', 'list', '--sr', 'main', '--json').decode())
        made = self.sent('vdi', 'snapshot', '--sr', 'main', uuid, '--name', 's').decode().strip()
        token = self.ok('event.from', ['vdi'], '', 0.0)['token']
        deadline = time.monotonic() + 20
        while not any(record['uuid'] == made for record in self.ok('VDI.get_all_records').values()):
            self.assertLess(time.monotonic(), deadline)
            token = self.ok('event.from', ['vdi'], token, 1.0)['token']
        self.sent('vdi', 'delete', '--sr', 'main', made)

    def test_what_goes_wrong_is_said_in_their_words(self):
        vdi = self.make()
        self.assertEqual(self.fails('VDI.get_record', 'x'), ['HANDLE_INVALID', 'VDI', 'x'])
        self.assertEqual(self.fails('VDI.get_by_uuid', 'x'), ['UUID_INVALID', 'VDI', 'x'])
        self.assertEqual(self.fails('VDI.explode'), ['MESSAGE_METHOD_UNKNOWN', 'VDI.explode'])
        self.assertEqual(self.fails('VDI.destroy')[0], 'MESSAGE_PARAMETER_COUNT_MISMATCH')
        self.assertEqual(self.fails('VDI.resize', vdi, 'big'), ['FIELD_TYPE_ERROR', 'size'])
        self.ok('VDI.add_to_other_config', vdi, 'k', 'v')
        self.assertEqual(self.fails('VDI.add_to_other_config', vdi, 'k', 'v')[0], 'MAP_DUPLICATE_KEY')
        self.ok('session.logout')
        self.assertEqual(self.fails('VDI.get_all')[0], 'SESSION_INVALID')

    def test_what_clients_set_survives_a_kill(self):
        vdi = self.make()
        self.ok('VDI.add_to_other_config', vdi, 'k', 'v')
        self.ok('VDI.set_name_label', vdi, 'other')
        token = self.ok('event.from', ['vdi'], '', 0.0)['token']
        self.kill()
        self.configure(self.CONFIG.replace('127.0.0.1:0', '127.0.0.1:%d' % self.port))
        self.start()
        self.proxy('close')()
        self.assertEqual(self.fails('VDI.get_all')[0], 'SESSION_INVALID')
        self.session = self.ask('session.login_with_password', 'root', self.password)
        self.assertEqual(self.ok('VDI.get_other_config', vdi), {'k': 'v'})
        self.assertEqual(self.ok('VDI.get_name_label', vdi), 'other')
        self.assertEqual(self.fails('event.from', ['vdi'], token, 0.0), ['EVENTS_LOST'])

    def test_who_waits_when_the_daemon_stops_is_answered(self):
        token = self.ok('event.from', ['*'], '', 0.0)['token']
        said = []
        other = xmlrpc.client.ServerProxy('http://127.0.0.1:%d' % self.port)
        wait = getattr(other.event, 'from')
        thread = threading.Thread(target=lambda: said.append(wait(self.session, ['*'], token, 600.1)))
        thread.start()
        time.sleep(0.2)
        self.stop()
        thread.join(30)
        other('close')()
        self.assertEqual(said[0]['Status'], 'Success')



class Programs(Proxied):
    """Tokens: what a program has instead of the administrator's password."""

    def test_a_token_logs_in_with_its_role_until_it_is_revoked(self):
        token = self.sent('token', 'create', 'backup', '--role', 'read-only', '--days', '7').decode().strip()
        self.assertEqual(self.json('token', 'list')['tokens'][0]['role'], 'read-only')
        session = self.ask('session.login_with_password', 'backup', token, '1.0', 'test')
        for way_in in session, token:
            self.assertEqual(len(self.ask('SR.get_all', way_in)), 2)
            sr = self.ask('SR.get_all', way_in)[0]
            answer = self.proxy.VDI.create(way_in, {'SR': sr, 'virtual_size': '1'})
            self.assertEqual(answer['ErrorDescription'][0], 'RBAC_PERMISSION_DENIED')
        self.assertEqual(self.status('Bearer ' + token), 404)
        self.assertEqual(self.status('Bearer ' + token[:-1]), 401)
        self.sent('token', 'revoke', 'backup')
        for way_in in session, token:
            self.assertEqual(self.proxy.SR.get_all(way_in)['ErrorDescription'][0], 'SESSION_INVALID')
        self.assertEqual(self.status('Bearer ' + token), 401)
        self.assertNotIn(token, self.log())

    def status(self, authorization):
        """The status of a disk that is not there: 404 to who is let in."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        self.addCleanup(connection.close)
        connection.request('GET', '/vdi/00000000-0000-4000-8000-000000000001.raw',
                           headers={'Authorization': authorization})
        return connection.getresponse().status


class Reader:
    """NBD as backup clients speak it: EXPORT_NAME with the old zeroes, then reads."""

    def __init__(self, host, port, name, certificate=None):
        """certificate: of the host, whom TLS is spoken with."""
        self.socket = socket.create_connection((host, port), 20)
        try:
            self.greet()
            if certificate:
                self.begin_tls(certificate)
            self.open(name)
        except EOFError:
            self.socket.close()
            raise

    def greet(self):
        assert self.take(16) == b'NBDMAGICIHAVEOPT'
        assert struct.unpack('>H', self.take(2))[0] & 1
        self.socket.sendall(struct.pack('>I', 1))

    def begin_tls(self, certificate):
        self.socket.sendall(struct.pack('>8sII', b'IHAVEOPT', 5, 0))
        assert struct.unpack('>QIII', self.take(20)) == (0x3e889045565a9, 5, 1, 0)
        context = ssl.create_default_context(cafile=certificate)
        self.socket = context.wrap_socket(self.socket, server_hostname='localhost')

    def listed(self):
        """How many exports are told of, or the error."""
        self.socket.sendall(struct.pack('>8sII', b'IHAVEOPT', 3, 0))
        n = 0
        while True:
            _, _, kind, length = struct.unpack('>QIII', self.take(20))
            self.take(length)
            if kind != 2:
                return n if kind == 1 else hex(kind)
            n += 1

    def open(self, name):
        if name is None:
            return
        name = name.encode()
        self.socket.sendall(struct.pack('>8sII', b'IHAVEOPT', 1, len(name)) + name)
        self.size, self.flags = struct.unpack('>QH', self.take(10))
        assert self.take(124) == bytes(124)

    def take(self, n):
        data = b''
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def ask(self, kind, at, n, data=b''):
        self.socket.sendall(struct.pack('>IHHQQI', 0x25609513, 0, kind, 7, at, n) + data)
        magic, error, cookie = struct.unpack('>IIQ', self.take(16))
        assert (magic, cookie) == (0x67446698, 7)
        return error

    def read(self, at, n):
        assert self.ask(0, at, n) == 0
        return self.take(n)


class Changes(Proxied):
    """Changed blocks and NBD, as a backup uses them: base, snapshot, read what differs, destroy its data."""
    CONFIG = Case.CONFIG.replace('listen = none', 'listen = 127.0.0.1:0\nunix = nbd.sock\ntls = off')

    def write(self, vdi, at, text):
        """As the host's own may, by the disk's uuid."""
        writer = Reader('127.0.0.1', int(self.listening('nbd')[0].rstrip('/').rsplit(':', 1)[1]),
                        self.ok('VDI.get_uuid', vdi))
        self.assertEqual(writer.ask(1, at, len(text), text), 0)
        self.assertEqual(writer.ask(3, 0, 0), 0)
        writer.socket.close()

    def changed(self, base, snapshot):
        bits = base64.b64decode(self.ok('VDI.list_changed_blocks', base, snapshot))
        self.assertEqual(len(bits) % 4, 0)
        return [i for i in range(len(bits) * 8) if bits[i // 8] >> (7 - i % 8) & 1]

    def reader(self, vdi):
        info = self.ok('VDI.get_nbd_info', vdi)[0]
        self.assertEqual(info['cert'], '')
        return Reader('127.0.0.1', int(info['port']), info['exportname'])

    def test_a_backup_reads_what_differs_and_destroys_the_data(self):
        vdi = self.make()
        self.ok('VDI.enable_cbt', vdi)
        base = self.ok('VDI.snapshot', vdi)
        self.ok('VDI.data_destroy', base)
        self.assertEqual(self.ok('VDI.get_type', base), 'cbt_metadata')
        for i in range(3):
            self.write(vdi, (i + 3) * 65536 + 100, b'piece %d' % i)
            snapshot = self.ok('VDI.snapshot', vdi)
            self.assertEqual(self.changed(base, snapshot), [i + 3])
            reader = self.reader(snapshot)
            self.assertEqual(reader.size, 10 * MIB)
            self.assertTrue(reader.flags & 2)
            self.assertIn(b'piece %d' % i, reader.read(0, 2 * MIB))
            self.assertEqual(reader.ask(1, 0, 4, b'evil'), 1)
            reader.socket.close()
            deadline = time.monotonic() + 20
            while True:
                answer = self.proxy.VDI.data_destroy(self.session, snapshot)
                if answer['Status'] == 'Success':
                    break
                self.assertEqual(answer['ErrorDescription'][0], 'VDI_IN_USE')
                self.assertLess(time.monotonic(), deadline)
            self.ok('VDI.destroy', base)
            base = snapshot
        self.assertEqual(self.fails('VDI.get_nbd_info', base)[0], 'VDI_INCOMPATIBLE_TYPE')

    def test_a_disk_is_only_read_by_who_has_a_session(self):
        vdi = self.make()
        info = self.ok('VDI.get_nbd_info', vdi)[0]
        name = info['exportname']
        reader = self.reader(vdi)
        self.assertTrue(reader.flags & 2)
        reader.socket.close()
        for bad in name[:-1], name + 'x', name.split('=')[0] + '=', name[1:]:
            with self.assertRaises(EOFError):
                Reader('127.0.0.1', int(info['port']), bad)
        self.ok('session.logout')
        with self.assertRaises(EOFError):
            Reader('127.0.0.1', int(info['port']), name)


class Several(Proxied):
    """NBD at several addresses: clients are told of each."""
    CONFIG = Case.CONFIG.replace('[nbd]\nlisten = none', '[nbd]\ntls = off\nlisten = 127.0.0.1:0 127.0.0.2:0')

    def test_each_address_leads_to_the_disk(self):
        self.assertEqual(len(self.listening('nbd')), 2)
        sr, = self.ask('SR.get_by_name_label', self.session, 'main')
        vdi = self.ask('VDI.create', self.session, {'SR': sr, 'virtual_size': str(8 * MIB)})
        infos = self.ask('VDI.get_nbd_info', self.session, vdi)
        self.assertEqual([info['address'] for info in infos], ['127.0.0.1', '127.0.0.2'])
        for info in infos:
            reader = Reader(info['address'], int(info['port']), info['exportname'])
            self.assertEqual(reader.size, 8 * MIB)
            reader.socket.close()
        uuid = self.ask('VDI.get_uuid', self.session, vdi)
        uris = self.json('vdi', 'show', '--sr', 'main', uuid)['nbd_uris']
        for place in self.listening('nbd'):
            self.assertIn(place + uuid, uris)


class Locked(Proxied):
    """NBD that others than this host may reach: a disk's name is not enough, whoever speaks TLS."""
    # Which is not taken for this host's own, but is.
    CONFIG = Case.CONFIG.replace('[nbd]\nlisten = none', '[nbd]\nlisten = LOCALHOST:0\ntls = required')

    def log_in(self):
        return self.ask('session.login_with_password', 'root', self.password, '1.0', 'test')

    def info(self, session, vdi):
        info, = self.ask('VDI.get_nbd_info', session, vdi)
        return info

    def open(self, name):
        place = self.listening('nbd')[0].split('//')[1].split('/')[0]
        host, port = place.rsplit(':', 1)
        return Reader(host.strip('[]'), int(port), name, self.path('state/tls/server-cert.pem'))

    def refused(self, name):
        with self.assertRaises(EOFError):
            self.open(name)

    def make_two(self):
        """A snapshot, and its disk that was written to since."""
        sr, = self.ask('SR.get_by_name_label', self.session, 'main')
        vdi = self.ask('VDI.create', self.session, {'SR': sr, 'virtual_size': str(10 * MIB)})
        uuid = self.ask('VDI.get_uuid', self.session, vdi)
        self.sent('vdi', 'write', '--sr', 'main', uuid, stdin=b'old')
        snapshot = self.ask('VDI.snapshot', self.session, vdi)
        self.sent('vdi', 'write', '--sr', 'main', uuid, stdin=b'new')
        return vdi, snapshot

    def test_a_name_opens_its_disk_for_as_long_as_its_session_lasts(self):
        vdi, snapshot = self.make_two()
        one, other = self.log_in(), self.log_in()
        names = {(who, disk): self.info(who, disk)['exportname']
                 for who in (one, other) for disk in (vdi, snapshot)}
        self.assertEqual(len(set(names.values())), 4)
        for (who, disk), name in names.items():
            reader = self.open(name)
            self.assertEqual(reader.read(0, 3), b'new' if disk == vdi else b'old')
            reader.socket.close()
        self.ask('session.logout', one)
        for (who, disk), name in names.items():
            if who == one:
                self.refused(name)
            else:
                self.open(name).socket.close()
        self.ask('session.logout', other)
        for name in names.values():
            self.refused(name)

    def test_nothing_is_told_or_opened_without_a_session(self):
        vdi, snapshot = self.make_two()
        name = self.info(self.session, snapshot)['exportname']
        uuid = self.ask('VDI.get_uuid', self.session, vdi)
        for bad in '', uuid, '/' + uuid, '/%s?session_id=' % uuid, name[:-1], name + 'x', name[1:]:
            self.refused(bad)
        reader = self.open(None)
        self.assertNotIn(reader.listed(), (1, 2))
        reader.socket.close()
        gone = self.info(self.session, snapshot)['exportname'].replace(
            self.ask('VDI.get_uuid', self.session, snapshot), '00000000-0000-4000-8000-000000000001')
        self.refused(gone)
        self.stop()
        log = self.log()
        self.assertIn('session', log)
        for secret in name, name.split('=')[1], self.session:
            self.assertNotIn(secret, log)


class Vms(Proxied):
    """VMs, copies between SRs and garbage, by Python."""

    def make_vm(self):
        vdis = [self.make(name) for name in ('root', 'data')]
        vm = self.ok('VM.create', {'name_label': 'web'})
        for i, vdi in enumerate(vdis):
            self.ok('VBD.create', {'VM': vm, 'VDI': vdi, 'userdevice': str(i), 'bootable': i == 0,
                                   'mode': 'RW', 'type': 'Disk', 'empty': False})
        return vm

    def disks(self, vm):
        return [self.ok('VBD.get_VDI', vbd) for vbd in self.ok('VM.get_VBDs', vm)]

    def result(self, name, *params):
        """Of a task's end."""
        task = self.ok('Async.' + name, *params)
        token = ''
        while self.ok('task.get_status', task) == 'pending':
            token = self.ok('event.from', ['task/%s' % task], token, 5.0)['token']
        self.assertEqual(self.ok('task.get_status', task), 'success', self.ok('task.get_error_info', task))
        return self.ok('task.get_result', task)[len('<value>'):-len('</value>')]

    def test_a_vm_is_snapshotted_cloned_copied_and_reverted(self):
        vm = self.make_vm()
        snapshot = self.result('VM.snapshot', vm, 'noon')
        self.assertEqual([self.ok('VDI.get_snapshot_of', vdi) for vdi in self.disks(snapshot)],
                         self.disks(vm))
        self.assertEqual(self.ok('VM.get_snapshots', vm), [snapshot])
        clone = self.result('VM.clone', vm, 'clone')
        other = self.ok('SR.get_by_name_label', 'other')[0]
        copy = self.result('VM.copy', vm, 'copy', other)
        self.assertEqual({self.ok('VDI.get_SR', vdi) for vdi in self.disks(copy)}, {other})
        self.result('VM.revert', snapshot)
        self.assertEqual(len(self.disks(vm)), 2)
        self.assertEqual(self.fails('VM.start', vm, False, False)[0], 'OPERATION_NOT_ALLOWED')
        for each in clone, copy, snapshot, vm:
            vdis = self.disks(each)
            self.ok('VM.destroy', each)
            for vdi in vdis:
                self.ok('VDI.destroy', vdi)
        self.assertEqual(self.ok('VM.get_all'), [])

    def test_a_disk_moves_to_another_sr_and_keeps_its_reference(self):
        vdi = self.make()
        other = self.ok('SR.get_by_name_label', 'other')[0]
        copy = self.result('VDI.copy', vdi, other, 'OpaqueRef:NULL', 'OpaqueRef:NULL')
        self.assertEqual(self.ok('VDI.get_SR', copy), other)
        self.assertEqual(self.result('VDI.pool_migrate', vdi, other, {}), vdi)
        self.assertEqual(self.ok('VDI.get_SR', vdi), other)

    def test_a_scan_collects_garbage_and_its_health_is_told(self):
        vdi = self.make()
        sr = self.ok('VDI.get_SR', vdi)
        self.ok('SR.add_to_other_config', sr, 'gc', 'false')
        for _ in range(3):
            self.ok('VDI.destroy', self.ok('VDI.snapshot', vdi))
        text = self.ok('SR.get_chain_health', sr)
        self.assertIn(self.ok('VDI.get_uuid', vdi), str(text))
        depth = len(self.bases())
        self.assertGreater(depth, 0)
        self.ok('SR.remove_from_other_config', sr, 'gc')
        self.ok('SR.scan', sr)
        until = time.monotonic() + 60
        while self.bases():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def bases(self):
        return [1 for record in self.ok('VDI.get_all_records').values() if not record['managed']]


class Orchestra(Case):

    def client(self):
        """A folder with the client and all that it needs."""
        if not shutil.which('node'):
            self.skipTest('node is not installed')
        if not shutil.which('npm'):
            self.skipTest('npm is not installed')
        folder = shutil.copytree(CLIENT, self.path('client'))
        try:
            done = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--no-package-lock',
                                   '--fetch-retries=0'],
                                  cwd=folder, env=dict(self.env, npm_config_cache=self.path('npm')),
                                  capture_output=True, timeout=90, check=False)
        except subprocess.TimeoutExpired:
            self.skipTest('npm does not come to an end')
        if done.returncode != 0:
            self.skipTest('npm could not fetch xen-api')
        return folder

    def test_its_client_connects_watches_and_works(self):
        folder = self.client()
        url = 'http://root:%s@127.0.0.1:%d' % (self.password, self.port)
        done = subprocess.run(['node', 'client.mjs', url], cwd=folder, capture_output=True, text=True,
                              timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual(seen['errors'], [])
        self.assertEqual(seen['types'], ['PBD', 'PIF', 'SM', 'SR', 'host', 'host_metrics', 'network', 'pool'])
        self.assertIs(seen['live'], True)
        self.assertEqual((seen['size'], seen['sr'], seen['snapshot_of']), (10 * MIB, 'main', 'web'))
        self.assertEqual(seen['parents'][0], seen['parents'][1])
        self.assertIs(seen['base'], False)
        self.assertEqual((seen['name'], seen['other_config']), ('snap', {'a': 'b'}))
        self.assertEqual((seen['vm'], seen['vm_disk']), ('machine', 'web'))
        self.assertEqual(seen['task'], 'success')
        self.assertEqual(seen['error'], {'code': 'HANDLE_INVALID', 'params': ['VDI', 'OpaqueRef:NULL']})
        self.assertIs(seen['imported'], True)
        self.assertEqual((seen['full'], seen['delta']), ([3, True], [2, True]))
        self.assertEqual((seen['restored'], seen['lengths']), (True, True))
        self.assertIsNone(seen['gone'])


if __name__ == '__main__':
    unittest.main()
