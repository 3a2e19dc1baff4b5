// SPDX-License-Identifier: Apache-2.0
#include "served.h"

#include <string.h>

#include "mem.h"

/* ---- escaping -------------------------------------------------------------------------------- */

static bool is_unreserved(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c && strchr("-._~", c));
}

static bool needs_no_escape(const char *text) {
        bool needs_none = *text != 0;

        for (; *text; text++)
                needs_none = needs_none && is_unreserved(*text);
        return needs_none;
}

static void put_path(struct buf *buf, const char *path) {
        for (; *path; path++) {
                if (is_unreserved(*path) || *path == '/')
                        buf_add(buf, path, 1);
                else
                        buf_print(buf, "%%%02X", (unsigned)(unsigned char)*path);
        }
}

static void put_xml(struct buf *buf, const char *text) {
        for (; *text; text++) {
                if ((unsigned char)*text < 0x20 || strchr("<>&'\"", *text))
                        buf_print(buf, "&#%u;", (unsigned)(unsigned char)*text);
                else
                        buf_add(buf, text, 1);
        }
}

/* Within double quotes of a shell, as a value among others of qemu's. */
static void put_value(struct buf *buf, const char *text) {
        for (; *text; text++) {
                if (strchr("\\\"$`", *text))
                        buf_print(buf, "\\");
                buf_print(buf, *text == ',' ? ",," : "%c", *text);
        }
}

/* ---- disks ----------------------------------------------------------------------------------- */

bool served_forbids_writing(const struct served *served, const struct uuid *vdi) {
        for (size_t i = 0; i < served->n_read_only; i++)
                if (uuid_equal(&served->read_only[i], vdi))
                        return true;
        return served->is_read_only;
}

/* ---- places ---------------------------------------------------------------------------------- */

struct place {
        char *host;       /* owned; without brackets */
        const char *port; /* borrowed from the address */
};

static struct place place_of(const struct served *served, const char *address) {
        const char *colon = strrchr(address, ':');
        size_t n = (size_t)(colon - address), is_v6 = *address == '[';
        AUTO_FREE char *host = mem_format("%.*s", (int)(n - 2 * is_v6), address + is_v6);

        if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
                return (struct place){mem_text(served->host && *served->host ? served->host : "localhost"),
                                      colon + 1};
        return (struct place){TAKE(host), colon + 1};
}

/* Of TCP; NULL: the unix socket. */
static const char *nearest(const struct served *served) {
        return served->unix_path ? NULL : served->tcp[0];
}

void served_put_uri(struct buf *buf, const struct served *served, const char *tcp, bool has_tls,
                    const char *export) {
        const char *scheme = has_tls ? "nbds" : "nbd";

        if (!tcp) {
                buf_print(buf, "%s+unix:///%s?socket=", scheme, export);
                put_path(buf, served->unix_path);
        } else {
                struct place place = place_of(served, tcp);
                bool is_v6 = strchr(place.host, ':');

                buf_print(buf, "%s://%s%s%s:%s/%s", scheme, is_v6 ? "[" : "", place.host, is_v6 ? "]" : "",
                          place.port, export);
                free(place.host);
        }
}

/* ---- URIs ------------------------------------------------------------------------------------ */

static void add_uri(json_t *uris, const struct served *served, const char *tcp, bool has_tls,
                    const char *export) {
        AUTO(buf_fini) struct buf uri = {0};

        served_put_uri(&uri, served, tcp, has_tls, export);
        json_array_append_new(uris, json_string(buf_text(&uri)));
}

static void add_uris(json_t *uris, const struct served *served, const char *tcp, const char *export) {
        if (!served->requires_tls)
                add_uri(uris, served, tcp, false, export);
        if (served->tls != SERVED_PLAIN)
                add_uri(uris, served, tcp, true, export);
}

static void add_all(json_t *uris, const struct served *served, const char *export) {
        if (served->unix_path)
                add_uris(uris, served, NULL, export);
        for (size_t i = 0; i < served->n_tcp; i++)
                add_uris(uris, served, served->tcp[i], export);
}

json_t *served_uris(const struct served *served, const struct served_disk *disk) {
        json_t *uris = json_array();

        add_all(uris, served, uuid_format(&disk->uuid).s);
        if (disk->name && served->knows_names && needs_no_escape(disk->name))
                add_all(uris, served, disk->name);
        return uris;
}

/* ---- qemu ------------------------------------------------------------------------------------ */

/* qemu knows no URI with TLS: place, export and keys are options of their own. */
static void put_secured(struct buf *buf, const struct served *served, const struct served_disk *disk) {
        bool has_psk = served->tls == SERVED_PSK;

        buf_print(buf, "-object tls-creds-%s,id=tls0,endpoint=client,dir=DIR%s -drive \"file.driver=nbd,",
                  has_psk ? "psk" : "x509", has_psk ? ",username=NAME" : "");
        if (!nearest(served)) {
                buf_print(buf, "file.server.type=unix,file.server.path=");
                put_value(buf, served->unix_path);
                if (!has_psk)
                        buf_print(buf, ",file.tls-hostname=%s",
                                  served->host && *served->host ? served->host : "localhost");
        } else {
                struct place place = place_of(served, nearest(served));

                buf_print(buf, "file.server.type=inet,file.server.host=%s,file.server.port=%s", place.host,
                          place.port);
                free(place.host);
        }
        buf_print(buf, ",file.export=%s,file.tls-creds=tls0", uuid_format(&disk->uuid).s);
}

char *served_qemu(const struct served *served, const struct served_disk *disk) {
        AUTO(buf_fini) struct buf buf = {0};

        buf_print(&buf, "qemu-system-x86_64 ");
        if (served->requires_tls) {
                put_secured(&buf, served, disk);
        } else {
                buf_print(&buf, "-drive \"file=");
                served_put_uri(&buf, served, nearest(served), false, uuid_format(&disk->uuid).s);
        }
        buf_print(&buf, ",format=raw,if=virtio,%s\"", disk->is_read_only ? "readonly=on" : "discard=unmap");
        return mem_text(buf_text(&buf));
}

/* ---- libvirt --------------------------------------------------------------------------------- */

static void put_host(struct buf *buf, const struct served *served) {
        struct place place;

        if (!nearest(served)) {
                buf_print(buf, "    <host transport='unix' socket='");
                put_xml(buf, served->unix_path);
                buf_print(buf, "'/>\n");
                return;
        }
        place = place_of(served, nearest(served));
        buf_print(buf, "    <host name='");
        put_xml(buf, place.host);
        buf_print(buf, "' port='%s'/>\n", place.port);
        free(place.host);
}

char *served_libvirt(const struct served *served, const struct served_disk *disk) {
        AUTO(buf_fini) struct buf buf = {0};

        buf_print(&buf,
                  "<disk type='network' device='disk'>\n"
                  "  <driver name='qemu' type='raw'%s/>\n"
                  "  <source protocol='nbd' name='%s'%s>\n",
                  disk->is_read_only ? "" : " discard='unmap'", uuid_format(&disk->uuid).s,
                  served->requires_tls ? " tls='yes'" : "");
        put_host(&buf, served);
        buf_print(&buf, "  </source>\n  <target dev='vda' bus='virtio'/>\n%s</disk>",
                  disk->is_read_only ? "  <readonly/>\n" : "");
        return mem_text(buf_text(&buf));
}
