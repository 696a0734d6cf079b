# SPDX-License-Identifier: Apache-2.0 OR MIT
# The long tests, which are no part of `make check`.

idle: all ## 10 000 idle connections and one that talks: memory, wake-ups, what is left (IDLE_CONNECTIONS, IDLE_SECONDS)
	$(Q)tests/soak/idle.sh

.PHONY: idle
