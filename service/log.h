/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The daemon's log: one line per event an operator acts on, never per packet.
 *
 * A short sentence, then key=value. No secrets, no pointers. To stderr until the daemon detaches,
 * then to HOME/netcon.log. Repeated lines are rate-limited (log_limited).
 */
#ifndef SERVICE_LOG_H
#define SERVICE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_level_set(enum log_level level);
enum log_level log_level_get(void);
/* Send further lines to this descriptor (not closed). */
void log_fd_set(int fd);

#define LOG_PRINTF __attribute__((format(printf, 2, 3)))
void log_err(const char *module, const char *format, ...) LOG_PRINTF;
void log_warn(const char *module, const char *format, ...) LOG_PRINTF;
void log_info(const char *module, const char *format, ...) LOG_PRINTF;
void log_debug(const char *module, const char *format, ...) LOG_PRINTF;
/* The same with ": " and the text of errno appended. */
void log_err_errno(const char *module, const char *format, ...) LOG_PRINTF;
void log_warn_errno(const char *module, const char *format, ...) LOG_PRINTF;

/* A static struct per call site: true at most once per `interval_ms`; says how many were left out.
 */
struct log_limit {
	int64_t last_ms;
	uint64_t suppressed;
};
bool log_limited(struct log_limit *limit, int64_t now_ms, int64_t interval_ms);

#endif
