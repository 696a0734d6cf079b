# SPDX-License-Identifier: Apache-2.0 OR MIT
# The interceptor for programs that are linked against musl (Alpine's, mostly): a library is bound to the
# libc it was built with, so they need one of their own. On Debian: apt-get install musl-tools.

MUSL_CC ?= musl-gcc
MB := build/musl
# zerotier-intercept looks for it beside the other one.
INTERCEPT_MUSL := $(B)/libzerotierintercept-musl.so

# musl-gcc hides /usr/include, and with it the kernel's own headers: these are the same for every libc.
MUSL_KERNEL := $(MB)/kernel
MUSL_HEADERS := $(foreach d,linux asm asm-generic,$(firstword $(wildcard \
	/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)/$(d) /usr/include/$(d))))
# Its msghdr and cmsghdr have int and socklen_t where the kernel and glibc have size_t; the glibc build is
# the one that is checked for conversions. Some of what is replaced has no prototype there.
MUSL_WARNINGS = $(filter-out -Wconversion -Wmissing-prototypes,$(WARNINGS)) -Wno-sign-compare -Wno-array-parameter
MUSL_FLAGS = -std=c11 -D_GNU_SOURCE -g -O2 -fPIC -I. -isystem $(MUSL_KERNEL) $(MUSL_WARNINGS) \
	-DNETCON_LIBDIR='"$(LIBDIR)"' -DNETCON_STATEDIR='"$(STATEDIR)"' -MMD -MP

musl: $(INTERCEPT_MUSL) ## the library for programs linked against musl (needs musl-gcc)

$(MUSL_KERNEL):
	$(Q)command -v $(MUSL_CC) >/dev/null || { echo "no $(MUSL_CC): apt-get install musl-tools, or name another compiler: make musl MUSL_CC=..." >&2; exit 1; }
	$(Q)mkdir -p $@ && ln -sf $(MUSL_HEADERS) $@/

$(MB)/%.o: %.c | $(MUSL_KERNEL)
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D) && $(MUSL_CC) $(MUSL_FLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

musl_objects = $(patsubst %.c,$(MB)/%.o,$(wildcard $(1)/*.c))
$(call musl_objects,intercept) $(call musl_objects,rpc): MUSL_FLAGS += -fvisibility=hidden -ftls-model=initial-exec
$(INTERCEPT_MUSL): $(call musl_objects,intercept) $(call musl_objects,rpc) intercept/exports.map
	$(call say,LD,$@)
	$(Q)$(MUSL_CC) -shared -o $@ $(filter %.o,$^) -Wl,--version-script=intercept/exports.map \
		-Wl,-z,defs -Wl,-z,relro,-z,now -Wl,-soname,libzerotierintercept-musl.so $(LDFLAGS)

# The differential test once more with a program for musl, against itself on the kernel's network.
$(call musl_objects,tests/shim): MUSL_WARNINGS += -Wno-write-strings -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow
$(MB)/tests/shim/shim: $(call musl_objects,tests/shim)
	$(call say,LD,$@)
	$(Q)$(MUSL_CC) -o $@ $^

shim-musl: all musl $(MB)/tests/shim/shim ## make shim with a program and the library for musl
	$(Q)LIBRARY=$(CURDIR)/$(INTERCEPT_MUSL) SHIM=$(CURDIR)/$(MB)/tests/shim/shim tests/shim/run.sh

.PHONY: musl shim-musl
