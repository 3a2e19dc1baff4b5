// SPDX-License-Identifier: Apache-2.0
/* The numbers and pictures of the NBD protocol, fixed newstyle: what both sides of a connection agree on.
 * Numbers are big-endian, structs are what lies on the wire; docs/format/nbd.md says what we serve of it.
 *
 *      server                                  client
 *      greeting               ───────────────>
 *                             <─────────────── client flags
 *                             <─────────────── option: header, data          one after another
 *      replies to it          ───────────────>
 *                             <─────────────── GO, or EXPORT_NAME
 *      size and flags         ───────────────>
 *                             <─────────────── requests, many at a time; WRITE's data follows its header
 *      replies, in any order  ───────────────>
 *                             <─────────────── DISC
 *
 * Errors: none.  Threads: any.
 */
#ifndef FORMAT_NBD_H
#define FORMAT_NBD_H

#include "bytes.h"

#define NBD_MAGIC            0x4e42444d41474943u /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC     0x49484156454f5054u /* "IHAVEOPT": in the greeting, and before each option */
#define NBD_REPLY_MAGIC      0x0003e889045565a9u /* before each reply to an option */
#define NBD_REQUEST_MAGIC    0x25609513u
#define NBD_SIMPLE_MAGIC     0x67446698u
#define NBD_STRUCTURED_MAGIC 0x668e33efu

enum {
        NBD_NAME_MAX = 4096,       /* of every string, the protocol's limit */
        NBD_OPTION_MAX = 64 << 10, /* data of an option; ours */
        NBD_OPTION_REPLY_MAX = 20 + 4 + 2 * NBD_NAME_MAX,
        NBD_ZEROES = 124, /* behind an export's size and flags, unless both sides agreed to leave them out */
        /* Sizes of requests, as advertised. */
        NBD_BLOCK_MIN = 1,
        NBD_BLOCK_PREFERRED = 4096,
        NBD_BLOCK_MAX = 32 << 20,
};

/* ---- the handshake --------------------------------------------------------------------------- */

enum nbd_handshake_flags { NBD_FIXED_NEWSTYLE = 1 << 0, NBD_NO_ZEROES = 1 << 1 };

enum nbd_option_code {
        NBD_OPT_EXPORT_NAME = 1,
        NBD_OPT_ABORT = 2,
        NBD_OPT_LIST = 3,
        NBD_OPT_STARTTLS = 5,
        NBD_OPT_INFO = 6,
        NBD_OPT_GO = 7,
        NBD_OPT_STRUCTURED_REPLY = 8,
        NBD_OPT_LIST_META_CONTEXT = 9,
        NBD_OPT_SET_META_CONTEXT = 10,
};

/* As macros: the upper half does not fit an enum. */
#define NBD_REP_ACK                 1u
#define NBD_REP_SERVER              2u
#define NBD_REP_INFO                3u
#define NBD_REP_META_CONTEXT        4u
#define NBD_REP_IS_ERROR            0x80000000u
#define NBD_REP_ERR_UNSUP           0x80000001u /* this server does not know the option */
#define NBD_REP_ERR_POLICY          0x80000002u /* it does, but is told not to */
#define NBD_REP_ERR_INVALID         0x80000003u /* what came is not one */
#define NBD_REP_ERR_PLATFORM        0x80000004u
#define NBD_REP_ERR_TLS_REQD        0x80000005u
#define NBD_REP_ERR_UNKNOWN         0x80000006u /* there is no such export */
#define NBD_REP_ERR_SHUTDOWN        0x80000007u
#define NBD_REP_ERR_BLOCK_SIZE_REQD 0x80000008u
#define NBD_REP_ERR_TOO_BIG         0x80000009u

enum nbd_info { NBD_INFO_EXPORT, NBD_INFO_NAME, NBD_INFO_DESCRIPTION, NBD_INFO_BLOCK_SIZE };

struct nbd_greeting_wire { /* offset */
        be64 magic;        /*   0  NBD_MAGIC */
        be64 option_magic; /*   8  NBD_OPTION_MAGIC */
        be16 flags;        /*  16  nbd_handshake_flags; the client answers with 32 bits of them */
};
_Static_assert(sizeof(struct nbd_greeting_wire) == 18, "as on the wire");

struct nbd_option_wire { /* offset */
        be64 magic;      /*   0  NBD_OPTION_MAGIC */
        be32 option;     /*   8 */
        be32 length;     /*  12  of the data behind it */
};
_Static_assert(sizeof(struct nbd_option_wire) == 16, "as on the wire");

struct nbd_option_reply_wire { /* offset */
        be64 magic;            /*   0  NBD_REPLY_MAGIC */
        be32 option;           /*   8 */
        be32 type;             /*  12  NBD_REP_* */
        be32 length;           /*  16  of the data behind it */
};
_Static_assert(sizeof(struct nbd_option_reply_wire) == 20, "as on the wire");

struct nbd_export_wire { /* offset */
        be64 size;       /*   0  bytes */
        be16 flags;      /*   8  nbd_flags; 124 zeroes may follow */
};
_Static_assert(sizeof(struct nbd_export_wire) == 10, "as on the wire");

/* ---- transmission ---------------------------------------------------------------------------- */

