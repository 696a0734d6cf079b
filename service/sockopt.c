/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the table below has one line per option that is an integer: its range, where it
 * lies in struct sockopts, and which option of the stack follows it. Options with a structure of
 * their own (SO_LINGER, TCP_INFO, TCP_CONGESTION, IP_OPTIONS) have a function each.
 */
#include "service/sockopt.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#ifndef TCP_THIN_LINEAR_TIMEOUTS
#define TCP_THIN_LINEAR_TIMEOUTS 16
#define TCP_THIN_DUPACK          17
#endif

enum {
	SEND_BUFFER_DEFAULT = 16384, /* the middle of tcp_wmem, as Linux has it by default */
	SEND_BUFFER_MIN = 4608,
	RECEIVE_BUFFER_DEFAULT = 131072,
	RECEIVE_BUFFER_MIN = 2304,
	BUFFER_MAX = 2 * 212992, /* the clamp that Linux has by default, doubled as it does */
	KEEP_IDLE_DEFAULT_S = 7200,
	KEEP_INTERVAL_DEFAULT_S = 75,
	KEEP_COUNT_DEFAULT = 9,
	SYN_COUNT_DEFAULT = 6,
	TTL_DEFAULT = 64,
	NO_STACK_OPTION = -1,
};

enum field_kind {
	FIELD_BOOL,
	FIELD_U8,
	FIELD_NEXT, /* 16 bits that hold the value plus one: 0 was never set */
	FIELD_I32
};

struct option_row {
	int level, name;
	int minimum, maximum; /* of what is set; outside is EINVAL */
	enum field_kind kind;
	size_t offset;
	int fallback;     /* reported while the field is zero */
	int stack_option; /* enum stack_option, or NO_STACK_OPTION */
};

#define AT(field) offsetof(struct sockopts, field)
#define BOOL_ROW(level, name, field, stack)                                                        \
	{                                                                                          \
		level, name, INT_MIN, INT_MAX, FIELD_BOOL, AT(field), 0, stack                     \
	}

