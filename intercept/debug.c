/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* ZT_NC_DEBUG: one line per call that was refused or failed, to stderr (1) or appended to a file.
 * ZT_NC_EXPLAIN: the same, and a line for every other socket call with what became of it.
 *
 * Silent by default: a library inside other people's programs does not write to their stderr. The
 * file is opened for each line, so no descriptor of ours lies around in the program. Lines are put
 * together by hand: no stdio, no locale, no memory, in signal handlers too.
 */
#include "intercept/hint.h"
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static char file_name[PATH_MAX_BYTES]; /* empty = stderr */
static bool is_wanted;
bool debug_explains;

struct line {
	char text[512];
	size_t length;
};

static void add(struct line *line, const char *text)
{
	size_t length = strlen(text);
	size_t room = sizeof line->text - 1 - line->length; /* one for the newline */
	if (length > room) {
		length = room;
	}
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

static void add_number(struct line *line, unsigned long number)
{
	char digits[24];
	char *p = digits + sizeof digits;
	*--p = '\0';
	do {
		*--p = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	add(line, p);
}

/* Every digit: whoever searches a log for an address finds it. */
static void add_v6(struct line *line, const uint8_t address[16])
{
	static const char digits[] = "0123456789abcdef";
	add(line, " [");
	for (int i = 0; i < 16; i++) {
		char pair[4] = { digits[address[i] >> 4], digits[address[i] & 15] };
		pair[2] = i % 2 == 1 && i < 15 ? ':' : '\0';
		add(line, pair);
	}
	add(line, "]");
}

static void add_addr(struct line *line, const struct rpc_addr *addr)
{
	const uint8_t *port = (const uint8_t *)&addr->port_be;
	if (addr->family == AF_INET6) {
		add_v6(line, addr->addr);
	} else {
		for (int i = 12; i < 16; i++) {
			add(line, i == 12 ? " " : ".");
			add_number(line, addr->addr[i]);
		}
	}
	add(line, ":");
	add_number(line, (unsigned)port[0] << 8 | port[1]);
}

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ EPERM, "EPERM" },
		{ EINTR, "EINTR" },
		{ EBADF, "EBADF" },
		{ EAGAIN, "EAGAIN" },
		{ ENOMEM, "ENOMEM" },
		{ EACCES, "EACCES" },
		{ EFAULT, "EFAULT" },
		{ ENODEV, "ENODEV" },
		{ EINVAL, "EINVAL" },
		{ ENFILE, "ENFILE" },
		{ EMFILE, "EMFILE" },
		{ EPIPE, "EPIPE" },
		{ ENOSYS, "ENOSYS" },
		{ ENOPROTOOPT, "ENOPROTOOPT" },
		{ EPROTONOSUPPORT, "EPROTONOSUPPORT" },
		{ ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT" },
		{ EOPNOTSUPP, "EOPNOTSUPP" },
		{ EAFNOSUPPORT, "EAFNOSUPPORT" },
		{ EADDRINUSE, "EADDRINUSE" },
		{ EADDRNOTAVAIL, "EADDRNOTAVAIL" },
		{ ENETDOWN, "ENETDOWN" },
		{ ENETUNREACH, "ENETUNREACH" },
		{ ECONNABORTED, "ECONNABORTED" },
		{ ECONNRESET, "ECONNRESET" },
		{ ENOBUFS, "ENOBUFS" },
		{ EISCONN, "EISCONN" },
		{ ENOTCONN, "ENOTCONN" },
		{ ETIMEDOUT, "ETIMEDOUT" },
		{ ECONNREFUSED, "ECONNREFUSED" },
		{ EHOSTUNREACH, "EHOSTUNREACH" },
		{ EALREADY, "EALREADY" },
		{ EINPROGRESS, "EINPROGRESS" },
		{ ENOENT, "ENOENT" },
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (names[i].error == error) {
			return names[i].name;
		}
	}
	return "error";
}

static void begin(struct line *line)
{
	line->length = 0;
	add(line, "netcon[");
	add_number(line, (unsigned long)sys(SYS_getpid, 0));
	add(line, "]: ");
}

static void add_error(struct line *line, int error)
{
	add(line, error_name(error));
	add(line, " (");
	add_number(line, (unsigned long)error);
	add(line, ")");
}

