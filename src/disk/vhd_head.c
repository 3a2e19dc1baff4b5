// SPDX-License-Identifier: Apache-2.0
#include "vhd_head.h"

#include <string.h>

#include "vhd_bat.h"

void vhd_head_fini(struct vhd_head *head) {
        vhd_parent_names_fini(&head->names);
}

static void place_locators(struct vhd_head *head) {
        for (unsigned i = 0; i < head->layout.n_locators; i++)
                head->header.locator[i] = (struct vhd_locator){
                        .code = vhd_locator_order[i],
                        .space = (uint32_t)head->layout.locator_space[i],
                        .length = (uint32_t)head->names.payload[i].n,
                        .offset = head->layout.locator_at[i],
                };
}

enum err vhd_head_init(struct vhd_head *ret, const struct vhd_head_options *options,
                       struct vhd_parent_names *names, struct err_note *note) {
        uint32_t entries = vhd_blocks_of(max_u64(options->size, options->room_for));
        AUTO(vhd_head_fini) struct vhd_head head = {0};
        size_t payload_size[VHD_NEW_LOCATORS] = {0};

        vhd_footer_init(&head.footer, options->type, options->size, &options->uuid,
                        vhd_time_from_unix(options->made_seconds));
        head.footer.is_hidden = options->is_hidden;
        vhd_header_init(&head.header, VHD_BAT_AT, entries);
        if (names) {
                head.names = *names;
                *names = (struct vhd_parent_names){0};
                if (vhd_header_set_parent(&head.header, &options->parent_uuid,
                                          vhd_time_from_unix(options->parent_seconds), head.names.name, note))
                        return note->code;
        }
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++)
                payload_size[i] = head.names.payload[i].n;
        vhd_layout_init(&head.layout, options->type, options->size, entries, payload_size);
        place_locators(&head);
        vhd_batmap_init(&head.batmap, head.layout.batmap_at, entries);
        *ret = head;
        head.names = (struct vhd_parent_names){0};
        return ERR_NONE;
}

void vhd_head_encode_ends(const struct vhd_head *head, const uint8_t *map, uint8_t *before, uint8_t *behind) {
        const struct vhd_layout *l = &head->layout;
        uint64_t skipped = l->bat_at + l->bat_size;
        struct vhd_batmap batmap = head->batmap;

        vhd_footer_encode(&head->footer, (struct vhd_footer_disk *)before);
        vhd_header_encode(&head->header, (struct vhd_header_disk *)(before + l->header_at));
        if (map) {
                memcpy(behind + (l->batmap_at - skipped), map, (size_t)l->batmap_size);
                vhd_batmap_seal(&batmap, (struct span){map, (size_t)l->batmap_size}, l->size_bytes);
        }
        vhd_batmap_encode(&batmap, (struct vhd_batmap_disk *)(behind + (l->batmap_header_at - skipped)));
        for (unsigned i = 0; i < l->n_locators; i++)
                memcpy(behind + (l->locator_at[i] - skipped), head->names.payload[i].data,
                       head->names.payload[i].n);
}

void vhd_head_encode(const struct vhd_head *head, const uint32_t *bat, const uint8_t *map, uint8_t *ret) {
        const struct vhd_layout *l = &head->layout;

        vhd_head_encode_ends(head, map, ret, ret + l->bat_at + l->bat_size);
        memset(ret + l->bat_at, 0xFF, (size_t)l->bat_size);
        if (bat)
                vhd_bat_encode(bat, l->max_bat_entries, (be32 *)(ret + l->bat_at));
}
