// SPDX-License-Identifier: Apache-2.0
#include "parent_search.h"

#include "buf.h"
#include "mem.h"
#include "vhd_locator.h"

struct search {
        struct io *io;      /* borrowed */
        const char *folder; /* borrowed; canonical, of the child */
        struct buf *tried;  /* borrowed; names, for the message */
};

/* True where it is there; the name is noted where it is not. */
static bool try_name(struct search *s, const char *name, char **ret) {
        AUTO_FREE char *path = name[0] == '/' ? mem_text(name) : mem_format("%s/%s", s->folder, name);
        struct err_note unused;
        struct io_stat stat;

        if (io_stat_path(s->io, path, &stat, &unused)) {
                const char *known = buf_text(s->tried);

                if (!strstr(known, name))
                        buf_print(s->tried, "%s%s", s->tried->n ? ", " : "", name);
                return false;
        }
        *ret = TAKE(path);
        return true;
}

bool parent_search_locator(struct io_file *child, const struct vhd_locator *locator, char **ret) {
        uint8_t data[4096];
        struct err_note unused;

        return locator->code != VHD_LOCATOR_NONE && locator->length <= sizeof data &&
               !vhd_locator_check(locator, &unused) &&
               !io_read(child, data, locator->length, locator->offset, &unused) &&
               !vhd_locator_decode(locator, (struct span){data, locator->length}, ret, &unused);
}

static bool try_locator(struct search *s, struct io_file *child, const struct vhd_locator *locator,
                        char **ret) {
        AUTO_FREE char *name = NULL;

        return parent_search_locator(child, locator, &name) && try_name(s, name, ret);
}

static enum err folder_of(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO_FREE char *whole = NULL;

        if (io_canonical(io, path, &whole, note))
                return note->code;
        *strrchr(whole, '/') = '\0';
        *ret = TAKE(whole);
        return ERR_NONE;
}

enum err parent_search(struct io *io, struct io_file *child, const char *child_path,
                       const struct vhd_header *header, char **ret, struct err_note *note) {
        AUTO_FREE char *folder = NULL;
        AUTO_FREE char *name = NULL;
        AUTO(buf_fini) struct buf tried = {0};
        struct search s = {.io = io, .tried = &tried};
        bool is_found = false;

        if (folder_of(io, child_path, &folder, note))
                return note->code;
        s.folder = folder;
        for (unsigned i = 0; i < VHD_LOCATORS && !is_found; i++)
                is_found = try_locator(&s, child, &header->locator[i], ret);
        if (!is_found && vhd_header_name(header, &name, note) == ERR_NONE && *name)
                is_found = try_name(&s, name, ret);
        if (is_found)
                return ERR_NONE;
        return err_set(note, ERR_NOT_FOUND, "the parent of %s is missing: looked for %s in %s", child_path,
                       tried.n ? buf_text(&tried) : "no name at all", folder);
}

enum err parent_search_by_name(struct io *io, const char *child_path, const struct vhd_header *header,
                               char **ret, struct err_note *note) {
        AUTO_FREE char *folder = NULL;
        AUTO_FREE char *name = NULL;
        AUTO(buf_fini) struct buf tried = {0};
        struct search s = {.io = io, .tried = &tried};

        if (folder_of(io, child_path, &folder, note) || vhd_header_name(header, &name, note))
                return note->code;
        s.folder = folder;
        if (*name && try_name(&s, name, ret))
                return ERR_NONE;
        return err_set(note, ERR_NOT_FOUND, "the parent of %s is missing: looked for \"%s\" in %s",
                       child_path, name, folder);
}