static const struct option_row rows[] = {
	BOOL_ROW(SOL_SOCKET, SO_REUSEADDR, reuse_address, NO_STACK_OPTION),
	BOOL_ROW(SOL_SOCKET, SO_REUSEPORT, reuse_port, NO_STACK_OPTION),
	BOOL_ROW(SOL_SOCKET, SO_KEEPALIVE, keep_alive, STACK_TCP_KEEPALIVE),
	BOOL_ROW(SOL_SOCKET, SO_BROADCAST, broadcast, NO_STACK_OPTION),
	BOOL_ROW(SOL_SOCKET, SO_OOBINLINE, oob_inline, NO_STACK_OPTION),
	BOOL_ROW(SOL_SOCKET, SO_RXQ_OVFL, receive_overflow, NO_STACK_OPTION),
	{ SOL_SOCKET, SO_MARK, INT_MIN, INT_MAX, FIELD_I32, AT(mark), 0, NO_STACK_OPTION },
	{ SOL_SOCKET, SO_PRIORITY, 0, 6, FIELD_I32, AT(priority), 0, NO_STACK_OPTION },
	BOOL_ROW(IPPROTO_TCP, TCP_NODELAY, no_delay, STACK_TCP_NODELAY),
	BOOL_ROW(IPPROTO_TCP, TCP_CORK, cork, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, thin_linear, NO_STACK_OPTION),
	{ IPPROTO_TCP, TCP_KEEPIDLE, 1, 32767, FIELD_I32, AT(keep_idle_s), KEEP_IDLE_DEFAULT_S,
	  STACK_TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 1, 32767, FIELD_I32, AT(keep_interval_s),
	  KEEP_INTERVAL_DEFAULT_S, STACK_TCP_KEEPINTVL },
	{ IPPROTO_TCP, TCP_KEEPCNT, 1, 127, FIELD_I32, AT(keep_count), KEEP_COUNT_DEFAULT,
	  STACK_TCP_KEEPCNT },
	{ IPPROTO_TCP, TCP_SYNCNT, 1, 127, FIELD_U8, AT(syn_count), SYN_COUNT_DEFAULT,
	  NO_STACK_OPTION },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 0, INT_MAX, FIELD_I32, AT(user_timeout_ms), 0,
	  NO_STACK_OPTION },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, INT_MIN, INT_MAX, FIELD_I32, AT(defer_accept_s), 0,
	  NO_STACK_OPTION },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, 0, INT_MAX, FIELD_I32, AT(window_clamp), 0,
	  NO_STACK_OPTION },
	{ IPPROTO_TCP, TCP_LINGER2, INT_MIN, INT_MAX, FIELD_I32, AT(linger2_s), 60,
	  NO_STACK_OPTION },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, INT_MIN, INT_MAX, FIELD_I32, AT(notsent_lowat), 0,
	  NO_STACK_OPTION },
	{ IPPROTO_TCP, TCP_FASTOPEN, 0, INT_MAX, FIELD_I32, AT(fastopen), 0, NO_STACK_OPTION },
	{ IPPROTO_IP, IP_TOS, 0, 255, FIELD_U8, AT(tos), 0, STACK_TCP_TOS },
	{ IPPROTO_IP, IP_TTL, 1, 255, FIELD_U8, AT(ttl), TTL_DEFAULT, STACK_TCP_TTL },
	{ IPPROTO_IP, IP_MTU_DISCOVER, 0, 5, FIELD_NEXT, AT(mtu_discover), IP_PMTUDISC_WANT,
	  NO_STACK_OPTION },
	BOOL_ROW(IPPROTO_IP, IP_PKTINFO, recv_packet_info, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_RECVTTL, recv_ttl, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_RECVTOS, recv_tos, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_RECVERR, recv_error, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_RECVOPTS, recv_options, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_RETOPTS, return_options, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_RECVORIGDSTADDR, recv_destination, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, no_bind_port, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_FREEBIND, freebind, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IP, IP_TRANSPARENT, transparent, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_V6ONLY, v6_only, NO_STACK_OPTION),
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1, 255, FIELD_U8, AT(hops6), TTL_DEFAULT,
	  STACK_TCP_TTL },
	{ IPPROTO_IPV6, IPV6_TCLASS, -1, 255, FIELD_U8, AT(tclass), 0, STACK_TCP_TOS },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, 0, 5, FIELD_U8, AT(mtu_discover6), IPV6_PMTUDISC_WANT,
	  NO_STACK_OPTION },
	{ IPPROTO_IPV6, IPV6_MINHOPCOUNT, 0, 255, FIELD_U8, AT(min_hops6), 0, NO_STACK_OPTION },
	BOOL_ROW(IPPROTO_IPV6, IPV6_RECVPKTINFO, recv_packet_info6, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, recv_hops6, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_RECVTCLASS, recv_tclass6, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_RECVERR, recv_error6, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_DONTFRAG, dont_fragment6, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_FREEBIND, freebind, NO_STACK_OPTION),
	BOOL_ROW(IPPROTO_IPV6, IPV6_TRANSPARENT, transparent, NO_STACK_OPTION),
};

static const struct option_row *row_find(int level, int name)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].level == level && rows[i].name == name) {
			return &rows[i];
		}
	}
	return NULL;
}

static void field_write(struct sockopts *opts, const struct option_row *row, int value)
{
	void *field = (char *)opts + row->offset;
	switch (row->kind) {
	case FIELD_BOOL:
		*(bool *)field = value != 0;
		break;
	case FIELD_U8:
		*(uint8_t *)field = (uint8_t)value;
		break;
	case FIELD_NEXT:
		*(uint16_t *)field = (uint16_t)(value + 1);
		break;
	case FIELD_I32:
		*(int32_t *)field = value;
		break;
	}
}

