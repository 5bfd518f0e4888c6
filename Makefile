# xman: `make demo` shows it at work, `make test` judges it. Both do all their own set-up (tests/lab/setup.sh).

PYTHON = .venv/bin/python
HYPERVISOR = test
PYTEST_ARGS =
# A file's tests stay together, and share their daemons. Most of a test is waiting for programs and guests, so that three
# processes are not too many for two cores.
PROCESSES = -n 3 --dist loadfile --no-loadscope-reorder

# `make install`: for Debian's interpreter and Debian's bindings, or for another that has them.
INTERPRETER = /usr/bin/python3
PREFIX = /usr/local
SYSCONFDIR = /etc
DESTDIR =
MODULES = $(PREFIX)/lib/xman
UNITS = $(PREFIX)/lib/systemd/system
INSTALLED = $(addprefix $(DESTDIR)$(MODULES)/,xman rxm rxmweb xmand)

.PHONY: help demo screenshots test test-xen test-deb soak mutants bench bench-attack deb lint types install clean

help:
	@echo 'make demo                   the main job on this machine, in a throw-away realm, without a hypervisor'
	@echo 'make demo HYPERVISOR=qemu   the same with a real guest'
	@echo 'make test                   everything: style, types, and all tests'
	@echo 'make bench [QUICK=1]        what it costs, beside virsh, ssh, remctl and libvirtd, in one run (as root)'
	@echo 'make bench-attack [QUICK=1] what an honest client notices of crowds and floods'
	@echo 'make deb                    packages for Debian, in .build/deb'
	@echo 'make test-deb               the packages in a fresh Debian root (as root; a few minutes)'
	@echo 'make install                all commands under PREFIX ($(PREFIX)), with compiled modules and man pages'
	@echo 'make test-xen               the verbs on two real Xen hosts in QEMU (ten minutes, 4 GB of memory)'
	@echo 'make soak [MINUTES=60]      the full size of what make test runs a little of: leaks, fuzzing, faults'
	@echo 'make mutants                does a test notice each way to break the batch states? (a few minutes)'
	@echo 'make screenshots            the pictures of the portal in docs/, anew'
	@echo 'make clean                  remove what these made'

demo:
	@tests/lab/setup.sh demo $(HYPERVISOR)
	@$(PYTHON) -m tests.lab.demo --hypervisor $(HYPERVISOR)

screenshots:
	@tests/lab/setup.sh test
	@$(PYTHON) -m tests.lab.screenshots

test:
	@tests/lab/setup.sh test
	@$(MAKE) --no-print-directory lint types
	@$(PYTHON) -m pytest $(PROCESSES) $(PYTEST_ARGS)

# As root. QUICK=1: under a minute. Of the whole, a few minutes, bench/RESULTS.md is kept.
bench:
	@tests/lab/setup.sh test
	@$(PYTHON) -m bench $(if $(QUICK),--quick,--write bench/RESULTS.md)

# What an honest client notices of crowds and floods; a few minutes.
bench-attack:
	@tests/lab/setup.sh test
	@$(PYTHON) -m bench.attack $(if $(QUICK),--quick,--write bench/ATTACK.md)

# Not a part of `make test`: everything in it is emulated, hypervisor and all.
test-xen:
	@tests/lab/setup.sh xen
	@$(PYTHON) -m pytest tests/xen $(PYTEST_ARGS)

# The targets of TARGETS.md at full size, in the order of tests/lab/soak.py: a day and some hours; MINUTES bounds them all
# together. Ends with what was run of each, and how long all of it would take.
SOAKS = tests/fuzz/test_k5login.py tests/fuzz/test_audit.py tests/fuzz/test_mutants.py tests/realm/test_token_fuzz.py \
  tests/realm/test_exactly_once.py tests/realm/test_leaks.py tests/hypervisor/test_chaos.py
soak: export XMAN_SOAK = $(or $(MINUTES),full)
soak:
	@tests/lab/setup.sh test
	@$(PYTHON) -m pytest $(SOAKS) $(PYTEST_ARGS)

