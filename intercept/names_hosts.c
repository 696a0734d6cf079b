/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* /etc/hosts of the program, read anew each time: an address, its canonical name, aliases. All
 * lines with a name count, as with "multi on".
 */
#include "intercept/names.h"

#include "rpc/sys.h"

#include <fcntl.h>
#include <strings.h>

enum { LINE_BYTES = 1024, READ_BYTES = 4096 };

struct hosts {
	long fd;
	char bytes[READ_BYTES];
	long length, at;
	char line[LINE_BYTES];
	char *rest; /* of the line: names */
	struct rpc_addr address;
};

static void hosts_open(struct hosts *h)
{
	memset(h, 0, sizeof *h);
	h->fd = sys(SYS_openat, AT_FDCWD, "/etc/hosts", O_RDONLY | O_CLOEXEC);
	h->length = h->at = 0;
}

static void hosts_close(struct hosts *h)
{
	if (h->fd >= 0) {
		(void)sys(SYS_close, h->fd);
	}
}

static int next_byte(struct hosts *h)
{
	if (h->at >= h->length) {
		h->length = h->fd >= 0 ? sys(SYS_read, h->fd, h->bytes, sizeof h->bytes) : 0;
		h->at = 0;
	}
	return h->length > 0 ? (unsigned char)h->bytes[h->at++] : -1;
}

/* Without its comment and end; what is too long is cut off. False at the end of the file. */
static bool next_line(struct hosts *h)
{
	size_t length = 0;
	bool is_comment = false;
	int c;
	while ((c = next_byte(h)) >= 0 && c != '\n') {
		is_comment |= c == '#';
		if (!is_comment && length < sizeof h->line - 1) {
			h->line[length++] = (char)c;
		}
	}
	h->line[length] = '\0';
	return c >= 0 || length > 0;
}

/* The next word, ended by NUL; NULL if there is none. */
static char *next_word(char **at)
{
	char *word = *at + strspn(*at, " \t\r");
	size_t length = strcspn(word, " \t\r");
	*at = word + length;
	if (length == 0) {
		return NULL;
	}
	if (**at != '\0') {
		*(*at)++ = '\0';
	}
	return word;
}

/* The next line that begins with an address. */
static bool next_entry(struct hosts *h)
{
	while (next_line(h)) {
		h->rest = h->line;
		const char *word = next_word(&h->rest);
		if (word && names_number(word, &h->address)) {
			return true;
		}
	}
	return false;
}

static void text_copy(char out[NAMES_TEXT], const char *text)
{
	size_t length = strlen(text);
	length = length < NAMES_TEXT ? length : NAMES_TEXT - 1;
	memcpy(out, text, length);
	out[length] = '\0';
}

bool hosts_find(const char *name, int family, struct names *out)
{
	struct hosts h;
	bool is_there = false;
	hosts_open(&h);
	while (next_entry(&h)) {
		const char *first = NULL, *word;
		bool has_it = false;
		while ((word = next_word(&h.rest))) {
			first = first ? first : word;
			has_it |= strcasecmp(word, name) == 0;
		}
		if (!has_it) {
			continue;
		}
		is_there = true;
		if ((family == 0 || h.address.family == family) && out->count < NAMES_MAX) {
			if (out->canonical[0] == '\0') {
				text_copy(out->canonical, first);
			}
			out->addresses[out->count++] = h.address;
		}
	}
	hosts_close(&h);
	return is_there;
}

bool hosts_name(const struct rpc_addr *address, char out[NAMES_TEXT])
{
	struct hosts h;
	bool is_found = false;
	hosts_open(&h);
	while (!is_found && next_entry(&h)) {
		const char *word = next_word(&h.rest);
		is_found = word && h.address.family == address->family &&
			   memcmp(h.address.addr, address->addr, sizeof address->addr) == 0;
		if (is_found) {
			text_copy(out, word);
		}
	}
	hosts_close(&h);
	return is_found;
}
