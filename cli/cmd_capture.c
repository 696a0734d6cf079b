/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* capture: a network's packets into a pcap file, as long as it runs.
 *
 * How this works: the service streams a pcap file. Only whole records are written on, and each
 * batch is flushed: the file is good at any moment, also after an interrupt.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATH_BYTES = 64,
	FILE_HEADER_BYTES = 24,
	RECORD_HEADER_BYTES = 16,
	LENGTH_AT = 8, /* of the record header */
	RECORD_MAX_BYTES = RECORD_HEADER_BYTES + 65535,
};

struct writer {
	struct cli_sink sink; /* first: the writer is found from it */
	FILE *file;
	unsigned long long records, limit; /* limit 0 = none */
	bool has_header, is_failed;
	size_t kept;
	unsigned char part[RECORD_MAX_BYTES]; /* the beginning of a record */
};

/* How long the record (or the file's header) is that begins in `part`; 0 = too little of it. */
static size_t whole_length(const struct writer *w)
{
	if (!w->has_header) {
		return FILE_HEADER_BYTES;
	}
	if (w->kept < RECORD_HEADER_BYTES) {
		return 0;
	}
	size_t length = 0;
	for (size_t i = 0; i < 4; i++) {
		length |= (size_t)w->part[LENGTH_AT + i] << (8 * i);
	}
	return length + RECORD_HEADER_BYTES;
}

/* One byte range of the stream; false = done or broken. */
static bool on_bytes(struct cli_sink *sink, const char *bytes, size_t length)
{
	struct writer *w = (struct writer *)sink;
	while (length > 0) {
		size_t whole = whole_length(w);
		size_t wanted = (whole ? whole : RECORD_HEADER_BYTES) - w->kept;
		if (whole > RECORD_MAX_BYTES) {
			w->is_failed = true;
			errno = EBADMSG;
			return false;
		}
		size_t n = length < wanted ? length : wanted;
		memcpy(w->part + w->kept, bytes, n);
		w->kept += n;
		bytes += n;
		length -= n;
		if (w->kept != whole_length(w)) {
			continue;
		}
		w->is_failed = fwrite(w->part, 1, w->kept, w->file) != w->kept;
		w->records += w->has_header;
		w->has_header = true;
		w->kept = 0;
		if (w->is_failed || (w->limit > 0 && w->records >= w->limit)) {
			w->is_failed |= fflush(w->file) != 0;
			return false;
		}
	}
	w->is_failed = fflush(w->file) != 0;
	return !w->is_failed;
}

static int usage(const struct cli *cli)
{
	complain(cli,
		 "usage: %s capture <network ID> -w <file, - for standard output> [-c <count>]",
		 cli->program);
	return CLI_USAGE;
}

/* The options after the network; false = said what is wrong. */
static bool options_read(int argc, char **argv, const char **name, unsigned long long *limit)
{
	for (int i = 2; i < argc; i += 2) {
		char *end = NULL;
		if (i + 1 == argc) {
			return false;
		}
		if (strcmp(argv[i], "-w") == 0) {
			*name = argv[i + 1];
		} else if (strcmp(argv[i], "-c") == 0) {
			*limit = strtoull(argv[i + 1], &end, 10);
			if (*end != '\0' || *limit == 0 || argv[i + 1][0] == '-') {
				return false;
			}
		} else {
			return false;
		}
	}
	return *name != NULL;
}

static int run(const struct cli *cli, const char *nwid, struct writer *w)
{
	char path[PATH_BYTES];
	struct cli_reply reply;
	(void)snprintf(path, sizeof path, "/netcon/capture/%s", nwid);
	if (!cli->stream(cli, path, &w->sink, &reply)) {
		complain(cli, "the request could not be made: out of memory");
		free(reply.body);
		return CLI_REFUSED;
	}
	if (w->is_failed) {
		complain(cli, "cannot write the capture: %s", strerror(errno));
		free(reply.body);
		return CLI_REFUSED;
	}
	if (reply.status == 404) {
		complain(cli, "network %s is not joined; join it first: %s join %s", nwid,
			 cli->program, nwid);
		free(reply.body);
		return CLI_REFUSED;
	}
	if (reply.status != 200) {
		ask_failed(cli, "capture", path, &reply);
		return CLI_REFUSED;
	}
	free(reply.body);
	complain(cli, "%llu packets captured", w->records);
	return CLI_DONE;
}

int cmd_capture(const struct cli *given, int argc, char **argv)
{
	struct cli cli = *given;
	const char *name = NULL;
	unsigned long long limit = 0;
	if (argc < 1 || !nwid_is_valid(argv[1]) || !options_read(argc + 1, argv, &name, &limit)) {
		return usage(&cli);
	}
	int code = home_settle(&cli);
	if (code != CLI_DONE) {
		return code;
	}
	struct writer *w = calloc(1, sizeof *w);
	bool is_stdout = strcmp(name, "-") == 0;
	FILE *file = is_stdout ? cli.out : fopen(name, "we");
	if (!w || !file) {
		complain(&cli, "cannot write %s: %s", name, strerror(errno));
		free(w);
		if (file && !is_stdout) {
			(void)fclose(file);
		}
		return CLI_REFUSED;
	}
	w->sink.each = on_bytes;
	w->file = file;
	w->limit = limit;
	code = run(&cli, argv[1], w);
	if (!is_stdout && fclose(file) != 0) {
		code = CLI_REFUSED;
	}
	free(w);
	return code;
}
