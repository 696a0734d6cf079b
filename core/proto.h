/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every number of the peer-to-peer protocol (VL1): codes, lengths, limits, timers. Networks:
 * proto2.h.
 *
 * Each row names its section of the specification (docs/protocol). Times are milliseconds.
 */
#ifndef ZT_PROTO_H
#define ZT_PROTO_H

/* ---- packet layout, vl1 4 ------------------------------------------------------------------- */
enum {
	PACKET_ID_AT = 0,
	PACKET_DEST_AT = 8,
	PACKET_SOURCE_AT = 13,
	PACKET_FLAGS_AT = 18,
	PACKET_MAC_AT = 19,
	PACKET_VERB_AT = 27,
	PACKET_PAYLOAD_AT = 28,

	PACKET_MIN_BYTES = 28,
	PACKET_MAX_BYTES = 10024,
	PACKET_PAYLOAD_MAX_BYTES = PACKET_MAX_BYTES - PACKET_PAYLOAD_AT,
	PACKET_MAC_BYTES = 8,
	ADDRESS_BYTES = 5,

	PACKET_FLAG_ENCRYPTED = 0x80, /* historic; protocol 13 reuses it (vl1 5.7) */
	PACKET_FLAG_FRAGMENTED = 0x40,
	PACKET_CIPHER_SHIFT = 3,
	PACKET_CIPHER_MASK = 0x38,
	PACKET_HOPS_MASK = 0x07,
	PACKET_VERB_MASK = 0x1f,
	PACKET_VERB_COMPRESSED = 0x80,
};

enum packet_cipher {
	PACKET_CIPHER_POLY = 0,    /* authenticated plaintext: HELLO */
	PACKET_CIPHER_SALSA = 1,   /* Salsa20/12 and Poly1305 */
	PACKET_CIPHER_TRUSTED = 2, /* nothing: trusted paths (vl1 5.8) */
	PACKET_CIPHER_SIV = 3,     /* AES-256-GMAC-SIV, protocol 12 */
};

/* vl1 4.1 */
enum verb {
	VERB_NOP = 0x00,
	VERB_HELLO = 0x01,
	VERB_ERROR = 0x02,
	VERB_OK = 0x03,
	VERB_WHOIS = 0x04,
	VERB_RENDEZVOUS = 0x05,
	VERB_FRAME = 0x06,
	VERB_EXT_FRAME = 0x07,
	VERB_ECHO = 0x08,
	VERB_MULTICAST_LIKE = 0x09,
	VERB_NETWORK_CREDENTIALS = 0x0a,
	VERB_NETWORK_CONFIG_REQUEST = 0x0b,
	VERB_NETWORK_CONFIG = 0x0c,
	VERB_MULTICAST_GATHER = 0x0d,
	VERB_MULTICAST_FRAME = 0x0e,
	VERB_PUSH_DIRECT_PATHS = 0x10,
	VERB_ACK = 0x12,
	VERB_QOS_MEASUREMENT = 0x13,
	VERB_USER_MESSAGE = 0x14,
	VERB_REMOTE_TRACE = 0x15,
	VERB_PATH_NEGOTIATION_REQUEST = 0x16,
};

/* vl1 9.4 */
enum error_code {
	ERROR_NONE = 0,
	ERROR_INVALID_REQUEST = 1,
	ERROR_BAD_PROTOCOL_VERSION = 2,
	ERROR_OBJ_NOT_FOUND = 3,
	ERROR_IDENTITY_COLLISION = 4,
	ERROR_UNSUPPORTED_OPERATION = 5,
	ERROR_NEED_MEMBERSHIP_CERTIFICATE = 6,
	ERROR_NETWORK_ACCESS_DENIED = 7,
	ERROR_UNWANTED_MULTICAST = 8,
	ERROR_NETWORK_AUTHENTICATION_REQUIRED = 9,
};

/* ---- versions ------------------------------------------------------------------------------- */
enum {
	PROTO_VERSION_MIN = 4, /* older HELLOs are dropped (vl1 9.2) */
	PROTO_VERSION_PORT =
	    5, /* below: OK(HELLO) reports port 0 (9.3); HELLO instead of ECHO (12.2) */
	PROTO_VERSION_SIV = 12, /* from here on cipher 3 (vl1 5.6) */
};

/* ---- fragments, vl1 6 ----------------------------------------------------------------------- */
enum {
	FRAG_HEADER_BYTES = 16,
	FRAG_INDICATOR_AT = 13, /* 0xff: no node address starts so */
	FRAG_INDICATOR = 0xff,
	FRAG_NUMBERS_AT = 14,
	FRAG_HOPS_AT = 15,
	FRAG_MAX_DATAGRAMS = 7, /* head included */
	FRAG_SLOTS = 32,
	FRAG_EXPIRY_MS = 5000,          /* vl1 19, item 8 */
	PATH_MTU_BYTES = 1432,          /* UDP payload (vl1 6) */
	PATH_MTU_MIN_BYTES = 1400,      /* configured MTUs are clamped to these (vl1 16.2) */
	PATH_MTU_ROUTE_MIN_BYTES = 548, /* a route takes 576 bytes, or is none (RFC 791) */
	PATH_MTU_MAX_BYTES = 10324,
	BEACON_BYTES = 13, /* historic LAN beacon */
};

