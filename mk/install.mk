# SPDX-License-Identifier: Apache-2.0 OR MIT
# install, uninstall: honours DESTDIR and PREFIX; needs no root if PREFIX is writable.

MANPAGES := $(wildcard man/*.[1-8])
INSTALLED = $(DESTDIR)$(SBINDIR)/zerotier-netcon-service $(DESTDIR)$(BINDIR)/zerotier-cli \
	$(DESTDIR)$(BINDIR)/zerotier-idtool $(DESTDIR)$(BINDIR)/zerotier-intercept \
	$(DESTDIR)$(LIBDIR)/zerotier-intercept-exec $(DESTDIR)$(LIBDIR)/liblwip.so \
	$(DESTDIR)$(LIBDIR)/libzerotierintercept.so \
	$(foreach m,$(MANPAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))

install: all ## install below DESTDIR/PREFIX (default /usr/local)
	$(Q)install -d $(sort $(dir $(INSTALLED)))
	$(Q)install -m 755 $(B)/zerotier-netcon-service $(DESTDIR)$(SBINDIR)/
	$(Q)install -m 755 $(B)/zerotier-cli $(B)/zerotier-idtool $(B)/zerotier-intercept $(DESTDIR)$(BINDIR)/
	$(Q)install -m 644 $(STACK_SO) $(INTERCEPT_SO) $(DESTDIR)$(LIBDIR)/
	$(Q)install -m 755 $(B)/zerotier-intercept-exec $(DESTDIR)$(LIBDIR)/
	$(Q)for m in $(MANPAGES); do \
		install -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/ || exit 1; done
	@echo "installed below $(DESTDIR)$(PREFIX); try: zerotier-netcon-service --help"

uninstall: ## remove what install put there
	$(Q)rm -f $(INSTALLED)
	$(Q)-rmdir $(DESTDIR)$(LIBDIR) 2>/dev/null || true

.PHONY: install uninstall
