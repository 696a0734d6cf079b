/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Moons and planet updates between real nodes: who is taken, who spreads, who is refused (vl1 11).
 */
#include "core/moon.h"
#include "tests/lib/check.h"
#include "tests/sim/cast.h"

#include <stdlib.h>

enum { MOON = 0x6d6f6f6e, KEY_OWN = 7, KEY_FORGED = 9 };

/* A moon as bytes, as genmoon writes them. */
struct moon_file {
	uint8_t bytes[WORLD_MAX_BYTES];
	size_t length;
};

/* What a node's store callback saw of worlds. */
struct stored {
	unsigned planets, moons, forgotten;
	struct moon_file last;
};

static void on_store(void *context, enum zt_store kind, uint64_t id, const void *bytes,
		     size_t length)
{
	struct stored *stored = ((struct sim_node *)context)->user;
	if (kind != ZT_STORE_MOON && kind != ZT_STORE_PLANET) {
		return;
	}
	if (!bytes) {
		stored->forgotten++;
		return;
	}
	*(kind == ZT_STORE_MOON ? &stored->moons : &stored->planets) += 1;
	assert_int_equal(id, kind == ZT_STORE_MOON ? MOON : 0);
	memcpy(stored->last.bytes, bytes, length);
	stored->last.length = length;
}

static void key_make(uint8_t first, uint8_t secret[IDENTITY_KEY_BYTES],
		     uint8_t public_key[IDENTITY_KEY_BYTES])
{
	memset(secret, first, IDENTITY_KEY_BYTES);
	assert_int_equal(keypair_make(secret, public_key), 0);
}

/* A world with these roots, the next one to be signed by KEY_OWN, itself signed by `signer`. */
static void moon_make(struct moon_file *out, uint64_t timestamp, uint8_t signer,
		      struct sim_node *const *roots, size_t count)
{
	uint8_t secret[IDENTITY_KEY_BYTES], key[IDENTITY_KEY_BYTES];
	struct world world = {
		.type = WORLD_TYPE_MOON, .id = MOON, .timestamp = timestamp, .root_count = count
	};
	key_make(KEY_OWN, secret, world.next_key);
	for (size_t i = 0; i < count; i++) {
		struct world_root *root = &world.roots[i];
		assert_int_equal(identity_parse(roots[i]->secret, &root->identity), 0);
		root->endpoint_count = 1;
		root->endpoints[0] = roots[i]->ip;
		root->endpoints[0].port = SIM_PORT;
	}
	key_make(signer, secret, key);
	world_sign(&world, key, secret);
	struct wr w = wr_init(out->bytes, sizeof out->bytes);
	world_write(&w, &world);
	out->length = wr_length(&w);
}

static int load(struct sim_node *node, const struct moon_file *file)
{
	int err = zt_moon_add(node->zt, sim_now(node), file->bytes, file->length);
	sim_touch(node);
	return err;
}

static uint64_t timestamp_of(const struct sim_node *node)
{
	struct zt_moon_view view;
	return zt_moon_view(node->zt, 0, &view) && view.world ? view.world->timestamp : 0;
}

static enum zt_role role_of(const struct sim_node *node, const struct sim_node *other)
{
	struct zt_peer_view view;
	assert_true(zt_peer_find(node->zt, sim_now(node), other->address, &view));
	return view.role;
}

/* A planet root, two leaves, and a host that is root of a moon only. */
struct sky {
	struct cast cast;
	struct sim_node *host;
	struct stored stored_a, stored_b;
	struct moon_file first;
};

static struct sim_node *add(struct sim *sim, size_t index, const char *ip, struct stored *stored)
{
	struct sim_node *node = sim_node_new(sim, index, ip, NULL);
	node->user = stored;
	node->callbacks.store = stored ? on_store : node->callbacks.store;
	return node;
}

