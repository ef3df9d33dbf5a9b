# SPDX-License-Identifier: ISC
#
# Trial link: several copies of a lab unit in one image. Included by src/kernel.mk.
#
#   TRIAL="COPY:UNIT=PATH.c ..."   e.g. "mine:x86pte_set=labs/lab1-entries/x86pte_set.c w1:htable_create=..."
#
# Nothing in any source says so. Each copy is compiled like everything else, then its functions are renamed in the object:
#
#   solutions/.../x86pte_set.o   x86pte_set -> x86pte_set__ref  --+
#   labs/.../x86pte_set.o        x86pte_set -> x86pte_set__mine --+--> linked
#                                                                 |
#   trial/jumps.S    x86pte_set:  its number; jmp trial_dispatch  |    <-- everybody else calls this one
#   trial/table.c    number -> names, copies' addresses  ---------+
#
#   trial_dispatch (src/FLAVOR/trial_dispatch.S) asks trial_select() (src/check/trial.c), which looks at the table that the
#   call works on, and jumps. Calls inside a copy to a function of the same file stay inside that copy.
#
# The text of all copies but the reference lies together (copies_start to copies_end): nobody else's return address is in
# there. What a copy puts into the kernel's tables of checks, tunables and commands stays out.
#
# Units in TRIAL_WATCH are behind a jump even with one copy, so that calls to them are recorded: was the flush asked for?
# No link-time optimisation here: it would see through the jumps.

TRIAL_WATCH	?= hat_tlb_inval tlb_demap_local x86pte_cas

ifneq ($(strip $(TRIAL)),)

TRIAL_DIR	:= $(B)/trial

# "copy:unit=path.c" and its parts.
trial_copy	= $(firstword $(subst :, ,$(1)))
trial_unit	= $(firstword $(subst =, ,$(word 2,$(subst :, ,$(1)))))
trial_object	= $(O)/$(patsubst %.c,%.o,$(word 2,$(subst =, ,$(1))))
trial_renamed	= $(TRIAL_DIR)/$(call trial_copy,$(1)).$(call trial_unit,$(1)).o

TRIAL_UNITS	:= $(sort $(foreach t,$(TRIAL),$(call trial_unit,$t)) $(TRIAL_WATCH))
TRIAL_REFS	:= $(foreach u,$(TRIAL_UNITS),ref:$u=$(firstword $(filter %/$u.c,$(UNIT_SRCS))))
TRIAL_ALL	:= $(TRIAL_REFS) $(TRIAL)

TRIAL_APART	:= --rename-section .text=.text.copies --rename-section .text.unlikely=.text.copies.unlikely \
	$(foreach s,checks tunables monitor,-R $s -R .rel$(if $(filter amd64,$(FLAVOR)),a).$s)
TRIAL_REPLACED	:= $(foreach t,$(TRIAL_REFS),$(call trial_object,$t))
TRIAL_INPUTS	:= $(foreach t,$(TRIAL_ALL),$(call trial_object,$t))
TRIAL_RENAMED	:= $(foreach t,$(TRIAL_ALL),$(call trial_renamed,$t))
TRIAL_OBJS	:= $(TRIAL_RENAMED) $(TRIAL_DIR)/table.o $(TRIAL_DIR)/jumps.o $(O)/src/$(FLAVOR)/trial_dispatch.o

# Only copies whose object is newer are renamed again, unless the list of them is.
$(TRIAL_DIR)/renamed: $(TRIAL_INPUTS) src/hat/units src/tools/triallink.py $(B)/flags
	$(PYTHON) src/tools/triallink.py --units src/hat/units --flavor $(FLAVOR) --dir $(TRIAL_DIR) --objcopy $(OBJCOPY) \
		$(if $(filter-out %.o,$?),,$(foreach o,$?,--changed $o)) --apart "$(TRIAL_APART)" \
		$(foreach t,$(TRIAL_ALL),$(call trial_copy,$t):$(call trial_unit,$t)=$(call trial_object,$t))
	touch $@
$(TRIAL_RENAMED): $(TRIAL_DIR)/renamed ;

$(TRIAL_DIR)/table.c $(TRIAL_DIR)/jumps.S: $(TRIAL_DIR)/renamed ;
$(TRIAL_DIR)/table.o: $(TRIAL_DIR)/table.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $(TRIAL_DIR)/table.c
$(TRIAL_DIR)/jumps.o: $(TRIAL_DIR)/jumps.S
	$(CC) $(CPPFLAGS) $(CFLAGS) -D__ASSEMBLER__ -c -o $@ $(TRIAL_DIR)/jumps.S

-include $(TRIAL_INPUTS:.o=.d)

endif
