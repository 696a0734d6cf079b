/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The library's side of what the service answers about names and interfaces (RPC_RESOLVE,
 * RPC_INTERFACES, RPC_ROUTES): whatever message arrives, libc's structures are made of it or not,
 * and nothing is read or written outside of what came. The library's files are compiled in; the
 * answer comes through a real SEQPACKET pair.
 *
 * The input: which question, whether the header is put right, then the message.
 */
#include "tests/fuzz/fuzz.h"

/* The sanitizers have functions of these names themselves. */
#define getaddrinfo      fuzzed_getaddrinfo
#define freeaddrinfo     fuzzed_freeaddrinfo
#define getaddrinfo_a    fuzzed_getaddrinfo_a
#define gethostbyname    fuzzed_gethostbyname
#define gethostbyname2   fuzzed_gethostbyname2
#define gethostbyname_r  fuzzed_gethostbyname_r
#define gethostbyname2_r fuzzed_gethostbyname2_r
#define gethostbyaddr    fuzzed_gethostbyaddr
#define gethostbyaddr_r  fuzzed_gethostbyaddr_r
#define getnameinfo      fuzzed_getnameinfo
#define getifaddrs       fuzzed_getifaddrs
#define freeifaddrs      fuzzed_freeifaddrs
#define if_nametoindex   fuzzed_if_nametoindex
#define if_indextoname   fuzzed_if_indextoname
#define if_nameindex     fuzzed_if_nameindex
#define if_freenameindex fuzzed_if_freenameindex
#define client_start     unused_client_start
#include "intercept/addr.c"
#include "intercept/client.c"
#undef client_start
static int client_start_fuzzed(void);
#define client_start(request, length, a)                                                           \
	((void)(request), (void)(length), (void)(a), client_start_fuzzed())
#define clock_s names_clock_s
#define receive names_receive
#include "intercept/names_ask.c"
#undef clock_s
#undef receive
#include "intercept/interfaces.c"
#include "intercept/interfaces_table.c"
#include "intercept/names.c"
#define answer        host_answer
#define SERVICE_BYTES HOST_SERVICE_BYTES
#include "intercept/names_host.c"
#undef answer
#undef SERVICE_BYTES
#define list addrinfo_list
#define node addrinfo_node
#include "intercept/names_addrinfo.c"

#include <sys/wait.h>

enum { ANSWER_MAX = 8192 };

static const uint8_t *message;
static size_t message_length;

enum init_mode init_mode = MODE_ON;
char init_dns[DNS_POLICY_BYTES];
char init_network[PATH_MAX_BYTES];
bool debug_explains;
struct real real;
uint8_t hint_table[1];

bool init_early(void)
{
	return true;
}
void debug_name(const char *call, const char *name, const char *error)
{
	(void)call;
	(void)name;
	(void)error;
}
void debug_no_service(int error)
{
	(void)error;
}
/* /etc/hosts of the machine must not matter. */
bool hosts_find(const char *name, int family, struct names *out)
{
	(void)name;
	(void)family;
	(void)out;
	return false;
}
bool hosts_name(const struct rpc_addr *address, char out[NAMES_TEXT])
{
	(void)address;
	(void)out;
	return false;
}

static int client_start_fuzzed(void)
{
	int pair[2];
	BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0);
	if (message_length > 0) {
		BUG_ON(send(pair[1], message, message_length, MSG_NOSIGNAL) < 0);
	}
	(void)close(pair[1]);
	return pair[0];
}

static size_t sum; /* every byte of a result is looked at */

static void look(const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sum += ((const uint8_t *)bytes)[i];
	}
}

static void ask_addrinfo(uint8_t flags)
{
	struct addrinfo *found = NULL, hints = { .ai_flags = AI_CANONNAME };
	hints.ai_family = flags & 1 ? AF_INET : flags & 2 ? AF_INET6 : AF_UNSPEC;
	hints.ai_flags |= flags & 4 ? AI_V4MAPPED | AI_ALL : 0;
	if (fuzzed_getaddrinfo("fuzz.example", "80", &hints, &found) != 0) {
		return;
	}
	BUG_ON(!found);
	for (const struct addrinfo *a = found; a; a = a->ai_next) {
		look(a->ai_addr, a->ai_addrlen);
		look(a->ai_canonname, a->ai_canonname ? strlen(a->ai_canonname) : 0);
	}
	fuzzed_freeaddrinfo(found);
}

