/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* local.conf: every text is taken or refused with a sentence; counts stay within their arrays. */
#include "base/bug.h"
#include "service/localconf.h"
#include "service/log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* as file_read gives it: with a NUL after it */
	if (!text) {
		return 0;
	}
	if (size > 0) {
		memcpy(text, data, size);
	}
	text[size] = '\0';
	struct settings settings;
	char error[LOCALCONF_ERROR_BYTES] = "";
	json_t *json = NULL;
	log_level_set(LOG_LEVEL_ERROR); /* its warnings would fill the report */
	settings_defaults(&settings);
	int result = localconf_parse("local.conf", text, size, &settings, &json, error);
	BUG_ON((result == 0) != (json != NULL));
	BUG_ON(result != 0 && strlen(error) == 0);
	BUG_ON(settings.bind_count > SETTINGS_MAX_BIND);
	BUG_ON(settings.management_count > SETTINGS_MAX_MANAGEMENT);
	BUG_ON(settings.prefix_count > SETTINGS_MAX_PREFIXES);
	BUG_ON(settings.path_rule_count > SETTINGS_MAX_PATH_RULES);
	BUG_ON(settings.allow_uid_count > SETTINGS_MAX_IDS);
	BUG_ON(settings.allow_gid_count > SETTINGS_MAX_IDS);
	for (size_t i = 0; i < settings.bind_count; i++) {
		BUG_ON(settings.bind[i].family != 4 && settings.bind[i].family != 6);
	}
	json_decref(json);
	free(text);
	return 0;
}