static void sky_open(struct sky *sky)
{
	struct sim *sim = sim_new();
	*sky = (struct sky){ .cast = { .sim = sim } };
	sky->cast.root = add(sim, 0, "198.51.100.1", NULL);
	sky->cast.a = add(sim, 1, "203.0.113.2", &sky->stored_a);
	sky->cast.b = add(sim, 2, "192.0.2.2", &sky->stored_b);
	sky->host = add(sim, 3, "198.18.0.1", NULL);
	sim_planet(sim, &sky->cast.root, 1);
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		sim_node_start(n);
	}
	moon_make(&sky->first, 100, KEY_OWN, &sky->host, 1);
	assert_true(sim_until(sim, both_online, &sky->cast, 5000));
}

static bool a_has_moon(void *context)
{
	return timestamp_of(((struct sky *)context)->cast.a) != 0;
}

static bool a_has_update(void *context)
{
	return timestamp_of(((struct sky *)context)->cast.a) == 200;
}

static void a_leaf_orbits_by_a_seed(void **state)
{
	(void)state;
	struct sky sky;
	sky_open(&sky);
	assert_int_equal(load(sky.host, &sky.first), 0);
	struct zt_status status;
	zt_status(sky.host->zt, &status);
	assert_true(status.is_root);
	struct sim_node *a = sky.cast.a;
	assert_int_equal(zt_moon_orbit(a->zt, sim_now(a), MOON, sky.host->address), 0);
	sim_touch(a);
	struct zt_moon_view view;
	assert_true(zt_moon_view(a->zt, 0, &view) && !view.world);
	assert_int_equal(view.seed, sky.host->address);
	assert_true(sim_until(sky.cast.sim, a_has_moon, &sky, 5000));
	assert_int_equal(sky.stored_a.moons, 1);
	assert_int_equal(sky.stored_a.last.length, sky.first.length);
	assert_memory_equal(sky.stored_a.last.bytes, sky.first.bytes, sky.first.length);
	assert_int_equal(role_of(a, sky.host), ZT_ROLE_MOON);
	assert_int_equal(role_of(a, sky.cast.root), ZT_ROLE_PLANET);
	assert_int_equal(a->events[ZT_EVENT_MOON], 1);
	/* Nobody gave it to those who did not ask. */
	assert_false(zt_moon_view(sky.cast.b->zt, 0, &view));
	/* Let go, it is forgotten, and its root is nothing special any more. */
	assert_int_equal(zt_moon_deorbit(a->zt, sim_now(a), MOON), 0);
	assert_int_equal(zt_moon_deorbit(a->zt, sim_now(a), MOON), ZT_E_NOT_FOUND);
	sim_touch(a);
	assert_int_equal(sky.stored_a.forgotten, 1);
	assert_int_equal(role_of(a, sky.host), ZT_ROLE_LEAF);
	sim_run(sky.cast.sim, 70000);
	assert_int_equal(timestamp_of(a), 0);
	cast_free(&sky.cast);
}

/* The planet's root is gone: whoever has the moon finds the others by it, and by it alone. */
static void a_moon_alone_is_enough(void **state)
{
	(void)state;
	struct sky sky;
	struct sim *sim = sim_new();
	sky = (struct sky){ .cast = { .sim = sim } };
	sky.cast.root = add(sim, 0, "198.51.100.1", NULL);
	sky.cast.a = add(sim, 1, "203.0.113.2", &sky.stored_a);
	sky.cast.b = add(sim, 2, "192.0.2.2", &sky.stored_b);
	sky.host = add(sim, 3, "198.18.0.1", NULL);
	sim_planet(sim, &sky.cast.root, 1);
	sky.cast.root->is_cut = true;
	for (struct sim_node *n = sim->nodes; n; n = n->next) {
		sim_node_start(n);
	}
	moon_make(&sky.first, 100, KEY_OWN, &sky.host, 1);
	assert_false(sim_until(sim, both_online, &sky.cast, 5000));
	assert_int_equal(load(sky.host, &sky.first), 0);
	assert_int_equal(load(sky.cast.a, &sky.first), 0);
	assert_int_equal(load(sky.cast.b, &sky.first), 0);
	assert_int_equal(load(sky.cast.b, &sky.first), ZT_E_EXISTS);
	assert_true(sim_until(sim, both_online, &sky.cast, 5000));
	assert_true(can_talk(sky.cast.a, sky.cast.b, 5000));
	assert_true(sim_until(sim, both_direct, &sky.cast, 5000));
	assert_int_equal(sky.stored_a.moons, 0); /* it is on disk already */
	cast_free(&sky.cast);
}

