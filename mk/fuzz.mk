# SPDX-License-Identifier: Apache-2.0 OR MIT
# libFuzzer programs: everything they attack is compiled again by clang with the sanitizers.

FUZZ_B := build/fuzz
FUZZ_CC ?= clang
FUZZ_FLAGS := -std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -I. -w -MMD -MP \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DNETCON_LIBDIR='"$(LIBDIR)"' -DNETCON_STATEDIR='"$(STATEDIR)"'
FUZZ_SOURCES := $(wildcard core/*.c controller/*.c rpc/*.c) $(filter-out service/main.c,$(wildcard service/*.c))
FUZZ_OBJECTS := $(patsubst %.c,$(FUZZ_B)/%.o,$(FUZZ_SOURCES))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(FUZZ_B)/bin/%,$(wildcard tests/fuzz/fuzz_*.c))

$(FUZZ_B)/%.o: %.c
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) $(PKG_FLAGS) -c -o $@ $<
$(FUZZ_B)/core/salsa_avx2.o: FUZZ_FLAGS += -mavx2
$(FUZZ_B)/core/salsa_avx512.o: FUZZ_FLAGS += -mavx512f -mavx512vl
$(FUZZ_B)/libfuzzed.a: $(FUZZ_OBJECTS) $(patsubst %.c,$(FUZZ_B)/%.o,$(wildcard tests/lib/*.c))
	$(Q)rm -f $@ && ar rcs $@ $^
$(FUZZ_B)/bin/%: $(FUZZ_B)/tests/fuzz/%.o $(FUZZ_B)/libfuzzed.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ \
		$(SERVICE_LIBS) $(CONTROLLER_LIBS) $(CORE_LIBS) $(TEST_LIBS)

fuzz-targets: $(FUZZ_TARGETS)
fuzz: ## run every fuzz target for FUZZ_SECONDS each
	$(Q)scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: fuzz fuzz-targets
