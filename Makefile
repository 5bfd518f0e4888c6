# xman: `make demo` shows it at work, `make test` judges it. Both do all their own set-up (tests/tools/setup.sh).

PYTHON = .venv/bin/python
HYPERVISOR = test
PYTEST_ARGS =
# A file's tests stay together, and share their daemons. Most of a test is waiting for programs and guests, so that four
# processes are not too many for two cores.
PROCESSES = -n 4 --dist loadfile --no-loadscope-reorder --durations=25 --durations-min=5

# `make install`: for Debian's interpreter and Debian's bindings, or for another that has them.
INTERPRETER = /usr/bin/python3
PREFIX = /usr/local
SYSCONFDIR = /etc
DESTDIR =
MODULES = $(PREFIX)/lib/xman
UNITS = $(PREFIX)/lib/systemd/system
# Told to those who install; a package's build tells it.
VERSION = $$(packaging/version)
INSTALLED = $(addprefix $(DESTDIR)$(MODULES)/,xman rxm rxmweb xmand)

.PHONY: help html demo screenshots test test-fresh test-xen test-deb test-boot host-image test-host-image soak mutants bench bench-attack bench-fleet deb rpm lint types install uninstall clean

help:
	@echo 'make demo                   the main job on this machine, in a throw-away realm, without a hypervisor'
	@echo 'make demo HYPERVISOR=qemu   the same with a real guest'
	@echo 'make test                   everything: style, types, and all tests'
	@echo 'make test-fresh [RELEASE=bookworm|trixie] [WHAT=demo|test|deb|docs|all]'
	@echo '                            the same commands in a fresh minimal Debian (as root)'
	@echo 'make bench [QUICK=1]        what it costs, beside virsh, ssh, remctl and libvirtd, in one run (as root)'
	@echo 'make bench-attack [QUICK=1] what an honest client notices of crowds and floods'
	@echo 'make bench-fleet [HOSTS=N]  what 10,000 hosts that report cost their collector (a quarter of an hour)'
	@echo 'make deb                    packages for Debian, in .build/deb'
	@echo 'make test-boot              the packages on an emulated Debian with systemd (as root; half an hour)'
	@echo 'make host-image             what a host without state boots from, in .build/host-image (as root; ten minutes)'
	@echo 'make test-host-image        that image, booted in QEMU by network and from a stick (as root; half an hour)'
	@echo 'make rpm                    packages for EL 10 and Fedora, in .build/rpm'
	@echo 'make test-deb               the packages in fresh roots of Debian 12 and 13 (as root; a few minutes)'
	@echo 'make install                all commands under PREFIX ($(PREFIX)), with compiled modules and man pages'
	@echo 'make html                   the manual pages as HTML, with a quick reference, in .build/html'
	@echo 'make uninstall              removes them again; configuration and journal stay'
	@echo 'make test-xen               the verbs on two real Xen hosts in QEMU (ten minutes, 4 GB of memory)'
	@echo 'make soak [MINUTES=60]      the full size of what make test runs a little of: leaks, fuzzing, faults'
	@echo 'make mutants                does a test notice each way to break the batch states? (a few minutes)'
	@echo 'make screenshots            the pictures of the portal in docs/, anew'
	@echo 'make clean                  remove what these made'

demo:
	@tests/tools/setup.sh demo $(HYPERVISOR)
	@$(PYTHON) -m tests.tools.demo --hypervisor $(HYPERVISOR)

screenshots:
	@tests/tools/setup.sh test
	@$(PYTHON) -m tests.tools.screenshots

test:
	@tests/tools/setup.sh test
	@$(MAKE) --no-print-directory lint types
	@$(PYTHON) -m pytest $(PROCESSES) $(PYTEST_ARGS)

# What CI does for both releases (.ci/run). The packages that it fetches are kept for the next one.
RELEASE = bookworm
WHAT = test
test-fresh:
	@tests/tools/setup.sh fresh
	@tests/tools/fresh/what.sh $(RELEASE) $(WHAT) $(if $(PYTEST_ARGS),PYTEST_ARGS='$(PYTEST_ARGS)')

# As root. QUICK=1: under a minute. Of the whole, a few minutes, bench/RESULTS.md is kept.
bench:
	@tests/tools/setup.sh test
	@$(PYTHON) -m bench $(if $(QUICK),--quick,--write bench/RESULTS.md)

# What an honest client notices of crowds and floods; some minutes. BESIDE=REVISION measures a release in the same run.
bench-attack:
	@tests/tools/setup.sh test
	@$(PYTHON) -m bench.attack $(if $(QUICK),--quick,--write bench/ATTACK.md)
	@$(PYTHON) -m bench.besieged $(if $(QUICK),--quick,--append bench/ATTACK.md) $(if $(BESIDE),--beside $(BESIDE))

