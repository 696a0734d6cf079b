/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A TCP connection as bytes, for the successor of a service that hands over (decision S10).
 *
 * The format is as private as the tcp_pcb itself: both sides must have the same STACK_ABI, which is
 * raised with every change here or in what a pcb means. Times are tcp_ticks, that is milliseconds
 * of the monotonic clock, which is one for all processes of a machine. */
#ifndef STACK_STK_TCP_STATE_H
#define STACK_STK_TCP_STATE_H

#include "stack/stk_tcp.h"

#include <lwip/priv/tcp_priv.h>

/* Everything of a tcp_pcb that is a number: X(bytes, member). */
#define TCP_STATE_MEMBERS(X)                                                                       \
	X(1, state)                                                                                \
	X(1, so_options)                                                                           \
	X(1, tos)                                                                                  \
	X(1, ttl)                                                                                  \
	X(2, flags)                                                                                \
	X(4, tmr)                                                                                  \
	X(4, rcv_nxt)                                                                              \
	X(4, rcv_wnd)                                                                              \
	X(4, rcv_ann_wnd)                                                                          \
	X(4, rcv_ann_right_edge)                                                                   \
	X(1, rto_on)                                                                               \
	X(4, rto_start)                                                                            \
	X(4, fast_start)                                                                           \
	X(4, retry_start)                                                                          \
	X(2, mss)                                                                                  \
	X(4, rttest)                                                                               \
	X(4, rtseq)                                                                                \
	X(4, sa)                                                                                   \
	X(4, sv)                                                                                   \
	X(4, rto)                                                                                  \
	X(1, nrtx)                                                                                 \
	X(1, dupacks)                                                                              \
	X(4, lastack)                                                                              \
	X(4, cwnd)                                                                                 \
	X(4, ssthresh)                                                                             \
	X(4, rto_end)                                                                              \
	X(4, snd_nxt)                                                                              \
	X(4, snd_wl1)                                                                              \
	X(4, snd_wl2)                                                                              \
	X(4, snd_lbb)                                                                              \
	X(4, snd_wnd)                                                                              \
	X(4, snd_wnd_max)                                                                          \
	X(4, snd_buf)                                                                              \
	X(2, unsent_oversize)                                                                      \
	X(4, bytes_acked)                                                                          \
	X(4, keep_idle)                                                                            \
	X(4, keep_intvl)                                                                           \
	X(4, keep_cnt)                                                                             \
	X(4, persist_start)                                                                        \
	X(1, persist_backoff)                                                                      \
	X(1, persist_probe)                                                                        \
	X(1, keep_cnt_sent)                                                                        \
	X(1, snd_scale)                                                                            \
	X(1, rcv_scale)

/* A patch that gives lwIP's connection a new member must say here how it travels (or that it need
 * not), correct this number and raise STACK_ABI. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct tcp_pcb) == 464, "see TCP_STATE_MEMBERS");

enum {
	TCP_STATE_ENTRY_BYTES = 512,  /* at most, without segments and received bytes */
	TCP_STATE_SEGMENT_BYTES = 16, /* at most, without its payload */
};

/* What an entry is. */
enum tcp_state_kind {
	TCP_STATE_HANDLE = 1, /* a handle, with a pcb or without */
	TCP_STATE_ORPHAN = 2, /* a pcb that nobody holds: closed by us, half open, or TIME_WAIT */
};

#endif
