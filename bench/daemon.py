# SPDX-License-Identifier: Apache-2.0
"""What the rows about catenad share: a daemon of ours on a port of loopback, its session, and curl.

Its state lies below the bench's folder. Logging in is never within what is measured: clients do so once, and
it is slow on purpose. What is secret is handed to curl in a file, not on its command line.
"""
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time

RUN = 8 << 20  # of data, and of nothing, by turns
CIPHER = 'TLS_AES_128_GCM_SHA256'


def make_raw(path, size):
    """A sparse file of which every second piece holds data; how many bytes that is."""
    piece, n = os.urandom(RUN), 0
    with open(path, 'wb') as f:
        for at in range(0, size, 2 * RUN):
            f.seek(at)
            n += f.write(piece)
        f.truncate(size)
    return n


def make_full(path, size):
    with open(path, 'wb') as f:
        for _ in range(size >> 20):
            f.write(os.urandom(1 << 20))


def make_disk(bench, sr, raw):
    """An SR of which one VDI reads as the raw file does."""
    bench.run(bench.catena(), 'sr', 'create', sr)
    bench.run(bench.catena(), 'vdi', 'import', '--sr', sr, '--name', 'disk', raw)


class Daemon:
    def __init__(self, bench, process, told):
        self.bench, self.process = bench, process
        lines = dict(line.rsplit(' ', 1) for line in told if ' ' in line)
        self.url = lines['listening http'].rstrip('/')
        self.is_tls = self.url.startswith('https:')
        self.port = int(self.url.rsplit(':', 1)[1])
        self.state = lines['state-dir']
        with open(lines['admin-password'], encoding='utf-8') as f:
            password = f.read().strip()
        self.client = Client(self)
        self.session = self.client.call('session.login_with_password', 'root', password, '1.0', 'bench')

    def ask(self, method, *parameters):
        return self.client.call(method, self.session, *parameters)

    def vdi(self, name='disk'):
        return self.ask('VDI.get_by_name_label', name)[0]

    def sr(self):
        return list(self.ask('SR.get_all_records'))[0]

    def create(self, name, size):
        record = {'SR': self.sr(), 'name_label': name, 'virtual_size': size, 'type': 'user',
                  'sharable': False, 'read_only': False, 'other_config': {}}
        return self.ask('VDI.create', record)

    def export(self, vdi):
        return '/export_raw_vdi?session_id=%s&vdi=%s&format=vhd' % (self.session, vdi)

    def curl_s(self, path, *options):
        return curl_s(self.bench, self.url + path, *options)


class Client:
    """JSON-RPC over one connection that is kept."""

    def __init__(self, daemon):
        self.connection = connection(daemon.port, daemon.is_tls)

    def answer(self, method, *parameters):
        """As it came."""
        self.connection.request('POST', '/jsonrpc', json.dumps(
            {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': parameters}),
            {'Content-Type': 'application/json'})
        return self.connection.getresponse().read()

    def call(self, method, *parameters):
        told = json.loads(self.answer(method, *parameters))
        if 'error' in told:
            raise RuntimeError('%s: %s' % (method, told['error']))
        return told['result']


def anyone():
    """TLS without asking who the server is: its certificate is of its own making."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connection(port, is_tls):
    if is_tls:
        return http.client.HTTPSConnection('127.0.0.1', port, timeout=120, context=anyone())
    return http.client.HTTPConnection('127.0.0.1', port, timeout=120)


def curl_s(bench, url, *options):
    """How long a curl takes, its start included."""
    with open(bench.path('curl.conf'), 'w', encoding='utf-8') as f:
        f.write('url = "%s"\n' % url)
    ask = ['--tlsv1.3', '--tls13-ciphers', CIPHER] if url.startswith('https:') else []
    return bench.seconds('curl', '-q', '-sSfk', *ask, '-K', bench.path('curl.conf'), *options)


def wait_told(process, path):
    until = time.monotonic() + 60
    while True:
        with open(path, encoding='utf-8') as f:
            told = f.read().splitlines()
        if 'ready' in told:
            return told
        if process.poll() is not None or time.monotonic() > until:
            why = open(path + '.err', encoding='utf-8').read()
            raise RuntimeError('catenad did not begin: ' + why[-400:])
        time.sleep(0.02)


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def up(bench, sr, tls=False, name='daemon'):
    """A daemon that owns the SR, which is made where there is none; it has ended behind."""
    folder = bench.fresh(name)
    config, told = os.path.join(folder, 'catena.conf'), os.path.join(folder, 'told')
    with open(config, 'w', encoding='utf-8') as f:
        f.write('[daemon]\nstate-dir = state\n[http]\nlisten = 127.0.0.1:0\ntls = %s\nconnections = 1000\n'
                '[nbd]\nlisten = none\n[sr main]\ndir = %s\ncreate = yes\n' % ('on' if tls else 'off', sr))
    program = os.path.join(bench.build, 'src', 'catenad')
    with open(told, 'wb') as out, open(told + '.err', 'wb') as err:
        process = subprocess.Popen([program, '--config', config], stdout=out, stderr=err,
                                   env=bench.environment)
    try:
        daemon = Daemon(bench, process, wait_told(process, told))
        yield daemon
        daemon.client.connection.close()
    finally:
        end(process)
        bench.drop(folder)


NGINX = '''daemon off;
%(user)s
worker_processes 1;
pid %(folder)s/pid;
error_log %(folder)s/error.log;
events { worker_connections 64; }
http {
    access_log off;
    sendfile on;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    server {
        listen 127.0.0.1:%(port)d ssl;
        ssl_certificate %(tls)s/server-cert.pem;
        ssl_certificate_key %(tls)s/server-key.pem;
        ssl_protocols TLSv1.3;
        root %(root)s;
    }
}
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def nginx(bench, root, tls):
    """Its address; it serves the files in root by the certificate in tls."""
    folder, port = bench.fresh('nginx'), free_port()
    config = os.path.join(folder, 'nginx.conf')
    with open(config, 'w', encoding='utf-8') as f:
        f.write(NGINX % {'user': 'user root;' if os.geteuid() == 0 else '', 'folder': folder, 'port': port,
                         'tls': tls, 'root': root})
    process = subprocess.Popen(['nginx', '-p', folder, '-c', config, '-e', folder + '/error.log'],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_port(process, port, folder + '/error.log')
        yield 'https://127.0.0.1:%d' % port
    finally:
        end(process)
        bench.drop(folder)


def wait_port(process, port, log):
    until = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if not probe.connect_ex(('127.0.0.1', port)):
                return
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError('nginx did not begin: ' + open(log, encoding='utf-8').read()[-400:])
        time.sleep(0.02)


def resident(process):
    with open('/proc/%d/statm' % process.pid, encoding='utf-8') as f:
        return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def sockets():
    """Bytes that the kernel holds for all TCP sockets of the machine, of both ends."""
    with open('/proc/net/sockstat', encoding='utf-8') as f:
        return int(re.search(r'^TCP:.* mem (\d+)', f.read(), re.M).group(1)) * os.sysconf('SC_PAGE_SIZE')
