# SPDX-License-Identifier: Apache-2.0 OR MIT
# install, uninstall: honours DESTDIR and PREFIX; needs no root if PREFIX is writable.

MANPAGES := $(wildcard man/*.[1-8])
INSTALLED = $(DESTDIR)$(SBINDIR)/zerotier-netcon-service $(DESTDIR)$(BINDIR)/zerotier-cli \
	$(DESTDIR)$(BINDIR)/zerotier-idtool $(DESTDIR)$(BINDIR)/zerotier-intercept \
	$(DESTDIR)$(LIBDIR)/zerotier-intercept-exec $(DESTDIR)$(LIBDIR)/liblwip.so \
	$(DESTDIR)$(LIBDIR)/libzerotierintercept.so \
	$(foreach m,$(MANPAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))

INSTALLED += $(DESTDIR)$(DATADIR)/bash-completion/completions/zerotier-cli \
	$(DESTDIR)$(DATADIR)/zsh/site-functions/_zerotier-cli \
	$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/zerotier-cli.fish \
	$(DESTDIR)$(DATADIR)/pkgconfig/zerotierintercept.pc
SYSTEMD_UNITS = $(DESTDIR)$(SYSTEMD_DIR)/system/zerotier-netcon.service \
	$(DESTDIR)$(SYSTEMD_DIR)/user/zerotier-netcon.service
FILL_IN = sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' -e 's|@STATEDIR@|$(STATEDIR)|g' \
	-e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' -e 's|@VERSION@|$(VERSION)|g'

install: all ## install below DESTDIR/PREFIX (default /usr/local)
	$(Q)install -d $(sort $(dir $(INSTALLED)))
	$(Q)install -m 755 $(B)/zerotier-netcon-service $(DESTDIR)$(SBINDIR)/
	$(Q)install -m 755 $(B)/zerotier-cli $(B)/zerotier-idtool $(B)/zerotier-intercept $(DESTDIR)$(BINDIR)/
	$(Q)install -m 644 $(STACK_SO) $(INTERCEPT_SO) $(DESTDIR)$(LIBDIR)/
	$(Q)[ ! -e $(INTERCEPT_MUSL) ] || install -m 644 $(INTERCEPT_MUSL) $(DESTDIR)$(LIBDIR)/
	$(Q)install -m 755 $(B)/zerotier-intercept-exec $(DESTDIR)$(LIBDIR)/
	$(Q)for m in $(MANPAGES); do \
		install -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/ || exit 1; done
	$(Q)install -d $(DESTDIR)$(DATADIR)/bash-completion/completions \
		$(DESTDIR)$(DATADIR)/zsh/site-functions $(DESTDIR)$(DATADIR)/fish/vendor_completions.d \
		$(DESTDIR)$(DATADIR)/pkgconfig
	$(Q)install -m 644 packaging/completion/zerotier-cli.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/zerotier-cli
	$(Q)install -m 644 packaging/completion/_zerotier-cli $(DESTDIR)$(DATADIR)/zsh/site-functions/_zerotier-cli
	$(Q)install -m 644 packaging/completion/zerotier-cli.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/
	$(Q)$(FILL_IN) packaging/zerotierintercept.pc.in >$(DESTDIR)$(DATADIR)/pkgconfig/zerotierintercept.pc
	@echo "installed below $(DESTDIR)$(PREFIX); try: zerotier-netcon-service --help"

# Apart from install: a system user is needed for the first (packaging/systemd/zerotier-netcon.sysusers).
install-systemd: ## install the units for the system's and for users' systemd
	$(Q)install -d $(dir $(SYSTEMD_UNITS))
	$(Q)$(FILL_IN) packaging/systemd/zerotier-netcon.service.in >$(word 1,$(SYSTEMD_UNITS))
	$(Q)$(FILL_IN) packaging/systemd/zerotier-netcon.user.service.in >$(word 2,$(SYSTEMD_UNITS))

deb: ## build Debian packages into build/deb (as in packaging/debian)
	$(Q)scripts/make-deb.sh

deb-check: ## build them, run lintian, install and remove them in a fresh Debian (root)
	$(Q)scripts/check-deb.sh

uninstall: ## remove what install put there
	$(Q)rm -f $(INSTALLED) $(SYSTEMD_UNITS)
	$(Q)-rmdir $(DESTDIR)$(LIBDIR) 2>/dev/null || true

.PHONY: install install-systemd uninstall deb deb-check
