/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* HOME/trustedpaths, the legacy form of local.conf's trusted paths (vl1 16.2): lines of
 * hexid=network/bits. What is malformed is logged and skipped. */
#ifndef SERVICE_TRUSTEDPATHS_H
#define SERVICE_TRUSTEDPATHS_H

#include "service/service.h"

/* Add what the file says after what local.conf said; no file is fine. */
void trustedpaths_load(const char *home, struct settings *settings);
/* The same from its text. */
void trustedpaths_parse(const char *file, const char *text, struct settings *settings);

#endif
