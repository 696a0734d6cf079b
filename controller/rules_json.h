/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The JSON form of rules (vl2 7.2). */
#ifndef CONTROLLER_RULES_JSON_H
#define CONTROLLER_RULES_JSON_H

#include "core/rules.h"

#include <jansson.h>
#include <stdbool.h>

/* False: a type that is unknown or that controllers drop on input, or an IP of the other family. */
bool rule_from_json(const json_t *json, struct rule *out);
/* New reference; NULL for a type without a name. */
json_t *rule_to_json(const struct rule *rule);
/* A whole table, normalised: what does not parse is left out. New reference. */
json_t *rules_normalise(const json_t *array);

#endif
