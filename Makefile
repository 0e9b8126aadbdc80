# SPDX-License-Identifier: GPL-2.0-only
#
# Hardware watchpoints for KGDB, and the rig that proves them.
# 'make help' lists the targets; test-rig/rig --help has more.

# An ARCH or a KVER in the environment counts, as on the command line.
KVER ?= 6.12
ARCH ?= x86_64
STOCK ?=
SYM ?=
RUN ?=
MACHINE ?= qemu
KERNEL_SRC ?=
SERIES ?=
PART ?=
FIX ?=
K ?=
# One more than there are CPUs: a test waits for gdb, or for a lock, now and then.
JOBS ?= $(shell expr $$(nproc) + 1)

RIG := test-rig/rig
PYTEST := PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider -ra --durations=20 --durations-min=10

export KVER ARCH

# The value of a variable that the user gave, in the environment or on the command line.
named = $(if $(filter-out file,$(origin $(1))),$($(1)))

# Text for a shell to take as it is, between apostrophes.
quoted = $(subst ','\'',$(1))

# What 'apt-get install' has; the rig fetches later versions itself.
SOURCE_PACKAGES = $(if $(OWN_SOURCE),,$(filter linux-source-6.%,$(addprefix linux-source-,$(or $(KVER),6.1 6.12))))

# The targets that take a tree of the user's need no package for it.
demo who gdb kernel: OWN_SOURCE = $(KERNEL_SRC)

# What is about several CPUs, sharing, letting go, early boot, and at random: also on a kernel that checks itself, and on
# a real-time one. pytest says 5 where K leaves none of them.
ON_MORE_KERNELS = $(patsubst %,test-rig/tests/guest/test_%.py,soak smp letting_go sharing early early_limits)

.DEFAULT_GOAL := help
.PHONY: help deps demo who compare gdb console kernel test test-all test-host test-debug test-clients test-fixes soak endurance fuzz series check clean clean-cache

help: ## list the targets
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16
	@echo
	@echo 'Variables: KVER=$(KVER) ARCH=$(ARCH) STOCK=1 (without our patches) KERNEL_SRC=PATH (a tree of your own)'
	@echo '           PART=fixes|feature|kdb|extra (of the series; default: all), SERIES=PART (a kernel with it up to there)'
	@echo '           FIX=NAME.patch (only this one in test-fixes)'
	@echo '           MACHINE=$(MACHINE) (qemu; or bochs: its debug registers do what those of a processor do)'
	@echo '           SYM=EXPR (a variable, for who) RUN=COMMAND (for the guest meanwhile)'
	@echo '           K=EXPR (run the tests that match, as pytest -k), JOBS=N (so many tests at a time)'
	@echo '           N=NUMBER (of accesses, of times), SEED=NUMBER, PARALLEL=1 (a thread for each CPU), SEVERAL=1 (soak by a'
	@echo '           client as gdb 17 is one), CONFIG=default (endurance without lockdep), FUZZ_SECONDS=NUMBER, OUTPUT=DIR'

deps: ## install what everything below needs (Debian 12 or 13; apt-get, through sudo when not root)
	@test-rig/install-deps.sh $(SOURCE_PACKAGES)

demo: deps ## build a kernel, boot it, and watch gdb stop on the store that changed a variable (KERNEL_SRC)
	@$(RIG) demo --kernel $(KVER) --arch $(ARCH) $(if $(KERNEL_SRC),--source '$(KERNEL_SRC)')

who: deps ## say who writes a variable while a command runs in the guest (SYM, RUN, KERNEL_SRC; docs/who.md)
	@$(RIG) who '$(call quoted,$(SYM))' --kernel $(KVER) --arch $(ARCH) --machine $(MACHINE) $(RIG_SOURCE) $(if $(RUN),--run '$(call quoted,$(RUN))')

compare: deps ## the same scenarios on the stock and the patched kernel, in a table (KVER)
	@$(RIG) compare --kernel $(KVER) --arch $(ARCH)

gdb: deps ## the same machine with gdb at the prompt (STOCK, KERNEL_SRC, MACHINE=bochs)
	@$(RIG) gdb --kernel $(KVER) --arch $(ARCH) --machine $(MACHINE) $(RIG_SOURCE)

console: ## connect this terminal to the console of the machine 'make gdb' runs
	@$(RIG) console