static void an_update_spreads_and_a_forged_one_does_not(void **state)
{
	(void)state;
	struct sky sky;
	struct moon_file forged, update;
	sky_open(&sky);
	assert_int_equal(load(sky.host, &sky.first), 0);
	assert_int_equal(load(sky.cast.a, &sky.first), 0);
	sim_run(sky.cast.sim, 2000);
	struct sim_node *both[] = { sky.host, sky.cast.b };
	moon_make(&forged, 300, KEY_FORGED, both, 2);
	moon_make(&update, 200, KEY_OWN, both, 2);

	/* A root that has gone bad offers one that the key did not sign. */
	assert_int_equal(load(sky.host, &forged), ZT_E_EXISTS);
	assert_int_equal(zt_moon_deorbit(sky.host->zt, sim_now(sky.host), MOON), 0);
	assert_int_equal(load(sky.host, &forged), 0);
	sim_run(sky.cast.sim, 130000);
	assert_int_equal(timestamp_of(sky.cast.a), 100);
	assert_true(zt_counter(sky.cast.a->zt, ZT_COUNT_DROP_UNTRUSTED) > 0);
	assert_int_equal(sky.stored_a.moons, 0);

	assert_int_equal(zt_moon_deorbit(sky.host->zt, sim_now(sky.host), MOON), 0);
	assert_int_equal(load(sky.host, &update), 0);
	assert_true(sim_until(sky.cast.sim, a_has_update, &sky, 130000));
	assert_int_equal(sky.stored_a.moons, 1);
	assert_int_equal(role_of(sky.cast.a, sky.cast.b), ZT_ROLE_MOON);
	cast_free(&sky.cast);
}

/* The seed must be a root of the moon it gives, and a moon may not take a known node's place. */
static void a_seed_gives_only_its_own_moon(void **state)
{
	(void)state;
	struct sky sky;
	struct moon_file other;
	sky_open(&sky);
	moon_make(&other, 100, KEY_OWN, &sky.cast.b, 1);
	assert_int_equal(load(sky.host, &other), 0);
	struct sim_node *a = sky.cast.a;
	assert_int_equal(zt_moon_orbit(a->zt, sim_now(a), MOON, sky.host->address), 0);
	sim_touch(a);
	sim_run(sky.cast.sim, 60000);
	assert_int_equal(timestamp_of(a), 0);
	assert_true(zt_counter(a->zt, ZT_COUNT_DROP_UNTRUSTED) > 0);
	assert_int_equal(sky.stored_a.moons, 0);
	cast_free(&sky.cast);
}

static void false_keys_in_a_moon_change_nobody(void **state)
{
	(void)state;
	struct sky sky;
	struct moon_file file;
	sky_open(&sky);
	moon_make(&file, 100, KEY_OWN, &sky.cast.root, 1);
	/* The planet root's address, somebody else's keys. */
	struct rd r = rd_init(file.bytes, file.length);
	struct world world;
	assert_int_equal(world_read(&r, &world), 0);
	world.roots[0].identity.public_key[3] ^= 1;
	struct wr w = wr_init(file.bytes, sizeof file.bytes);
	world_write(&w, &world);
	assert_int_equal(load(sky.cast.a, &file), 0);
	assert_int_equal(role_of(sky.cast.a, sky.cast.root), ZT_ROLE_PLANET);
	assert_true(zt_counter(sky.cast.a->zt, ZT_COUNT_DROP_IDENTITY) > 0);
	sim_run(sky.cast.sim, 70000);
	assert_true(can_talk(sky.cast.a, sky.cast.b, 5000));
	cast_free(&sky.cast);
}

