/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* generate, validate, getpublic, sign, verify. */
#include "cli/idtool.h"
#include "cli/idtool_file.h"
#include "core/zt.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	IDENTITY_FILE_MAX_BYTES = 4096,
	SIGNED_FILE_MAX_BYTES = 1 << 30,
	SIGNATURE_FILE_MAX_BYTES = 4096,
	LITERAL_MIN_LENGTH = 33, /* longer than a file name would be, ':' after the address */
};

int idtool_identity_read(const char *argument, struct identity *out)
{
	if (strlen(argument) >= LITERAL_MIN_LENGTH && argument[ADDRESS_DIGITS] == ':') {
		return identity_parse(argument, out);
	}
	size_t length;
	char *text = (char *)file_read(argument, IDENTITY_FILE_MAX_BYTES, &length);
	if (!text) {
		return ZT_E_NOT_FOUND;
	}
	int err = strlen(text) == length ? identity_parse(text, out) : ZT_E_MALFORMED;
	sodium_memzero(text, length);
	free(text);
	return err;
}

bool idtool_identity_get(const char *argument, struct identity *out)
{
	if (idtool_identity_read(argument, out) != 0) {
		(void)idtool_refuse("Identity argument invalid or file unreadable: %s", argument);
		return false;
	}
	return true;
}

/* ---- generate ------------------------------------------------------------------------------- */

/* An address prefix of 0 to 10 hex digits. */
static bool vanity_parse(const char *text, uint64_t *prefix, unsigned *bits)
{
	size_t digits = strlen(text);
	if (digits > ADDRESS_DIGITS || strspn(text, "0123456789abcdefABCDEF") != digits) {
		return false;
	}
	*prefix = digits ? strtoull(text, NULL, 16) : 0;
	*bits = (unsigned)digits * 4;
	return true;
}

static bool identity_file_write(const char *path, const struct identity *id, bool with_secret)
{
	char text[IDENTITY_TEXT_MAX];
	(void)identity_text(id, with_secret, text);
	int err = file_write(path, text, strlen(text), with_secret ? 0600 : 0644, FILE_KEEP);
	sodium_memzero(text, sizeof text);
	if (err != 0) {
		(void)idtool_refuse("Error writing to %s: %s", path, strerror(err));
		return false;
	}
	printf("%s written\n", path);
	return true;
}

static bool is_free(const char *path)
{
	if (access(path, F_OK) == 0) {
		(void)idtool_refuse("%s exists and is not overwritten: an identity cannot be made "
				    "again. Move it away first, or choose another name.",
				    path);
		return false;
	}
	return true;
}

int idtool_generate(int argc, char **argv)
{
	uint64_t prefix = 0;
	unsigned bits = 0;
	if (argc > 3) {
		return idtool_help_refuse();
	}
	if (argc == 3 && !vanity_parse(argv[2], &prefix, &bits)) {
		(void)idtool_refuse("%s is no address prefix: give up to 10 hex digits", argv[2]);
		return IDTOOL_USAGE;
	}
	if (bits >= 8 && prefix >> (bits - 8) == 0xff) {
		return idtool_refuse("addresses starting with ff are reserved");
	}
	for (int i = 0; i < argc && i < 2; i++) {
		if (!is_free(argv[i])) {
			return IDTOOL_REFUSED;
		}
	}
	struct identity id;
	do {
		int err = identity_generate(&id, idtool_random, NULL);
		if (err != 0) {
			return idtool_refuse("cannot generate an identity: %s", zt_err_text(err));
		}
	} while (id.address >> (40 - bits) != prefix);

	bool ok = true;
	if (argc == 0) {
		char text[IDENTITY_TEXT_MAX];
		printf("%s", identity_text(&id, true, text));
		sodium_memzero(text, sizeof text);
	} else {
		ok = identity_file_write(argv[0], &id, true);
		if (ok && argc > 1) {
			ok = identity_file_write(argv[1], &id, false);
		}
	}
	identity_wipe(&id);
	return ok ? IDTOOL_DONE : IDTOOL_REFUSED;
}

/* ---- validate, getpublic -------------------------------------------------------------------- */