static int field_read(const struct sockopts *opts, const struct option_row *row)
{
	const void *field = (const char *)opts + row->offset;
	int value = 0;
	switch (row->kind) {
	case FIELD_BOOL:
		return *(const bool *)field;
	case FIELD_U8:
		value = *(const uint8_t *)field;
		break;
	case FIELD_NEXT:
		value = *(const uint16_t *)field;
		return value ? value - 1 : row->fallback;
	case FIELD_I32:
		value = *(const int32_t *)field;
		break;
	}
	return value ? value : row->fallback;
}

/* ---- set ---- */

/* An AF_INET6 socket keeps both families' options; only those of the protocol in use are told. */
static bool is_in_use(const struct sockopt_target *t, const struct option_row *row)
{
	return row->level != (t->is_ipv6 ? IPPROTO_IP : IPPROTO_IPV6);
}

static void stack_tell(const struct sockopt_target *t, const struct option_row *row)
{
	if (t->tcp && row->stack_option != NO_STACK_OPTION && is_in_use(t, row)) {
		(void)t->ops->tcp_option_set(t->tcp, (enum stack_option)row->stack_option,
					     field_read(t->opts, row));
	}
}

/* Linux doubles what is asked for, for its own overhead, and reports the double. */
static int32_t buffer_clamp(int asked, int least)
{
	int half = asked < 0 || asked > BUFFER_MAX / 2 ? BUFFER_MAX / 2 : asked;
	return half * 2 < least ? least : half * 2;
}

static int timeout_set(int64_t *out_us, const void *value, uint32_t length)
{
	struct timeval tv;
	if (length < sizeof tv) {
		return -EINVAL;
	}
	memcpy(&tv, value, sizeof tv);
	bool is_sane = tv.tv_sec > 0 && tv.tv_sec < INT32_MAX;
	*out_us = is_sane || tv.tv_sec == 0 ? (int64_t)tv.tv_sec * 1000000 + tv.tv_usec : 0;
	return 0;
}

/* Linux keeps a number of retransmissions, and reports the time that they take. */
static int32_t defer_round(int seconds)
{
	enum { FIRST_S = 1, LONGEST_S = 120 };
	int total = seconds > 0 ? FIRST_S : 0;
	for (int wait = FIRST_S; total < seconds && total < UINT16_MAX;) {
		wait = wait * 2 > LONGEST_S ? LONGEST_S : wait * 2;
		total += wait;
	}
	return total;
}

static int linger_set(struct sockopts *opts, const void *value, uint32_t length)
{
	struct linger linger;
	if (length < sizeof linger) {
		return -EINVAL;
	}
	memcpy(&linger, value, sizeof linger);
	opts->is_lingering = linger.l_onoff != 0;
	opts->linger_s = linger.l_linger;
	return 0;
}

/* Options that are not an integer of the table. 1 = not mine. */
static int special_set(struct sockopts *opts, int level, int name, const void *value,
		       uint32_t length)
{
	if (level == SOL_SOCKET && name == SO_LINGER) {
		return linger_set(opts, value, length);
	}
	if (level == SOL_SOCKET && name == SO_RCVTIMEO) {
		return timeout_set(&opts->receive_timeout_us, value, length);
	}
	if (level == SOL_SOCKET && name == SO_SNDTIMEO) {
		return timeout_set(&opts->send_timeout_us, value, length);
	}
	if (level == IPPROTO_IP && name == IP_OPTIONS) {
		return length == 0 ? 0 : -EPERM;
	}
	if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
		return length >= 5 && memcmp(value, "cubic", 5) == 0 ? 0 : -ENOENT;
	}
	if (level == IPPROTO_TCP && name == TCP_ULP) {
		return -ENOENT; /* OpenSSL then does not try kTLS */
	}
	return 1;
}

