/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Pure work that the program may run on its worker thread (decision S19). */
#include "core/identity.h"
#include "core/zt.h"

#include <string.h>

void zt_job_run(struct zt_job *job)
{
	switch (job->kind) {
	case ZT_JOB_IDENTITY_HASH:
		if (identity_hash(job->input, job->output) != 0) {
			/* Out of memory: all ones prove no address, so the identity is refused. */
			memset(job->output, 0xff, sizeof job->output);
		}
		break;
	}
}
