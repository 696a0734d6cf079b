/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/cli.h"

#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	struct cli cli = { .out = stdout,
			   .err = stderr,
			   .now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
			   .request = http_request,
			   .stream = http_stream };
	int code = cli_run(&cli, argc, argv);
	if (fflush(stdout) != 0 && code == CLI_DONE) {
		perror("zerotier-cli: cannot write the result");
		code = CLI_REFUSED;
	}
	return code;
}
