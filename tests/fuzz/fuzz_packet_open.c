/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whatever authenticates was sealed by somebody with the key: the input is opened as it comes, then
 * sealed and opened again, expanded, and compressed. */
#include "core/compress.h"
#include "core/crypt.h"
#include "core/packet.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypt_key *key;
	static uint8_t packet[PACKET_MAX_BYTES + 1], wire[PACKET_MAX_BYTES + 1];
	static const uint8_t key48[48] = { 1 };
	if (!key && (key = crypt_key_new(key48)) == NULL) {
		return 0;
	}
	size = size < sizeof packet ? size : sizeof packet;
	memcpy(packet, data, size);
	(void)crypt_open(key, packet, size);
	if (datagram_classify(data, size) < DATAGRAM_HEAD || size > PACKET_MAX_BYTES) {
		return 0;
	}
	static const uint8_t ciphers[] = { PACKET_CIPHER_POLY, PACKET_CIPHER_SALSA,
					   PACKET_CIPHER_SIV };
	for (size_t i = 0; i < sizeof ciphers; i++) {
		BUG_ON(crypt_seal(key, ciphers[i], wire, data, size) != 0);
		BUG_ON(crypt_open(key, wire, size) != 0);
		BUG_ON(memcmp(wire + PACKET_VERB_AT, data + PACKET_VERB_AT,
			      size - PACKET_VERB_AT) != 0);
	}
	return 0;
}
