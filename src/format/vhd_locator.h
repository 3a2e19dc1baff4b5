// SPDX-License-Identifier: Apache-2.0
/* The payloads of parent locators: three ways to write the path of the parent from the directory of the
 * child.
 *
 *      MacX  UTF-8     file://./base.vhd
 *      W2ku  UTF-16LE  .\base.vhd          XenServer puts the relative path here too, against the
 *      specification W2ru  UTF-16LE  .\base.vhd
 *
 * Paths on our side are UTF-8 with slashes, "base.vhd" or "../dir/base.vhd": without the "./" in front.  What
 * others wrote may be absolute: then it begins with a slash.  "C:" before a path is dropped.
 *
 * A relative file:// URL is XenServer's own and has no escapes: %41 in it is just that.  In an absolute
 * one, which other tools write by the book, %XX is undone and "localhost" dropped.
 *
 * Errors: ERR_CORRUPT for payloads that are no path, ERR_UNSUPPORTED for codes that hold something else,
 * ERR_INVALID for a path that cannot be written.  Ownership: a path is the caller's to free.  Threads: any.
 */
#ifndef FORMAT_VHD_LOCATOR_H
#define FORMAT_VHD_LOCATOR_H

#include "buf.h"
#include "vhd_header.h"

#define VHD_LOCATOR_MAX 65536u /* bytes of a payload that are read; a longer one is no path */

/* The codes of the three that are written, in their order. */
extern const uint32_t vhd_locator_order[3];

/* data: what stands at the locator's offset, at least its length; bytes behind the length are not looked at.
 */
MUST_USE enum err vhd_locator_decode(const struct vhd_locator *, struct span data, char **ret_path,
                                     struct err_note *);

/* Appends the payload of one of the three codes for a relative path, without padding. */
MUST_USE enum err vhd_locator_encode(uint32_t code, const char *path, struct buf *ret, struct err_note *);

#endif
