/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Network and member records: defaults, what a POST may change, and how (vl2 9.2, 9.3). */
#ifndef CONTROLLER_RECORD_H
#define CONTROLLER_RECORD_H

#include "core/zt.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A new reference to a complete record: `held` (or NULL: a fresh one) with the defaults filled in
 * and what `body` says applied; body NULL or no object = no change. NULL without memory. */
json_t *network_record(const json_t *held, const json_t *body, uint64_t nwid, int64_t now_ms);
json_t *member_record(const json_t *held, const json_t *body, uint64_t nwid, uint64_t address,
		      int64_t now_ms);

/* Record a change of authorisation: the times, and who said so. credential may be NULL. */
void member_authorise(json_t *record, int64_t now_ms, const char *type, const char *credential);
void member_deauthorise(json_t *record, int64_t now_ms);

/* Equal in all but `revision`? NULL equals nothing. */
bool record_same(json_t *a, const json_t *b);

/* Is it a usable stored record: an object whose `id` is that number in `digits` hex digits? */
bool record_valid(const json_t *record, uint64_t id, int digits);

#endif
