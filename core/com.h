/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Certificate of membership: the controller's word that a node is on a network (vl2 5.1). */
#ifndef CORE_COM_H
#define CORE_COM_H

#include "base/rd.h"
#include "base/wr.h"
#include "core/proto2.h"
#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity;

enum com_id {
	COM_TIMESTAMP = 0,
	COM_NETWORK = 1,
	COM_ISSUED_TO = 2,
	COM_IDENTITY_FIRST = 3, /* 3 to 6: hash of the member's identity */
	COM_IDENTITY_LAST = 6,
};

struct com_qualifier {
	uint64_t id, value, max_delta;
};

struct com {
	size_t count;
	struct com_qualifier q[VL2_COM_QUALIFIERS_MAX]; /* ids ascending */
	uint64_t signer;                                /* 0 = unsigned */
	uint8_t signature[VL2_SIGNATURE_BYTES];
};

enum { COM_MAX_BYTES = 1 + 2 + VL2_COM_QUALIFIERS_MAX * 24 + 5 + VL2_SIGNATURE_BYTES };

int com_read(struct rd *r, struct com *out) ZT_MUST_CHECK;
void com_write(struct wr *w, const struct com *com);
bool com_equal(const struct com *a, const struct com *b);

/* 0 when the qualifier is not there. */
uint64_t com_value(const struct com *com, enum com_id id);
static inline uint64_t com_timestamp(const struct com *com)
{
	return com_value(com, COM_TIMESTAMP);
}
static inline uint64_t com_network(const struct com *com)
{
	return com_value(com, COM_NETWORK);
}
static inline uint64_t com_issued_to(const struct com *com)
{
	return com_value(com, COM_ISSUED_TO);
}

/* An unsigned certificate with all seven qualifiers. */
void com_make(struct com *out, uint64_t timestamp, uint64_t max_delta, uint64_t nwid,
	      const struct identity *member);
int com_sign(struct com *com, const struct identity *signer) ZT_MUST_CHECK;
/* Is it by this identity, and is that the controller of the certificate's own network? */
bool com_verify(const struct com *com, const struct identity *controller);

/* May a node that holds `mine` talk to the one that shows `theirs`? Says nothing of signatures. */
bool com_agrees(const struct com *mine, const struct com *theirs,
		const struct identity *their_identity);

#endif
