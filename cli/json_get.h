/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Members of the service's JSON, whose shape nobody here trusts: what is missing is empty or 0. */
#ifndef CLI_JSON_GET_H
#define CLI_JSON_GET_H

#include <jansson.h>
#include <stdbool.h>

/* Borrowed; "" if it is not a string. */
static inline const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static inline json_int_t int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline bool is_set(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

#endif
