# SPDX-License-Identifier: ISC
#
# hatlab: `make run` and `make test` do everything, set-up included; `make help` lists the rest.

FLAVOR	?= i386 amd64
CPUS	?= 1
EMU	?= bochs
UI	?= auto
SETUP	:= build/.setup-ok
SETUP_TESTS := build/.setup-tests-ok
# The distribution's own: where a version manager stands in between, each call costs half a second more.
export PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
TOOLS	:= src/tools
KERNEL	:= $(MAKE) --no-print-directory -s -f src/kernel.mk

# Our own builds (CI, tests) take no warnings; a student's does not stop at one.
ifneq ($(CI)$(filter test,$(MAKECMDGOALS)),)
export WERROR := -Werror
endif

# Every flavour asked for must be one that exists.
BAD := $(filter-out i386 amd64,$(FLAVOR))
ifneq ($(BAD),)
$(error hatlab: there is no flavour "$(BAD)": FLAVOR is i386, amd64, or both)
endif

# LAB=n [MINE=1]: an image with the files of labs/ in it, in a directory of its own (src/kernel.mk). Lab 0 has no code: the plain one.
ifneq ($(filter-out 0,$(LAB)),)
ifeq ($(filter grade replay debug quick,$(MAKECMDGOALS)),)
export HATLAB_IMAGE := lab$(LAB)$(if $(MINE),-mine)
KERNEL	+= LAB=$(LAB) $(if $(MINE),MINE=1)
endif
endif
# TESTS=1: an image with all checks and self tests in it.
ifdef TESTS
ifeq ($(filter-out 0,$(LAB)),)
export HATLAB_IMAGE := tests
KERNEL	+= IMAGE=tests TESTS=1
endif
endif
WHICH	:= $(if $(word 2,$(FLAVOR)),both,$(FLAVOR))

.DEFAULT_GOAL := help

.PHONY: help
help:					## this list
	@awk -F':.*## ' '/^[a-z_.-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  FLAVOR=i386|amd64 (default both)   CPUS=n   ARGS=\"tunable=value ...\" for the kernel   EMU=bochs|qemu (run, compare)"
	@echo "  LAB=n: your files of lab n, each beside the reference (ARGS=\"tour=0 checks=labN\" runs their checks)"
	@echo "  TESTS=1: an image with all checks in it (ARGS=\"tour=0 checks=all\", selftest=1, damage=list, crash=...)"
	@echo "  LAB=n MINE=1: the whole kernel on your files of labs 1 to n; LAB=all: on all of them"

.PHONY: run
run: kernel				## set up, build, boot both kernels on Bochs, compare their page tables with the hardware's
	@$(PYTHON) $(TOOLS)/compare.py --emulator $(EMU) --flavor $(WHICH) --cpus $(CPUS) --args "$(ARGS)"

.PHONY: test
test: kernel $(SETUP_TESTS)		## run every test there is; last line: N passed, N failed
	@$(PYTHON) $(TOOLS)/testall.py

.PHONY: unit $(FLAVOR:%=unit-%) $(FLAVOR:%=unit-build-%)
unit: $(SETUP)				## the HAT as an ordinary program, under sanitizers: boots, histories, pure functions
	@+flock build/.lock $(MAKE) --no-print-directory -s -j2 $(FLAVOR:%=unit-build-%)
	@+$(MAKE) --no-print-directory -s -j2 -O $(FLAVOR:%=unit-%)
$(FLAVOR:%=unit-build-%): unit-build-%:
	@+$(MAKE) --no-print-directory -s -f src/host/host.mk FLAVOR=$*
$(FLAVOR:%=unit-%): unit-%:
	@$(if $(filter i386,$*),$$(/lib/ld-linux.so.2 --version >/dev/null 2>&1 || echo qemu-i386)) build/host-$*/unit

.PHONY: schedules $(FLAVOR:%=schedules-%)
schedules: $(SETUP)			## every interleaving of small scenarios up to 3 preemptions (BOUND=n), and real threads under ThreadSanitizer; minutes
	@+$(MAKE) --no-print-directory -s -j2 -O $(FLAVOR:%=schedules-%)
