/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a successor reads of its predecessor's connections (decision S10): whatever the bytes are,
 * they are refused or become connections that live with frames, time and operations as any other,
 * and no byte of memory is lost.
 *
 * A stack is brought into some state by the steps of stack_steps.h and exported; the bytes are
 * changed here and there, imported into a fresh one, and the steps go on. So what is imported is
 * nearly right, which random bytes never are. The input: how many bytes of steps come before, how
 * many changes; the changes (u16 where, u8 xor); the steps.
 */
#include "tests/fuzz/stack_steps.h"

enum { EDITS_MAX = 16, STATE_BYTES = 1 << 20, ADVANCES = 500 };

/* CONNS connections and the rest. */
static struct {
	uint8_t *bytes;
	size_t length;
} states[CONNS + 1];

static uint8_t *exact_copy(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	BUG_ON(!copy);
	memcpy(copy, bytes, length);
	return copy;
}

static void state_take(size_t i, int64_t length, const uint8_t *bytes)
{
	BUG_ON(length < 0 || length > STATE_BYTES);
	states[i].length = (size_t)length;
	states[i].bytes = exact_copy(bytes, (size_t)length);
}

static void export_all(void)
{
	uint8_t *room = malloc(STATE_BYTES);
	BUG_ON(!room);
	for (size_t i = 0; i < CONNS; i++) {
		int64_t most = conns[i] ? ops->tcp_export(conns[i], NULL, 0) : 0;
		if (conns[i] && most <= STATE_BYTES) {
			int64_t length = ops->tcp_export(conns[i], room, (size_t)most);
			BUG_ON(length > most);
			state_take(i, length, room);
		}
	}
	if (ops->rest_export(stack, NULL, 0) <= STATE_BYTES) {
		state_take(CONNS, ops->rest_export(stack, room, STATE_BYTES), room);
	}
	free(room);
}

/* One address for all of them, one after the other. */
static void edit(uint16_t where, uint8_t change)
{
	size_t total = 0;
	for (size_t i = 0; i <= CONNS; i++) {
		total += states[i].length;
	}
	size_t at = total > 0 ? where % total : 0;
	for (size_t i = 0; i <= CONNS && total > 0; i++) {
		if (at < states[i].length) {
			states[i].bytes[at] ^= change;
			return;
		}
		at -= states[i].length;
	}
}

static void import_all(bool must_work)
{
	int error = states[CONNS].bytes
			? ops->rest_import(stack, states[CONNS].bytes, states[CONNS].length)
			: 0;
	BUG_ON(must_work && error != 0);
	for (size_t i = 0; i < CONNS; i++) {
		struct stack_tcp *tcp = NULL;
		if (!states[i].bytes) {
			continue;
		}
		error = ops->tcp_import(stack, states[i].bytes, states[i].length, &conns[i], &tcp);
		BUG_ON((error == 0) != (tcp != NULL) || (must_work && error != 0));
		conns[i] = tcp;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	size_t before = rd_u16(&r), edits = rd_u8(&r) % (EDITS_MAX + 1);
	uint8_t changes[EDITS_MAX][3];
	for (size_t i = 0; i < edits; i++) {
		rd_copy(&r, changes[i], sizeof(changes[i]));
	}
	if (r.bad) {
		return 0;
	}
	begin();
	struct rd first = rd_sub(&r, before < rd_left(&r) ? before : rd_left(&r));
	steps(&first);
	ops->advance(stack, now_ms); /* nothing waits */
	export_all();
	end();
	for (size_t i = 0; i < edits; i++) {
		edit((uint16_t)(changes[i][0] << 8 | changes[i][1]), changes[i][2]);
	}
	begin();
	import_all(edits == 0);
	steps(&r);
	for (int i = 0; i < ADVANCES && ops->deadline(stack) != INT64_MAX; i++) {
		int64_t at = ops->deadline(stack);
		now_ms = at > now_ms ? at : now_ms;
		ops->advance(stack, now_ms);
	}
	end();
	for (size_t i = 0; i <= CONNS; i++) {
		free(states[i].bytes);
		states[i].bytes = NULL;
		states[i].length = 0;
	}
	return 0;
}
