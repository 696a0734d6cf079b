/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The fields of a record that a POST may set (vl2 9.2, 9.3), and the kinds both records have. */
#ifndef CONTROLLER_FIELD_H
#define CONTROLLER_FIELD_H

#include <jansson.h>
#include <stddef.h>

struct field {
	const char *key;
	/* The value as it is kept: a new reference, or NULL = leave the field as it is. */
	json_t *(*normal)(const json_t *value);
};

/* Set in `record` what `body` has of these fields. */
void fields_apply(json_t *record, const json_t *body, const struct field *fields, size_t count);

json_t *field_bool(const json_t *value);
json_t *field_int(const json_t *value);
/* An address of 10 hex digits, else null. */
json_t *field_trace_target(const json_t *value);

#endif
