// SPDX-License-Identifier: Apache-2.0
#include "vhd_create.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_header.h"
#include "vhd_layout.h"

/* All that is in the file but zeros. */
struct plan {
        struct vhd_layout layout;
        struct vhd_footer footer;
        struct vhd_header header;
        struct vhd_batmap batmap;
        struct vhd_parent_names names;
};

static void plan_fini(struct plan *plan) {
        vhd_parent_names_fini(&plan->names);
}
DEFINE_AUTO_IN_PLACE(struct plan, plan_fini);

static enum err check_options(const struct vhd_create_options *options, struct err_note *note) {
        if (options->size == 0)
                return err_set(note, ERR_INVALID, "a disk of 0 bytes cannot be made");
        if (options->size > VHD_MAX_SIZE || options->room_for > VHD_MAX_SIZE)
                return err_set(note, ERR_TOO_LARGE,
                               "%" PRIu64 " bytes are more than a VHD can hold, 2040 GiB",
                               max_u64(options->size, options->room_for));
        if ((options->type == VHD_DIFFERENCING) != (options->parent != NULL))
                return err_set(note, ERR_INVALID, "a %s image %s", vhd_type_name(options->type),
                               options->parent ? "can have no parent" : "needs a parent");
        if (options->parent && options->parent->is_raw != uuid_is_null(&options->parent->uuid))
                return err_set(note, ERR_INVALID, "the parent %s %s", options->parent->path,
                               options->parent->is_raw ? "is raw and cannot have a uuid" : "has no uuid");
        return ERR_NONE;
}

static enum err plan_parent(struct plan *plan, struct io *io, const char *path,
                            const struct vhd_parent *parent, struct err_note *note) {
        if (vhd_parent_names_of(io, parent, path, &plan->names, note) ||
            vhd_header_set_parent(&plan->header, &parent->uuid, vhd_time_from_unix(parent->modified_seconds),
                                  plan->names.name, note))
                return note->code;
        return ERR_NONE;
}

static void plan_locators(struct plan *plan) {
        for (unsigned i = 0; i < plan->layout.n_locators; i++)
                plan->header.locator[i] = (struct vhd_locator){
                        .code = vhd_locator_order[i],
                        .space = (uint32_t)plan->layout.locator_space[i],
                        .length = (uint32_t)plan->names.payload[i].n,
                        .offset = plan->layout.locator_at[i],
                };
}

static enum err plan_make(struct plan *plan, struct io *io, const char *path,
                          const struct vhd_create_options *options, struct err_note *note) {
        uint64_t size = round_up(options->size, VHD_SECTOR);
        uint32_t entries = vhd_blocks_of(max_u64(size, options->room_for));
        size_t payload_size[VHD_NEW_LOCATORS];
        struct uuid uuid = options->uuid;
        uint8_t dice[16];

        if (uuid_is_null(&uuid)) {
                io_random(io, dice, sizeof dice);
                uuid = uuid_from_random(dice);
        }
        vhd_footer_init(&plan->footer, options->type, size, &uuid,
                        vhd_time_from_unix(io_wall_ns(io) / 1000000000));
        plan->footer.is_hidden = options->is_hidden;
        vhd_header_init(&plan->header, VHD_BAT_AT, entries);
        if (options->parent && plan_parent(plan, io, path, options->parent, note))
                return note->code;
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++)
                payload_size[i] = plan->names.payload[i].n;
        vhd_layout_init(&plan->layout, options->type, size, entries, payload_size);
        plan_locators(plan);
        vhd_batmap_init(&plan->batmap, plan->layout.batmap_at, entries);
        return ERR_NONE;
}

/* Header, BAT and batmap header are neighbours: one write.  The map itself is a hole. */
static enum err write_tables(struct io_file *file, const struct plan *plan, struct err_note *note) {
        const struct vhd_layout *l = &plan->layout;
        uint64_t n = l->batmap_at - l->header_at;
        AUTO_FREE uint8_t *bytes = mem_try((size_t)n, 1);

        if (!bytes)
                return err_set(note, ERR_NO_MEMORY, "make %" PRIu64 " bytes of metadata: out of memory", n);
        vhd_header_encode(&plan->header, (struct vhd_header_disk *)bytes);
        memset(bytes + (l->bat_at - l->header_at), 0xFF, (size_t)l->bat_size);
        vhd_batmap_encode(&plan->batmap,
                          (struct vhd_batmap_disk *)(bytes + (l->batmap_header_at - l->header_at)));
        return io_write(file, bytes, (size_t)n, l->header_at, note);
}

static enum err write_locators(struct io_file *file, const struct plan *plan, struct err_note *note) {
        const struct vhd_layout *l = &plan->layout;
        AUTO(buf_fini) struct buf bytes = {0};

        for (unsigned i = 0; i < l->n_locators; i++) {
                const struct buf *payload = &plan->names.payload[i];

                buf_add(&bytes, payload->data, payload->n);
                (void)buf_extend(&bytes, (size_t)l->locator_space[i] - payload->n);
        }
        return bytes.n ? io_write(file, bytes.data, bytes.n, l->locator_at[0], note) : ERR_NONE;
}

/* Footers last: before them the file is a VHD to nobody, with them it is whole. */
static enum err write_all(struct io_file *file, const struct plan *plan, struct err_note *note) {
        const struct vhd_layout *l = &plan->layout;
        struct vhd_footer_disk footer;

        vhd_footer_encode(&plan->footer, &footer);
        if (io_truncate(file, l->footer_at + sizeof footer, note))
                return note->code;
        if (l->type != VHD_FIXED) {
                if (write_tables(file, plan, note) || write_locators(file, plan, note) || io_sync(file, note))
                        return note->code;
                if (io_write(file, &footer, sizeof footer, 0, note))
                        return note->code;
        }
        if (io_write(file, &footer, sizeof footer, l->footer_at, note) || io_sync(file, note))
                return note->code;
        return ERR_NONE;
}

enum err vhd_create(struct io *io, const char *path, const struct vhd_create_options *options,
                    struct uuid *ret_uuid, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(plan_fini) struct plan plan = {0};
        struct err_note ignored;

        if (check_options(options, note) || plan_make(&plan, io, path, options, note) ||
            io_open(io, path, IO_CREATE, &file, note))
                return err_wrap(note, "create %s", path);
        if (write_all(file, &plan, note)) {
                io_close(TAKE(file));
                (void)!io_unlink(io, path, &ignored);
                return err_wrap(note, "create %s", path);
        }
        if (ret_uuid)
                *ret_uuid = plan.footer.uuid;
        return ERR_NONE;
}
