/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lwIP's error codes as Linux errno values, one table. */
#include "stack/internal.h"

#include <assert.h>
#include <errno.h>
#include <lwip/err.h>

static const int errno_of[] = {
	[-ERR_OK] = 0,
	[-ERR_MEM] = ENOMEM,
	[-ERR_BUF] = ENOBUFS,
	[-ERR_TIMEOUT] = ETIMEDOUT,
	[-ERR_RTE] = ENETUNREACH,
	[-ERR_INPROGRESS] = EINPROGRESS,
	[-ERR_VAL] = EINVAL,
	[-ERR_WOULDBLOCK] = EAGAIN,
	[-ERR_USE] = EADDRINUSE,
	[-ERR_ALREADY] = EALREADY,
	[-ERR_ISCONN] = EISCONN,
	[-ERR_CONN] = ENOTCONN,
	[-ERR_IF] = ENETDOWN,
	/* lwIP gave up: its only other cause, our own abort, is told apart in stk_tcp_event.c. */
	[-ERR_ABRT] = ETIMEDOUT,
	[-ERR_RST] = ECONNRESET,
	[-ERR_CLSD] = 0, /* both sides have closed */
	[-ERR_ARG] = EINVAL,
};

static_assert(sizeof(errno_of) / sizeof(errno_of[0]) == -ERR_ARG + 1, "one row per err_t");

int errmap(signed char lwip_error)
{
	size_t row = (size_t)-lwip_error;
	return lwip_error <= 0 && row < sizeof(errno_of) / sizeof(errno_of[0]) ? errno_of[row]
									       : EIO;
}