# Two quiet minutes; coverage and mutmut are installed for this alone.
mutants:
	@tests/lab/setup.sh test
	@$(PYTHON) -m pip -q --disable-pip-version-check --no-input install -e '.[mutants]'
	@$(PYTHON) -m tests.lab.mutants

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@.venv/bin/mypy

# The modules go where nothing else is, compiled once for all, those that every command needs in one file: rxm starts anew
# for each. Python without its site module starts faster than with it; rxm fetches that where it is needed.
define RXM
#!$(INTERPRETER) -IS
import sys

sys.path.append("$(MODULES)")
from rxm.start import main

main()
endef

define XMAND
#!$(INTERPRETER) -I
import sys

sys.path.append("$(MODULES)")
from xmand.cli import main

main()
endef

define RXMWEB
#!$(INTERPRETER) -I
import sys

sys.path.append("$(MODULES)")
from rxmweb.cli import main

main()
endef

define SLURM
#!$(INTERPRETER) -I
import sys

sys.path.append("$(MODULES)")
from rxm.slurm.cli import main

main()
endef

export RXM RXMWEB SLURM XMAND

install:
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(MODULES) $(DESTDIR)$(SYSCONFDIR)/xman $(DESTDIR)$(UNITS)
	for package in common/xman rxm rxmweb xmand; do \
	  rm -rf $(DESTDIR)$(MODULES)/$${package##*/} && cp -r $$package $(DESTDIR)$(MODULES) || exit 1; \
	done
	find $(INSTALLED) -name __pycache__ -prune -exec rm -rf {} +
	$(INTERPRETER) -I -m compileall -q -f --invalidation-mode unchecked-hash -s "$(DESTDIR)/" -p / $(INSTALLED)
	PYTHONPATH=$(DESTDIR)$(MODULES) $(INTERPRETER) -SP -m rxm.bundle $(DESTDIR)
	printf '%s\n' "$$RXM" >$(DESTDIR)$(PREFIX)/bin/rxm
	printf '%s\n' "$$RXMWEB" >$(DESTDIR)$(PREFIX)/bin/rxmweb
	printf '%s\n' "$$SLURM" >$(DESTDIR)$(PREFIX)/bin/xman-slurm
	printf '%s\n' "$$XMAND" >$(DESTDIR)$(PREFIX)/bin/xmand
	chmod 755 $(addprefix $(DESTDIR)$(PREFIX)/bin/,rxm rxmweb xman-slurm xmand)
	for page in man/*; do \
	  install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	cd etc/systemd/system && find . -type f | while read -r unit; do \
	  install -D -m 644 $$unit $(DESTDIR)$(UNITS)/$$unit && \
	  sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(DESTDIR)$(UNITS)/$$unit || exit 1; \
	done
	install -D -m 644 etc/systemd/xmand-xen.conf $(DESTDIR)$(PREFIX)/share/xman/xmand-xen.conf
	install -D -m 644 etc/completion/rxm.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/rxm
	install -D -m 644 etc/completion/rxm.zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_rxm
	install -D -m 644 etc/completion/rxm.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/rxm.fish
	for file in etc/xman/*; do \
	  [ -e $(DESTDIR)$(SYSCONFDIR)/xman/$${file##*/} ] || install -m 644 $$file $(DESTDIR)$(SYSCONFDIR)/xman || exit 1; \
	done

# The packages are left in .build/deb. The tree is copied first: the build leaves files where it works.
deb:
	@tests/lab/setup.sh deb
	rm -rf .build/deb && mkdir -p .build/deb/xman
	git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t .build/deb/xman
	cd .build/deb/xman && dpkg-buildpackage -b -us -uc
	rm -rf .build/deb/xman
	@ls .build/deb/*.deb

# In a fresh Debian root, as root: installs the packages, starts xmand and runs rxm.
test-deb: deb
	@tests/lab/setup.sh test
	@$(PYTHON) -m pytest tests/deb $(PYTEST_ARGS)

clean:
	rm -rf .venv .build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
