# SPDX-License-Identifier: Apache-2.0 OR MIT
# The long tests, which are no part of `make check`.

idle: all ## 10 000 idle connections and one that talks: memory, wake-ups, what is left (IDLE_CONNECTIONS, IDLE_SECONDS)
	$(Q)tests/soak/idle.sh

soak: all ## mixed load with kill -9 at random, then nothing may be left (SOAK_SECONDS, default 1800; SOAK_SEED)
	$(Q)tests/soak/soak.sh

.PHONY: idle soak
