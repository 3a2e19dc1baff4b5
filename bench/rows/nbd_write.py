# SPDX-License-Identifier: Apache-2.0
"""4 KiB random writes over NBD by one client, through the page cache: into blocks that are there, into such
that are not, and one after another with a flush behind each.

Where blocks are new, each write of ours takes one of 2 MiB, of which all but a sector of bitmap and the data
stays a hole; qcow2 takes a cluster of 64 KiB. So each of them has a row of its own, in which each of its own
writes goes to a block, or a cluster, that was not there.
"""
import nbd
from kit import Result, have, ratios

NAMES = ['nbd_write']
SIZE = 512 << 20
NEW_BYTES = 96 << 20
SPARSE = 64 << 30


def measure(bench):
    missing = have('fio', 'qemu-nbd', 'qemu-img')
    if missing:
        raise LookupError('%s is not installed' % missing[0])
    yield from into_what_is_there(bench)
    yield from into_what_is_new(bench)
    yield from with_a_flush(bench)


def per_s(got, name):
    return [round_[0].per_s for round_ in got[name]]


def best(got):
    return 'writes a second; best: ' + ', '.join('%s %.0f' % (name, max(per_s(got, name))) for name in got)


def make(bench, size):
    """A VDI, a qcow2 and a raw file that hold nothing."""
    sr, qcow2, raw = bench.path('sr'), bench.path('disk.qcow2'), bench.path('disk.raw')
    bench.drop(sr, qcow2, raw)
    bench.run(bench.catena(), 'sr', 'create', sr)
    bench.run(bench.catena(), 'vdi', 'create', '--sr', sr, '--name', 'disk', '--size', size)
    bench.run('qemu-img', 'create', '-q', '-f', 'qcow2', qcow2, size)
    bench.run('qemu-img', 'create', '-q', '-f', 'raw', raw, size)
    return nbd.catena(bench, sr, 'disk'), nbd.qemu_nbd(bench, qcow2, 'qcow2'), nbd.qemu_nbd(bench, raw, 'raw')


def fill(bench, server):
    with nbd.up(bench, server) as process:
        nbd.fio(bench, process, server, 'write', 8, '--size=%d' % SIZE, '--bs=1m')


def into_what_is_there(bench):
    ours, qcow2, raw = make(bench, SIZE)
    for server in (ours, qcow2, raw):
        fill(bench, server)
    got = nbd.turns(bench, bench.rounds(7), [ours, qcow2, raw], lambda server, process: [
        nbd.fio(bench, process, server, 'randwrite', 32, *nbd.for_a_while(SIZE))])
    yield Result('NBD, 4 KiB random writes, queue depth 32, blocks that are there', 'qemu-nbd qcow2', '×',
                 ratios(per_s(got, 'catena'), per_s(got, qcow2.name)), ('>=', 1.2), best(got))


def into_what_is_new(bench):
    """Of the two shapes the one in which each write of ours needs a block is what is wanted."""
    for words, options, size, wanted in (
            ('each in a new block', ['--rw=write:%d' % ((2 << 20) - 4096)], SPARSE, ('>=', 1.5)),
            ('all over an empty disk of 8 GiB', ['--rw=randwrite'], 8 << 30, None)):
        def one(server, process, options=options, size=size):
            return [nbd.fio(bench, process, server, 'randwrite', 32, *options, '--size=%d' % size,
                            '--io_size=%d' % NEW_BYTES)]
        got = {}
        for r in range(bench.rounds(5)):
            ours, qcow2, _ = make(bench, size)
            pair = [ours, qcow2] if r % 2 else [qcow2, ours]
            for name, values in nbd.turns(bench, 1, pair, one).items():
                got.setdefault(name, []).extend(values)
        yield Result('NBD, 4 KiB writes, queue depth 32, ' + words, 'qemu-nbd qcow2', '×',
                     ratios(per_s(got, 'catena'), per_s(got, qcow2.name)), wanted, best(got))


def with_a_flush(bench):
    ours, _, raw = make(bench, SIZE)
    for server in (ours, raw):
        fill(bench, server)
    got = nbd.turns(bench, bench.rounds(7), [ours, raw], lambda server, process: [
        nbd.fio(bench, process, server, 'randwrite', 1, '--fsync=1', *nbd.for_a_while(SIZE))])
    yield Result('NBD, 4 KiB random writes, each flushed, queue depth 1, blocks that are there',
                 'qemu-nbd raw', '×', ratios(per_s(got, 'catena'), per_s(got, raw.name)), ('>=', 0.9),
                 best(got))