$(FLAVOR:%=schedules-%): schedules-%:
	@+flock build/.lock-$@ $(MAKE) --no-print-directory -s -f src/host/sched/sched.mk FLAVOR=$*
	@$(if $(filter i386,$*),$$(/lib/ld-linux.so.2 --version >/dev/null 2>&1 || echo qemu-i386)) build/host-$*-sched/sched --bound $(or $(BOUND),3)
	@$(if $(filter amd64,$*),build/host-$*-sched/threads --runs 20)

.PHONY: compare
compare: kernel				## the comparison alone, with all ranges listed
	@$(PYTHON) $(TOOLS)/compare.py --emulator $(EMU) --all --flavor $(WHICH) --cpus $(CPUS) --args "$(ARGS)"

GRADE	= $(PYTHON) $(TOOLS)/grade.py --lab $(or $(LAB),all) --flavor $(WHICH) --cpus $(CPUS) --id "$(ID)" \
	$(if $(SEED),--seed $(SEED)) $(if $(SOLVED),--solved) $(if $(SUBMISSION),--submission "$(SUBMISSION)")

.PHONY: grade
grade: $(SETUP)				## points for your labs on both kernels: LAB=n one lab, SOLVED=1 the solutions, SUBMISSION=file, ID=you, SEED=n
	@$(GRADE) || [ $$? -eq 1 ]

.PHONY: quick
quick: $(SETUP)				## LAB=n [SOLVED=1] [ID=you] [SEED=n]: the lab's checks in the pretend machine, a second after an edit; no points
	@$(PYTHON) $(TOOLS)/quick.py --lab "$(LAB)" --flavor $(WHICH) $(if $(ID),--id "$(ID)") $(if $(SEED),--seed $(SEED)) \
		$(if $(SOLVED),--solved) || [ $$? -eq 1 ]

.PHONY: mutants
mutants: $(SETUP)			## change the solutions one place at a time: do the checks and host tests notice? [UNIT=name] [SAMPLE=n] (minutes)
	@$(PYTHON) $(TOOLS)/mutants.py $(if $(UNIT),--unit $(UNIT)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

.PHONY: replay
replay: $(SETUP)			## CHECK=name [LAB=n] [FLAVOR=]: Bochs' debugger, just before a check of the last make grade calls your code
	@$(PYTHON) $(TOOLS)/replay.py --check "$(CHECK)" $(if $(LAB),--lab $(LAB)) --flavor $(WHICH) --ui $(UI)

VIEW	= $(PYTHON) $(TOOLS)/view.py --flavor $(firstword $(filter amd64,$(FLAVOR)) $(FLAVOR)) --cpus $(CPUS) --args "$(ARGS)" \
	$(if $(CP),--checkpoint "$(CP)") $(if $(SINCE),--before "$(SINCE)")

.PHONY: view tree
view: kernel				## one checkpoint's page tables as a page for the browser: CP=name [SINCE=name] [FLAVOR=] [ARGS=]
	@$(VIEW)
tree: kernel				## the same as text
	@$(VIEW) --text

.PHONY: screenshots
screenshots: kernel $(SETUP_TESTS)	## draw the README's picture of make view anew
	@HATLAB_SCREENSHOTS=1 $(PYTHON) $(TOOLS)/testall.py -k test_view_browser.test_view_picture

.PHONY: bench
bench: kernel				## measure what we promise; writes build/bench.json
	@$(PYTHON) $(TOOLS)/bench.py

.PHONY: docs
docs: $(SETUP_TESTS)			## the site: handouts, every function, invariants, locks, memory maps; build/docs/index.html
	@$(PYTHON) $(TOOLS)/mksite.py

.PHONY: coverage
coverage: kernel			## which lines and branches of the HAT the tests take (minutes); build/coverage.txt, build/coverage/html/index.html
	@$(PYTHON) $(TOOLS)/coverage.py --flavor $(WHICH)

.PHONY: stress
stress: kernel				## many CPUs call the HAT at random: 10 million calls; SEED=n one run of each kind, OPS=n, CPUS=n (4)
	@$(PYTHON) $(TOOLS)/stress.py --flavor $(FLAVOR) --cpus $(if $(filter command environment,$(firstword $(origin CPUS))),$(CPUS),4) \
		$(if $(SEED),--seed $(SEED) $(if $(OPS),--run-ops $(OPS)),$(if $(OPS),--ops $(OPS)))

.PHONY: fuzz
fuzz: $(SETUP_TESTS)			## look for input that breaks us: MINUTES=n (5) TARGET=boot|cmdline|elf|history|parsers
	@$(PYTHON) $(TOOLS)/fuzz.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(TARGET),--target $(TARGET))

