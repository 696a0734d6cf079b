/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* lwIP's options, each with its reason. What is not here keeps lwIP's default (lwip/opt.h). */
#ifndef STACK_LWIPOPTS_H
#define STACK_LWIPOPTS_H

#include "stack/hooks.h"

/* --- One thread, no operating system, no clock: everything is injected (stack.h). */
#define NO_SYS                    1
#define SYS_LIGHTWEIGHT_PROT      0 /* one thread per copy of the library */
#define LWIP_NETCONN              0
#define LWIP_SOCKET               0
#define LWIP_TIMERS               0 /* our own deadlines (stack.c): an idle network wakes nobody */
#define LWIP_HOOK_FILENAME        "stack/hooks.h"
#define LWIP_RAND()               stk_random32()
#define LWIP_ASSERT_CORE_LOCKED() /* one thread */

/* --- Memory: stack/heap.c. lwIP's own heap spends 90 % of the time in its first-fit search under
 * load (design D3, measured), so neither it nor its fixed pools are used. */
#define MEM_CUSTOM_ALLOCATOR 1
#define MEMP_MEM_MALLOC      1
#define MEM_CUSTOM_MALLOC    stk_heap_alloc
#define MEM_CUSTOM_CALLOC    stk_heap_calloc
#define MEM_CUSTOM_FREE      stk_heap_free
#define MEM_ALIGNMENT        8 /* pointers live in what is allocated */

/* --- Ethernet is ours: neighbours in neigh.c (decision S15), frames in netif.c. */
#define LWIP_ARP                     0
#define LWIP_ETHERNET                0
#define LWIP_SINGLE_NETIF            0 /* one lwIP interface per address of the network (addr.c) */
#define LWIP_NETIF_TX_SINGLE_PBUF    1 /* a frame leaves as one run of bytes, never gathered */
#define PBUF_LINK_HLEN               14
#define PBUF_LINK_ENCAPSULATION_HLEN 64 /* STACK_FRAME_HEADROOM, checked in netif.c */
#define LWIP_NETIF_HWADDRHINT        0

/* --- IP. lwIP does TCP and nothing else: neighbours (neigh.c, arp.c, ndp.c), fragments
 * (fragment.c), ICMP (icmp.c) and UDP (udp.c) are ours, so lwIP has no timer of its own. */
#define LWIP_IPV4                       1
#define LWIP_IPV6                       1
#define LWIP_IPV6_SCOPES                0 /* one link; the service knows scope ids */
#define LWIP_IPV6_NUM_ADDRESSES         1 /* per lwIP interface; each address has one of its own */
#define LWIP_IPV6_MLD                   0 /* the virtual network's subscriptions replace MLD and IGMP */
#define LWIP_IPV6_AUTOCONFIG            0 /* the controller assigns addresses */
#define LWIP_IPV6_SEND_ROUTER_SOLICIT   0
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS   0 /* an assigned address is valid at once (S15) */
#define LWIP_IPV6_FRAG                  0
#define LWIP_IPV6_REASS                 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define LWIP_ND6_QUEUEING               0
#define LWIP_ICMP                       0
#define LWIP_ICMP6                      0
#define LWIP_RAW                        0
#define LWIP_UDP                        0
#define LWIP_DNS                        0
#define LWIP_DHCP                       0
#define LWIP_IGMP                       0
#define IP_FORWARD                      0 /* a host, never a router */
#define IP_OPTIONS_ALLOWED              0 /* source routing and the like: dropped */
#define IP_REASSEMBLY                   0
#define IP_FRAG                         0

/* --- Checksums: generated always, checked per frame: netif.c sets the interface's flags from
 * stack_frame.is_authentic before each input (decision S16). */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define CHECKSUM_GEN_IP              1
#define CHECKSUM_GEN_TCP             1
#define CHECKSUM_CHECK_IP            1
#define CHECKSUM_CHECK_TCP           1
#define LWIP_CHKSUM                  stk_checksum /* wide sums instead of 16 bits at a time */