/* ---- compression, vl1 7 --------------------------------------------------------------------- */
enum { COMPRESS_MIN_BYTES = 64 }; /* payloads up to this stay as they are */

/* ---- messages, vl1 9 ------------------------------------------------------------------------ */
enum {
	OK_PAYLOAD_AT = 37, /* after in-re verb and in-re packet id */
	ERROR_PAYLOAD_AT = 38,
	HELLO_MOON_BYTES = 17, /* one moon entry of the HELLO tail */
	PUSH_MAX_BYTES = 1200, /* stop adding paths when size + 24 reaches this (vl1 12.3) */
	PUSH_FLAG_FORGET = 0x01,
	PUSH_FLAG_REDIRECT = 0x02,
	RENDEZVOUS_JUNK_BYTES = 4,
	RENDEZVOUS_JUNK_TTL = 2,
	USER_MESSAGE_MIN_BYTES = 8,
};

/* ---- worlds, vl1 11 ------------------------------------------------------------------------- */
enum {
	WORLD_TYPE_PLANET = 1,
	WORLD_TYPE_MOON = 127,
	WORLD_MAX_ROOTS = 4,
	WORLD_MAX_ENDPOINTS = 32, /* per root */
	WORLD_MAX_BYTES = 8500,   /* a little above the largest possible one */
};

/* ---- times, vl1 10.3, 12 and 15 -------------------------------------------------------------- */
enum {
	PEER_CHECK_MS = 5000,                     /* periodic work (12.1) */
	PEER_CHECK_LOW_MS = 25000,                /* the same in low-bandwidth mode */
	PATH_ALIVE_MS = 19000,                    /* something came in (10.3) */
	PATH_EXPIRY_MS = 243000,                  /* usable until then (10.3) */
	PATH_HEARTBEAT_MS = 14000,                /* send something after this silence (10.3) */
	PEER_FULL_HELLO_MS = 60000,               /* HELLO instead of ECHO (12.1) */
	PEER_EXPIRY_MS = 500000,                  /* forget (12.1); also: data peer, online */
	PEER_TRUST_MS = 600000,                   /* trusted after a membership proof (10.2) */
	PEER_SCORE_STEP_MS = 61000,               /* best upstream (11.5) */
	HOUSEKEEPING_MS = 30000,                  /* 12.1 */
	QUEUE_RETRY_MS = 500,                     /* transmit queue and ring (10.1, 10.5) */
	QUEUE_EXPIRY_MS = 5000,                   /* 15.10 */
	QUEUE_ENTRIES = 32,                       /* 15.10 */
	HINTS_MS = 30000,                         /* 10.5 */
	PUSH_RELAYED_MS = 15000,                  /* 12.3 */
	PUSH_DIRECT_MS = 120000,                  /* 12.3 */
	PUSH_DIRECT_LOW_MS = 16 * PUSH_DIRECT_MS, /* 12.3, low bandwidth */
	SURFACE_EXPIRY_MS = 600000,               /* self-awareness (13) */
	RELAY_PAIRS_EXPIRY_MS = 240000,           /* 14 */
	RELAY_MAX_HOPS = 3,                       /* dropped from here on (14) */
};

/* ---- rate gates, vl1 15 --------------------------------------------------------------------- */
enum {
	GATE_IDENTITY_MS = 2000,         /* 15.1 */
	GATE_IDENTITY_LOOPBACK_MS = 100, /* decision S20 */
	GATE_IDENTITY_BUCKETS = 16384,   /* 15.1: 14 bits */
	GATE_ECHO_MS = 166,              /* 15.2, per path */
	GATE_WHOIS_ANSWER_MS = 100,      /* 15.3, per peer */
	GATE_PUSH_MS = 30000,            /* 15.4 */
	GATE_PUSH_COUNT = 8,             /* 15.4 */
	GATE_PUSH_CONTACTS = 8,          /* 15.5, per scope and family */
	GATE_CONFIRM_MS = 1000,          /* 15.6, per path */
	GATE_WHOIS_MS = 500,             /* 15.7, per address */
	WHOIS_FORGET_MS = 1000,          /* 9.5 */
	GATE_RENDEZVOUS_MS = 30000,      /* 15.8, per pair */
	GATE_BEACON_MS = 2500,           /* 15.12 */
};

#endif
