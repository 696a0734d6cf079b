# SPDX-License-Identifier: Apache-2.0 OR MIT
# liblwip.so: lwIP from Debian's source package, our patches, our options, our glue (design D2, D3).
# It is loaded once per network, so it exports one function and binds its own symbols to itself.

LWIP_STAMP := $(LWIP_DIR)/.stamp
LWIP_PATCHES := stack/patches/series stack/patches/SKIPPED $(wildcard stack/patches/*.patch)
$(LWIP_STAMP): scripts/get-lwip.sh $(LWIP_PATCHES)
	$(call say,FETCH,lwIP)
	$(Q)LWIP_DIR=$(LWIP_DIR) scripts/get-lwip.sh

# Named, not found: before the first fetch there is nothing to look at.
LWIP_CORE := init def inet_chksum ip mem memp netif pbuf stats tcp tcp_in tcp_out \
	ipv4/ip4 ipv4/ip4_addr ipv6/ip6 ipv6/ip6_addr
LWIP_OBJECTS := $(LWIP_CORE:%=$(B)/lwip/%.o)
STACK_OBJECTS := $(call objects,stack)

LWIP_INCLUDE := -isystem $(LWIP_DIR)/src/include -Istack
STACK_FLAGS := -fvisibility=hidden $(LWIP_INCLUDE)

# lwIP's own files: no warnings of ours, but our sanitizers.
$(LWIP_OBJECTS): $(B)/lwip/%.o: $(LWIP_STAMP)
	$(call say,CC,$(LWIP_DIR)/src/core/$*.c)
	$(Q)mkdir -p $(@D) && $(CC) $(BASE_FLAGS) -w $(STACK_FLAGS) $(CPPFLAGS) $(CFLAGS) \
		-c -o $@ $(LWIP_DIR)/src/core/$*.c
$(STACK_OBJECTS): $(LWIP_STAMP)
# The compiler does not list headers that system headers include.
$(LWIP_OBJECTS) $(STACK_OBJECTS): stack/lwipopts.h stack/hooks.h stack/timerq.h stack/arch/cc.h
$(STACK_OBJECTS): BASE_FLAGS += $(STACK_FLAGS)

$(B)/stack/checksum.o: BASE_FLAGS += $(if $(SAN),,-O3)

# Each network holds the whole file in a memfd, so debug information lies beside it, not inside.
# (KEEP_DEBUG=1: a packager splits it himself.)
# Sanitizer runtimes live in the program that loads the library, so their symbols stay open.
$(STACK_SO): $(STACK_OBJECTS) $(LWIP_OBJECTS) stack/exports.map
	$(call say,LD,$@)
	$(Q)$(LINK) -shared -o $@ $(filter %.o,$^) -Wl,--version-script=stack/exports.map -Wl,-Bsymbolic \
		$(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,-soname,liblwip.so
	$(if $(SAN)$(KEEP_DEBUG),,$(Q)$(OBJCOPY) --only-keep-debug $@ $@.debug && $(OBJCOPY) --strip-debug --add-gnu-debuglink=$@.debug $@)

# Where the service looks for the library after its own folder.
$(B)/service/stacklib.o: BASE_FLAGS += -DNETCON_LIBDIR='"$(LIBDIR)"'

# What the stack alone costs.
$(B)/bench/stack: $(B)/bench/stack.o $(B)/service/stacklib.o | $(STACK_SO)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -ldl

# The stack's fuzz targets hold the stack itself, once, compiled by clang (mk/fuzz.mk) without the
# loader: lwIP's core and stack/*.c.
FUZZ_STACK_OBJECTS := $(patsubst %.c,build/fuzz/%.o,$(wildcard stack/*.c)) $(LWIP_CORE:%=build/fuzz/lwip/%.o)
FUZZ_STACK := fuzz_stack_input fuzz_stack_state
FUZZ_STACK_MAIN := $(FUZZ_STACK:%=build/fuzz/tests/fuzz/%.o)
$(FUZZ_STACK_OBJECTS) $(FUZZ_STACK_MAIN): $(LWIP_STAMP) stack/lwipopts.h stack/hooks.h
$(FUZZ_STACK_OBJECTS) $(FUZZ_STACK_MAIN): FUZZ_FLAGS += $(LWIP_INCLUDE)
$(LWIP_CORE:%=build/fuzz/lwip/%.o): build/fuzz/lwip/%.o: $(LWIP_STAMP)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) -c -o $@ $(LWIP_DIR)/src/core/$*.c
$(FUZZ_STACK:%=build/fuzz/bin/%): build/fuzz/bin/%: build/fuzz/tests/fuzz/%.o $(FUZZ_STACK_OBJECTS)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^