/* Integers of IPPROTO_TCP whose meaning is not "store it". 1 = not mine. */
static int integer_set_tcp(struct sockopts *opts, int name, int value)
{
	enum { SEGMENT_MIN = 88, SEGMENT_MAX = 32767, LINGER2_MAX_S = 120, CLAMP_MIN = 1152 };
	switch (name) {
	case TCP_MAXSEG:
		if (value != 0 && (value < SEGMENT_MIN || value > SEGMENT_MAX)) {
			return -EINVAL;
		}
		opts->max_segment = (uint16_t)value;
		return 0;
	case TCP_QUICKACK:
		opts->quick_ack_off = value == 0;
		return 0;
	case TCP_LINGER2:
		opts->linger2_s = value < 0 ? -1 : value > LINGER2_MAX_S ? LINGER2_MAX_S : value;
		return 0;
	case TCP_DEFER_ACCEPT:
		opts->defer_accept_s = defer_round(value);
		return 0;
	case TCP_WINDOW_CLAMP:
		if (value < 0) {
			return -EINVAL;
		}
		opts->window_clamp = value != 0 && value < CLAMP_MIN ? CLAMP_MIN : value;
		return 0;
	case TCP_THIN_DUPACK: /* without effect since Linux 4.12 */
		return value < 0 || value > 1 ? -EINVAL : 0;
	default:
		return 1;
	}
}

/* Integers whose meaning is not "store it". 1 = not mine. */
static int integer_set(struct sockopts *opts, int level, int name, int value)
{
	if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_SNDBUFFORCE)) {
		opts->send_buffer = buffer_clamp(value, SEND_BUFFER_MIN);
		return 0;
	}
	if (level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_RCVBUFFORCE)) {
		opts->receive_buffer = buffer_clamp(value, RECEIVE_BUFFER_MIN);
		return 0;
	}
	if (level == SOL_SOCKET && name == SO_RCVLOWAT) {
		opts->receive_low = value < 0 ? INT32_MAX : value;
		return 0;
	}
	if (level == IPPROTO_TCP) {
		return integer_set_tcp(opts, name, value);
	}
	if (level == IPPROTO_IP && name == IP_TTL && value == -1) { /* "the default" */
		opts->ttl = 0;
		return 0;
	}
	return 1;
}

int sockopt_set(const struct sockopt_target *t, int level, int name, const void *value,
		uint32_t length)
{
	if (level == IPPROTO_IPV6 && !t->is_inet6) {
		return -ENOPROTOOPT;
	}
	int result = special_set(t->opts, level, name, value, length);
	if (result != 1) {
		return result;
	}
	int number = 0;
	bool is_byte = level == IPPROTO_IP && length >= 1 && length < sizeof number;
	if (is_byte) { /* IP options may be given as one byte */
		number = *(const uint8_t *)value;
	} else if (length >= sizeof number) {
		memcpy(&number, value, sizeof number);
	} else {
		return row_find(level, name) ? -EINVAL : -ENOPROTOOPT;
	}
	result = level == IPPROTO_IPV6 ? sockopt6_set(t, name, &number)
				       : integer_set(t->opts, level, name, number);
	if (result != 1) {
		return result;
	}
	const struct option_row *row = row_find(level, name);
	if (!row) {
		return -ENOPROTOOPT;
	}
	if (number < row->minimum || number > row->maximum) {
		return -EINVAL;
	}
	field_write(t->opts, row, number);
	stack_tell(t, row);
	return 0;
}

void sockopt_apply(const struct sockopt_target *t)
{
	static const struct sockopts defaults;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (field_read(t->opts, &rows[i]) != field_read(&defaults, &rows[i])) {
			stack_tell(t, &rows[i]);
		}
	}
}

void sockopt_established(const struct sockopt_target *t)
{
	if (t->tcp && t->opts->max_segment != 0) {
		(void)t->ops->tcp_option_set(t->tcp, STACK_TCP_MAXSEG, t->opts->max_segment);
	}
}

