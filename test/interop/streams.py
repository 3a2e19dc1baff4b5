# SPDX-License-Identifier: Apache-2.0
"""A catenad whose disks go out and in over HTTP: by curl, and by connections that a test holds itself."""
import base64
import http.client
import random
import socket
import ssl
import subprocess
import time
import xmlrpc.client
from urllib.parse import urlsplit

from daemon import MIB, PATIENCE, Case


class Streams(Case):
    TLS = 'off'
    CONFIG = ('[daemon]\nstate-dir = state\n[http]\nlisten = 127.0.0.1:0\ntls = %s\n[nbd]\nlisten = none\n'
              '[sr main]\ndir = sr\ncreate = yes\n')

    def setUp(self):
        super().setUp()
        self.configure(self.CONFIG % self.TLS)
        self.start()
        self.url = self.listening('http')[0]
        with open(self.path('state/admin-password')) as f:
            self.password = f.read().strip()
        self.tls = ['--cacert', self.path('state/tls/server-cert.pem')] if self.TLS == 'on' else []
        self.proxy = self.session = None

    def make_disk(self, name, size=9 * MIB, seed=1):
        """A VDI with some data; its uuid, and what it holds."""
        dice = random.Random(seed)
        data = bytearray(size)
        for _ in range(6):
            at = dice.randrange(size - 70000)
            data[at:at + 70000] = dice.randbytes(70000)
        with open(self.path(name + '.raw'), 'wb') as f:
            f.write(data)
        uuid = self.sent('vdi', 'import', '--sr', 'main', '--name', name, self.path(name + '.raw'))
        return uuid.decode().strip(), bytes(data)

    def snapshot(self, vdi):
        return self.sent('vdi', 'snapshot', '--sr', 'main', vdi).decode().strip()

    def curl_words(self, path, *words):
        return ['curl', '-sS', '-u', 'root:' + self.password] + self.tls + list(words) + [self.url + path]

    def curl(self, path, *words, code=200, exit_code=0):
        done = subprocess.run(self.curl_words(path, '-o', self.path('out'), '-w', '%{http_code}', *words),
                              capture_output=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stdout.decode()), (exit_code, str(code)), done.stderr)
        return self.got()

    def got(self, name='out'):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def raw_of(self, vdi):
        self.sent('vdi', 'export', '--sr', 'main', vdi, '-o', self.path('check.raw'))
        return self.got('check.raw')

    def ask(self, path, method='GET', headers=(), body=None):
        """A connection of our own, the request sent and nothing read."""
        where = urlsplit(self.url)
        connection = socket.create_connection((where.hostname, where.port), timeout=60)
        if self.TLS == 'on':
            context = ssl.create_default_context(cafile=self.path('state/tls/server-cert.pem'))
            connection = context.wrap_socket(connection, server_hostname=where.hostname,
                                             suppress_ragged_eofs=False)
        secret = base64.b64encode(('root:' + self.password).encode()).decode()
        lines = ['%s %s HTTP/1.1' % (method, path), 'Host: h', 'Authorization: Basic ' + secret]
        lines += headers
        connection.sendall('\r\n'.join(lines).encode() + b'\r\n\r\n' + (body or b''))
        return connection

    def wait_until_closed(self, vdi):
        """No export has it open any more: it can be deleted."""
        for _ in range(600):
            if self.call('--socket', 'state/control.sock', 'vdi', 'delete', '--sr', 'main', vdi)[0] == 0:
                return
            time.sleep(0.05)
        self.fail('%s is open for ever' % vdi)

    # ---- what goes in ----

    def new_disk(self, size):
        return self.sent('vdi', 'create', '--sr', 'main', '--size', str(size)).decode().strip()

    def put(self, vdi, body, headers=(), more=''):
        """What is answered, status and reason."""
        connection = self.ask('/import_raw_vdi/?vdi=%s%s' % (vdi, more), 'PUT', headers, body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def put_whole(self, vdi, body, more=''):
        return self.put(vdi, body, ['Content-Length: %d' % len(body)], more)

    # ---- the XenAPI beside it ----

    def api(self, name, *params):
        """A method's result; the first call logs in."""
        if not self.proxy:
            context = ssl.create_default_context(cafile=self.tls[1]) if self.tls else None
            self.proxy = xmlrpc.client.ServerProxy(self.url, context=context)
            self.addCleanup(self.proxy('close'))
            self.session = self.proxy.session.login_with_password('root', self.password)['Value']
        answer = getattr(self.proxy, name)(self.session, *params)
        self.assertEqual(answer['Status'], 'Success', answer)
        return answer['Value']

    def new_task(self):
        """A task for one transfer, and what to add to its query."""
        task = self.api('task.create', 'transfer', '')
        return task, '&session_id=%s&task_id=%s' % (self.session, task)

    def end_of_task(self, task, wanted):
        """What it says went wrong, once it has ended as wanted."""
        until = time.monotonic() + PATIENCE
        while self.api('task.get_status', task) == 'pending':
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        why = self.api('task.get_error_info', task)
        self.assertEqual(self.api('task.get_status', task), wanted, why)
        return why
