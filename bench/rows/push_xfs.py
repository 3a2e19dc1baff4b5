# SPDX-License-Identifier: Apache-2.0
"""A push on XFS, which shares the blocks between parent and child, beside dd, which copies them there.

The file system is made in a file and mounted on a loop device where only this process and what it starts can
see it: it is gone when they are, however they end.
"""
import ctypes
import os

from kit import Result, have, ratios
from rows import push

NAMES = ['push_xfs']
CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x4000 | 0x40000


def hide_mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b'none', b'/', None, MS_REC_PRIVATE, None):
        raise LookupError('mounts cannot be made private: ' + os.strerror(ctypes.get_errno()))


def mount(bench):
    """Where it is mounted."""
    missing = have('mkfs.xfs', 'dd')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    if os.geteuid() != 0:
        raise LookupError('only root can mount a file system')
    hide_mounts()
    image, where = bench.path('xfs.image'), bench.fresh('xfs')
    with open(image, 'wb') as f:
        f.truncate(8 << 30)
    bench.run('mkfs.xfs', '-q', '-m', 'reflink=1', image)
    try:
        bench.run('mount', '-o', 'loop', image, where)
    except RuntimeError as why:
        raise LookupError('no XFS can be mounted here: %s' % why) from why
    return where


def measure(bench):
    where = mount(bench)
    there = bench.within(where)
    try:
        dense = push.make_dense(there)
        push.check(there, '64M', '2M', '2M', 4, 50)
        pushes = push.Pushes(there, push.FULL, '2M', '2M')
        took = there.turns(there.rounds(3), [('push', pushes),
                                             ('dd', lambda: push.dd(there, dense, push.FULL))])
    finally:
        bench.run('umount', where)
    yield Result('push on XFS with reflink, full blocks, 2 GiB', 'dd O_DIRECT copy on the same loop device',
                 '×', ratios(took['dd'], took['push']), ('>=', 20),
                 'speed; %.2f s at best, dd %.2f s; the punches beside: %.2f s (least)' % (
                     min(took['push']), min(took['dd']), min(pushes.punches)))
