// SPDX-License-Identifier: Apache-2.0
#include "nbd_request.h"

static const struct {
        const char *name;
        uint16_t needs;                    /* one of nbd_flags; 0: always there */
        uint16_t flags;                    /* that it may have, besides FUA */
        bool changes, has_range, is_bound; /* bound: data goes over the wire, or as if it did */
} commands[] = {
        [NBD_CMD_READ] = {"READ", 0, NBD_CMD_DF, false, true, true},
        [NBD_CMD_WRITE] = {"WRITE", 0, 0, true, true, true},
        [NBD_CMD_DISC] = {"DISC", 0, 0, false, false, false},
        [NBD_CMD_FLUSH] = {"FLUSH", NBD_SEND_FLUSH, 0, false, false, false},
        [NBD_CMD_TRIM] = {"TRIM", NBD_SEND_TRIM, 0, true, true, false},
        [NBD_CMD_CACHE] = {"CACHE", NBD_SEND_CACHE, 0, false, true, false},
        [NBD_CMD_WRITE_ZEROES] = {"WRITE_ZEROES", NBD_SEND_WRITE_ZEROES, NBD_CMD_NO_HOLE | NBD_CMD_FAST_ZERO,
                                  true, true, false},
        [NBD_CMD_BLOCK_STATUS] = {"BLOCK_STATUS", 0, NBD_CMD_REQ_ONE, false, true, false},
};

const char *nbd_command_name(uint16_t type) {
        return type < sizeof commands / sizeof *commands ? commands[type].name : "?";
}

uint16_t nbd_session_flags(bool is_read_only, bool has_structured) {
        unsigned changing = NBD_SEND_TRIM | NBD_SEND_WRITE_ZEROES | NBD_SEND_FAST_ZERO;

        return (uint16_t)(NBD_HAS_FLAGS | NBD_SEND_FLUSH | NBD_SEND_FUA | NBD_CAN_MULTI_CONN |
                          NBD_SEND_CACHE | (is_read_only ? (unsigned)NBD_READ_ONLY : changing) |
                          (has_structured ? (unsigned)NBD_SEND_DF : 0u));
}

static struct nbd_verdict no(enum nbd_error error, const char *text) {
        return (struct nbd_verdict){error, text};
}

/* FUA may come with any command: clients are known to set it on all. */
static uint16_t flags_of(const struct nbd_request *request, const struct nbd_session *session) {
        unsigned flags = commands[request->type].flags;

        if (session->flags & NBD_SEND_FUA)
                flags |= NBD_CMD_FUA;
        if (!(session->flags & NBD_SEND_DF))
                flags &= ~(unsigned)NBD_CMD_DF;
        if (!(session->flags & NBD_SEND_FAST_ZERO))
                flags &= ~(unsigned)NBD_CMD_FAST_ZERO;
        return (uint16_t)flags;
}

/* A write past the end is told as a disk that is full: so the protocol has it. */
static struct nbd_verdict check_range(const struct nbd_request *request, const struct nbd_session *session) {
        bool writes = request->type == NBD_CMD_WRITE || request->type == NBD_CMD_WRITE_ZEROES;

        if (request->length == 0)
                return no(NBD_EINVAL, "the length is 0");
        if (commands[request->type].is_bound && request->length > NBD_BLOCK_MAX)
                return no(NBD_EINVAL, "the request is longer than 32 MiB");
        if (!range_fits(request->offset, request->length, session->size))
                return no(writes ? NBD_ENOSPC : NBD_EINVAL, "the request reaches past the end of the disk");
        return no(NBD_OK, NULL);
}

struct nbd_verdict nbd_request_check(const struct nbd_request *request, const struct nbd_session *session) {
        uint16_t type = request->type;

        if (type >= sizeof commands / sizeof *commands || type == NBD_CMD_DISC)
                return no(NBD_EINVAL, "the command is not known");
        if (commands[type].changes && session->flags & NBD_READ_ONLY)
                return no(NBD_EPERM, "the disk is read-only");
        if (commands[type].needs & ~session->flags)
                return no(NBD_EINVAL, "the command was not offered");
        if (type == NBD_CMD_BLOCK_STATUS && (!session->has_structured || session->n_contexts == 0))
                return no(NBD_EINVAL, "no metadata context was set for this disk");
        if (request->flags & ~flags_of(request, session))
                return no(NBD_EINVAL, "a flag is not one of this command");
        if (!commands[type].has_range)
                return request->offset || request->length ? no(NBD_EINVAL, "this command has no range")
                                                          : no(NBD_OK, NULL);
        return check_range(request, session);
}
