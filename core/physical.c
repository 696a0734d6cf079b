/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/physical.h"

#include "core/proto.h"

static uint16_t clamp(uint16_t mtu)
{
	if (mtu == 0) {
		return PATH_MTU_BYTES;
	}
	if (mtu < PATH_MTU_MIN_BYTES) {
		return PATH_MTU_MIN_BYTES;
	}
	return mtu > PATH_MTU_MAX_BYTES ? PATH_MTU_MAX_BYTES : mtu;
}

void physical_set(struct physical *physical, const struct zt_physical *list, size_t count)
{
	physical->count = count < ZT_MAX_PHYSICAL ? count : ZT_MAX_PHYSICAL;
	for (size_t i = 0; i < physical->count; i++) {
		physical->list[i] = list[i];
		physical->list[i].mtu = clamp(list[i].mtu);
	}
}

static const struct zt_physical *find(const struct physical *physical, const struct zt_endpoint *at)
{
	for (size_t i = 0; i < physical->count; i++) {
		if (endpoint_within(at, &physical->list[i].net)) {
			return &physical->list[i];
		}
	}
	return NULL;
}

uint16_t physical_mtu(const struct physical *physical, const struct zt_endpoint *to)
{
	const struct zt_physical *net = find(physical, to);
	return net ? net->mtu : PATH_MTU_BYTES;
}

uint64_t physical_trusted(const struct physical *physical, const struct zt_endpoint *at)
{
	const struct zt_physical *net = find(physical, at);
	return net ? net->trusted_path_id : 0;
}
