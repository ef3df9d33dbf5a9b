# SPDX-License-Identifier: ISC
#
# The HAT and its units as an ordinary program (src/host/README). Called by the top Makefile, once for each width:
#
#   FLAVOR=i386|amd64   which kernel; the result is build/host-$(FLAVOR)/unit
#   IMAGE=name          a directory of its own, build/host-$(FLAVOR)-name
#   UNITS="f=path ..."  other files for the units named, as in kernel.mk, or for files of src/hat; give the program
#                       a PROGRAM= of its own then
#   FUZZ=1              libFuzzer's program (src/host/fuzz) instead, with clang; IMAGE=fuzz PROGRAM=fuzz go with it
#   CHECKS="path ..."   with these checks of labs in it, and what they need (checks/)
#   TRIAL="copy:unit=path ..."  several copies of units (src/trial.mk), with CHECKS
#   O=dir               where objects go, build/host-$(FLAVOR)-$(IMAGE) by default; programs made with the same flags may share one;
#                       with TRIAL it is another one than that
#   SANITIZE=           without AddressSanitizer and UBSan
#   COVERAGE=1          src/hat and the units count what they execute, and write it down at the end; no sanitizers
#   KERNELBASE=0x...    i386 only
#   CC, WERROR, DEBUG   as in kernel.mk

FLAVOR	?= amd64
IMAGE	?=
PROGRAM	?= unit
DEBUG	?= 1
# Some machines run no 32-bit programs: there qemu-i386 does, which the sanitizers do not survive.
NO_32	:= $(if $(filter i386,$(FLAVOR)),$(shell /lib/ld-linux.so.2 --version >/dev/null 2>&1 || echo 1))
ifdef FUZZ
CC	:= clang
SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINKED	:= -fsanitize=fuzzer,address,undefined
endif
SANITIZE ?= $(if $(COVERAGE)$(NO_32),,-fsanitize=address,undefined -fno-sanitize-recover=all)
B	:= build/host-$(FLAVOR)$(if $(IMAGE),-$(IMAGE))
O	?= $(B)
OBJCOPY	?= objcopy
PYTHON	?= $(firstword $(wildcard /usr/bin/python3) python3)

WIDTH_i386	:= -m32
WIDTH_amd64	:= -m64
INSIDE_i386	:= -march=i686
INSIDE_amd64	:= -mcmodel=kernel -mno-red-zone

# Addresses of the image's parts, which nobody dereferences (boot.c; KERNEL_OFFSET + physical address).
KERNELBASE	?= 0xc0000000
SYMBOLS_i386	:= text_start=$(KERNELBASE)+0x200000 data_start=$(KERNELBASE)+0x400000 boot_top=$(KERNELBASE)+0x400000
SYMBOLS_amd64	:= text_start=0xffffffff80200000 data_start=0xffffffff80400000 boot_pml4=0xffffffff80400000

# Inside: the kernel's own flags (src/kernel.mk), and our replacements of a few headers before the kernel's.
CPPFLAGS := -DLOCK_NOTES -nostdinc -Isrc/host/inc -Isrc/host/$(FLAVOR) -Isrc -Isrc/$(FLAVOR) -I. $(if $(filter 1,$(DEBUG)),-DDEBUG) \
	$(if $(filter i386,$(FLAVOR)),-DKERNELBASE_PARAM=$(KERNELBASE))
CFLAGS	:= -std=gnu11 -ffreestanding -O2 -g -fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-pic \
	-fno-stack-protector -fno-strict-aliasing -mno-sse -mno-mmx -mno-80387 \
	-Wall -Wextra $(WERROR) $(WIDTH_$(FLAVOR)) $(INSIDE_$(FLAVOR)) $(SANITIZE)
OUTSIDE	:= -Isrc/host/$(FLAVOR) $(if $(FUZZ),-Isrc) -std=gnu11 -O2 -g -fno-omit-frame-pointer -fno-pic -Wall -Wextra $(WERROR) $(WIDTH_$(FLAVOR)) $(SANITIZE) \
	-DFLAVOR='"$(FLAVOR)"'

comma	:= ,
# Where something may happen just before (hooks.h).
WRAP	:= pte_cas pte_load mutex_enter_slow kmem_cache_alloc kmem_zalloc hati_load_common

