/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/zt.h"

const char *zt_err_text(int err)
{
	switch (err) {
	case ZT_OK:
		return "no error";
#define X(name, code, text)                                                                        \
	case ZT_E_##name:                                                                          \
		return text;
#include "core/err.def"
#undef X
	default:
		return "an unknown error";
	}
}

const char *zt_counter_name(enum zt_counter counter)
{
	switch (counter) {
#define X(name, text)                                                                              \
	case ZT_COUNT_##name:                                                                      \
		return text;
#include "core/counters.def"
#undef X
	case ZT_COUNTERS:
		break;
	}
	return "?";
}