# Simulated hosts, each with a principal of its own: making their keys takes longer than all else.
HOSTS = 10000
bench-fleet:
	@tests/tools/setup.sh test
	@$(PYTHON) -m bench.fleet --hosts $(HOSTS) --write bench/FLEET.md

# Not a part of `make test`: everything in it is emulated, hypervisor and all.
test-xen:
	@tests/tools/setup.sh xen
	@$(PYTHON) -m pytest tests/xen $(PYTEST_ARGS)

# The targets of TARGETS.md at full size, in the order of tests/tools/soak.py: a day and some hours; MINUTES bounds them all
# together. Ends with what was run of each, and how long all of it would take.
SOAKS = tests/fuzz/test_k5login.py tests/fuzz/test_audit.py tests/fuzz/test_mutants.py tests/fuzz/test_hostile_host.py tests/fuzz/test_policy.py tests/realm/test_token_fuzz.py \
  tests/realm/test_exactly_once.py tests/realm/test_crashes.py tests/realm/test_leaks.py tests/slurm/test_scenarios.py tests/hypervisor/test_torn.py \
  tests/hypervisor/test_brokered.py tests/hypervisor/test_brokered_many.py tests/hypervisor/test_chaos.py tests/hypervisor/test_many_migrations.py tests/hypervisor/test_laboratory.py \
  tests/portal/test_browser_everybody.py
soak: export XMAN_SOAK = $(or $(MINUTES),full)
soak:
	@tests/tools/setup.sh test
	@$(PYTHON) -m pytest $(SOAKS) $(PYTEST_ARGS)

# Two quiet minutes; coverage and mutmut are installed for this alone.
mutants:
	@tests/tools/setup.sh test
	@$(PYTHON) -m pip -q --disable-pip-version-check --no-input install -e '.[mutants]'
	@$(PYTHON) -m tests.tools.mutants

# Needs nothing but Python.
html:
	@python3 packaging/pages.py .build/html
	@ls .build/html/index.html

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@.venv/bin/mypy

# The modules go where nothing else is, compiled once for all, those that every command needs in one file: rxm starts anew
# for each. Python without its site module starts faster than with it; rxm fetches that when it needs it. The first line of a
# program takes a whole path only.
define LAUNCHER
#!$(shell command -v $(INTERPRETER) || echo $(INTERPRETER)) $(1)
import sys

sys.path.append("$(MODULES)")
from $(2) import main

main()
endef

export RXM = $(call LAUNCHER,-IS,rxm.launcher)
export RXMWEB = $(call LAUNCHER,-I,rxmweb.cli)
export SLURM = $(call LAUNCHER,-I,rxm.slurm.cli)
export XMAND = $(call LAUNCHER,-I,xmand.cli)

# What a site may copy and change, by the command whose manual page names it.
EXAMPLES = rxm:guests rxm:xman/rxm.toml rxm:slurm xmand:xman/xmand.toml xmand:libvirt xmand:logrotate.d xmand:rsyslog.d \
  rxmweb:xman/rxmweb.toml rxmweb:apache rxmweb:browsers rxmweb:prometheus
# Its modes are its own, whatever the umask is and whatever the checkout's was.
PLAIN = umask 022 && install -D -m 644
OPEN = chmod -R u=rwX,go=rX

install:
	umask 022 && mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MODULES)
	for package in common/xman rxm rxmweb xmand; do \
	  rm -rf $(DESTDIR)$(MODULES)/$${package##*/} && cp -rL $$package $(DESTDIR)$(MODULES) || exit 1; \
	done
	find $(INSTALLED) -name __pycache__ -prune -exec rm -rf {} +
	version=$(VERSION) && \
	  sed -i 's/^__version__ = .*/__version__ = "'$$version'"/' $(DESTDIR)$(MODULES)/xman/__init__.py
	$(INTERPRETER) -I -m compileall -q -f --invalidation-mode unchecked-hash $(if $(DESTDIR),-s "$(DESTDIR)" -p /) $(INSTALLED)
	PYTHONPATH=$(DESTDIR)$(MODULES) $(INTERPRETER) -SP -m rxm.bundle $(DESTDIR)
	$(OPEN) $(INSTALLED)
	printf '%s\n' "$$RXM" >$(DESTDIR)$(PREFIX)/bin/rxm
	printf '%s\n' "$$RXMWEB" >$(DESTDIR)$(PREFIX)/bin/rxmweb
	printf '%s\n' "$$SLURM" >$(DESTDIR)$(PREFIX)/bin/xman-slurm
	printf '%s\n' "$$XMAND" >$(DESTDIR)$(PREFIX)/bin/xmand
	chmod 755 $(addprefix $(DESTDIR)$(PREFIX)/bin/,rxm rxmweb xman-slurm xmand)
	for page in man/*; do \
	  to=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} && $(PLAIN) $$page $$to && \
	  sed -i 's|/usr/share/|$(PREFIX)/share/|' $$to || exit 1; \
	done
	cd etc/systemd/system && find . -type f | while read -r unit; do \
	  $(PLAIN) $$unit $(DESTDIR)$(UNITS)/$$unit && \
	  sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(DESTDIR)$(UNITS)/$$unit || exit 1; \
	done
	$(PLAIN) etc/systemd/xmand-xen.conf $(DESTDIR)$(PREFIX)/share/xman/xmand-xen.conf
	$(PLAIN) etc/tmpfiles.d/rxm.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/rxm.conf
	$(PLAIN) etc/completion/rxm.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rxm
	$(PLAIN) etc/completion/rxm.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_rxm
	$(PLAIN) etc/completion/rxm.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/rxm.fish
	for example in $(EXAMPLES); do \
	  to=$(DESTDIR)$(PREFIX)/share/doc/$${example%%:*}/examples && umask 022 && mkdir -p $$to && \
	  cp -r etc/$${example#*:} $$to && $(OPEN) $$to || exit 1; \
	done
	for file in etc/xman/*; do \
	  to=$(DESTDIR)$(SYSCONFDIR)/xman/$${file##*/}; [ -e $$to ] || { $(PLAIN) $$file $$to; } || exit 1; \
	done

