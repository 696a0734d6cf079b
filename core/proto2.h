/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* VL2: every number, limit and timer of virtual networks, with its unit and its source in
 * spec/vl2.md. */
#ifndef CORE_PROTO2_H
#define CORE_PROTO2_H

#include <stdint.h>

/* Limits ("Selected constants"). Where a configuration carries more, the excess is skipped. */
enum {
	VL2_MTU_DEFAULT = 2800,
	VL2_MTU_MIN = 1280,
	VL2_MTU_MAX = 10000,
	VL2_PACKET_MAX_BYTES = 10024, /* reassembled: 7 x 1432 */
	VL2_RULES_MAX = 1024,         /* per network */
	VL2_CAPABILITY_RULES_MAX = 64,
	VL2_CAPABILITIES_MAX = 128, /* per member */
	VL2_TAGS_MAX = 128,         /* per member */
	VL2_COOS_MAX = 4,           /* certificates of ownership per member */
	VL2_COO_THINGS_MAX = 16,
	VL2_CUSTODY_MAX = 7, /* length of a capability's custody chain */
	VL2_COM_QUALIFIERS_MAX = 8,
	VL2_ROUTES_MAX = 128,
	VL2_ADDRESSES_MAX = 32,
	VL2_SPECIALISTS_MAX = 256,
	VL2_DNS_SERVERS_MAX = 4,
	VL2_DNS_DOMAIN_BYTES = 128, /* as it lies in the dictionary, NUL padded */
	VL2_NAME_MAX_BYTES = 127,
	VL2_SUBSCRIPTIONS_MAX = 4096,    /* multicast groups per network */
	VL2_BRIDGES_SPAM_MAX = 32,       /* 6.4: active bridges an unknown unicast goes to */
	VL2_CONFIG_MAX_BYTES = 484520,   /* of a dictionary, with its final NUL */
	VL2_METADATA_MAX_BYTES = 1024,   /* of a request's dictionary, with its final NUL (2) */
	VL2_CHUNK_DATA_MAX_BYTES = 9740, /* 3.3: 10024 - 28 - 256 */
	VL2_CHUNKS_MAX = VL2_CONFIG_MAX_BYTES / 1024 + 1, /* 3.3: per update */
	VL2_CHUNK_SLOTS = 3, /* 3.3: updates reassembled at once per network */
	VL2_NETCONF_VERSION = 7,
	VL2_NETCONF_VERSION_MIN = 6, /* 3.4: older ones are rejected */
	VL2_RULES_ENGINE_REVISION = 1,
	VL2_VENDOR_ZEROTIER = 1,
	VL2_SIGNATURE_BYTES = 96, /* "SIG96": Ed25519 signature and the 32 bytes that it signs */
	VL2_SIGNATURE_ED25519 = 1,
};

/* Timers, in milliseconds. */
enum {
	VL2_AUTOCONF_MS = 60000,           /* a configuration older than this is asked for again */
	VL2_HOUSEKEEPING_MS = 5000,        /* the background check that asks */
	VL2_MULTICAST_ANNOUNCE_MS = 60000, /* MULTICAST_LIKE of all groups */
	VL2_MULTICAST_LIKE_EXPIRE_MS = 600000,
	VL2_MULTICAST_ACTIVE_MS = 600000,          /* members silent for longer are not told */
	VL2_MULTICAST_GATHER_MS = 60000,           /* between explicit gathers of a group */
	VL2_MULTICAST_TRANSMIT_MS = 5000,          /* life of an outbound multicast */
	VL2_CREDENTIAL_PUSH_MS = 500000,           /* re-push to a peer */
	VL2_CREDENTIAL_ON_REQUEST_MS = 1000,       /* minimum between pushes a peer asked for */
	VL2_CREDENTIALS_IN_MS = 1000,              /* NETWORK_CREDENTIALS accepted per peer */
	VL2_CREDENTIAL_DELTA_DEFAULT_MS = 1800000, /* 9.2: ctmd */
	VL2_CREDENTIAL_DELTA_MIN_MS = 300000,
	VL2_CREDENTIAL_DELTA_MAX_MS = 7200000,
	VL2_ADHOC_DELTA_MS = 7200000,   /* 1.1 */
	VL2_REQUEST_INTERVAL_MS = 1000, /* controller: requests of a member must be further apart */
	VL2_MEMBER_ONLINE_MS = 120000,  /* controller: last request younger than this */
};

/* Flags of a configuration (3.4, key f). */
enum netconf_flag {
	NETCONF_BROADCAST = 0x02,
	NETCONF_NDP_EMULATION = 0x04,
	NETCONF_UNKNOWN_RULES_MATCH = 0x08,
	NETCONF_NO_COMPRESSION = 0x10,
};

enum netconf_type { NETCONF_PRIVATE = 0, NETCONF_PUBLIC = 1 };

/* Roles of a specialist (3.4, key S): the bits above the address. */
#define SPECIALIST_BRIDGE     0x020000000000ULL
#define SPECIALIST_ANCHOR     0x040000000000ULL
#define SPECIALIST_REPLICATOR 0x080000000000ULL
#define VL2_ADDRESS_MASK      0xffffffffffULL

/* Credential type numbers (5). */
enum credential_type {
	CREDENTIAL_COM = 1,
	CREDENTIAL_CAPABILITY = 2,
	CREDENTIAL_TAG = 3,
	CREDENTIAL_COO = 4,
	CREDENTIAL_REVOCATION = 6,
};

/* EXT_FRAME (6.2). */
enum { EXT_FRAME_COM = 0x01, EXT_FRAME_SUBTYPE = 0x0e, EXT_FRAME_ACK = 0x10 };

/* Whole flag bytes of the copies that rules make (6.2): of frames going out and coming in. */
enum ext_frame_copy {
	EXT_FRAME_TEE_OUT = 0x02,
	EXT_FRAME_WATCH_OUT = 0x16,
	EXT_FRAME_REDIRECT_OUT = 0x04,
	EXT_FRAME_TEE_IN = 0x08,
	EXT_FRAME_WATCH_IN = 0x1c,
	EXT_FRAME_REDIRECT_IN = 0x0a,
};

/* MULTICAST_FRAME (8.3). */
enum {
	MULTICAST_FRAME_COM = 0x01,
	MULTICAST_FRAME_GATHER = 0x02,
	MULTICAST_FRAME_SOURCE = 0x04,
	MULTICAST_FRAME_REPLICATE = 0x08,
};

/* ERROR codes that VL2 uses (3.2). */
enum vl2_error {
	VL2_ERROR_NOT_FOUND = 0x03,
	VL2_ERROR_UNSUPPORTED = 0x05,
	VL2_ERROR_NEED_COM = 0x06,
	VL2_ERROR_ACCESS_DENIED = 0x07,
	VL2_ERROR_UNWANTED_MULTICAST = 0x08,
	VL2_ERROR_AUTHENTICATION_REQUIRED = 0x09,
};

#endif
