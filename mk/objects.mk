# SPDX-License-Identifier: Apache-2.0 OR MIT
# What is made of what. Adding a .c file to a folder is enough.

objects = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)/*.c))

CORE := $(B)/libcore.a
CONTROLLER := $(B)/libcontroller.a
RPC := $(B)/librpc.a
SERVICE := $(B)/libservice.a
CLI := $(B)/libcli.a
CONTAINER := $(B)/libcontainer.a

STACK_SO := $(B)/liblwip.so
INTERCEPT_SO := $(B)/libzerotierintercept.so
PROGRAMS := $(B)/zerotier-netcon-service $(B)/zerotier-cli $(B)/zerotier-idtool \
	$(B)/zerotier-intercept $(B)/zerotier-intercept-exec
LIBRARIES := $(STACK_SO) $(INTERCEPT_SO)

# The original's walk-through runs from the top of the tree.
ROOT_LINKS := zerotier-netcon-service zerotier-cli zerotier-idtool zerotier-intercept zerotier-intercept-exec liblwip.so libzerotierintercept.so
$(ROOT_LINKS): %: $(B)/%
	$(Q)ln -sf $< $@

$(B)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) -c -o $@ $<

# Kernels for one instruction set each; chosen at run time.
ifeq ($(MACHINE),x86_64)
$(B)/core/salsa_avx2.o: BASE_FLAGS += -mavx2
$(B)/core/salsa_avx512.o: BASE_FLAGS += -mavx512f -mavx512vl
endif

define archive
$(call say,AR,$@)
$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $^
endef

$(CORE): $(call objects,core)
	$(archive)
$(CONTROLLER): $(call objects,controller)
	$(archive)
$(RPC): $(call objects,rpc)
	$(archive)
$(SERVICE): $(filter-out $(B)/service/main.o,$(call objects,service))
	$(archive)
$(CLI): $(filter-out $(B)/cli/main.o $(B)/cli/idtool.o,$(call objects,cli))
	$(archive)

$(B)/zerotier-netcon-service: $(B)/service/main.o $(SERVICE) $(CONTROLLER) $(CORE) $(RPC)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(SERVICE_LIBS) $(CONTROLLER_LIBS) $(CORE_LIBS)
$(B)/zerotier-cli: $(B)/cli/main.o $(CLI)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CLI_LIBS)
$(B)/zerotier-idtool: $(B)/cli/idtool.o $(CLI) $(CORE)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CLI_LIBS) $(CORE_LIBS)

$(B)/zerotier-intercept-exec: $(call objects,launch) $(RPC)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^
$(B)/zerotier-intercept: launch/zerotier-intercept.sh
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D) && sed 's|@LIBDIR@|$(LIBDIR)|g' $< >$@ && chmod 755 $@
# The first process of a container, and what puts the library into a volume; no part of `all`, the images build them.
$(CONTAINER): $(filter-out $(B)/container/main.o $(B)/container/copy.o,$(call objects,container))
	$(archive)
$(B)/zerotier-netcon-init: $(B)/container/main.o $(CONTAINER)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CONTROLLER_LIBS)
$(B)/zerotier-netcon-copy: $(B)/container/copy.o
	$(call say,LD,$@)
	$(Q)$(LINK) $(if $(SAN),,-static) -o $@ $^

# The C test server of the original's walk-through; no part of what is installed.
$(B)/httpstub: $(B)/examples/httpstub.o
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lpthread

# The interceptor: loadable into any program, exports only what exports.map names.
$(INTERCEPT_SO): $(call objects,intercept) $(call objects,rpc) intercept/exports.map
	$(call say,LD,$@)
	$(Q)$(LINK) -shared -o $@ $(filter %.o,$^) -Wl,--version-script=intercept/exports.map \
		-Wl,-z,defs -Wl,-soname,libzerotierintercept.so -ldl -Wl,--as-needed -lpthread
$(call objects,intercept) $(call objects,rpc): BASE_FLAGS += -fvisibility=hidden -ftls-model=initial-exec

include mk/lwip.mk
