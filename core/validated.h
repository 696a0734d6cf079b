/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Identities whose expensive hash was checked before (decision S20): a bounded memory of (address,
 * hash of the keys), so that a node that comes back costs nothing. */
#ifndef ZT_VALIDATED_H
#define ZT_VALIDATED_H

#include "core/identity.h"

struct validated;

struct validated *validated_new(void);
void validated_free(struct validated *validated);
void validated_add(struct validated *validated, const struct identity *identity);
bool validated_has(const struct validated *validated, const struct identity *identity);

#endif