/* --- TCP. */
#define LWIP_TCP              1
#define TCP_MSS               9960 /* upper bound; the interface's MTU decides (ZeroTier: <= 10000) */
#define LWIP_WND_SCALE        1
#define TCP_RCV_SCALE         7             /* 65535 << 7 = 8 MB: room for S17's growth to 6 MB */
#define TCP_WND               (1024 * 1024) /* advertised window, decision S17 */
#define TCP_SND_BUF           (1024 * 1024) /* the same on our side of a connection */
#define TCP_SND_QUEUELEN      8192 /* segments; small writes share a segment (TCP_OVERSIZE) */
#define TCP_SNDLOWAT          (16 * 1024) /* sockets API only; the default overflows with this MSS */
#define TCP_SNDQUEUELOWAT     (TCP_SND_QUEUELEN / 2)
#define TCP_OVERSIZE          TCP_MSS /* asked for by LWIP_NETIF_TX_SINGLE_PBUF */
#define TCP_QUEUE_OOSEQ       1
#define TCP_OOSEQ_MAX_PBUFS   1024 /* a full window of segments; bounds one-byte segments too */
#define TCP_OOSEQ_MAX_BYTES   TCP_WND
#define LWIP_TCP_SACK_OUT     1 /* tell the peer what arrived; parsing is later work (S12) */
#define LWIP_TCP_MAX_SACK_NUM 4
#define LWIP_TCP_KEEPALIVE    1 /* per-connection idle, interval and count */
#define TCP_LISTEN_BACKLOG    0 /* the service owns backlogs and says so in `admit` */
#define SO_REUSE              1 /* service/ports.c owns ports; lwIP only refuses equal 4-tuples */
#define TCP_MSL               30000 /* TIME_WAIT of 60 s, as Linux (S5) */
#define TCP_SYNMAXRTX         6     /* as Linux: about two minutes to ETIMEDOUT */
#define TCP_MAXRTX            12
#define LWIP_TCP_PCB_NUM_EXT_ARGS                                                                  \
	1 /* tells when a half-open connection dies (stk_tcp_accept.c)                             \
	   */
#define LWIP_TCP_PCB_EXTRA         struct tcp_pcb_extra extra; /* our patch: deadlines live in the pcb */
#define TCP_SLOW_INTERVAL          1 /* our patch: all of TCP's times are milliseconds */
#define TCP_FAST_INTERVAL          40 /* delayed ACK (S12); lwIP's 250 ms stalls request and response */
#define LWIP_TCP_RTO_TIME          1000         /* first retransmission of a SYN, RFC 6298 (2.1) */
#define LWIP_HOOK_TCP_ISN          stk_hook_isn /* RFC 6528 */
#define LWIP_HOOK_TCP_INPACKET_PCB stk_hook_tcp_in /* `admit`, before any memory is spent */
#define LWIP_TCP_DEMUX_ADD         stk_demux_add   /* our patch: connections are hashed */
#define LWIP_TCP_DEMUX_REMOVE      stk_demux_remove
#define LWIP_TCP_DEMUX_FIND        stk_demux_find
#define LWIP_TCP_TIME_WAIT_IN      stk_tcp_in_time_wait /* ... what is in TIME-WAIT is compact, */
#define LWIP_TCP_LISTENER_FIND     stk_listener_find    /* and listeners are in a table */
#define LWIP_HOOK_IP4_ROUTE_SRC    stk_hook_route
#define LWIP_HOOK_IP6_ROUTE        stk_hook_route6

/* --- Statistics: only the MIB-2 counters, for retransmissions; the rest is counted in netif.c. */
#define LWIP_STATS       1
#define LWIP_STATS_LARGE 1
#define MIB2_STATS       1
#define LINK_STATS       0
#define IP_STATS         0
#define IPFRAG_STATS     0
#define ICMP_STATS       0
#define TCP_STATS        0
#define MEM_STATS        0
#define MEMP_STATS       0
#define SYS_STATS        0

#endif
