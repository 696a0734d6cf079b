/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP_INFO in Linux's layout: from the stack's connection, from a listener's queue (as Linux, in
 * the fields of something else), or, for a short cut, what a connection over lo would say.
 */
#include "service/sockopt.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
	LO_MTU = 65536, /* of Linux's loopback interface */
	LO_WINDOW = 65495,
	LO_RTO_US = 200000,
	LO_RTT_US = 20, /* about; a program wants to see that there is a measurement */
	LO_RTTVAR_US = 10,
	INITIAL_CWND = 10,
	INITIAL_RTO_US = 1000000,
	INITIAL_RTTVAR_US = 250000,
	NO_THRESHOLD = 0x7fffffff,
	MSS_LEAST = 536,
};

static void info_stack(const struct sockopt_target *t, struct tcp_info *out)
{
	struct stack_tcp_info s = { 0 };
	t->ops->tcp_info(t->tcp, &s);
	uint32_t mss = s.mss ? s.mss : 1;
	out->tcpi_state = s.state;
	out->tcpi_retransmits = s.retransmits;
	out->tcpi_snd_mss = out->tcpi_rcv_mss = out->tcpi_advmss = s.mss;
	out->tcpi_rtt = s.rtt_us;
	out->tcpi_rttvar = s.rttvar_us;
	out->tcpi_rto = s.rto_us;
	out->tcpi_snd_cwnd = s.cwnd_bytes / mss;
	out->tcpi_snd_ssthresh = s.ssthresh_bytes / mss;
	out->tcpi_unacked = (s.unacked_bytes + mss - 1) / mss;
	out->tcpi_rcv_space = s.receive_window;
	out->tcpi_rcv_ssthresh = s.receive_window;
	out->tcpi_pmtu = s.mss + (t->is_ipv6 ? 60U : 40U);
}

static void info_shortcut(const struct sockopt_target *t, struct tcp_info *out)
{
	out->tcpi_snd_mss = out->tcpi_rcv_mss = out->tcpi_advmss =
	    LO_MTU - (t->is_ipv6 ? 60U : 40U);
	out->tcpi_pmtu = LO_MTU;
	out->tcpi_rto = LO_RTO_US;
	out->tcpi_rtt = LO_RTT_US;
	out->tcpi_rttvar = LO_RTTVAR_US;
	out->tcpi_rcv_space = out->tcpi_rcv_ssthresh = LO_WINDOW;
}

void sockopt_info(const struct sockopt_target *t, struct tcp_info *out)
{
	*out = (struct tcp_info){ .tcpi_state = t->linux_state };
	out->tcpi_snd_mss = out->tcpi_rcv_mss = MSS_LEAST;
	out->tcpi_rto = INITIAL_RTO_US;
	out->tcpi_rttvar = INITIAL_RTTVAR_US;
	out->tcpi_snd_cwnd = INITIAL_CWND;
	out->tcpi_snd_ssthresh = NO_THRESHOLD;
	if (t->tcp) {
		info_stack(t, out);
	} else if (t->is_shortcut) {
		info_shortcut(t, out);
	} else if (t->linux_state == TCP_LISTEN) {
		out->tcpi_unacked = (uint32_t)t->waiting;
		out->tcpi_sacked = (uint32_t)t->backlog;
	}
}
