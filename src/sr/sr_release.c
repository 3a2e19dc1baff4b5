// SPDX-License-Identifier: Apache-2.0
/* Giving a folder back: what is left are its disks alone. */
#include "sr_state.h"

static enum err check_release(struct sr *sr, struct err_note *note) {
        AUTO(leases_fini) struct leases leases = {0};

        if (sr->chains.n || sr->imports.n)
                return err_set(note, ERR_BUSY, "%zu VDIs are open", sr->chains.n + sr->imports.n);
        if (catalog_leases(sr->catalog, &leases, note))
                return note->code;
        if (leases.list.n)
                return err_set(note, ERR_BUSY, "VDI %s is leased by %s (%s)",
                               uuid_format(&leases.list.data[0].node).s, leases.list.data[0].holder,
                               leases.list.data[0].kind);
        if (sr->unfinished.list.n)
                return err_set(note, ERR_BUSY, "a change of VDI %s is not finished",
                               uuid_format(&sr->unfinished.list.data[0].vdi).s);
        return ERR_NONE;
}

enum err sr_release(struct sr *sr, struct err_note *note) {
        uint64_t bytes;
        unsigned n;
        enum err err;

        if (sr_begin_change(sr, note) || check_release(sr, note) || sr_garbage(sr, &n, &bytes, NULL, note) ||
            check_release(sr, note))
                return err_wrap(note, "release SR %s", sr->place->where);
        catalog_close(TAKE(sr->catalog));
        sr->is_read_only = true;
        /* The lock goes with the folder: nobody opens what is being taken apart. */
        err = sr_remove_catena(sr->io, sr->place->where, note);
        io_close(TAKE(sr->owner));
        return err ? err_wrap(note, "release SR %s: its disks are as they should be; remove .catena",
                              sr->place->where)
                   : ERR_NONE;
}
