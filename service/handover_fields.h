/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a virtual socket's record is made of on its way to a successor. */
#ifndef SERVICE_HANDOVER_FIELDS_H
#define SERVICE_HANDOVER_FIELDS_H

#include "service/sockopt.h"

/* Options in the order of the format; new ones are added at the end. */
#define HANDOVER_OPTIONS(X)                                                                        \
	X(keep_idle_s)                                                                             \
	X(keep_interval_s)                                                                         \
	X(keep_count)                                                                              \
	X(send_buffer)                                                                             \
	X(receive_buffer)                                                                          \
	X(receive_timeout_us)                                                                      \
	X(send_timeout_us)                                                                         \
	X(receive_low)                                                                             \
	X(linger_s)                                                                                \
	X(user_timeout_ms)                                                                         \
	X(defer_accept_s)                                                                          \
	X(window_clamp)                                                                            \
	X(linger2_s)                                                                               \
	X(notsent_lowat)                                                                           \
	X(fastopen)                                                                                \
	X(mark)                                                                                    \
	X(priority)                                                                                \
	X(max_segment)                                                                             \
	X(mtu_discover)                                                                            \
	X(syn_count)                                                                               \
	X(tos)                                                                                     \
	X(ttl)                                                                                     \
	X(reuse_address)                                                                           \
	X(reuse_port)                                                                              \
	X(keep_alive)                                                                              \
	X(is_lingering)                                                                            \
	X(broadcast)                                                                               \
	X(oob_inline)                                                                              \
	X(no_delay)                                                                                \
	X(cork)                                                                                    \
	X(quick_ack_off)                                                                           \
	X(thin_linear)                                                                             \
	X(freebind)                                                                                \
	X(transparent)                                                                             \
	X(mtu6)                                                                                    \
	X(tclass)                                                                                  \
	X(hops6)                                                                                   \
	X(mtu_discover6)                                                                           \
	X(min_hops6)                                                                               \
	X(remembered6)                                                                             \
	X(has_hops6)                                                                               \
	X(has_mtu_discover6)                                                                       \
	X(recv_packet_info)                                                                        \
	X(recv_ttl)                                                                                \
	X(recv_tos)                                                                                \
	X(recv_error)                                                                              \
	X(receive_overflow)                                                                        \
	X(recv_options)                                                                            \
	X(return_options)                                                                          \
	X(recv_destination)                                                                        \
	X(no_bind_port)                                                                            \
	X(v6_only)                                                                                 \
	X(recv_packet_info6)                                                                       \
	X(recv_hops6)                                                                              \
	X(recv_tclass6)                                                                            \
	X(recv_error6)                                                                             \
	X(dont_fragment6)                                                                          \
	X(flow_label_off6)

/* The record's bits in the order of the format. Ready bits are not among them: they are set. */
#define HANDOVER_BITS(X)                                                                           \
	X(has_pawn)                                                                                \
	X(is_error_told)                                                                           \
	X(is_stale)                                                                                \
	X(is_shortcut)                                                                             \
	X(has_token)                                                                               \
	X(is_deferred)                                                                             \
	X(is_cork_due)                                                                             \
	X(is_waiting_record)                                                                       \
	X(has_b_eof)                                                                               \
	X(has_b_hup)                                                                               \
	X(has_b_error)                                                                             \
	X(is_up_shut)                                                                              \
	X(is_b_write_gone)                                                                         \
	X(has_peer_eof)                                                                            \
	X(is_down_shut)                                                                            \
	X(has_stack_end)                                                                           \
	X(is_autobound)                                                                            \
	X(has_closed_first)

/* An option that is kept but not listed here would be lost in a restart. */
_Static_assert(sizeof(struct sockopts) == 128, "see OPTIONS");

#endif