static void end(struct line *line)
{
	long fd = 2;
	line->text[line->length++] = '\n';
	if (file_name[0] != '\0') {
		fd = sys(SYS_openat, AT_FDCWD, file_name,
			 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	}
	if (fd < 0) {
		return;
	}
	(void)sys(SYS_write, fd, line->text, line->length);
	if (fd != 2) {
		(void)sys(SYS_close, fd);
	}
}

static bool is_set(const char *setting)
{
	return setting && setting[0] != '\0' && strcmp(setting, "0") != 0;
}

void debug_set(const char *failures, const char *everything)
{
	debug_explains = is_set(everything);
	const char *setting = debug_explains ? everything : failures;
	if (!is_set(setting)) {
		return;
	}
	is_wanted = true;
	if (strcmp(setting, "1") != 0 && strlen(setting) < sizeof file_name) {
		memcpy(file_name, setting, strlen(setting) + 1);
	}
}

void debug_failure(const char *call, int fd, int error, const struct rpc_addr *addr)
{
	if (likely(!is_wanted) || error == EAGAIN || error == EINPROGRESS || error == EINTR) {
		return; /* everyday answers, not failures */
	}
	struct line line;
	begin(&line);
	add(&line, call);
	if (fd >= 0) {
		add(&line, " fd=");
		add_number(&line, (unsigned long)fd);
	}
	if (addr) {
		add_addr(&line, addr);
	}
	add(&line, ": ");
	add_error(&line, error);
	end(&line);
}

void debug_setting(const char *name, const char *value, const char *problem)
{
	struct line line;
	if (likely(!is_wanted)) {
		return;
	}
	begin(&line);
	add(&line, name);
	add(&line, "=");
	add(&line, value);
	add(&line, " ");
	add(&line, problem);
	end(&line);
}

void debug_no_service(int error)
{
	if (likely(!is_wanted)) {
		return;
	}
	struct line line;
	begin(&line);
	add(&line, "cannot reach the service at ");
	add(&line, init_network[0] ? init_network : "(ZT_NC_NETWORK is too long)");
	add(&line, ": ");
	add_error(&line, error);
	if (error == EACCES) {
		add(&line, ": this user may not use it; see settings.netcon.allow of local.conf");
	} else if (error == EPROTOTYPE) {
		add(&line, ": an older service of another make listens there");
	} else {
		add(&line, ": is zerotier-netcon-service running, and ZT_NC_NETWORK right?");
	}
	end(&line);
}

/* ---- ZT_NC_EXPLAIN --------------------------------------------------------------------------- */

static void begin_call(struct line *line, const char *call, int fd)
{
	begin(line);
	add(line, call);
	add(line, "(");
	if (fd >= 0) {
		add_number(line, (unsigned long)fd);
	}
	add(line, ")");
}

static void add_result(struct line *line, int result)
{
	add(line, " = ");
	if (result >= 0) {
		add_number(line, (unsigned long)result);
	} else {
		add_error(line, -result);
	}
}

/* What a refusal means for a call on a virtual socket. */
static const char *verdict(int result)
{
	switch (-result) {
	case EPERM:
	case EACCES:
		return ": denied";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return ": virtual, no route";
	case ENETDOWN:
		return ": denied, no service";
	default:
		return ": virtual";
	}
}

void debug_explain(const char *call, int fd, int result)
{
	struct line line;
	struct who who;
	bool makes_one = strcmp(call, "accept") == 0 || fd < 0;
	begin_call(&line, call, fd);
	add_result(&line, result);
	/* connect() may have given it to the host (host.h) */
	bool is_hosts = fd >= 0 && hint_get(fd) != HINT_NETLINK && !ident_is_ours(fd);
	add(&line, is_hosts ? ": host" : verdict(result));
	if (result >= 0 && ident_who(makes_one ? result : fd, &who) && who.state != WHO_UNNAMED) {
		add(&line, who.state == WHO_LISTENING ? " at" : " from");
		add_addr(&line, &who.local);
		if (who.state == WHO_CONNECTED) {
			add(&line, " to");
			add_addr(&line, &who.remote);
		}
	}
	end(&line);
}

void debug_host(const char *call, int fd, int result)
{
	struct line line;
	int saved = errno, family = 0;
	socklen_t length = sizeof family;
	if (sys(SYS_getsockopt, fd >= 0 ? fd : result, SOL_SOCKET, SO_DOMAIN, &family, &length) <
	    0) {
		family = -1; /* no socket at all */
	}
	begin_call(&line, call, fd);
	add_result(&line, result < 0 ? -saved : result);
	add(&line, ": host");
	if (family >= 0) {
		add(&line, family == AF_UNIX      ? ", AF_UNIX"
			   : family == AF_NETLINK ? ", AF_NETLINK"
						  : ", another family");
	}
	end(&line);
	errno = saved;
}

void debug_name(const char *call, const char *name, const char *error)
{
	struct line line;
	if (likely(!is_wanted) || (!error && !debug_explains)) {
		return;
	}
	begin(&line);
	add(&line, call);
	add(&line, "(");
	add(&line, name ? name : "");
	add(&line, ") = ");
	add(&line, error ? error : "found");
	add(&line, ": virtual");
	end(&line);
}
