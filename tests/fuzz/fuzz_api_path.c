/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Paths of the API: the parts are what the path says, numbers only what is a number. */
#include "base/bug.h"
#include "service/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_number(const char *part, size_t digits)
{
	uint64_t value;
	if (api_id(part, digits, &value)) {
		char text[20];
		(void)snprintf(text, sizeof text, "%0*llx", (int)digits, (unsigned long long)value);
		BUG_ON(strcasecmp(text, part) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text) {
		return 0;
	}
	if (size > 0) {
		memcpy(text, data, size);
	}
	text[size] = '\0';
	struct api_path path;
	if (api_path_split(text, &path)) {
		BUG_ON(path.count > API_MAX_PARTS);
		char joined[API_PATH_MAX_BYTES + 2] = "";
		for (size_t i = 0; i < path.count; i++) {
			BUG_ON(path.parts[i][0] == '\0' || strchr(path.parts[i], '/'));
			(void)strcat(joined, "/");
			(void)strcat(joined, path.parts[i]);
			check_number(path.parts[i], 10);
			check_number(path.parts[i], 16);
		}
		size_t length = strlen(joined);
		BUG_ON(strncmp(joined, text, length) != 0);
		BUG_ON(strcmp(text + length, "") != 0 && strcmp(text + length, "/") != 0);
	}
	free(text);
	return 0;
}