static void ask_hostent(uint8_t flags)
{
	const struct hostent *h = flags & 1 ? fuzzed_gethostbyname2("fuzz.example", AF_INET6)
					    : fuzzed_gethostbyname("fuzz.example");
	for (size_t i = 0; h && h->h_addr_list[i]; i++) {
		look(h->h_addr_list[i], (size_t)h->h_length);
	}
	look(h ? h->h_name : "", h ? strlen(h->h_name) : 0);
}

static void ask_nameinfo(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000002) };
	char host[40];
	if (fuzzed_getnameinfo((struct sockaddr *)&sa, sizeof sa, host, sizeof host, NULL, 0, 0) ==
	    0) {
		look(host, strlen(host));
	}
}

static void ask_message(uint8_t flags)
{
	size_t capacity = flags;
	uint8_t *room = malloc(capacity + 1);
	enum rpc_resolve_status status;
	struct ask_raw q = { .kind = RPC_RESOLVE_QUERY,
			     .bytes = "fuzz.example",
			     .length = 12,
			     .answer = room,
			     .capacity = capacity };
	memset(room, 0, capacity + 1);
	long n = ask_raw(&q, &status);
	BUG_ON(n > (long)capacity || status > RPC_RESOLVE_FAIL);
	look(room, n > 0 ? (size_t)n : 0);
	free(room);
}

static void ask_interfaces(void)
{
	struct ifaddrs *all = NULL;
	if (fuzzed_getifaddrs(&all) == 0) {
		for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
			look(i->ifa_name, strlen(i->ifa_name));
			look(i->ifa_addr, sizeof(struct sockaddr_in6));
			look(i->ifa_netmask, i->ifa_netmask ? sizeof(struct sockaddr_in6) : 0);
			look(i->ifa_broadaddr, i->ifa_broadaddr ? sizeof(struct sockaddr_in) : 0);
		}
		fuzzed_freeifaddrs(all);
	}
	struct rpc_managed_route routes[INTERFACES_ROUTES_MAX];
	look(routes, interfaces_routes_ask(routes) * sizeof *routes);
	char name[IF_NAMESIZE];
	look(name, fuzzed_if_indextoname(2, name) ? strlen(name) : 0);
}

/* A header that gets through, and records that fit: what lies behind it is worth reaching. */
static void put_right(uint8_t *bytes, size_t length, bool is_interfaces, bool is_whole)
{
	struct rpc_resolved head;
	if (length < sizeof(struct rpc_header)) {
		return;
	}
	struct rpc_header h = { .length = (uint32_t)length,
				.op = is_interfaces ? RPC_INTERFACES : RPC_RESOLVE };
	memcpy(bytes, &h, sizeof h);
	if (is_whole && !is_interfaces && length >= sizeof head) {
		memcpy(&head, bytes, sizeof head);
		size_t rest = length - sizeof head;
		head.status %= RPC_RESOLVE_FAIL + 1;
		head.count %= (uint32_t)(rest / sizeof(struct rpc_addr)) + 1;
		head.length = (uint32_t)(rest - head.count * sizeof(struct rpc_addr));
		memcpy(bytes, &head, sizeof head);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3 || size > ANSWER_MAX) {
		return 0;
	}
	uint8_t which = data[0] % 5, *exact = malloc(size);
	message_length = size - 3;
	memcpy(exact, data + 3, message_length);
	if (data[1] & 1) {
		put_right(exact, message_length, which == 4, (data[1] & 2) != 0);
	}
	message = exact;
	switch (which) {
	case 0:
		ask_addrinfo(data[2]);
		break;
	case 1:
		ask_hostent(data[2]);
		break;
	case 2:
		ask_nameinfo();
		break;
	case 3:
		ask_message(data[2]);
		break;
	default:
		ask_interfaces();
		break;
	}
	free(exact);
	return 0;
}
