# SPDX-License-Identifier: ISC
#
# User programs, and an image that carries them as modules:
#
#   make -f src/user/user.mk FLAVOR=i386|amd64    build/$(FLAVOR)/user/NAME.elf, build/$(FLAVOR)-user/hatlab.iso
#
# The kernel in that image is the plain one, build/$(FLAVOR)/kernel.boot, or the one of the directory KERNEL_DIR.

FLAVOR	?= amd64
CC	?= gcc
PYTHON	?= $(firstword $(wildcard /usr/bin/python3) python3)
KERNEL_DIR ?= build/$(FLAVOR)
OUT_DIR	?= $(KERNEL_DIR)-user
B	:= build/$(FLAVOR)/user

PROGRAMS := $(sort $(basename $(notdir $(wildcard src/user/*.c))))
LIB	:= $(wildcard src/user/lib/*.c)

WIDTHS_i386	:= 32
WIDTHS_amd64	:= 64 32
WIDTHS	:= $(WIDTHS_$(FLAVOR))
ARCH_32	:= i386
ARCH_64	:= amd64
FLAGS_32 := -m32 -march=i686
FLAGS_64 := -m64
LD_32	:= -m elf_i386
LD_64	:= -m elf_x86_64
SUFFIX_32 := $(if $(filter amd64,$(FLAVOR)),32)
SUFFIX_64 :=

UFLAGS	:= -std=gnu11 -ffreestanding -O2 -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -fno-builtin -mno-sse \
	-mno-mmx -mno-80387 -nostdinc -Isrc/user -Isrc -Wall -Wextra $(WERROR)

all: $(OUT_DIR)/hatlab.iso

define width
$(B)/$(1)/%.o: src/user/%.c src/user/user.mk
	@mkdir -p $$(@D)
	$(CC) $(UFLAGS) $(FLAGS_$(1)) -Isrc/user/$(ARCH_$(1)) -MMD -MP -c -o $$@ $$<
$(B)/$(1)/crt0.o: src/user/$(ARCH_$(1))/crt0.S src/user/user.mk
	@mkdir -p $$(@D)
	$(CC) -Isrc $(FLAGS_$(1)) -D__ASSEMBLER__ -c -o $$@ $$<
$(B)/%$(SUFFIX_$(1)).elf: $(B)/$(1)/%.o $(B)/$(1)/crt0.o $(patsubst src/user/%.c,$(B)/$(1)/%.o,$(LIB)) src/user/user.ld
	ld $(LD_$(1)) -nostdlib -static -s -z max-page-size=4096 -z noexecstack --build-id=none -T src/user/user.ld -o $$@ $$(filter %.o,$$^)
ELVES	+= $(PROGRAMS:%=$(B)/%$(SUFFIX_$(1)).elf)
endef
$(foreach w,$(WIDTHS_$(FLAVOR)),$(eval $(call width,$w)))

$(OUT_DIR)/hatlab.iso: $(KERNEL_DIR)/kernel.boot $(ELVES) src/tools/hatlab/image.py
	@mkdir -p $(@D)
	$(PYTHON) src/tools/mkimage.py -o $@ $< $(foreach e,$(ELVES),--module $(basename $(notdir $e))=$e) >/dev/null

.PHONY: all
.SECONDARY:
.DELETE_ON_ERROR:
-include $(foreach w,$(WIDTHS),$(wildcard $(B)/$w/*.d $(B)/$w/lib/*.d))
