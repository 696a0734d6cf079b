/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The home directory (vl2 10.2, vl1 18a): who may use it, and the files read at start.
 *
 * Start-up functions return 0, or -1 with a sentence in `error` that names the file and the cure.
 * A file that is there but wrong is never overwritten.
 */
#ifndef SERVICE_HOME_H
#define SERVICE_HOME_H

#include "core/identity.h"
#include "core/world.h"

#include <stddef.h>
#include <sys/types.h>

struct service;

enum {
	HOME_ERROR_BYTES = 1200,
	HOME_PATH_BYTES = 512,
	HOME_TOKEN_DIGITS = 24,
	HOME_TOKEN_BYTES = 128
};

/* Create the directory and its sub-directories if they are missing, check that we may write there,
 * make the path absolute in service->home, take the lock that keeps a second service out (a
 * successor gets it from its predecessor). */
int home_open(struct service *service, const char *path, bool is_successor,
	      char error[HOME_ERROR_BYTES]);
/* Remove zerotier-one.pid and release the lock. */
void home_close(struct service *service);

/* identity.secret: loaded and validated, or generated and saved if there is none. */
int home_identity(const struct service *service, struct identity *out,
		  char error[HOME_ERROR_BYTES]);
/* authtoken.secret and metricstoken.secret into the service, generated if there are none. */
int home_token(struct service *service, char error[HOME_ERROR_BYTES]);
/* planet: *bytes malloc'd, NULL if there is no such file (logged once, decision D10). */
int home_planet(const struct service *service, char **bytes, size_t *length,
		char error[HOME_ERROR_BYTES]);
/* Does a world list a loopback endpoint (decision S20)? */
bool home_planet_is_loopback(const void *bytes, size_t length);
/* zerotier-one.pid and zerotier-one.port. */
int home_announce(const struct service *service, char error[HOME_ERROR_BYTES]);
/* The same for the process that takes over from us. */
void home_successor(const struct service *service, pid_t pid);

/* "HOME/name" into `out`; returns `out`. */
char *home_path(const struct service *service, char out[HOME_PATH_BYTES], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
