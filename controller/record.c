/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What both kinds of record share. */
#include "controller/record.h"

#include "controller/coerce.h"

#include <string.h>

bool record_same(json_t *a, const json_t *b)
{
	if (!a || !b || json_object_size(a) != json_object_size(b)) {
		return false;
	}
	const char *key;
	json_t *value;
	json_object_foreach(a, key, value)
	{
		const json_t *other = json_object_get(b, key);
		if (!other || (strcmp(key, "revision") != 0 && !json_equal(value, other))) {
			return false;
		}
	}
	return true;
}

bool record_valid(const json_t *record, uint64_t id, int digits)
{
	uint64_t stored;
	return json_is_object(record) &&
	       id_parse(object_text(record, "id"), (size_t)digits, &stored) && stored == id;
}