.PHONY: questions
questions:				## LAB=n: your measured questions, with your own addresses (ID=... or the file labs/id)
	@$(PYTHON) $(TOOLS)/answers.py --lab $(or $(LAB),$(error say which lab: make questions LAB=n)) \
		--flavor $(WHICH) $(if $(ID),--id "$(ID)")

.PHONY: doctor
doctor:					## name every tool, its version, and what is wrong with it
	@sh $(TOOLS)/doctor.sh

.PHONY: setup
setup: $(SETUP)				## install what is missing
$(SETUP): $(TOOLS)/packages $(TOOLS)/setup.sh
	@mkdir -p build
	@sh $(TOOLS)/setup.sh
	@touch $@
$(SETUP_TESTS): $(TOOLS)/packages $(TOOLS)/setup.sh | $(SETUP)
	@sh $(TOOLS)/setup.sh --tests --stamp $@

# Several runs in one tree wait for each other's build, not for each other.
.PHONY: kernel images $(FLAVOR:%=image-%)
kernel: $(SETUP)			## build the kernels and their GRUB images
	@+flock build/.lock $(MAKE) --no-print-directory -j2 images
images: $(FLAVOR:%=image-%)
$(FLAVOR:%=image-%): image-%:
	@+$(KERNEL) FLAVOR=$*

.PHONY: debug
debug: $(SETUP)				## LAB=n [CHECK=name|CP=name] [FLAVOR=i386] [CPUS=n] [SOLVED=1]: your lab under Bochs' debugger (docs/debug.md)
	@$(PYTHON) $(TOOLS)/debug.py --lab "$(LAB)" --flavor $(if $(word 2,$(FLAVOR)),amd64,$(FLAVOR)) --args "$(ARGS)" \
		$(if $(filter command environment,$(firstword $(origin CPUS))),--cpus $(CPUS)) $(if $(SOLVED),--solved) \
		--check "$(CHECK)" --point "$(CP)" --ui $(UI)

.PHONY: bochs
bochs: kernel				## by hand: Bochs' bare debugger with a kernel, before its first instruction: FLAVOR= CPUS=n ARGS=
	@$(PYTHON) $(TOOLS)/bochs.py --flavor $(if $(word 2,$(FLAVOR)),amd64,$(FLAVOR)) --cpus $(CPUS) --args "$(ARGS)"

.PHONY: handin
handin: $(SETUP)			## LAB=n [ID=you]: grade your files of lab n and pack them into build/handin/labN-you.tar.gz
	@$(PYTHON) $(TOOLS)/handin.py --lab "$(LAB)" --id "$(ID)"

# For editors: docs/editors.md.
.PHONY: compile_commands.json tags
compile_commands.json:			## for clangd and editors: how each file is compiled, one entry per flavour
	@$(PYTHON) $(TOOLS)/compile_commands.py $@
tags:					## for editors: where each name is defined (universal-ctags)
	@$(PYTHON) $(TOOLS)/tags.py $@

.PHONY: tunables
tunables: kernel			## list the words of the kernel's command line
	@$(PYTHON) $(TOOLS)/boot.py --flavor $(firstword $(FLAVOR)) --args help | sed -n 's/^%tunable name=\([^ ]*\) value=\([^ ]*\) text=/  \1=\2	/p'

.PHONY: clean
clean:					## remove everything that was built
	rm -rf build
