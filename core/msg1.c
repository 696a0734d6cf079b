/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/msg1.h"

#include "core/proto.h"
#include "core/zt.h"

static void version_read(struct rd *r, struct version *out)
{
	out->protocol = rd_u8(r);
	out->major = rd_u8(r);
	out->minor = rd_u8(r);
	out->revision = rd_u16(r);
}

static void version_write(struct wr *w, const struct version *version)
{
	wr_u8(w, version->protocol);
	wr_u8(w, version->major);
	wr_u8(w, version->minor);
	wr_u16(w, version->revision);
}

int msg_hello_read(struct rd *r, struct msg_hello *out)
{
	struct msg_hello hello = { 0 };
	version_read(r, &hello.version);
	hello.clock = rd_u64(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	int err = identity_read(r, &hello.identity);
	if (err) {
		return err;
	}
	/* Everything from here on is optional: old senders stop early. */
	if (rd_left(r) > 0) {
		err = endpoint_read(r, &hello.destination);
		if (err) {
			return err;
		}
	}
	if (rd_left(r) >= 16) {
		hello.has_planet = true;
		hello.planet_id = rd_u64(r);
		hello.planet_timestamp = rd_u64(r);
	} else {
		(void)rd_bytes(r, rd_left(r)); /* too short for a planet: nothing of use */
	}
	*out = hello;
	return 0;
}

void msg_hello_write(struct wr *w, const struct msg_hello *hello)
{
	version_write(w, &hello->version);
	wr_u64(w, hello->clock);
	identity_write(w, &hello->identity);
	endpoint_write(w, &hello->destination);
	if (hello->has_planet) {
		wr_u64(w, hello->planet_id);
		wr_u64(w, hello->planet_timestamp);
	}
}

struct msg_moons msg_moons_start(struct rd tail)
{
	struct msg_moons moons = { .rest = tail };
	moons.left = rd_u16(&moons.rest); /* no tail: bad reader, 0 moons */
	return moons;
}

bool msg_moons_next(struct msg_moons *moons, struct msg_moon *out)
{
	while (moons->left > 0) {
		moons->left--;
		uint8_t type = rd_u8(&moons->rest);
		struct msg_moon moon = { .id = rd_u64(&moons->rest) };
		moon.timestamp = rd_u64(&moons->rest);
		if (moons->rest.bad) {
			return false;
		}
		if (type == WORLD_TYPE_MOON) {
			*out = moon;
			return true;
		}
	}
	return false;
}

void msg_moons_write(struct wr *w, const struct msg_moon *moons, uint16_t count)
{
	wr_u16(w, count);
	for (uint16_t i = 0; i < count; i++) {
		wr_u8(w, WORLD_TYPE_MOON);
		wr_u64(w, moons[i].id);
		wr_u64(w, moons[i].timestamp);
	}
}

int msg_re_read(struct rd *r, struct msg_re *out)
{
	struct msg_re re = { .verb = rd_u8(r) };
	re.id = rd_u64(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = re;
	return 0;
}

void msg_re_write(struct wr *w, const struct msg_re *re)
{
	wr_u8(w, re->verb);
	wr_u64(w, re->id);
}

int msg_ok_hello_read(struct rd *r, struct msg_ok_hello *out)
{
	struct msg_ok_hello ok = { .clock = rd_u64(r) };
	version_read(r, &ok.version);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (rd_left(r) > 0) {
		int err = endpoint_read(r, &ok.surface);
		if (err) {
			return err;
		}
	}
	if (rd_left(r) > 0) {
		size_t length = rd_u16(r);
		ok.worlds = rd_sub(r, length);
		if (r->bad) {
			return ZT_E_SHORT;
		}
	}
	*out = ok;
	return 0;
}

void msg_ok_hello_write(struct wr *w, const struct msg_ok_hello *ok)
{
	wr_u64(w, ok->clock);
	version_write(w, &ok->version);
	endpoint_write(w, &ok->surface);
	size_t mark = wr_mark16(w);
	wr_bytes(w, ok->worlds.p, rd_left(&ok->worlds));
	wr_patch16(w, mark);
}

/* `length` bytes of IP, then the port; or family 0 if no IP is that long. */
static struct zt_endpoint ip_of(uint8_t family, const uint8_t *ip, uint16_t port)
{
	struct zt_endpoint endpoint = { .family = family, .port = port };
	memcpy(endpoint.ip, ip, family == 4 ? 4 : 16);
	return endpoint;
}

int msg_rendezvous_read(struct rd *r, struct msg_rendezvous *out)
{
	(void)rd_u8(r); /* flags: none defined */
	struct msg_rendezvous rendezvous = { .peer = rd_u40(r) };
	uint16_t port = rd_u16(r);
	size_t length = rd_u8(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if (port == 0 || (length != 4 && length != 16)) {
		return ZT_E_MALFORMED;
	}
	const uint8_t *ip = rd_bytes(r, length);
	if (!ip) {
		return ZT_E_SHORT;
	}
	rendezvous.endpoint = ip_of(length == 4 ? 4 : 6, ip, port);
	*out = rendezvous;
	return 0;
}

void msg_rendezvous_write(struct wr *w, const struct msg_rendezvous *rendezvous)
{
	const struct zt_endpoint *endpoint = &rendezvous->endpoint;
	uint8_t length = endpoint->family == 4 ? 4 : 16;
	wr_u8(w, 0);
	wr_u40(w, rendezvous->peer);
	wr_u16(w, endpoint->port);
	wr_u8(w, length);
	wr_bytes(w, endpoint->ip, length);
}

int msg_push_count_read(struct rd *r, uint16_t *count)
{
	uint16_t n = rd_u16(r);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*count = n;
	return 0;
}

int msg_push_path_read(struct rd *r, struct msg_push_path *out)
{
	struct msg_push_path path = { .flags = rd_u8(r) };
	size_t extension = rd_u16(r);
	(void)rd_bytes(r, extension);
	uint8_t type = rd_u8(r);
	size_t length = rd_u8(r);
	struct rd address = rd_sub(r, length);
	if (r->bad) {
		return ZT_E_SHORT;
	}
	if ((type == 4 && length >= 6) || (type == 6 && length >= 18)) {
		const uint8_t *ip = rd_bytes(&address, type == 4 ? 4 : 16);
		path.endpoint = ip_of(type, ip, rd_u16(&address));
	}
	*out = path;
	return 0;
}

void msg_push_count_write(struct wr *w, uint16_t count)
{
	wr_u16(w, count);
}

void msg_push_path_write(struct wr *w, const struct msg_push_path *path)
{
	const struct zt_endpoint *endpoint = &path->endpoint;
	uint8_t length = endpoint->family == 4 ? 4 : 16;
	wr_u8(w, path->flags);
	wr_u16(w, 0); /* no extension */
	wr_u8(w, endpoint->family);
	wr_u8(w, (uint8_t)(length + 2));
	wr_bytes(w, endpoint->ip, length);
	wr_u16(w, endpoint->port);
}
