# SPDX-License-Identifier: ISC
#
# Trial link: several copies of a lab unit in one image. Included by src/kernel.mk.
#
#   TRIAL="COPY:UNIT=PATH.c ..."   e.g. "mine:x86pte_set=labs/lab1-entries/x86pte_set.c w1:htable_create=..."
#
# Nothing in any source says so. Each copy is compiled like everything else, then its functions are renamed in the object:
#
#   solutions/.../x86pte_set.o   x86pte_set -> x86pte_set__ref  --+
#   labs/.../x86pte_set.o        x86pte_set -> x86pte_set__mine --+--> trial/copies.o
#                                                                 |
#   trial/jumps.S    x86pte_set:  its number; jmp trial_dispatch  |    <-- everybody else calls this one
#   trial/table.c    number -> names, copies' addresses  ---------+
#
#   trial_dispatch (src/FLAVOR/trial_dispatch.S) asks trial_select() (src/check/trial.c), which looks at the table that the
#   call works on, and jumps. Calls inside a copy to a function of the same file stay inside that copy.
#
# Units in TRIAL_WATCH are behind a jump even with one copy, so that calls to them are recorded: was the flush asked for?
# No link-time optimisation here: it would see through the jumps.

TRIAL_WATCH	?= hat_tlb_inval tlb_demap_local

ifneq ($(strip $(TRIAL)),)

TRIAL_DIR	:= $(B)/trial

# "copy:unit=path.c" and its parts.
trial_copy	= $(firstword $(subst :, ,$(1)))
trial_unit	= $(firstword $(subst =, ,$(word 2,$(subst :, ,$(1)))))
trial_object	= $(B)/$(patsubst %.c,%.o,$(word 2,$(subst =, ,$(1))))
trial_renamed	= $(TRIAL_DIR)/$(call trial_copy,$(1)).$(call trial_unit,$(1)).o

TRIAL_UNITS	:= $(sort $(foreach t,$(TRIAL),$(call trial_unit,$t)) $(TRIAL_WATCH))
TRIAL_REFS	:= $(foreach u,$(TRIAL_UNITS),ref:$u=$(firstword $(filter %/$u.c,$(UNIT_SRCS))))
TRIAL_ALL	:= $(TRIAL_REFS) $(TRIAL)

TRIAL_REPLACED	:= $(foreach t,$(TRIAL_REFS),$(call trial_object,$t))
TRIAL_INPUTS	:= $(foreach t,$(TRIAL_ALL),$(call trial_object,$t))
TRIAL_OBJS	:= $(TRIAL_DIR)/copies.o $(TRIAL_DIR)/table.o $(TRIAL_DIR)/jumps.o $(B)/src/$(FLAVOR)/trial_dispatch.o

$(TRIAL_DIR)/copies.o: $(TRIAL_INPUTS) src/hat/units src/tools/triallink.py $(B)/flags
	@rm -rf $(TRIAL_DIR)
	$(PYTHON) src/tools/triallink.py --units src/hat/units --flavor $(FLAVOR) --dir $(TRIAL_DIR) \
		$(foreach t,$(TRIAL_ALL),$(call trial_copy,$t):$(call trial_unit,$t)=$(call trial_object,$t))
	set -e; $(foreach t,$(TRIAL_ALL),$(OBJCOPY) \
		--redefine-syms=$(TRIAL_DIR)/$(call trial_copy,$t).$(call trial_unit,$t).syms \
		$(call trial_object,$t) $(call trial_renamed,$t);)
	ld $(LDFLAGS_$(FLAVOR)) -r -o $@ $(foreach t,$(TRIAL_ALL),$(call trial_renamed,$t))

$(TRIAL_DIR)/table.o: $(TRIAL_DIR)/copies.o
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $(TRIAL_DIR)/table.c
$(TRIAL_DIR)/jumps.o: $(TRIAL_DIR)/copies.o
	$(CC) $(CPPFLAGS) $(CFLAGS) -D__ASSEMBLER__ -c -o $@ $(TRIAL_DIR)/jumps.S

-include $(TRIAL_INPUTS:.o=.d)

endif
