/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Identity files. */
#include "core/identity.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[600], again_text[IDENTITY_TEXT_MAX];
	struct identity id, again;
	size = size < sizeof text - 1 ? size : sizeof text - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	if (identity_parse(text, &id) == 0) {
		BUG_ON(address_is_reserved(id.address));
		identity_text(&id, id.has_secret, again_text);
		BUG_ON(identity_parse(again_text, &again) != 0 || !identity_equal(&id, &again));
	}
	return 0;
}
