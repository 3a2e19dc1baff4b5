#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real S3 on loopback: the smallest Ceph that serves buckets, in a folder of its own.

    ceph_s3.py DIR      starts it, says "s3 URL KEY SECRET" on a line, and ends it all at the end of its input

One monitor, one OSD that keeps everything in memory (1 GiB at most), one radosgw. No manager: nobody asks for
statistics. All listen on 127.0.0.1, on ports that were free a moment ago: the monitor's must be known before
it is made. cephx stays on: radosgw of Ceph 16 does not start without. What went wrong is in DIR/*.log.

From Python: `with Ceph(DIR) as ceph: ceph.url, ceph.key_id, ceph.secret`.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid

PROGRAMS = ['ceph', 'ceph-authtool', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin']
STARTS_S = 120

CONF = """[global]
fsid = {fsid}
mon_host = v2:127.0.0.1:{mon_port}
public_network = 127.0.0.0/8
ms_bind_ipv4 = true
ms_bind_ipv6 = false
run_dir = {dir}
admin_socket =
log_file = {dir}/$name.log
log_to_stderr = false
keyring = {dir}/keyring
mon_data = {dir}/mon
osd_data = {dir}/osd
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data_avail_warn = 1
mon_pg_warn_min_per_osd = 0
mon_max_pg_per_osd = 1000
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = {memory}
osd_op_num_shards = 1
osd_op_num_threads_per_shard = 2
ms_async_op_threads = 1
rgw_data = {dir}/rgw
rgw_thread_pool_size = 16
rgw_frontends = beast endpoint=127.0.0.1:{rgw_port}
rgw_enable_usage_log = false
"""


class Failed(Exception):
    pass


def missing():
    """The programs that are not there."""
    return [program for program in PROGRAMS if not shutil.which(program)]


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Ceph:
    def __init__(self, folder, memory=1 << 30):
        self.dir, self.daemons = os.path.abspath(folder), []
        self.fsid, self.mon_port, self.rgw_port = str(uuid.uuid4()), free_port(), free_port()
        self.url = 'http://127.0.0.1:%d' % self.rgw_port
        self.memory, self.key_id, self.secret = memory, None, None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- programs

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def run(self, program, *words, seconds=60):
        done = subprocess.run([program, '-c', self.path('ceph.conf'), *words], capture_output=True, text=True,
                              timeout=seconds, check=False)
        if done.returncode:
            raise Failed('%s %s: %s' % (program, ' '.join(words), done.stderr.strip()[-1000:]))
        return done.stdout

    def spawn(self, program, *words):
        with open(self.path(program + '.out'), 'wb') as out:
            self.daemons.append(subprocess.Popen([program, '-f', '-c', self.path('ceph.conf'), *words],
                                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def wait(self, what, is_so):
        end = time.monotonic() + STARTS_S
        while not is_so():
            died = [daemon.args[0] for daemon in self.daemons if daemon.poll() is not None]
            if died or time.monotonic() > end:
                raise Failed('%s: %s; see %s/*.log' % (what, 'ended: ' + ' '.join(died) if died else
                                                       'not within %d s' % STARTS_S, self.dir))
            time.sleep(0.1)

    # ---- one after the other

    def start(self):
        for name in ('mon', 'osd', 'rgw'):
            os.makedirs(self.path(name))
        with open(self.path('ceph.conf'), 'w', encoding='utf-8') as f:
            f.write(CONF.format(fsid=self.fsid, mon_port=self.mon_port, rgw_port=self.rgw_port, dir=self.dir,
                                memory=self.memory))
        self.start_mon()
        self.start_osd()
        self.start_rgw()

    def start_mon(self):
        keyring = self.path('keyring')
        everything = [word for what in ('mon', 'osd', 'mgr') for word in ('--cap', what, 'allow *')]
        self.run('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon',
                 'allow *')
        for name in ('client.admin', 'osd.0'):
            self.run('ceph-authtool', keyring, '--gen-key', '-n', name, *everything)
        subprocess.run(['monmaptool', '--create', '--clobber', '--fsid', self.fsid, '--addv', 'a',
                        '[v2:127.0.0.1:%d]' % self.mon_port, self.path('monmap')], check=True,
                       capture_output=True, timeout=60)
        self.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', self.path('monmap'), '--keyring', keyring)
        self.spawn('ceph-mon', '-i', 'a')
        self.run('ceph', '--connect-timeout', '60', 'mon', 'stat', seconds=90)

    def start_osd(self):
        self.run('ceph', 'osd', 'new', str(uuid.uuid4()), '0')
        self.run('ceph-osd', '--mkfs', '-i', '0', '--osd-uuid',
                 json.loads(self.run('ceph', 'osd', 'dump', '-f', 'json'))['osds'][0]['uuid'])
        self.spawn('ceph-osd', '-i', '0')
        self.wait('the OSD', lambda: json.loads(
            self.run('ceph', 'osd', 'stat', '-f', 'json'))['num_up_osds'] == 1)

    def start_rgw(self):
        made = json.loads(self.run('radosgw-admin', 'user', 'create', '--uid', 'tests', '--display-name',
                                   'tests', seconds=STARTS_S))
        self.key_id, self.secret = (made['keys'][0][name] for name in ('access_key', 'secret_key'))
        self.spawn('radosgw', '-n', 'client.admin')
        self.wait('radosgw', self.answers)

    def answers(self):
        try:
            socket.create_connection(('127.0.0.1', self.rgw_port), 1).close()
        except OSError:
            return False
        return True

    # Nothing in it is worth a clean end, and an OSD without its monitor waits for it.
    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()


def main():
    if len(sys.argv) != 2:
        sys.exit('use: ceph_s3.py DIR')
    if missing():
        sys.exit('ceph_s3.py: not there: ' + ' '.join(missing()))
    with Ceph(sys.argv[1]) as ceph:
        print('s3', ceph.url, ceph.key_id, ceph.secret, flush=True)
        sys.stdin.read()


if __name__ == '__main__':
    main()
