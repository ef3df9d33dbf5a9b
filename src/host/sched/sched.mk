# SPDX-License-Identifier: ISC
#
# The program that explores schedules (docs/schedules.md). Called by the top Makefile, once for each width:
#
#   FLAVOR=i386|amd64   which kernel; the results are build/host-$(FLAVOR)-sched/sched and, for amd64, .../threads
#   PLANTS="path ..."   mistakes linked beside the right functions: those of src/host/sched/plants, if nothing is said
#   WERROR, DEBUG       as in kernel.mk
#
# Objects are compiled as for ThreadSanitizer: each access to memory is a call. Those of the HAT call __tsan_*, which is
# hooks.c here and ThreadSanitizer's library in `threads`; those of the pretend machine call quiet_*.

LISTS_ONLY := 1
IMAGE	:= sched
SANITIZE :=
include src/host/host.mk
# clang has no -fsanitize=thread for 32 bits.
override CC := gcc

WATCH	:= -fsanitize=thread --param tsan-instrument-func-entry-exit=0 --param tsan-distinguish-volatile=1
HERE	:= src/host/sched
CPPFLAGS += -DSCHEDULES
OUTSIDE	+= -DSCHEDULES -flto

# Inside: what is explored, and the pretend machine.
SEEN	:= $(filter-out src/check/% src/kern/%,$(KERNEL)) $(sort $(UNIT_SRCS)) $(wildcard $(HERE)/scenes_*.c)
QUIET	:= $(filter src/check/% src/kern/%,$(KERNEL)) $(filter-out src/host/test% src/host/history% src/host/hooks.c src/host/alone.c src/host/theft.c \
	src/host/model.c src/host/compare.c $(OUT),$(wildcard src/host/*.c)) $(HERE)/together.c $(HERE)/world.c
# Outside. task.c comes first: nothing of ours shares a line with what is put back (memory.c).
SEARCH	:= $(addprefix $(HERE)/,task.c memory.c order.c race.c hooks.c set.c search.c report.c plant.c main.c) src/host/machine.c
SWITCH	:= src/host/$(FLAVOR)/stack_switch.S

# Calls that the compiler has put in, and what becomes of them.
SIZES	:= 1 2 4 8 16
CALLS	:= read_range write_range init atomic_thread_fence $(foreach k,read write unaligned_read unaligned_write volatile_read \
	volatile_write,$(addprefix $k,$(SIZES))) $(foreach n,8 16 32 64,$(addprefix atomic$n_,load store exchange fetch_add fetch_sub fetch_and \
	fetch_or fetch_xor compare_exchange_val compare_exchange_strong compare_exchange_weak))
MEMORY	:= memset memcpy memmove
TO_SEEN	:= $(foreach f,$(MEMORY),--redefine-sym $f=seen_$f)
TO_QUIET := $(foreach f,$(MEMORY),--redefine-sym $f=quiet_$f) $(foreach f,$(CALLS),--redefine-sym __tsan_$f=quiet_$f)

# Mistakes: answers from solutions/*/wrong, and lines of src/ or of an answer changed by a sed script.
PLANTS	?= $(shell awk '!/^\#/ && ($$4 == "both" || $$4 == "$(FLAVOR)") { print $$1 }' $(HERE)/plants)
WRONG	:= $(filter %.c,$(PLANTS))
CHANGED	:= $(patsubst %.sed,$(B)/%.c,$(filter %.sed,$(PLANTS)))
PLANT	:= $(WRONG:%.c=$(B)/%.plant.o) $(CHANGED:%.c=%.plant.o)

IN_OBJS	:= $(SEEN:%.c=$(B)/%.seen.o) $(QUIET:%.c=$(B)/%.quiet.o)
OUT_OBJS := $(SEARCH:%.c=$(B)/%.o) $(SWITCH:%.S=$(B)/%.o) $(B)/plants.o
WRAPPED	:= machine_init machine_windows machine_map_all machine_window_set

# ThreadSanitizer's library is for 64 bits only.
all: $(B)/sched $(if $(filter amd64,$(FLAVOR)),$(B)/threads $(B)/threads-racy)

$(B)/sched: $(IN_OBJS) $(OUT_OBJS) $(PLANT)
	$(CC) -no-pie -flto -O2 $(WRAPPED:%=-Wl$(comma)--wrap=%) $(WIDTH_$(FLAVOR)) $(SYMBOLS_$(FLAVOR):%=-Wl,--defsym=%) -o $@ $(IN_OBJS) $(PLANT) $(OUT_OBJS)

# The same scenarios on real threads: ThreadSanitizer's library in place of hooks.c, threads.c in place of search.c.
all: $(if $(filter i386,$(FLAVOR)),$(B)/$(HERE)/threads.o)
THREADS	:= $(addprefix $(HERE)/,threads.c plant.c main.c) src/host/machine.c src/host/heap.c
$(B)/threads: $(SEEN:%.c=$(B)/%.raw.o) $(QUIET:%.c=$(B)/%.raw.o) $(THREADS:%.c=$(B)/%.o) $(B)/no_plants.o
	$(CC) -no-pie -fsanitize=thread $(WIDTH_$(FLAVOR)) $(SYMBOLS_$(FLAVOR):%=-Wl,--defsym=%) -o $@ $^ -lpthread

# And with a lock forgotten, so that the test of that can fail.
RACY	:= solutions/lab2-finding/htable_lookup.c
$(B)/threads-racy: $(patsubst $(RACY:%.c=$(B)/%.raw.o),$(B)/$(dir $(RACY))wrong/htable_lookup-lookup-without-lock.raw.o,$(SEEN:%.c=$(B)/%.raw.o)) \
	$(QUIET:%.c=$(B)/%.raw.o) $(THREADS:%.c=$(B)/%.o) $(B)/no_plants.o
	$(CC) -no-pie -fsanitize=thread $(WIDTH_$(FLAVOR)) $(SYMBOLS_$(FLAVOR):%=-Wl,--defsym=%) -o $@ $^ -lpthread

$(B)/%.raw.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WATCH) -MMD -MP -c -o $@ $<
# A script's first line names the file that it changes.
$(foreach pair,$(shell awk 'FNR == 1 { print FILENAME "=" $$2 }' $(filter %.sed,$(PLANTS)) /dev/null), \
	$(eval $(B)/$(patsubst %.sed,%.c,$(firstword $(subst =, ,$(pair)))): $(lastword $(subst =, ,$(pair)))))
$(CHANGED): $(B)/%.c: %.sed
	@mkdir -p $(@D)
	@from=$$(sed -n '1s/^\# *//p' $<); sed -f $< $$from >$@ && ! cmp -s $$from $@ || { echo "$<: changes nothing in $$from" >&2; exit 1; }
$(CHANGED:%.c=%.raw.o): %.raw.o: %.c $(B)/flags
	$(CC) $(CPPFLAGS) $(CFLAGS) $(WATCH) -MMD -MP -c -o $@ $<
$(B)/%.seen.o: $(B)/%.raw.o
	objcopy $(TO_SEEN) $< $@
$(B)/%.quiet.o: $(B)/%.raw.o
	objcopy $(TO_QUIET) $< $@
# A mistake's functions get names of their own: the right one's, two underscores, and the file's.
$(B)/%.plant.o: $(B)/%.raw.o
	nm -g --defined-only $< | awk -v n='__$(subst -,_,$(notdir $*))' '$$2 == "T" { print $$3, $$3 n }' >$@.names
	objcopy $(TO_SEEN) --redefine-syms=$@.names $< $@
$(sort $(SEARCH:%.c=$(B)/%.o) $(THREADS:%.c=$(B)/%.o)): $(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(OUTSIDE) -MMD -MP -c -o $@ $<
$(B)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(WIDTH_$(FLAVOR)) -c -o $@ $<
$(B)/plants.c: $(PLANT) $(HERE)/sched.mk
	@{ echo '#include "src/host/sched/plant.h"'; \
	for f in $(PLANT); do n=$$(basename $$f .plant.o); \
		while read right wrong; do echo "extern void $$right(void), $$wrong(void);" >&3; echo "	{ \"$$n\", $$right, $$wrong },"; \
		done <$$f.names; done 3>$@.decls >$@.rows; \
	cat $@.decls; echo 'const struct planted planted[] = {'; cat $@.rows; echo '	{ 0 },'; echo '};'; } >$@
$(B)/no_plants.c:
	@mkdir -p $(B)
	@echo '#include "src/host/sched/plant.h"' >$@
	@echo 'const struct planted planted[] = { { 0 } };' >>$@
$(B)/plants.o $(B)/no_plants.o: %.o: %.c
	$(CC) $(OUTSIDE) -I. -c -o $@ $<

$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(filter-out -Werror,$(CC) $(CPPFLAGS) $(CFLAGS) $(WATCH) $(OUTSIDE) $(PLANTS))' | cmp -s - $@ || \
		echo '$(filter-out -Werror,$(CC) $(CPPFLAGS) $(CFLAGS) $(WATCH) $(OUTSIDE) $(PLANTS))' >$@
FORCE:
.PHONY: all FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