static void malformed_moons_are_refused(void **state)
{
	(void)state;
	struct sky sky;
	sky_open(&sky);
	struct sim_node *a = sky.cast.a;
	for (size_t n = 0; n < sky.first.length; n++) {
		assert_int_equal(zt_moon_add(a->zt, sim_now(a), sky.first.bytes, n),
				 ZT_E_MALFORMED);
	}
	assert_int_equal(
	    zt_moon_add(a->zt, sim_now(a), sky.cast.sim->planet, sky.cast.sim->planet_length),
	    ZT_E_MALFORMED);
	assert_int_equal(zt_moon_orbit(a->zt, sim_now(a), 0, sky.host->address), ZT_E_MALFORMED);
	assert_int_equal(zt_moon_orbit(a->zt, sim_now(a), MOON, 0), ZT_E_MALFORMED);
	for (uint64_t id = 1; id <= ZT_MAX_MOONS; id++) {
		assert_int_equal(zt_moon_orbit(a->zt, sim_now(a), id, sky.host->address), 0);
	}
	assert_int_equal(zt_moon_orbit(a->zt, sim_now(a), MOON, sky.host->address), ZT_E_NO_ROOM);
	assert_int_equal(load(a, &sky.first), ZT_E_NO_ROOM);
	sim_run(sky.cast.sim, 5000); /* its HELLOs carry all of them */
	assert_true(can_talk(a, sky.cast.b, 5000));
	cast_free(&sky.cast);
}

/* The chained key: what signed the first planet signs the second, and only that is stored. */
static void a_planet_update_spreads_from_the_root(void **state)
{
	(void)state;
	struct sky sky;
	sky_open(&sky);
	struct sim *sim = sky.cast.sim;
	struct sim_node *both[] = { sky.cast.root, sky.host };
	sim_node_stop(sky.cast.root);
	sim_planet(sim, both, 2);
	sim->planet[100] ^= 1;         /* its signature */
	sim_node_start(sky.cast.root); /* a file is trusted as it is */
	sim_run(sim, 130000);
	assert_int_equal(sky.stored_a.planets, 0);
	assert_int_equal(role_of(sky.cast.a, sky.cast.root), ZT_ROLE_PLANET);
	sim_node_stop(sky.cast.root);
	sim->planet[100] ^= 1;
	sim_node_start(sky.cast.root);
	sim_run(sim, 130000);
	assert_int_equal(sky.stored_a.planets, 1);
	assert_int_equal(sky.stored_b.planets, 1);
	assert_int_equal(sky.stored_a.last.length, sim->planet_length);
	assert_memory_equal(sky.stored_a.last.bytes, sim->planet, sim->planet_length);
	assert_int_equal(role_of(sky.cast.a, sky.host), ZT_ROLE_PLANET);
	assert_int_equal(sky.cast.a->events[ZT_EVENT_PLANET], 1);
	cast_free(&sky.cast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_orbits_by_a_seed),
		cmocka_unit_test(a_moon_alone_is_enough),
		cmocka_unit_test(an_update_spreads_and_a_forged_one_does_not),
		cmocka_unit_test(a_seed_gives_only_its_own_moon),
		cmocka_unit_test(false_keys_in_a_moon_change_nobody),
		cmocka_unit_test(malformed_moons_are_refused),
		cmocka_unit_test(a_planet_update_spreads_from_the_root),
	};
	return cmocka_run_group_tests_name("sim/moons: vl1 11", tests, NULL, NULL);
}
