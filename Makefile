# SPDX-License-Identifier: Apache-2.0 OR MIT
# netcon: one Makefile, no recursion, everything under build/$(PROFILE)/. `make help` lists targets.

VERSION := 2.0.0-dev
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib/netcon
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
SYSCONFDIR ?= /etc
SYSTEMD_DIR ?= $(PREFIX)/lib/systemd
# The home directory when none is given.
STATEDIR ?= /var/lib/zerotier-one
CC ?= cc
LWIP_DIR ?= third_party/lwip
VECTORS ?= tests/vectors
FUZZ_SECONDS ?= 5
SAN ?=
PORTMAP ?=
PROFILE ?= $(if $(SAN),$(subst $(comma),-,$(SAN)),release)$(if $(PORTMAP),-portmap)
comma := ,
B := build/$(PROFILE)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

include mk/flags.mk
include mk/objects.mk
include mk/tests.mk
include mk/musl.mk
include mk/fuzz.mk
include mk/soak.mk
include mk/install.mk

.DEFAULT_GOAL := all
all: netcon ## build the service, the library, the stack and the tools

programs: $(PROGRAMS) $(LIBRARIES) ## what `all` builds, without links at the top: PORTMAP=1 for a second build
netcon: $(PROGRAMS) $(LIBRARIES) $(ROOT_LINKS) ## the original's name for `all`

demo: ## build a private universe on loopback and run programs on it (--keep: make demo KEEP=1)
	$(Q)scripts/demo.sh $(if $(KEEP),--keep)

clean: ## remove everything built
	$(Q)rm -rf build $(ROOT_LINKS)

distclean: clean ## also remove fetched third-party sources
	$(Q)rm -rf third_party

help: ## this list
	$(Q)awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-16s %s\n", $$1, $$2}' Makefile mk/*.mk

.PHONY: all programs netcon demo clean distclean help
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
