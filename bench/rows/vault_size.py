# SPDX-License-Identifier: Apache-2.0
"""How large a vault is after 20 days of a disk of real files, of which one chunk in a hundred changes a day;
beside the smaller of borg's and restic's repositories. And how much of what changed was read."""
import vault
from kit import Result, have

NAMES = ['vault_size']
SIZE, DAYS = 4 << 30, 20


def measure(bench):
    raw, size = bench.path('disk.raw'), bench.scaled(SIZE)
    vault.make_disk(bench, raw, size)
    them = [vault.Ours(bench)] + [kind(bench) for kind in (vault.Borg, vault.Restic) if not have(kind.name)]
    read, changed = 0, None
    for day in range(DAYS):
        if day:
            changed = vault.another_day(raw, size, day)
        for each in them:
            told = each.put(raw, changed)
            if each is them[0] and changed:
                read += told['read']
        bench.say('day %d of %d' % (day + 1, DAYS))
    sizes = {'catena': vault.size_of(them[0].vault)}
    for each in them[1:]:
        sizes[each.name] = vault.size_of(each.repository)
    others = {name: n for name, n in sizes.items() if name != 'catena'}
    asked = sum(each['length'] for each in changed) * (DAYS - 1)
    yield Result('vault, bytes read of a day by a list of changes', 'the chunks that changed', '×',
                 [read / asked], ('<=', 1.05), '%d MiB in %d days' % (read >> 20, DAYS - 1))
    if others:
        least = min(others, key=others.get)
        yield Result('vault, its size after %d days' % DAYS, 'the smaller of borg, restic: ' + least, '×',
                     [sizes['catena'] / others[least]], ('<=', 1.10),
                     ', '.join('%s %d MiB' % (name, n >> 20) for name, n in sizes.items()))
    for each in them:
        each.drop()
    bench.drop(raw)