# What is compiled unchanged.
instead	= $(patsubst $(basename $(notdir $1))=%,%,$(filter $(basename $(notdir $1))=%,$(UNITS)))
HAT	:= $(foreach f,$(wildcard src/hat/*.c),$(or $(call instead,$f),$f))
KERNEL	:= $(HAT) $(wildcard src/$(FLAVOR)/bootwords.c) src/$(FLAVOR)/hat_md.c src/x86/features.c src/vm/page.c src/kern/tunable.c \
	src/check/walk.c src/check/drill_choose.c src/check/drill_steps.c src/check/invariants.c $(wildcard src/check/inv_*.c)
UNIT_FILES := $(shell awk '!/^\#/ && NF { print $$1 "/" $$2 ".c" }' src/hat/units | sort -u)
UNIT_SRCS := $(foreach u,$(UNIT_FILES),$(or $(call instead,$u),solutions/$u))
# The check framework of the kernel, and what it stands on here.
CHECKED	:= $(if $(CHECKS),$(patsubst labs/lab1-entries/checks_step.c,src/host/checks/step.c,$(CHECKS)) src/host/checks/run.c \
	src/host/checks/thread.c src/check/check.c src/check/check_run.c src/check/trial.c src/check/scratch.c src/check/outside.c \
	src/check/guard.c src/check/evidence.c src/check/no_tests.c)
# Another program takes these lists and has rules of its own: src/host/sched/sched.mk.
OUT	:= src/host/machine.c src/host/heap.c src/host/main.c src/host/shrink.c $(if $(COVERAGE),src/host/coverage/exit.c $(if $(filter i386,$(FLAVOR)),src/check/coverage/add64.c))
IN	:= $(filter-out $(OUT),$(wildcard src/host/*.c)) $(KERNEL) $(sort $(UNIT_SRCS)) $(CHECKED)
ifdef FUZZ
OUT	:= src/host/machine.c src/host/heap.c src/host/fuzz/main.c
IN	+= $(filter-out $(OUT),$(wildcard src/host/fuzz/*.c)) src/vm/elf.c
endif

ifndef LISTS_ONLY

IN_OBJS	:= $(IN:%.c=$(O)/%.o)
OUT_OBJS := $(OUT:%.c=$(O)/%.o)
ASM_OBJS := $(if $(CHECKS),$(O)/src/$(FLAVOR)/switch.o)

all: $(B)/$(PROGRAM)

include src/trial.mk

OBJS	:= $(filter-out $(TRIAL_REPLACED),$(IN_OBJS)) $(TRIAL_OBJS) $(ASM_OBJS) $(OUT_OBJS)

$(B)/$(PROGRAM): $(OBJS) $(B)/$(PROGRAM).units
	$(CC) -no-pie $(WRAP:%=-Wl$(comma)--wrap=%) $(if $(COVERAGE),--coverage -Wl$(comma)--wrap=_exit) $(WIDTH_$(FLAVOR)) $(or $(LINKED),$(SANITIZE)) $(SYMBOLS_$(FLAVOR):%=-Wl,--defsym=%) -o $@ $(OBJS)

include src/coverage.mk

$(OUT_OBJS): $(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(OUTSIDE) -MMD -MP -c -o $@ $<
# Thousands of functions, each called a few times: what is worth saving is the compiler's time.
$(O)/build/mutants/%.o: CFLAGS += -O1 -g0 -fno-inline
$(O)/%.o: %.S $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -D__ASSEMBLER__ -MMD -MP -c -o $@ $<
$(sort $(IN_OBJS) $(TRIAL_INPUTS)): $(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

FLAGS	:= $(filter-out -Werror,$(CC) $(CPPFLAGS) $(CFLAGS) $(OUTSIDE) $(COUNTED))
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@
ifneq ($(O),$(B))
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS) $(TRIAL)' | cmp -s - $@ || echo '$(FLAGS) $(TRIAL)' >$@
endif
$(B)/$(PROGRAM).units: FORCE
	@mkdir -p $(B)
	@echo '$(UNITS) $(TRIAL) $(CHECKS)' | cmp -s - $@ || echo '$(UNITS) $(TRIAL) $(CHECKS)' >$@
FORCE:
.PHONY: all FORCE unit-flags
.DELETE_ON_ERROR:

# How units are compiled, for who wants to know whether they can be.
unit-flags:
	@echo '$(CC)'; echo '$(CPPFLAGS)'; echo '$(CFLAGS)'

-include $(IN_OBJS:.o=.d) $(ASM_OBJS:.o=.d) $(OUT_OBJS:.o=.d)

endif