int idtool_validate(int argc, char **argv)
{
	if (argc != 1) {
		return idtool_help_refuse();
	}
	struct identity id;
	int err = idtool_identity_read(argv[0], &id);
	if (err == 0) {
		err = identity_validate(&id);
		identity_wipe(&id);
	}
	if (err == 0) {
		printf("%s is a valid identity\n", argv[0]);
		return IDTOOL_DONE;
	}
	if (err == ZT_E_BAD_IDENTITY) {
		return idtool_refuse("%s FAILED validation.", argv[0]);
	}
	if (err == ZT_E_NO_MEMORY) {
		return idtool_refuse("cannot validate %s: %s", argv[0], zt_err_text(err));
	}
	return idtool_refuse("Identity argument invalid or file unreadable: %s", argv[0]);
}

int idtool_getpublic(int argc, char **argv)
{
	if (argc != 1) {
		return idtool_help_refuse();
	}
	struct identity id;
	if (!idtool_identity_get(argv[0], &id)) {
		return IDTOOL_REFUSED;
	}
	char text[IDENTITY_TEXT_MAX];
	printf("%s", identity_text(&id, false, text));
	identity_wipe(&id);
	return IDTOOL_DONE;
}

/* ---- sign, verify --------------------------------------------------------------------------- */

static uint8_t *signed_file_read(const char *path, size_t *length)
{
	uint8_t *bytes = file_read(path, SIGNED_FILE_MAX_BYTES, length);
	if (!bytes) {
		(void)idtool_refuse("%s is not readable", path);
	}
	return bytes;
}

int idtool_sign(int argc, char **argv)
{
	if (argc != 2) {
		return idtool_help_refuse();
	}
	struct identity id;
	if (!idtool_identity_get(argv[0], &id)) {
		return IDTOOL_REFUSED;
	}
	if (!id.has_secret) {
		return idtool_refuse("%s does not contain a private key (must use private to sign)",
				     argv[0]);
	}
	size_t length;
	uint8_t *bytes = signed_file_read(argv[1], &length);
	if (!bytes) {
		identity_wipe(&id);
		return IDTOOL_REFUSED;
	}
	uint8_t signature[SIGNATURE_BYTES];
	char text[2 * SIGNATURE_BYTES + 1];
	identity_sign(&id, bytes, length, signature);
	printf("%s", sodium_bin2hex(text, sizeof text, signature, sizeof signature));
	free(bytes);
	identity_wipe(&id);
	return IDTOOL_DONE;
}

/* 192 hex digits, white space around them allowed. */
static bool signature_parse(const char *text, uint8_t out[SIGNATURE_BYTES])
{
	size_t length = 0;
	const char *end = NULL;
	text += strspn(text, " \t\r\n");
	return sodium_hex2bin(out, SIGNATURE_BYTES, text, strlen(text), NULL, &length, &end) == 0 &&
	       length == SIGNATURE_BYTES && end[strspn(end, " \t\r\n")] == '\0';
}

/* Given literally or as a file with it. */
static bool signature_get(const char *argument, uint8_t out[SIGNATURE_BYTES])
{
	if (signature_parse(argument, out)) {
		return true;
	}
	size_t length;
	char *text = (char *)file_read(argument, SIGNATURE_FILE_MAX_BYTES, &length);
	bool ok = text && signature_parse(text, out);
	free(text);
	return ok;
}

int idtool_verify(int argc, char **argv)
{
	if (argc != 3) {
		return idtool_help_refuse();
	}
	struct identity id;
	if (!idtool_identity_get(argv[0], &id)) {
		return IDTOOL_REFUSED;
	}
	size_t length;
	uint8_t signature[SIGNATURE_BYTES];
	uint8_t *bytes = signed_file_read(argv[1], &length);
	bool ok = bytes && signature_get(argv[2], signature) &&
		  identity_verify(&id, bytes, length, signature);
	identity_wipe(&id);
	if (!bytes) {
		return IDTOOL_REFUSED;
	}
	free(bytes);
	if (!ok) {
		return idtool_refuse("%s signature check FAILED", argv[1]);
	}
	printf("%s signature valid\n", argv[1]);
	return IDTOOL_DONE;
}