int64_t sockopt_connect_timeout_ms(const struct sockopts *opts)
{
	enum { LAST_DOUBLED = 7, RTO_MAX_S = 120 };
	if (opts->user_timeout_ms > 0) {
		return opts->user_timeout_ms;
	}
	/* Waits of 1, 2, 4, ... seconds, at most 120 each: 127 s for the default of 6 retries. */
	int64_t total_s = 0;
	int retries = opts->syn_count ? opts->syn_count : SYN_COUNT_DEFAULT;
	for (int i = 0; i <= retries; i++) {
		total_s += i < LAST_DOUBLED ? 1 << i : RTO_MAX_S;
	}
	return total_s * 1000;
}

/* ---- get ---- */

static int value_put(const void *from, size_t size, void *value, uint32_t *length)
{
	if (*length > size) {
		*length = (uint32_t)size;
	}
	memcpy(value, from, *length);
	return 0;
}

static int max_segment_get(const struct sockopt_target *t)
{
	struct stack_tcp_info info = { 0 };
	if (t->tcp) {
		t->ops->tcp_info(t->tcp, &info);
	}
	if (info.mss) {
		return info.mss;
	}
	if (t->is_shortcut) {
		struct tcp_info of_lo;
		sockopt_info(t, &of_lo);
		int mss = (int)of_lo.tcpi_snd_mss, limit = t->opts->max_segment;
		return limit != 0 && limit < mss ? limit : mss;
	}
	return t->opts->max_segment ? t->opts->max_segment : t->mss;
}

/* Integers whose value is not simply a field. False = not mine. */
static bool integer_get(const struct sockopt_target *t, int level, int name, int *out)
{
	const struct sockopts *opts = t->opts;
	if (level == SOL_SOCKET && name == SO_SNDBUF) {
		*out = opts->send_buffer ? opts->send_buffer : SEND_BUFFER_DEFAULT;
	} else if (level == SOL_SOCKET && name == SO_RCVBUF) {
		*out = opts->receive_buffer ? opts->receive_buffer : RECEIVE_BUFFER_DEFAULT;
	} else if (level == IPPROTO_TCP && name == TCP_MAXSEG) {
		*out = max_segment_get(t);
	} else if (level == IPPROTO_TCP && name == TCP_QUICKACK) {
		*out = !opts->quick_ack_off;
	} else if (level == IPPROTO_TCP && name == TCP_THIN_DUPACK) {
		*out = 0;
	} else if (level == IPPROTO_IP && name == IP_MTU) {
		*out = (int)t->mtu;
	} else if (level == IPPROTO_IPV6) {
		return sockopt6_get(t, name, out);
	} else {
		return false;
	}
	return true;
}

int sockopt_get(const struct sockopt_target *t, int level, int name, void *value, uint32_t *length)
{
	if (level == SOL_SOCKET && name == SO_LINGER) {
		struct linger linger = { .l_onoff = t->opts->is_lingering,
					 .l_linger = t->opts->linger_s };
		return value_put(&linger, sizeof linger, value, length);
	}
	if (level == IPPROTO_TCP && name == TCP_INFO) {
		struct tcp_info info;
		sockopt_info(t, &info);
		return value_put(&info, sizeof info, value, length);
	}
	if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
		static const char congestion[16] = "cubic";
		return value_put(congestion, sizeof congestion, value, length);
	}
	if (level == IPPROTO_IP && name == IP_OPTIONS) {
		*length = 0; /* sshd hangs up on anything else */
		return 0;
	}
	if (level == IPPROTO_IPV6 && !t->is_inet6) {
		return -ENOPROTOOPT;
	}
	bool is_of_path = level == IPPROTO_IPV6 ? name == IPV6_MTU || name == IPV6_ADDRFORM
						: level == IPPROTO_IP && name == IP_MTU;
	if (is_of_path && t->mtu == 0) {
		return -ENOTCONN;
	}
	int number = 0;
	if (!integer_get(t, level, name, &number)) {
		const struct option_row *row = row_find(level, name);
		if (!row) {
			return -ENOPROTOOPT;
		}
		number = field_read(t->opts, row);
	}
	return value_put(&number, sizeof number, value, length);
}