kernel: deps ## build a kernel and print where the result lies (KVER, ARCH, STOCK, SERIES, KERNEL_SRC)
	@$(RIG) kernel --kernel $(KVER) --arch $(ARCH) $(RIG_SOURCE)

# Every version and architecture, unless one is named.
test: export KVER := $(call named,KVER)
test: export ARCH := $(call named,ARCH)
test: deps ## run the tests, on every kernel unless KVER or ARCH name one; test-all has more (K, JOBS)
	@$(PYTEST) -n $(JOBS) --dist loadgroup test-rig/tests/host test-rig/tests/guest $(if $(K),-k '$(K)')

test-all: export KVER := $(call named,KVER)
test-all: export ARCH := $(call named,ARCH)
test-all: export TEST_ALL := 1
test-all: deps ## as test, with what that leaves out: each instruction of a window, the fixes on every version, the debug kernels, newer gdbs (K, JOBS)
	@$(PYTEST) -n $(JOBS) --dist loadgroup test-rig/tests $(if $(K),-k '$(K)')

test-debug: export KVER := $(call named,KVER)
test-debug: deps ## run the tests that need kernels of their own: lockdep and KASAN, real-time, all mitigations, hibernation, our option off, parts left out (K)
	@found=; \
	for what in test-rig/tests/debug '--config=debug $(ON_MORE_KERNELS)' '--config=rt $(ON_MORE_KERNELS)'; do \
		said=0; $(PYTEST) -n $(JOBS) $$what $(if $(K),-k '$(K)') || said=$$?; \
		[ $$said = 5 ] || found=yes; \
		[ $$said = 0 ] || [ $$said = 5 ] || exit $$said; \
	done; \
	[ "$$found" ] || { echo "make test-debug: no test matches K='$(K)'" >&2; exit 5; }

test-clients: export KVER := $(call named,KVER)
test-clients: deps ## run gdb's sessions with the gdbs of later Debian suites, by its machine interface and its debugger adapter, and lldb (K)
	@$(PYTEST) -n $(JOBS) test-rig/tests/clients $(if $(K),-k '$(K)')

test-host: deps ## run the tests that need no guest: packets and plans, under sanitizers
	@$(PYTEST) test-rig/tests/host $(if $(K),-k '$(K)')

test-fixes: deps ## see that the test of each fix fails on a kernel without just that fix (KVER, FIX: builds each of them)
	@$(RIG) test-fixes --kernel $(KVER) --arch $(ARCH) $(FIX)

soak: deps ## N random accesses (default 20000) over random watchpoints, judged by the oracle (KVER, SEED, PARALLEL, SEVERAL)
	@$(RIG) soak --kernel $(KVER) --arch $(ARCH) $(if $(N),--accesses $(N)) $(if $(SEED),--seed $(SEED)) $(if $(PARALLEL),--parallel) $(if $(SEVERAL),--several)

endurance: deps ## the kernel's own KGDB tests N times (default 10) on a busy machine with lockdep and KASAN (KVER, PARALLEL, CONFIG)
	@$(RIG) endurance --kernel $(KVER) --arch $(ARCH) $(if $(N),--times $(N)) $(if $(CONFIG),--config $(CONFIG)) $(if $(PARALLEL),--parallel)

fuzz: deps ## fuzz packets, plans and matches for FUZZ_SECONDS (default 300)
	@$(MAKE) --no-print-directory -C gdbstub/tests fuzz FUZZ_SECONDS=$(or $(FUZZ_SECONDS),300)

series: deps ## write the kernel code as patches that 'git am' takes (KVER, PART, OUTPUT)
	@$(RIG) series --kernel $(KVER) $(if $(PART),--part $(PART)) $(if $(OUTPUT),--output '$(OUTPUT)')

check: deps ## count their lines, run checkpatch, sparse, W=1 and builds in many configurations on them (KVER, ARCH)
	@$(RIG) check --kernel $(KVER) --arch $(ARCH)

clean: ## remove what a run leaves in the checkout
	@find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
	@rm -rf .pytest_cache test-rig/.mypy_cache

clean-cache: ## remove built kernels, unpacked sources and objects from the cache, unless another rig uses it
	@$(RIG) clean-cache

RIG_SOURCE = $(if $(filter-out 0 n no,$(STOCK)),--stock) $(if $(SERIES),--series $(SERIES)) $(if $(KERNEL_SRC),--source '$(KERNEL_SRC)')