enum nbd_flags { /* of an export */
                 NBD_HAS_FLAGS = 1 << 0,
                 NBD_READ_ONLY = 1 << 1,
                 NBD_SEND_FLUSH = 1 << 2,
                 NBD_SEND_FUA = 1 << 3,
                 NBD_ROTATIONAL = 1 << 4,
                 NBD_SEND_TRIM = 1 << 5,
                 NBD_SEND_WRITE_ZEROES = 1 << 6,
                 NBD_SEND_DF = 1 << 7,
                 NBD_CAN_MULTI_CONN = 1 << 8,
                 NBD_SEND_RESIZE = 1 << 9,
                 NBD_SEND_CACHE = 1 << 10,
                 NBD_SEND_FAST_ZERO = 1 << 11,
};

enum nbd_command {
        NBD_CMD_READ = 0,
        NBD_CMD_WRITE = 1,
        NBD_CMD_DISC = 2,
        NBD_CMD_FLUSH = 3,
        NBD_CMD_TRIM = 4,
        NBD_CMD_CACHE = 5,
        NBD_CMD_WRITE_ZEROES = 6,
        NBD_CMD_BLOCK_STATUS = 7,
};

enum nbd_command_flags {
        NBD_CMD_FUA = 1 << 0,
        NBD_CMD_NO_HOLE = 1 << 1,
        NBD_CMD_DF = 1 << 2,
        NBD_CMD_REQ_ONE = 1 << 3,
        NBD_CMD_FAST_ZERO = 1 << 4,
};

enum nbd_error { /* as on the wire, whatever errno is here */
                 NBD_OK = 0,
                 NBD_EPERM = 1,
                 NBD_EIO = 5,
                 NBD_ENOMEM = 12,
                 NBD_EINVAL = 22,
                 NBD_ENOSPC = 28,
                 NBD_EOVERFLOW = 75,
                 NBD_ENOTSUP = 95,
                 NBD_ESHUTDOWN = 108,
};

enum nbd_chunk_type {
        NBD_CHUNK_NONE = 0,
        NBD_CHUNK_DATA = 1,
        NBD_CHUNK_HOLE = 2,
        NBD_CHUNK_BLOCK_STATUS = 5,
        NBD_CHUNK_ERROR = 1 << 15 | 1, /* bit 15: any error */
        NBD_CHUNK_ERROR_OFFSET = 1 << 15 | 2,
};
enum { NBD_CHUNK_DONE = 1 << 0 /* no more of this reply */ };

/* base:allocation.  In catena:changed the lowest bit says that it is not as in the snapshot. */
enum nbd_status { NBD_STATE_HOLE = 1 << 0, NBD_STATE_ZERO = 1 << 1 };
enum { NBD_STATE_CHANGED = 1 << 0 };

struct nbd_request_wire {  /* offset */
        be32 magic;        /*   0  NBD_REQUEST_MAGIC */
        be16 flags;        /*   4  nbd_command_flags */
        be16 type;         /*   6  nbd_command */
        uint8_t cookie[8]; /*   8  the client's, comes back as it is */
        be64 offset;       /*  16  bytes */
        be32 length;       /*  24  bytes; WRITE: so many follow */
};
_Static_assert(sizeof(struct nbd_request_wire) == 28, "as on the wire");

struct nbd_simple_wire {   /* offset */
        be32 magic;        /*   0  NBD_SIMPLE_MAGIC */
        be32 error;        /*   4  nbd_error */
        uint8_t cookie[8]; /*   8  READ without error: its data follows */
};
_Static_assert(sizeof(struct nbd_simple_wire) == 16, "as on the wire");

struct nbd_chunk_wire {    /* offset */
        be32 magic;        /*   0  NBD_STRUCTURED_MAGIC */
        be16 flags;        /*   4  NBD_CHUNK_DONE */
        be16 type;         /*   6  nbd_chunk_type */
        uint8_t cookie[8]; /*   8 */
        be32 length;       /*  16  of what follows */
};
_Static_assert(sizeof(struct nbd_chunk_wire) == 20, "as on the wire");

struct nbd_data_wire {               /* a chunk of data */
        struct nbd_chunk_wire chunk; /*   0 */
        be64 offset;                 /*  20  the data follows */
};
_Static_assert(sizeof(struct nbd_data_wire) == 28, "as on the wire");

struct nbd_hole_wire {               /* a chunk that says: zeros */
        struct nbd_chunk_wire chunk; /*   0 */
        be64 offset;                 /*  20 */
        be32 length;                 /*  28 */
};
_Static_assert(sizeof(struct nbd_hole_wire) == 32, "as on the wire");

struct nbd_status_wire {             /* a chunk of extents */
        struct nbd_chunk_wire chunk; /*   0 */
        be32 context;                /*  20  its id; extents follow */
};
_Static_assert(sizeof(struct nbd_status_wire) == 24, "as on the wire");

struct nbd_extent_wire { /* offset */
        be32 length;     /*   0  bytes, not 0 */
        be32 status;     /*   4 */
};
_Static_assert(sizeof(struct nbd_extent_wire) == 8, "as on the wire");

struct nbd_error_wire {              /* a chunk of an error */
        struct nbd_chunk_wire chunk; /*   0 */
        be32 error;                  /*  20 */
        be16 text_length;            /*  24  the text follows; then in ERROR_OFFSET the offset, 64 bits */
};
_Static_assert(sizeof(struct nbd_error_wire) == 26, "as on the wire");
_Static_assert(_Alignof(struct nbd_error_wire) == 1, "may be at any address");

/* One request, as its header says it.  Nothing of it has been checked but the magic: nbd_request.h does. */
struct nbd_request {
        uint16_t flags; /* nbd_command_flags */
        uint16_t type;  /* nbd_command */
        uint8_t cookie[8];
        uint64_t offset;
        uint32_t length;
};

#endif
