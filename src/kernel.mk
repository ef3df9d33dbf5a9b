# SPDX-License-Identifier: ISC
#
# One kernel image. Called by the top Makefile, once for each image wanted:
#
#   FLAVOR=i386|amd64   which kernel
#   IMAGE=name          a directory of its own, build/$(FLAVOR)-name, for anything but the plain image
#   LAB=n               trial link: the stubs or answers in labs/ of lab n beside the reference, as copy "mine"
#   LAB=n MINE=1        plain link: labs 1 to n from labs/, the others from the reference; LAB=all: all from labs/
#   UNITS="f=path ..."  plain link with these files instead of the reference for the units named, or of other files of src/
#   TRIAL="copy:unit=path ..."  trial link (src/trial.mk)
#   TESTS=1             with the checks of src/check/tests/ and labs/ in it (default with LAB and TRIAL); a plain image
#                       is kept small, because GRUB reads it at ten emulated instructions a byte
#   CHECKS="path ..."   with TESTS=1: these checks and no others, nothing of src/check/tests/ (graded images)
#   O=dir               where objects go, build/$(FLAVOR)-$(IMAGE) by default; images made with the same flags may share one
#   COVERAGE=1          src/hat and the units count what they execute, and the kernel tells it at its end (src/tools/coverage.py)
#   KERNELBASE=0x...    i386 only
#   BENCH=1             with TESTS=1: what it costs a kernel without checks, so nothing is noted for their sake
#   CC=gcc|clang, WERROR=-Werror, DEBUG=1|0

FLAVOR	?= amd64
DEBUG	?= 1

# The units: lab/file pairs of the table.
UNIT_FILES := $(shell awk '!/^\#/ && NF { print $$1 "/" $$2 ".c" }' src/hat/units | sort -u)
unit_name = $(basename $(notdir $(1)))
lab_units = $(filter lab$(1)-%,$(UNIT_FILES))

# Lab 0 has no code.
ifeq ($(LAB),0)
override LAB :=
endif
ifdef LAB
ifeq ($(LAB),all)
MINE_FILES := $(UNIT_FILES)
else ifeq ($(call lab_units,$(LAB)),)
$(error hatlab: there is no lab "$(LAB)" with units: LAB is a number from 1 to 9, or all)
else ifdef MINE
MINE_FILES := $(foreach n,$(shell seq 1 $(LAB)),$(call lab_units,$n))
else
TRIAL += $(foreach u,$(call lab_units,$(LAB)),mine:$(call unit_name,$u)=labs/$u)
endif
UNITS += $(foreach u,$(MINE_FILES),$(call unit_name,$u)=labs/$u)
IMAGE ?= lab$(LAB)$(if $(MINE),-mine)
endif
IMAGE	?=
TESTS	?= $(if $(LAB)$(TRIAL),1,0)
B	:= build/$(FLAVOR)$(if $(IMAGE),-$(IMAGE))
O	?= $(B)

OBJCOPY	?= objcopy
PYTHON	?= $(firstword $(wildcard /usr/bin/python3) python3)
CFLAGS_i386	:= -m32 -march=i686
# What is called a dozen times in an operation is worth a copy in each place.
INLINE	:= $(if $(findstring clang,$(CC)),,--param inline-unit-growth=200 --param max-inline-insns-auto=80 --param inline-min-speedup=1)
CFLAGS_amd64	:= -m64 -mcmodel=kernel -mno-red-zone
LDFLAGS_i386	:= -m elf_i386
LDFLAGS_amd64	:= -m elf_x86_64

CPPFLAGS := -nostdinc -Isrc -Isrc/$(FLAVOR) -I. $(if $(filter 1,$(DEBUG)),-DDEBUG) \
	$(if $(filter 1,$(DEBUG))$(filter-out $(BENCH),$(filter 1,$(TESTS))),-DLOCK_NOTES) \
	$(if $(KERNELBASE),-DKERNELBASE_PARAM=$(KERNELBASE))
CFLAGS	:= -std=gnu11 -ffreestanding -O2 -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls -fno-pic \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing -mno-sse -mno-mmx -mno-80387 \
	-Wall -Wextra $(WERROR) $(CFLAGS_$(FLAVOR))
# Which line each instruction is of: it stays in full.elf, for `where` in the debugger.
LINES	:= -g1
LDFLAGS	:= $(LDFLAGS_$(FLAVOR)) -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=none

SRCS	:= $(wildcard src/boot/*.[cS] src/$(FLAVOR)/*.[cS] src/x86/*.[cS] src/kern/*.[cS] src/vm/*.[cS] src/hat/*.[cS] \
	src/check/*.[cS] src/monitor/*.[cS] \
	$(if $(filter 1,$(TESTS)),$(if $(filter undefined,$(origin CHECKS)),src/check/tests/*.c labs/*/checks*.c,$(CHECKS))))
SRCS	+= $(if $(COVERAGE),src/check/coverage/gcov.c $(if $(filter i386,$(FLAVOR)),src/check/coverage/add64.c))
SRCS	:= $(filter-out %.lds.S src/$(FLAVOR)/trial_dispatch.S,$(SRCS))

