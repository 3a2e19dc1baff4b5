#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""catenad from outside: it owns its SRs, answers verbs and NBD clients, is one for its state directory, stops
cleanly and comes back as it was; what is wrong in its configuration is said, all at once."""
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import unittest
import xmlrpc.client

from daemon import CATENA, CATENAD, DONE, FAILED, MIB, PATIENCE, TOP, USAGE, Case, needs


class Begins(Case):

    def test_where_it_is_reached_is_told_line_by_line(self):
        self.start()
        self.assertIn('state-dir %s/state' % os.path.realpath(self.dir), self.told)
        self.assertEqual(len([line for line in self.told
                              if re.fullmatch('certificate sha256 ([0-9A-F]{2}:){31}[0-9A-F]{2}', line)]), 1)
        tcp, unix = self.listening('nbd')
        self.assertRegex(tcp, r'^nbd://127\.0\.0\.1:[1-9][0-9]*/$')
        self.assertEqual(unix, 'nbd+unix:///?socket=%s/nbd.sock' % os.path.realpath(self.dir))
        for name, mode in (('state', 0o700), ('state/control.sock', 0o600),
                           ('state/tls/server-key.pem', 0o600)):
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), mode, name)

    @needs('openssl')
    def test_the_fingerprint_is_the_certificates(self):
        self.start()
        out = subprocess.run(['openssl', 'x509', '-in', self.path('state/tls/server-cert.pem'), '-noout',
                              '-fingerprint', '-sha256'], capture_output=True, text=True, check=True).stdout
        self.assertIn('certificate sha256 ' + out.strip().split('=', 1)[1], self.told)

    def test_a_second_daemon_of_the_same_state_is_refused_and_told_whose_it_is(self):
        self.start()
        said = self.refuse()
        self.assertIn('another daemon has the state directory', said)
        self.assertIn('pid %d' % self.daemon.pid, said)
        self.assertEqual(self.json('sr', 'list')['srs'][0]['name'], 'main')

    def test_an_sr_that_is_none_is_refused_unless_it_may_be_made(self):
        self.configure('[daemon]\nstate-dir = state\n[http]\nlisten = none\n[sr main]\ndir = sr\n')
        self.assertIn('[sr main]: sr is no SR; create = yes makes one', self.refuse())
        self.assertFalse(os.path.exists(self.path('sr')))

    def test_an_sr_that_another_owns_is_refused(self):
        self.assertEqual(self.call('sr', 'create', 'sr')[0], DONE)
        owner = subprocess.Popen([CATENA, 'serve', '--sr', 'sr', '--unix', 'x.sock'], cwd=self.dir,
                                 env=self.env, stdout=subprocess.PIPE)
        self.addCleanup(owner.stdout.close)
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        owner.stdout.readline()
        self.assertIn('pid %d' % owner.pid, self.refuse())


class Configured(Case):

    def test_all_that_is_wrong_is_said_with_what_was_meant(self):
        self.configure('[http]\nlisen = 127.0.0.1:0\ntls = maybe\n[ndb]\n')
        said = self.refuse()
        self.assertIn("catenad: c.conf:2: unknown key 'lisen' in [http]; did you mean 'listen'?\n", said)
        self.assertIn("catenad: c.conf:3: 'maybe' is neither yes nor no\n", said)
        self.assertIn('catenad: c.conf:4: unknown section [ndb]; did you mean [nbd]?\n', said)
        self.assertFalse(os.path.exists(self.path('state')))

    def test_plain_text_to_other_hosts_is_refused_unless_it_is_meant(self):
        self.configure('[http]\nlisten = 0.0.0.0:0\ntls = off\n')
        self.assertIn('allow-plain = yes if that is meant', self.refuse())
        self.configure('[nbd]\nlisten = :0\n')
        self.assertIn('allow-plain = yes if that is meant', self.refuse())

    def test_a_check_starts_nothing(self):
        done = subprocess.run([CATENAD, '--check', '--config', 'c.conf'], cwd=self.dir, env=self.env,
                              text=True, capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (DONE, 'ok\n'))
        self.assertFalse(os.path.exists(self.path('state')))
        self.configure('[x]\n')
        self.assertIn('unknown section [x]', self.refuse('--check', '--config', 'c.conf'))

    def test_files_beside_it_have_the_last_word(self):
        self.configure('[sr third]\ndir = ../sr3\ncreate = yes\n', 'conf.d/third.conf')
        self.configure('[nbd]\nlisten = none\n', 'c.conf.d/quiet.conf')
        self.start()
        self.assertEqual([row['name'] for row in self.json('sr', 'list')['srs']], ['main', 'other', 'third'])
        self.assertTrue(os.path.exists(self.path('sr3/.catena')))
        self.assertEqual(len(self.listening('nbd')), 1)

    def test_words_that_are_not_understood_are_a_usage_error(self):
        for words in (['--conf', 'x'], ['x'], ['--config']):
            done = subprocess.run([CATENAD] + words, capture_output=True, timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, USAGE, words)
        for word, wanted in (('--help', b'Usage: catenad'), ('--version', b'catenad ')):
            done = subprocess.run([CATENAD, word], capture_output=True, timeout=PATIENCE, check=True)
            self.assertIn(wanted, done.stdout)


class Verbs(Case):

    def setUp(self):
        super().setUp()
        self.start()

    def test_a_call_is_carried_out_there_with_its_names_and_srs(self):
        uuid = self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M').decode().strip()
        self.sent('vdi', 'create', '--sr', 'sr2', '--name', 'b', '--size', '8M')
        self.assertEqual([row['uuid'] for row in self.json('vdi', 'list', '--sr', 'main')['vdis']], [uuid])
        self.assertEqual([row['name'] for row in self.json('vdi', 'list', '--sr', 'other')['vdis']], ['b'])
        # This user's own names are others.
        self.assertEqual(json.loads(self.call('sr', 'list', '--json')[1])['srs'], [])
        self.assertEqual(self.call('vdi', 'list', '--sr', 'main')[0], FAILED)

    def test_a_command_that_knows_of_no_daemon_reaches_its_srs_by_their_paths(self):
        self.assertEqual(self.call('vdi', 'create', '--sr', 'sr', '--name', 'a', '--size', '8M')[0], DONE)
        self.assertEqual([row['name'] for row in self.json('vdi', 'list', '--sr', 'main')['vdis']], ['a'])

    def test_bytes_and_files_go_along(self):
        data = random.Random(1).randbytes(3 * MIB)
        with open(self.path('a.raw'), 'wb') as f:
            f.write(data)
        self.sent('vdi', 'import', '--sr', 'main', '--name', 'a', 'a.raw')
        self.sent('vdi', 'import', '--sr', 'main', '--name', 'b', '--format', 'raw', '-', stdin=data)
        self.assertEqual(self.sent('vdi', 'export', '--sr', 'main', 'a', '--format', 'raw', '-o', '-'), data)
        self.sent('vdi', 'export', '--sr', 'main', 'b', '--format', 'raw', '-o', 'b.raw')
        with open(self.path('b.raw'), 'rb') as f:
            self.assertEqual(f.read(), data)

    def test_a_vm_goes_out_and_in_by_files_and_pipes(self):
        disk = self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M').decode().strip()
        self.sent('vdi', 'write', '--sr', 'main', 'a', stdin=b'hello')
        self.sent('vm', 'create', 'web', '--disk', disk)
        plain = self.sent('vm', 'export', 'web', '-o', '-')
        self.assertEqual(plain[:7], b'ova.xml')
        told = self.json('vm', 'export', 'web', '-o', 'web.xva.zst', '--compress', 'zstd')
        self.assertEqual(told['length'], len(plain))
        self.assertEqual(told['written'], os.path.getsize(self.path('web.xva.zst')))
        self.sent('vm', 'import', 'web.xva.zst')  # to the default SR
        self.assertEqual(len(self.json('vdi', 'list', '--sr', 'main')['vdis']), 2)
        for words in (['web.xva.zst'], ['-']):
            uuid = self.sent('vm', 'import', *words, '--sr', 'other', stdin=plain).decode().strip()
            shown = self.json('vm', 'show', uuid)
            self.assertEqual(self.sent('vdi', 'export', '--sr', 'other', shown['vbds'][0]['vdi'], '-o', '-',
                                       '--format', 'raw')[:6], b'hello\0')
        with open(self.path('web.xva.zst'), 'r+b') as f:
            f.truncate(told['written'] - 1)
        self.sent('vm', 'import', 'web.xva.zst', '--sr', 'other', code=FAILED)
        self.assertEqual(len(self.json('vdi', 'list', '--sr', 'other')['vdis']), 2)

    def test_an_error_arrives_as_itself(self):
        code, _, err = self.call('--socket', 'state/control.sock', 'vdi', 'show', '--sr', 'main', 'nothing')
        self.assertEqual((code, 'nothing' in err), (FAILED, True), err)
        code, _, err = self.call('--socket', 'state/control.sock', 'vdi', 'show', '--sr', 'nowhere', 'a')
        self.assertEqual((code, "no SR is named 'nowhere'" in err), (FAILED, True), err)

    def test_an_sr_of_its_own_making_is_known_to_it_from_then_on(self):
        self.sent('sr', 'create', 'new', '--name', 'new')
        self.sent('vdi', 'create', '--sr', 'new', '--name', 'a', '--size', '8M')
        self.assertIn('new', [row['name'] for row in self.json('sr', 'list')['srs']])

    def test_an_sr_that_it_serves_is_not_released(self):
        for words in (['--socket', 'state/control.sock', 'sr', 'release', 'main'], ['sr', 'release', 'sr']):
            code, _, err = self.call(*words)
            self.assertEqual((code, 'take it out of its configuration first' in err), (FAILED, True), err)
        self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M')

    def test_the_socket_is_also_found_in_the_environment(self):
        code, out, err = self.call('sr', 'list', '--json', CATENA_SOCKET='state/control.sock')
        self.assertEqual((code, len(json.loads(out)['srs'])), (DONE, 2), err)

    def test_where_no_daemon_is_that_is_said(self):
        self.stop()
        for name in 'state/control.sock', 'elsewhere/control.sock', 'bare.sock':
            code, _, err = self.call('--socket', name, 'sr', 'list')
            self.assertEqual((code, 'no daemon answers at ' + name in err), (FAILED, True), err)

    def test_many_calls_at_once_are_all_answered(self):
        calls = [subprocess.Popen([CATENA, '--socket', 'state/control.sock', 'vdi', 'create', '--sr',
                                   ('main', 'other')[i % 2], '--name', 'd%d' % i, '--size', '8M'],
                                  cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL) for i in range(12)]
        self.assertEqual([each.wait(PATIENCE) for each in calls], [DONE] * len(calls))
        for sr in 'main', 'other':
            self.assertEqual(len(self.json('vdi', 'list', '--sr', sr)['vdis']), 6)

    def test_what_is_no_call_is_answered_and_hurts_nobody(self):
        for data in b'nonsense\n', b'{}\n', b'\0' * 5000, b'{"jsonrpc":"2.0","id":1,"method":"vdi.fly"}\n':
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(self.path('state/control.sock'))
                one.sendall(data)
                one.settimeout(PATIENCE)
                if data.endswith(b'\n'):
                    self.assertIn(b'"error"', one.recv(65536))
        self.assertEqual(len(self.json('sr', 'list')['srs']), 2)


class Nbd(Case):

    @needs('nbdinfo')
    def test_disks_of_all_srs_are_served_and_told_of(self):
        self.start()
        for sr, name in (('main', 'a'), ('other', 'b')):
            uuid = self.sent('vdi', 'create', '--sr', sr, '--name', name, '--size', '8M').decode().strip()
            uris = self.json('vdi', 'show', '--sr', sr, name)['nbd_uris']
            self.assertIn('%s%s' % (self.listening('nbd')[0], uuid), uris)
            for uri in uris:
                if not uri.startswith('nbds'):
                    out = subprocess.run(['nbdinfo', '--size', uri], capture_output=True, text=True,
                                         timeout=PATIENCE, check=True).stdout
                    self.assertEqual(out.strip(), str(8 * MIB), uri)

    @needs('nbdcopy')
    def test_what_a_guest_wrote_is_there_after_a_stop(self):
        self.start()
        data = random.Random(2).randbytes(8 * MIB)
        with open(self.path('a.raw'), 'wb') as f:
            f.write(data)
        uuid = self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M').decode().strip()
        subprocess.run(['nbdcopy', 'a.raw', self.listening('nbd')[0] + uuid], cwd=self.dir, timeout=PATIENCE,
                       check=True)
        self.stop()
        self.start()
        self.assertEqual(self.sent('vdi', 'export', '--sr', 'main', 'a', '--format', 'raw', '-o', '-'), data)

    @needs('nbdinfo')
    def test_its_own_certificate_is_believed_by_who_is_given_it(self):
        self.configure(self.CONFIG.replace('unix = nbd.sock', 'tls = required'))
        self.start()
        uuid = self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M').decode().strip()
        os.mkdir(self.path('given'))
        shutil.copy(self.path('state/tls/server-cert.pem'), self.path('given/ca-cert.pem'))
        uri = self.listening('nbd')[0] + uuid
        self.assertTrue(uri.startswith('nbds://'), uri)
        done = subprocess.run(['nbdinfo', '--size', '%s?tls-certificates=%s' % (uri, self.path('given'))],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, str(8 * MIB)), done.stderr)
        done = subprocess.run(['nbdinfo', '--size', uri.replace('nbds', 'nbd')], capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        self.assertNotEqual(done.returncode, 0)


class Http(Case):
    CONFIG = Case.CONFIG.replace('listen = none', 'listen = 127.0.0.1:0')

    def get(self, url, *words):
        """Its status, or curl's exit code below zero; and its body."""
        done = subprocess.run(['curl', '-sS', '-o', '-', '-w', '\n%{http_code}', *words, url],
                              timeout=PATIENCE, capture_output=True, text=True, cwd=self.dir, check=False)
        if done.returncode:
            return -done.returncode, done.stderr
        body, status = done.stdout.rsplit('\n', 1)
        return int(status), body

    @needs('curl')
    def test_it_answers_with_a_certificate_that_names_it(self):
        self.start()
        url, = self.listening('http')
        self.assertRegex(url, r'^https://127\.0\.0\.1:[1-9][0-9]*$')
        believed = ('--cacert', 'state/tls/server-cert.pem')
        self.assertEqual(self.get(url + '/healthz', *believed), (200, 'ok\n'))
        by_name = url.replace('127.0.0.1', 'localhost')
        self.assertEqual(self.get(by_name + '/healthz', *believed), (200, 'ok\n'))
        self.assertEqual(self.get(url + '/nothing', *believed)[0], 404)
        self.assertLess(self.get(url + '/healthz')[0], 0)

    @needs('curl')
    def test_several_addresses_in_plain_text_where_that_is_said(self):
        self.configure(self.CONFIG.replace('127.0.0.1:0\n[nbd]', '127.0.0.1:0 127.0.0.1:0\ntls = off\n[nbd]'))
        self.start()
        urls = self.listening('http')
        self.assertEqual(len(set(urls)), 2)
        for url in urls:
            self.assertEqual(self.get(url + '/healthz'), (200, 'ok\n'))

    def test_an_address_that_is_taken_is_named_with_its_line(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.configure(self.CONFIG.replace('127.0.0.1:0', '127.0.0.1:%d' % port, 1))
            said = self.refuse()
        self.assertIn('[http]: c.conf:4: ', said)
        self.assertIn(str(port), said)

    @needs('curl')
    def test_a_connection_that_idles_keeps_no_stop_waiting(self):
        self.configure(self.CONFIG.replace('[nbd]', 'tls = off\n[nbd]'))
        self.start()
        host, port = self.listening('http')[0].rsplit('/', 1)[1].split(':')
        with socket.create_connection((host, int(port))) as idle:
            idle.sendall(b'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n')
            self.assertIn(b'200', idle.recv(4096))
            self.stop()

    @needs('curl')
    @needs('openssl')
    def test_a_certificate_is_replaced_while_it_runs(self):
        self.make_certificate()
        self.configure(self.CONFIG.replace('[nbd]', 'certificate = c.pem\nkey = k.pem\n[nbd]'))
        self.start()
        url, = self.listening('http')
        shutil.copy(self.path('c.pem'), self.path('old.pem'))
        self.assertEqual(self.get(url + '/healthz', '--cacert', 'old.pem')[0], 200)
        self.check_certificate_that_clients_are_told(url)
        self.make_certificate()
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_for_log('info: reloaded')
        self.assertEqual(self.get(url + '/healthz', '--cacert', 'c.pem')[0], 200)
        self.assertLess(self.get(url + '/healthz', '--cacert', 'old.pem')[0], 0)
        self.check_certificate_that_clients_are_told(url)
        os.unlink(self.path('k.pem'))
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_for_log('error: reload: ')
        self.assertEqual(self.get(url + '/healthz', '--cacert', 'c.pem')[0], 200)

    def check_certificate_that_clients_are_told(self, url):
        """Both ways to learn it: the host's, and NBD's."""
        with open(self.path('c.pem')) as f, open(self.path('state/admin-password')) as password:
            pem, secret = f.read(), password.read().strip()
        context = ssl.create_default_context(cafile=self.path('c.pem'))
        with xmlrpc.client.ServerProxy(url, context=context) as host:
            session = host.session.login_with_password('root', secret)['Value']
            ref, = host.host.get_all(session)['Value']
            self.assertEqual(host.host.get_server_certificate(session, ref)['Value'], pem)
            sr = host.SR.get_all(session)['Value'][0]
            vdi = host.VDI.create(session, {'SR': sr, 'virtual_size': str(8 * MIB)})['Value']
            info, = host.VDI.get_nbd_info(session, vdi)['Value']
            self.assertEqual(info['cert'], pem)

    def make_certificate(self):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout',
                        self.path('k.pem'), '-out', self.path('c.pem'), '-days', '2', '-subj', '/CN=x',
                        '-addext', 'subjectAltName=IP:127.0.0.1'],
                       check=True, capture_output=True, timeout=PATIENCE)


