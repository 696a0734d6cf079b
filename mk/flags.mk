# SPDX-License-Identifier: Apache-2.0 OR MIT
# Compiler flags and libraries. The user's CFLAGS and LDFLAGS are appended, never replaced.

# Of the target, also when CC is a cross compiler.
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
OBJCOPY := $(shell $(CC) -print-prog-name=objcopy)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wvla -Wconversion $(if $(CI),-Werror) $(if $(WERROR),-Werror)
OPTIMISE := $(if $(SAN),-O1 -fno-omit-frame-pointer,-O2 -D_FORTIFY_SOURCE=2)
BASE_FLAGS := -std=c11 -D_GNU_SOURCE -g $(OPTIMISE) -fstack-protector-strong -fPIC -I. -DNETCON_LIBDIR='"$(LIBDIR)"' -DNETCON_STATEDIR='"$(STATEDIR)"' $(if $(PORTMAP),-DNETCON_PORTMAP) -MMD -MP \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)
BASE_LDFLAGS := -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))

PKG_CONFIG ?= pkg-config
PACKAGES := libsodium libcrypto liblz4 jansson libmicrohttpd libcurl libseccomp libcares $(if $(PORTMAP),miniupnpc)
ifneq ($(filter-out clean distclean help install-packages,$(or $(MAKECMDGOALS),all)),)
missing := $(strip $(foreach p,$(PACKAGES),$(shell $(PKG_CONFIG) --exists $(p) || echo $(p))))
ifneq ($(missing),)
$(error missing libraries: $(missing). On Debian: sudo apt-get install $(shell cat scripts/packages-build.txt | tr '\n' ' ')$(if $(PORTMAP),libminiupnpc-dev libnatpmp-dev))
endif
endif
pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null)
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
PKG_FLAGS := $(call pkg_cflags,$(PACKAGES))

CORE_LIBS := $(call pkg_libs,libsodium libcrypto liblz4)
CONTROLLER_LIBS := $(call pkg_libs,jansson)
# UPnP and NAT-PMP: only if asked for by PORTMAP=1 (decision 160). libnatpmp has no pkg-config file.
SERVICE_LIBS := $(call pkg_libs,libmicrohttpd libseccomp libcares $(if $(PORTMAP),miniupnpc)) $(if $(PORTMAP),-lnatpmp) -ldl -lpthread
CLI_LIBS := $(call pkg_libs,libcurl jansson)

COMPILE = $(CC) $(BASE_FLAGS) $(WARNINGS) $(PKG_FLAGS) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(BASE_LDFLAGS) $(CFLAGS) $(LDFLAGS)
