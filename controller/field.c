/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "controller/field.h"

#include "controller/coerce.h"

void fields_apply(json_t *record, const json_t *body, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(body, fields[i].key);
		json_t *normal = value ? fields[i].normal(value) : NULL;
		if (normal) {
			(void)json_object_set_new(record, fields[i].key, normal);
		}
	}
}

json_t *field_bool(const json_t *value)
{
	return json_boolean(coerce_bool(value, false));
}

json_t *field_int(const json_t *value)
{
	return json_integer(coerce_int(value, 0));
}

json_t *field_trace_target(const json_t *value)
{
	uint64_t address;
	const char *text = json_string_value(value);
	return text && id_parse(text, 10, &address) ? id_json(address, 10) : json_null();
}
