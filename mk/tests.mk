# SPDX-License-Identifier: Apache-2.0 OR MIT
# Tests. tests/unit/FOLDER/test_X.c is one cmocka program, linked against FOLDER's archive; adding a
# file is enough. tests/lib/ is shared by all. SAN=address,undefined builds the same into its own folder.

TESTLIB := $(B)/libtest.a
TEST_LIBS := $(call pkg_libs,cmocka jansson)
$(TESTLIB): $(call objects,tests/lib)
	$(archive)

unit_programs = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/$(1)/test_*.c))
UNIT_FOLDERS := base core controller rpc stack service intercept cli container
UNIT_TESTS := $(foreach f,$(UNIT_FOLDERS),$(call unit_programs,$(f)))
VECTOR_TESTS := $(filter $(B)/tests/unit/core/test_vectors_%,$(UNIT_TESTS))
SIM_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/sim/test_*.c))

define link_test
$(call say,LD,$@)
$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(TEST_LIBS) $(1)
endef

$(B)/tests/unit/base/%: $(B)/tests/unit/base/%.o $(TESTLIB)
	$(call link_test,)
$(B)/tests/unit/core/%: $(B)/tests/unit/core/%.o $(TESTLIB) $(CORE)
	$(call link_test,$(CORE_LIBS))
$(B)/tests/unit/controller/%: $(B)/tests/unit/controller/%.o $(TESTLIB) $(CONTROLLER) $(CORE)
	$(call link_test,$(CONTROLLER_LIBS) $(CORE_LIBS))
$(B)/tests/unit/rpc/%: $(B)/tests/unit/rpc/%.o $(TESTLIB) $(RPC)
	$(call link_test,)
# The stack's tests load liblwip.so as the service does; what is no test_*.c there is their harness.
STACK_HARNESS := $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard tests/unit/stack/test_*.c),$(wildcard tests/unit/stack/*.c)))
$(B)/tests/unit/stack/%: $(B)/tests/unit/stack/%.o $(STACK_HARNESS) $(B)/service/stacklib.o $(TESTLIB) | $(STACK_SO)
	$(call link_test,-ldl)
$(STACK_HARNESS): BASE_FLAGS += -DSTACK_TEST_BUILD='"$(B)"'
$(B)/tests/unit/service/%: $(B)/tests/unit/service/%.o $(TESTLIB) $(SERVICE) $(CONTROLLER) $(CORE) $(RPC) | $(STACK_SO)
	$(call link_test,$(SERVICE_LIBS) $(CONTROLLER_LIBS) $(CORE_LIBS))
$(B)/tests/unit/intercept/%: $(B)/tests/unit/intercept/%.o $(TESTLIB) $(RPC) | $(INTERCEPT_SO)
	$(call link_test,-ldl -lpthread)
$(B)/tests/unit/cli/%: $(B)/tests/unit/cli/%.o $(TESTLIB) $(CLI) $(CORE)
	$(call link_test,$(CLI_LIBS) $(CORE_LIBS))
$(B)/tests/unit/container/%: $(B)/tests/unit/container/%.o $(TESTLIB) $(CONTAINER) | $(B)/zerotier-idtool
	$(call link_test,$(CONTROLLER_LIBS))
SIM_OBJECTS := $(patsubst %.c,$(B)/%.o,$(filter-out $(wildcard tests/sim/test_*.c),$(wildcard tests/sim/*.c)))
$(B)/tests/sim/%: $(B)/tests/sim/%.o $(SIM_OBJECTS) $(TESTLIB) $(CONTROLLER) $(CORE)
	$(call link_test,$(CONTROLLER_LIBS) $(CORE_LIBS) -lm)

# Makes tests/vectors/identities.json; run by hand.
$(B)/make-identities: $(B)/tests/tools/make_identities.o $(CORE)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CORE_LIBS)

unit-programs: $(UNIT_TESTS) $(SIM_TESTS)
test: unit-programs ## unit and simulator tests
	$(Q)VECTORS=$(VECTORS) BUILD=$(B) scripts/run-tests.sh $(UNIT_TESTS) $(SIM_TESTS)

sim-scale: $(B)/tests/sim/test_scale ## the simulation of many nodes at full size: SIM_NODES, default 1000 (minutes)
	$(Q)VECTORS=$(VECTORS) SIM_NODES=$(or $(SIM_NODES),1000) $<

check-vectors: $(VECTOR_TESTS) ## the vector tests alone; VECTORS=folder takes others of the same schema
	$(Q)VECTORS=$(VECTORS) BUILD=$(B) scripts/run-tests.sh $(VECTOR_TESTS)

check: ## every test: unit, sim, sanitizers, end to end, lint, short fuzz; ends with N passed, N failed
	$(Q)scripts/check.sh

e2e: all $(B)/httpstub ## end-to-end tests on loopback
	$(Q)scripts/run-bats.sh tests/e2e

# The differential test: the same cases on the kernel's network and under interception.
$(B)/tests/shim/shim: $(call objects,tests/shim)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lpthread
# Cases pass what no program should: wrong pointers, lengths, counts.
$(call objects,tests/shim): WARNINGS += -Wno-write-strings -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow
shim: all $(B)/tests/shim/shim ## system calls compared: natively and under interception, equal but for accepted.txt
	$(Q)tests/shim/run.sh

conformance: all ## CPython's network tests natively and under interception, and what differs (SUITES="test_socket ...")
	$(Q)tests/conformance/run.sh $(SUITES)

interop: all ## with ZEROTIER_ONE=binary, as root: every mix with zerotier-one, and a table of it
	$(Q)tests/interop/run.sh

compat: all ## as root: Debian's servers and clients on a virtual network, and docs/COMPATIBILITY.md of it (FILES=tests/compat/X.bats)
	$(Q)scripts/compat.sh $(FILES)

docker-check: ## every container test, on every base image that can be made (docker-test/, a quarter of an hour)
	$(Q)docker-test/check.sh

lint: ## format, arrows between modules, cppcheck, clang-tidy, shellcheck, man pages
	$(Q)scripts/lint.sh

format: ## reformat our C with clang-format
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

# bench/X.c: programs; those named here need more than libc.
BENCH_PROGRAMS := $(patsubst %.c,$(B)/%,$(wildcard bench/*.c))
$(B)/bench/%: $(B)/bench/%.o $(CORE)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CORE_LIBS) -ldl -lm

bench: all $(BENCH_PROGRAMS) ## measure, as ratios in one run (see bench/run.sh)
	$(Q)bench/run.sh

.PHONY: compat conformance shim unit-programs test sim-scale check check-vectors e2e interop docker-check lint format bench
