// SPDX-License-Identifier: Apache-2.0
/* The server's voice: each reply is put into the caller's memory, whose size stands in its type, and the
 * number of bytes is returned.  Data of reads is not among them: a head says how much of it follows.
 *
 * Replies to options: nbd_put_info and its kin describe, an ack ends them; one refusal ends them too.
 * Replies to requests: in simple form one head, and the data behind it; in structured form any number of
 * chunks, the last of which `is_last`.  What a client must be told in which form, nbd_put_answer knows.
 *
 * Errors: none; texts and names that are too long are cut.  Threads: any.
 */
#ifndef FORMAT_NBD_REPLY_H
#define FORMAT_NBD_REPLY_H

#include "nbd.h"
#include "nbd_context.h"
#include "nbd_request.h"
#include "nbd_wire.h"

enum {
        NBD_EXPORT_REPLY_MAX = sizeof(struct nbd_export_wire) + NBD_ZEROES,
        NBD_REPLY_TEXT_MAX = 255, /* bytes */
        NBD_ANSWER_MAX = sizeof(struct nbd_error_wire) + NBD_REPLY_TEXT_MAX + 8,
};

/* ---- the handshake --------------------------------------------------------------------------- */

void nbd_put_greeting(uint8_t ret[sizeof(struct nbd_greeting_wire)]);
/* To EXPORT_NAME.  The zeroes are left out only where the client said so: others wait for them. */
size_t nbd_put_export(uint64_t size, uint16_t flags, bool no_zeroes, uint8_t ret[NBD_EXPORT_REPLY_MAX]);

size_t nbd_put_ack(uint32_t option, uint8_t ret[NBD_OPTION_REPLY_MAX]);
size_t nbd_put_refusal(const struct nbd_refusal *, uint8_t ret[NBD_OPTION_REPLY_MAX]);
/* To LIST: one export. */
size_t nbd_put_server(struct span name, struct span description, uint8_t ret[NBD_OPTION_REPLY_MAX]);
/* To INFO and GO.  EXPORT must be sent, the others where they were asked for. */
size_t nbd_put_info_export(uint32_t option, uint64_t size, uint16_t flags, uint8_t ret[NBD_OPTION_REPLY_MAX]);
size_t nbd_put_info_block_size(uint32_t option, uint8_t ret[NBD_OPTION_REPLY_MAX]);
size_t nbd_put_info_text(uint32_t option, enum nbd_info, struct span text, uint8_t ret[NBD_OPTION_REPLY_MAX]);
/* To LIST_META_CONTEXT (id is 0 then) and SET_META_CONTEXT. */
size_t nbd_put_context(uint32_t option, uint32_t id, const struct nbd_context *,
                       uint8_t ret[NBD_OPTION_REPLY_MAX]);

/* ---- transmission ---------------------------------------------------------------------------- */

/* The whole answer where no data and no extents go with it: success of all but READ and BLOCK_STATUS, and
 * every error.  text is NULL or for people; it goes only where the form has room for it. */
size_t nbd_put_answer(const struct nbd_session *, const struct nbd_request *, enum nbd_error,
                      const char *text, uint8_t ret[NBD_ANSWER_MAX]);

/* READ, simple form: all of its data follows. */
size_t nbd_put_simple(const struct nbd_request *, uint8_t ret[NBD_ANSWER_MAX]);
/* READ, structured form: n bytes of data follow.  With DF one such chunk is all there may be. */
size_t nbd_put_data(const struct nbd_request *, uint64_t at, uint32_t n, bool is_last,
                    uint8_t ret[NBD_ANSWER_MAX]);
size_t nbd_put_hole(const struct nbd_request *, uint64_t at, uint32_t n, bool is_last,
                    uint8_t ret[NBD_ANSWER_MAX]);
/* The end of a structured reply whose last chunk was not marked. */
size_t nbd_put_end(const struct nbd_request *, uint8_t ret[NBD_ANSWER_MAX]);
/* An error within a structured reply, at a byte of the request; it is the last chunk. */
size_t nbd_put_error_at(const struct nbd_request *, enum nbd_error, uint64_t at, const char *text,
                        uint8_t ret[NBD_ANSWER_MAX]);
/* BLOCK_STATUS: one chunk a context; n_extents > 0 of nbd_put_extent follow, with REQ_ONE just one. */
size_t nbd_put_status(const struct nbd_request *, uint32_t context, uint32_t n_extents, bool is_last,
                      uint8_t ret[NBD_ANSWER_MAX]);
void nbd_put_extent(uint32_t n, uint32_t status, uint8_t ret[sizeof(struct nbd_extent_wire)]);

#endif
