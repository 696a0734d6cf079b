/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/trustedpaths.h"

#include "service/file.h"
#include "service/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRUSTEDPATHS_MAX_BYTES = 64 * 1024 };

/* "hexid=network/bits" */
static bool trusted_line(const char *line, struct zt_physical *out)
{
	char *end = NULL;
	errno = 0;
	*out = (struct zt_physical){ .trusted_path_id = strtoull(line, &end, 16) };
	return errno == 0 && end != line && *end == '=' && out->trusted_path_id != 0 &&
	       strchr(end, '/') && endpoint_parse(end + 1, &out->net) &&
	       out->net.port <= (out->net.family == 4 ? 32 : 128);
}

void trustedpaths_parse(const char *file, const char *text, struct settings *settings)
{
	unsigned number = 0;
	while (*text != '\0') {
		char line[128] = "";
		size_t length = strcspn(text, "\r\n");
		memcpy(line, text, length < sizeof line ? length : sizeof line - 1);
		number++;
		text += length + (text[length] == '\r' && text[length + 1] == '\n');
		text += *text != '\0';
		if (line[0] == '\0' || line[0] == '#') {
			continue;
		}
		struct zt_physical entry;
		if (length >= sizeof line || !trusted_line(line, &entry)) {
			log_warn("trustedpaths",
				 "skipped: not of the form id=network/bits, as in 2a=10.1.0.0/16 "
				 "file=%s line=%u",
				 file, number);
		} else if (settings->physical_count == ZT_MAX_PHYSICAL) {
			log_warn("trustedpaths", "skipped: more than %d networks file=%s line=%u",
				 ZT_MAX_PHYSICAL, file, number);
		} else {
			settings->physical[settings->physical_count++] = entry;
		}
	}
}

void trustedpaths_load(const char *home, struct settings *settings)
{
	char path[512], *text = NULL;
	size_t length = 0;
	(void)snprintf(path, sizeof path, "%s/trustedpaths", home);
	int failure = file_read(path, TRUSTEDPATHS_MAX_BYTES, &text, &length);
	if (failure == 0) {
		trustedpaths_parse(path, text, settings);
	} else if (failure != -ENOENT) {
		errno = -failure;
		log_warn_errno("trustedpaths", "cannot read; check owner and mode file=%s", path);
	}
	free(text);
}
