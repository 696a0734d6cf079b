/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Names, shared by the names_*.c files (spec/intercept.md 5.4, decisions S8 and 186).
 *
 * How this works: the service resolves, this library only asks it and puts the answer into libc's
 * structures. Numbers, "localhost" and /etc/hosts (the program's own, in its own root) come first
 * and need nobody. libc's resolver is not called, unless ZT_NC_DNS=host says so: it would ask over
 * the network of the host.
 *
 * Unlike all else in the library these functions may use malloc and take time: libc's own do, and
 * nobody calls them in signal handlers.
 */
#ifndef INTERCEPT_NAMES_H
#define INTERCEPT_NAMES_H

#include "intercept/intercept.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

/* libc's function of the same name. */
#define LIBC(name)                                                                                 \
	__extension__({                                                                            \
		__typeof__(&name) libc_;                                                           \
		void *symbol_ = dlsym(RTLD_NEXT, #name);                                           \
		memcpy(&libc_, &symbol_, sizeof libc_);                                            \
		libc_;                                                                             \
	})

/* Are names ours to answer? Not without ZT_NC_NETWORK, nor with ZT_NC_DNS=host. */
bool names_on(void);

enum { NAMES_MAX = 96, NAMES_ALIASES_MAX = 8, NAMES_TEXT = 256 };

/* What a name stands for, in the order in which it should be tried. */
struct names {
	size_t count;
	struct rpc_addr addresses[NAMES_MAX]; /* port 0; family of each */
	char canonical[NAMES_TEXT];
};

/* Look a name up: numbers, /etc/hosts, localhost, the service. family: AF_INET, AF_INET6 or 0.
 * An enum rpc_resolve_status. */
enum rpc_resolve_status names_find(const char *name, int family, struct names *out);
/* The same for a number as text only, with a scope after %; false if it is none. */
bool names_number(const char *text, struct rpc_addr *out);
/* The name of an address. */
enum rpc_resolve_status names_of(const struct rpc_addr *address, char out[NAMES_TEXT]);

/* ---- names_hosts.c: /etc/hosts --------------------------------------------------------------- */

/* Addresses of `name` are appended to `out`; did any line have it? */
bool hosts_find(const char *name, int family, struct names *out);
bool hosts_name(const struct rpc_addr *address, char out[NAMES_TEXT]);

/* ---- names_ask.c: RPC_RESOLVE ---------------------------------------------------------------- */

enum rpc_resolve_status ask_host(const char *name, int family, struct names *out);
enum rpc_resolve_status ask_address(const struct rpc_addr *address, char out[NAMES_TEXT]);
/* Ask the service something about no socket; how long the answer is, or -errno. */
long ask_service(struct rpc_header *request, size_t length, void *answer, size_t capacity);
struct ask_raw {
	enum rpc_resolve_kind kind;
	int type, class;
	const void *bytes; /* name or message */
	size_t length;
	void *answer;
	size_t capacity;
};
/* How long the answer is (cut off at capacity), or -1; the status either way. */
long ask_raw(const struct ask_raw *question, enum rpc_resolve_status *status);

/* ---- names_host.c ---------------------------------------------------------------------------- */

/* As h_errno. */
int names_h_errno(enum rpc_resolve_status status);

/* ---- interfaces.c ---------------------------------------------------------------------------- */

struct interfaces {
	struct rpc_interfaces head;
	struct rpc_interface_addr addresses[RPC_INTERFACE_ADDRS_MAX];
};
/* The virtual host's interface. False: no service. */
bool interfaces_ask(struct interfaces *out);

#endif