# Each unit comes from solutions/, and each other file from src/, unless UNITS names another file for it.
instead	= $(patsubst $(call unit_name,$1)=%,%,$(filter $(call unit_name,$1)=%,$(UNITS)))
UNIT_SRCS := $(foreach u,$(UNIT_FILES),$(or $(call instead,$u),solutions/$u))
SRCS	:= $(foreach f,$(SRCS),$(or $(call instead,$f),$f))
UNIT_OBJS := $(patsubst %.c,$(O)/%.o,$(UNIT_SRCS))

OBJS	:= $(patsubst %,$(O)/%.o,$(basename $(SRCS)))

all: $(B)/hatlab.iso

include src/trial.mk

# Without assertions the HAT and its units are compiled as one file: the functions of a unit are short, and half of their cost is
# calling each other. Never in a trial, which must come between any two of them.
ONE_PIECE := $(if $(TRIAL)$(COVERAGE)$(filter 1,$(DEBUG)),,$(UNIT_OBJS) $(filter $(O)/src/hat/%,$(OBJS)))
$(B)/hat.c: FORCE
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $(UNIT_SRCS) $(filter src/hat/%,$(SRCS)) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/hat.o: CFLAGS += $(INLINE)
ALL_OBJS := $(filter-out $(ONE_PIECE),$(OBJS) $(if $(TRIAL),$(filter-out $(TRIAL_REPLACED),$(UNIT_OBJS)) $(TRIAL_OBJS),$(UNIT_OBJS))) \
	$(if $(ONE_PIECE),$(B)/hat.o)

$(O)/%.o: %.c $(O)/cflags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LINES) -MMD -MP -c -o $@ $<
$(B)/hat.o: $(B)/hat.c $(O)/cflags
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LINES) -MMD -MP -c -o $@ $<
$(O)/%.o: %.S $(O)/cflags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LINES) -D__ASSEMBLER__ -MMD -MP -c -o $@ $<
# GRUB pays for each byte of it in every run, and nobody waits for it.
$(O)/src/monitor/%.o: CFLAGS += -Os
$(B)/kernel.lds: src/boot/kernel.lds.S $(B)/flags
	$(CC) $(CPPFLAGS) -D__ASSEMBLER__ -E -P -x c -MMD -MP -MT $@ -o $@ $<

COUNTED_HOW := -fprofile-info-section=gcov_info
include src/coverage.mk

# Linked twice: the symbol table of the first link is put into the second, behind everything whose address matters.
LINK = ld $(LDFLAGS) -T $(B)/kernel.lds -o
$(B)/symtab0.S: src/tools/symtab.awk $(B)/flags
	awk -f $< /dev/null >$@
$(B)/symtab0.o: $(B)/symtab0.S
	$(CC) $(CFLAGS) -c -o $@ $<
# For graded images: everything but what students write, compiled once for all of them.
objects: $(filter-out $(patsubst %.c,$(O)/%.o,$(foreach t,$(TRIAL),$(word 2,$(subst =, ,$t)))),$(OBJS) $(UNIT_OBJS))
# What an image shares with others.
compiled: $(filter $(O)/%,$(ALL_OBJS) $(TRIAL_INPUTS))
$(B)/kernel.elf: $(ALL_OBJS) $(B)/kernel.lds $(B)/symtab0.o src/tools/symtab.awk
	$(LINK) $(B)/first.elf -S $(ALL_OBJS) $(B)/symtab0.o
	nm -n $(B)/first.elf | awk -f src/tools/symtab.awk >$(B)/symtab.S
	$(CC) $(CFLAGS) -c -o $(B)/symtab.o $(B)/symtab.S
	$(LINK) $(B)/full.elf $(ALL_OBJS) $(B)/symtab.o
	$(OBJCOPY) --strip-debug $(B)/full.elf $@.tmp
	mv $@.tmp $@

# What GRUB loads has no symbols at all: it would read them too, at ten instructions a byte.
$(B)/kernel.boot: $(B)/kernel.elf
	$(OBJCOPY) --strip-all $< $@

$(B)/hatlab.iso: $(B)/kernel.boot src/tools/hatlab/image.py src/tools/mkimage.py
	$(PYTHON) src/tools/mkimage.py -o $@ $< >/dev/null

# Everything depends on the flags that it was built with, and an image on the files that it consists of. Whether a warning
# stops the build changes nothing that it builds.
FLAGS := $(filter-out -Werror,$(CC) $(CPPFLAGS) $(CFLAGS) $(LINES) $(COUNTED))
$(O)/cflags: FORCE
	@mkdir -p $(O)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(FLAGS) $(UNITS) $(TRIAL) $(TESTS) $(CHECKS)' | cmp -s - $@ || echo '$(FLAGS) $(UNITS) $(TRIAL) $(TESTS) $(CHECKS)' >$@
FORCE:
.PHONY: all objects compiled FORCE unit-flags

# How units are compiled, for whoever wants to judge one first (src/tools/hatlab/unit.py).
unit-flags:
	@echo '$(CC)'; echo '$(CPPFLAGS)'; echo '$(CFLAGS)'
.DELETE_ON_ERROR:

-include $(ALL_OBJS:.o=.d) $(B)/kernel.d