class Ends(Case):

    def test_it_ends_well_and_comes_back_as_it_was(self):
        first = self.start()
        self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M')
        self.sent('vdi', 'snapshot', '--sr', 'main', 'a', '--name', 's')
        self.stop()
        for name in 'state/control.sock', 'nbd.sock', 'sr/.catena/owner.sock':
            self.assertFalse(os.path.exists(self.path(name)), name)
        self.assertEqual(self.call('sr', 'check', 'sr')[0], DONE)
        again = self.start()
        self.assertEqual([line for line in first if line.startswith('certificate')],
                         [line for line in again if line.startswith('certificate')])
        names = {row['name'] for row in self.json('vdi', 'list', '--sr', 'main')['vdis']}
        self.assertEqual(names, {'a', 's'})
        self.stop(signal.SIGINT)

    def test_after_a_kill_it_starts_again(self):
        self.start()
        self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '8M')
        self.kill()
        self.start()
        self.assertEqual(len(self.json('vdi', 'list', '--sr', 'main')['vdis']), 1)
        self.stop()

    def test_a_call_under_way_is_cancelled_and_told_so(self):
        self.start()
        self.sent('vdi', 'create', '--sr', 'main', '--name', 'a', '--size', '1G')
        slow = subprocess.Popen([CATENA, '--socket', 'state/control.sock', 'vdi', 'import', '--sr', 'main',
                                 '--name', 'b', '--format', 'raw', '-'], cwd=self.dir, env=self.env,
                                stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        slow.stdin.write(b'x' * MIB)  # more than a pipe holds: it is read
        slow.stdin.flush()
        self.stop()
        try:
            slow.stdin.close()
        except BrokenPipeError:
            pass
        self.assertNotEqual(slow.wait(PATIENCE), DONE)
        slow.stderr.close()
        self.start()
        self.assertEqual([row['name'] for row in self.json('vdi', 'list', '--sr', 'main')['vdis']], ['a'])

    def test_a_reload_keeps_what_is_good_and_says_what_is_not(self):
        self.start()
        for text, wanted in ((self.CONFIG, 'info: reloaded'),
                             ('[htpp]\n', 'error: reload: nothing changes: c.conf:1')):
            self.configure(text)
            self.daemon.send_signal(signal.SIGHUP)
            self.wait_for_log(wanted)
        self.assertEqual(len(self.json('sr', 'list')['srs']), 2)

    def test_what_needs_a_restart_is_named_and_not_done(self):
        self.start()
        self.configure(self.CONFIG + '[sr third]\ndir = sr3\ncreate = yes\n')
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_for_log('reloaded; what changed in [sr third] needs a restart')
        self.assertEqual(len(self.json('sr', 'list')['srs']), 2)

    def test_the_level_of_the_log_changes(self):
        self.configure(self.CONFIG.replace('[daemon]', '[daemon]\nlog = error'))
        self.start()
        self.configure(self.CONFIG)
        self.daemon.send_signal(signal.SIGHUP)
        self.wait_for_log('info: reloaded')
        self.stop()
        self.assertIn('info: stopping', self.log())
        self.configure(self.CONFIG.replace('[daemon]', '[daemon]\nlog = error'))
        self.start()
        self.stop()
        self.assertEqual(self.log().count('info: stopping'), 1)


class Managed(Case):
    """By a service manager: what systemd would be told."""

    def setUp(self):
        super().setUp()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(self.path('n'))
        self.manager.settimeout(PATIENCE)

    def hear(self, wanted):
        """All up to that."""
        heard = []
        while wanted not in heard:
            heard += self.manager.recv(4096).decode().split('\n')
        return heard

    def test_it_is_told_when_we_are_ready_alive_reloading_and_stopping(self):
        self.start(NOTIFY_SOCKET=self.path('n'), WATCHDOG_USEC='200000')
        self.assertEqual(self.hear('READY=1'), ['READY=1'])
        self.hear('WATCHDOG=1')
        self.hear('WATCHDOG=1')
        self.daemon.send_signal(signal.SIGHUP)
        self.hear('RELOADING=1')
        self.hear('READY=1')
        self.stop()
        self.hear('STOPPING=1')

    def test_without_a_watchdog_it_says_no_more_than_is_asked(self):
        self.start(NOTIFY_SOCKET=self.path('n'))
        self.stop()
        self.assertNotIn('WATCHDOG=1', self.hear('STOPPING=1'))


class Packaged(Case):
    """What is put beside the program."""

    @needs('systemd-analyze')
    def test_the_unit_is_one(self):
        with open(os.path.join(TOP, 'packaging/systemd/catenad.service')) as f:
            text = f.read()
        self.assertIn('ExecStart=/usr/bin/catenad ', text)
        self.configure(text.replace('/usr/bin/catenad', CATENAD), 'units/catenad.service')
        done = subprocess.run(['systemd-analyze', 'verify', '--man=no', self.path('units/catenad.service')],
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        said = [line for line in (done.stdout + done.stderr).split('\n') if 'catenad.service' in line]
        self.assertEqual((done.returncode, said), (0, []), done.stderr)

    def test_examples_are_good(self):
        with open(os.path.join(TOP, 'man/catena.conf.5')) as f:
            example = f.read().split('.SH EXAMPLE\n.nf\n')[1].split('.fi')[0]
        self.configure(example, 'example.conf')
        shutil.copy(os.path.join(TOP, 'packaging/catena.conf'), self.path('packaged.conf'))
        for name in 'example.conf', 'packaged.conf':
            code, out, err = self.call('config', 'check', name, '--json')
            self.assertEqual((code, json.loads(out)['errors']), (DONE, []), err)

    def hook(self, guest, operation, part, uuid):
        """As libvirt calls it; what it says on standard error."""
        xml = "<domain type='kvm'>\n  <name>%s</name>\n  <uuid>%s</uuid>\n%s</domain>\n" % (
            guest, uuid, "  <!-- -->\n" * 20000)
        path = '%s:%s' % (os.path.dirname(CATENA), os.environ['PATH'])
        done = subprocess.run([os.path.join(TOP, 'packaging/libvirt/catena'), guest, operation, part, '-'],
                              input=xml, capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env=dict(self.env, PATH=path, CATENA_SOCKET=self.path('state/control.sock')))
        self.assertEqual((done.returncode, done.stdout), (0, ''))
        return done.stderr

    def test_libvirt_tells_which_vms_run(self):
        self.start()
        by_name = self.sent('vm', 'create', 'web').decode().strip()
        by_uuid = self.sent('vm', 'create', 'called otherwise').decode().strip()
        other = '00000000-0000-4000-8000-000000000001'
        # guest, operation, part, uuid of the domain, VM, what it is then
        for row in (('web', 'started', 'begin', other, by_name, 'Running'),
                    ('web', 'stopped', 'end', other, by_name, 'Halted'),
                    ('web', 'prepare', 'begin', other, by_name, 'Halted'),
                    ('web', 'reconnect', 'begin', other, by_name, 'Running'),
                    ('web', 'release', 'end', other, by_name, 'Running'),
                    ('db', 'started', 'begin', by_uuid, by_uuid, 'Running'),
                    ('web', 'stopped', 'end', by_uuid.upper(), by_uuid, 'Halted')):
            self.assertEqual(self.hook(*row[:4]), '', row)
            self.assertEqual(self.json('vm', 'show', row[4])['state'], row[5], row)
        self.assertEqual(self.json('vm', 'show', by_name)['state'], 'Running')
        self.assertEqual(self.hook('of somebody else', 'started', 'begin', other), '')
        self.assertEqual(self.hook('--help', 'started', 'begin', other), '')
        self.stop()
        self.assertIn('guest web is not noted as Running', self.hook('web', 'started', 'begin', other))

    def test_each_key_is_in_its_page(self):
        with open(os.path.join(TOP, 'man/catena.conf.5')) as f:
            page = f.read()
        with open(os.path.join(TOP, 'src/service/config_keys.c')) as f:
            keys = re.findall(r'\{"([a-z-]+)", take_', f.read())
        self.assertGreater(len(keys), 10)
        for key in keys:
            self.assertIn(key, page)


if __name__ == '__main__':
    unittest.main()
