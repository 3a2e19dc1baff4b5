// SPDX-License-Identifier: Apache-2.0
/* Where a verb listens that serves disks by NBD, and who may come: the same words for each of them.
 *
 * Errors: none.  Threads: any.
 */
#ifndef SERVICE_LISTEN_PARAMS_H
#define SERVICE_LISTEN_PARAMS_H

#include "verbs.h"

#define LISTEN_PARAMS                                                                                        \
        {.name = "unix",                                                                                     \
         .kind = PARAM_PATH,                                                                                 \
         .shown = "SOCKET",                                                                                  \
         .help = "Listens on this unix socket, which is made with mode 0600: chmod lets others in."},        \
                {.name = "tcp",                                                                              \
                 .kind = PARAM_TEXT,                                                                         \
                 .shown = "ADDRESS",                                                                         \
                 .help = "Listens on HOST:PORT, [V6]:PORT or :PORT (all addresses); port 0 is any that is "  \
                         "free. "                                                                            \
                         "Whoever "                                                                          \
                         "reaches it may read and write all disks, unless TLS with --tls-verify-peer or "    \
                         "--tls-psk is "                                                                     \
                         "required."},                                                                       \
                {.name = "tls-x509",                                                                         \
                 .kind = PARAM_PATH,                                                                         \
                 .shown = "DIR",                                                                             \
                 .help = "Offers TLS with the ca-cert.pem, server-cert.pem and server-key.pem in DIR."},     \
                {.name = "tls-psk",                                                                          \
                 .kind = PARAM_PATH,                                                                         \
                 .shown = "FILE",                                                                            \
                 .help = "Offers TLS with the keys in FILE, as psktool writes them."},                       \
                {.name = "tls-required", .kind = PARAM_FLAG, .help = "Lets nobody in without TLS."},         \
                {.name = "tls-verify-peer",                                                                  \
                 .kind = PARAM_FLAG,                                                                         \
                 .help = "Lets nobody in by TLS without a certificate of the CA."},                          \
        {                                                                                                    \
                .name = "connections", .kind = PARAM_NUMBER, .shown = "N", .fallback = "1024",               \
                .help = "Serves so many connections at once; others wait until one of them ends."            \
        }

#endif