# What `make install` with the same variables puts in place, found out by doing so elsewhere. Configuration and what the
# programs wrote stay.
uninstall:
	there=$$(mktemp -d) && \
	$(MAKE) --no-print-directory -s install DESTDIR=$$there >/dev/null && \
	rm -rf $(INSTALLED) $$there$(SYSCONFDIR)/xman && \
	(cd $$there && find . ! -type d) | while read -r file; do rm -f "$(DESTDIR)/$$file"; done && \
	(cd $$there && find . -depth -type d -path '*xm*') | while read -r folder; do \
	  [ ! -d "$(DESTDIR)/$$folder" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)/$$folder" || exit 1; \
	done && \
	rm -rf $$there

# The packages are left in .build/deb.
deb:
	@tests/tools/setup.sh deb
	rm -rf .build/deb
	packaging/copy .build/deb/xman
	cd .build/deb/xman && dpkg-buildpackage -b -us -uc
	rm -rf .build/deb/xman
	@ls .build/deb/*.deb

# And these in .build/rpm, with the source package from which EL builds its own. Debian's rpm knows of no package that the
# build needs.
rpm:
	@tests/tools/setup.sh rpm
	rm -rf .build/rpm
	packaging/copy .build/rpm/xman
	version=$$(.build/rpm/xman/packaging/version) && cd .build/rpm && mv xman xman-$$version && \
	  tar -czf xman-$$version.tar.gz --owner=0 --group=0 xman-$$version && \
	  rpmbuild --quiet --nodeps -ba --define "_topdir $$PWD/work" --define "_sourcedir $$PWD" --define "_rpmdir $$PWD" \
	    --define "_srcrpmdir $$PWD" --define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
	    --define "__os_install_post %{nil}" \
	    xman-$$version/packaging/rpm/xman.spec && \
	  rm -rf work xman-$$version xman-$$version.tar.gz
	@ls .build/rpm/*.rpm

# As root. RELEASE=bookworm or trixie: one of the two that they are built, installed, upgraded and purged in, each in a fresh
# root; and what is in EL's packages, run there.
test-deb: export XMAN_RELEASES = $(RELEASE)
test-deb: rpm
	@tests/tools/setup.sh test
	@tests/tools/setup.sh roots
	@$(PYTHON) -m pytest tests/deb $(PYTEST_ARGS)

# As root. The packages on a Debian that boots with systemd, in QEMU: the units as they are, a guest and a container under them,
# and the end. RELEASE=bookworm or trixie: one of the two.
test-boot: export XMAN_RELEASES = $(RELEASE)
test-boot:
	@tests/tools/setup.sh boot
	@$(PYTHON) -m pytest tests/boot $(PYTEST_ARGS)

# As root. What a host boots from that keeps nothing of its own: packaging/host-image/README.md. EXTRA names more packages of
# Debian's, ACCEPT=1 takes over what has changed in the list of all of them (make hands on what it was given).
host-image:
	@tests/tools/setup.sh host-image
	@packaging/host-image/build .build/host-image
	@ls .build/host-image

# As root, in QEMU: from nothing to an accepted host in the portal, a machine on it, and what outlives a reboot.
test-host-image: host-image
	@tests/tools/setup.sh test-host-image
	@$(PYTHON) -m pytest tests/host_image $(PYTEST_ARGS)

clean:
	rm -rf .venv .build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
