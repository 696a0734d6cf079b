/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a line is put together in one buffer and written with one write(2), so lines of
 * several threads do not mix. Each begins with the syslog priority only when stderr is journald's
 * ($JOURNAL_STREAM), else with the local time. A line that cannot be written is lost: logging never
 * stops the daemon.
 */
#include "service/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX_BYTES = 1024 };

static enum log_level level_now = LOG_LEVEL_INFO;
static int log_fd = STDERR_FILENO;

void log_level_set(enum log_level level)
{
	level_now = level;
}

enum log_level log_level_get(void)
{
	return level_now;
}

void log_fd_set(int fd)
{
	log_fd = fd;
}

static size_t log_prefix(char *line, size_t size, enum log_level level, const char *module)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	static const int priority[] = { 3, 4, 6, 7 };
	if (log_fd == STDERR_FILENO && getenv("JOURNAL_STREAM")) {
		return (size_t)snprintf(line, size, "<%d>%s: ", priority[level], module);
	}
	struct timespec now = { 0 };
	struct tm tm = { 0 };
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)localtime_r(&now.tv_sec, &tm);
	size_t length = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return length + (size_t)snprintf(line + length, size - length,
					 ".%03ld %s %s: ", now.tv_nsec / 1000000, names[level],
					 module);
}

static void log_line(enum log_level level, const char *module, int error, const char *format,
		     va_list arguments)
{
	if (level > level_now) {
		return;
	}
	char line[LOG_LINE_MAX_BYTES];
	const size_t room = sizeof line - 1; /* for the newline */
	size_t length = log_prefix(line, room, level, module);
	int n = vsnprintf(line + length, room - length, format, arguments);
	length += n > 0 ? (size_t)n : 0;
	if (error != 0 && length < room) {
		n = snprintf(line + length, room - length, ": %s", strerror(error));
		length += n > 0 ? (size_t)n : 0;
	}
	if (length > room - 1) {
		length = room - 1; /* cut, as snprintf did */
	}
	for (size_t i = 0; i < length; i++) { /* one event, one line, whatever a name contained */
		if ((unsigned char)line[i] < ' ') {
			line[i] = ' ';
		}
	}
	line[length++] = '\n';
	ssize_t written = write(log_fd, line, length);
	(void)written;
}

#define LOG_FUNCTION(name, level, error)                                                           \
	void name(const char *module, const char *format, ...)                                     \
	{                                                                                          \
		int saved = errno;                                                                 \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		log_line(level, module, error, format, arguments);                                 \
		va_end(arguments);                                                                 \
		errno = saved;                                                                     \
	}

LOG_FUNCTION(log_err, LOG_LEVEL_ERROR, 0)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN, 0)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, 0)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, 0)
LOG_FUNCTION(log_err_errno, LOG_LEVEL_ERROR, saved)
LOG_FUNCTION(log_warn_errno, LOG_LEVEL_WARN, saved)

bool log_limited(struct log_limit *limit, int64_t now_ms, int64_t interval_ms)
{
	if (limit->last_ms != 0 && now_ms - limit->last_ms < interval_ms) {
		limit->suppressed++;
		return false;
	}
	limit->last_ms = now_ms != 0 ? now_ms : 1; /* 0 means: never yet */
	if (limit->suppressed > 0) {
		log_info("log", "similar lines left out count=%llu",
			 (unsigned long long)limit->suppressed);
		limit->suppressed = 0;
	}
	return true;
}
