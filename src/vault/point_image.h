// SPDX-License-Identifier: Apache-2.0
/* A disk of a point as an image, so that it is read as every disk is: served, it is a chain of one; with a
 * VHD over it that takes what is written, a chain of two.
 *
 *      io = point_io_new(below)                        images is of this io
 *      point_image_open(vault, &disk, &images, &image, note)
 *      chain_open(&images, point_image_name(&disk).s, CHAIN_READ, &chain, note)
 *        or  point_image_make_overlay(io, path, &disk, note)   chain_open(&images, path, CHAIN_WRITE, …)
 *
 * What is zeros by whole blocks is held by nobody, as in a VHD; the rest is held whole.  Name and uuid are
 * made of the disk's id, which is that of its content: an overlay fits over the same content, wherever that
 * is found again, and over nothing else.
 *
 * Errors: those of get.h; of an overlay, those of vhd_create.h.  ERR_UNSUPPORTED over 2040 GiB.
 * Threads: as image.h has it.  Ownership: vault and images outlive the image.
 */
#ifndef VAULT_POINT_IMAGE_H
#define VAULT_POINT_IMAGE_H

#include "image.h"
#include "vault.h"

struct point_image_name {
        char s[80];
};
struct point_image_name point_image_name(const struct vault_disk *);
struct uuid point_image_uuid(const struct vault_disk *);

/* One count, the caller's: while he keeps it the image can be opened by its name. */
MUST_USE enum err point_image_open(struct vault *, const struct vault_disk *, struct images *,
                                   struct image **ret, struct err_note *);
/* An empty VHD over it, durable and under its name when this returns; ERR_EXISTS. */
MUST_USE enum err point_image_make_overlay(struct io *, const char *path, const struct vault_disk *,
                                           struct err_note *);

#endif
