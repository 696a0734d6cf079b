/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a table is a list of matches, each run of them followed by an action, which is
 * taken if they held (filter_table, 7.3). The network's table decides first; where it ends without
 * a decision, the sender's capabilities are tried, small tables of their own that its controller
 * signed (7.4). What nobody accepts is dropped. Single matches are in filter_match.c, the taking
 * apart of frames in filter_ip.c.
 */
#include "core/filter_impl.h"

struct filter_run filter_run_init(const struct filter_in *in)
{
	return (struct filter_run){
		.in = in,
		.zt_dest = in->zt_dest,
		.random = in->random,
		.ip = filter_ip_of(in->ether_type, in->data),
	};
}

/* ---- one table --------------------------------------------------------------------------------
 */

static bool is_forward(const struct rule *rule)
{
	return rule->type == RULE_TEE || rule->type == RULE_WATCH || rule->type == RULE_REDIRECT;
}

static enum filter_result forward(struct filter_run *run, const struct rule *rule,
				  struct filter_copy *copy)
{
	const struct filter_in *in = run->in;
	uint64_t to = rule->u.forward.address;
	if (to == in->zt_source) {
		return FILTER_GOES_ON;
	}
	if (to == in->self) {
		return in->is_inbound ? FILTER_SUPER_ACCEPT : FILTER_GOES_ON;
	}
	if (to == run->zt_dest) {
		return FILTER_GOES_ON;
	}
	if (rule->type == RULE_REDIRECT) {
		run->zt_dest = to;
		return FILTER_REDIRECT;
	}
	size_t length = rule->u.forward.length;
	bool is_watch = rule->type == RULE_WATCH;
	copy->dest = to;
	copy->length = length == 0 || length > in->data.length ? in->data.length : length;
	copy->flags = in->is_inbound ? (is_watch ? EXT_FRAME_WATCH_IN : EXT_FRAME_TEE_IN)
				     : (is_watch ? EXT_FRAME_WATCH_OUT : EXT_FRAME_TEE_OUT);
	return FILTER_GOES_ON;
}

static enum filter_result act(struct filter_run *run, const struct rule *rule,
			      struct filter_copy *copy)
{
	switch (rule->type) {
	case RULE_DROP:
		if (run->skips) {
			run->skips = false;
			return FILTER_GOES_ON;
		}
		return FILTER_DROP;
	case RULE_ACCEPT:
		return run->is_super ? FILTER_SUPER_ACCEPT : FILTER_ACCEPT;
	case RULE_PRIORITY: /* its class of service does not travel (7.1) */
		return FILTER_ACCEPT;
	case RULE_TEE:
	case RULE_WATCH:
	case RULE_REDIRECT:
		return forward(run, rule, copy);
	case RULE_BREAK:
		return FILTER_NO_MATCH;
	default:
		return FILTER_GOES_ON;
	}
}

enum filter_result filter_table(struct filter_run *run, const struct rule *rules, size_t count,
				struct filter_copy *copy)
{
	bool is_set = true;
	run->is_super = false;
	run->skips = false;
	*copy = (struct filter_copy){ .dest = 0 };
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = &rules[i];
		if (!rule_is_action(rule)) {
			if (is_set || rule->is_or) {
				bool matches = filter_match(run, rule);
				is_set = rule->is_or ? is_set || matches : matches;
			}
			continue;
		}
		if (is_set) {
			enum filter_result result = act(run, rule, copy);
			if (result != FILTER_GOES_ON) {
				return result;
			}
		} else if (run->in->is_inbound && is_forward(rule) &&
			   rule->u.forward.address == run->in->self) {
			/* A copy meant for us looks unlike what its rule describes: it may have
			 * been cut, its addresses are not ours. So we are lenient from here on. */
			run->is_super = true;
		}
		is_set = true;
	}
	return FILTER_NO_MATCH;
}

/* ---- the verdict ------------------------------------------------------------------------------
 */

static bool is_accepting(enum filter_result result)
{
	return result == FILTER_ACCEPT || result == FILTER_SUPER_ACCEPT ||
	       result == FILTER_REDIRECT;
}

/* What a capability does not accept it has nothing to say about. */
static enum filter_result own_capabilities(struct filter_run *run, struct filter_copy *copy)
{
	const struct netconf *own = run->in->own;
	for (size_t i = 0; i < own->capability_count; i++) {
		const struct capability *cap = &own->capabilities[i];
		enum filter_result result = filter_table(run, cap->rules, cap->rule_count, copy);
		if (is_accepting(result)) {
			return result;
		}
	}
	return FILTER_DROP;
}

static enum filter_result their_capabilities(struct filter_run *run, struct filter_copy *copy)
{
	const struct held *held = run->in->other;
	for (size_t i = 0; held && i < held->capability_count; i++) {
		const struct capability *cap = &held->capabilities[i];
		if (!held_capability_usable(held, cap, &run->in->window)) {
			continue;
		}
		enum filter_result result = filter_table(run, cap->rules, cap->rule_count, copy);
		if (is_accepting(result)) {
			return result;
		}
	}
	return FILTER_DROP;
}

static void copy_add(struct filter_out *out, const struct filter_copy *copy)
{
	if (copy->dest != 0) {
		out->copies[out->copy_count++] = *copy;
	}
}

enum filter_verdict filter_frame(const struct filter_in *in, struct filter_out *out)
{
	struct filter_run run = filter_run_init(in);
	struct filter_copy of_table, of_capability = { .dest = 0 };
	out->copy_count = 0;
	enum filter_result result =
	    filter_table(&run, in->own->rules, in->own->rule_count, &of_table);
	if (result == FILTER_NO_MATCH) {
		result = in->is_inbound ? their_capabilities(&run, &of_capability)
					: own_capabilities(&run, &of_capability);
	}
	if (!is_accepting(result)) {
		return FILTER_DENY;
	}
	if (in->is_inbound || !in->is_tee_suppressed) {
		copy_add(out, &of_table);
		copy_add(out, &of_capability);
	}
	if (run.zt_dest != in->zt_dest && run.zt_dest != 0) {
		copy_add(out, &(struct filter_copy){
				  .dest = run.zt_dest,
				  .length = in->data.length,
				  .flags = in->is_inbound ? EXT_FRAME_REDIRECT_IN
							  : EXT_FRAME_REDIRECT_OUT,
			      });
		return FILTER_DENY;
	}
	return in->is_inbound && result == FILTER_SUPER_ACCEPT ? FILTER_PASS_SUPER : FILTER_PASS;
}

bool filter_is_open(const struct rule *rules, size_t count)
{
	return count > 0 && (rules[0].type == RULE_ACCEPT || rules[0].type == RULE_PRIORITY);
}
