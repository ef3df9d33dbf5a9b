# SPDX-License-Identifier: ISC
#
# COVERAGE=1: src/hat and the units count how often each arc between two pieces of code is taken. Included by src/kernel.mk and
# src/host/host.mk; what is made of it: src/tools/coverage.py, docs/coverage.md.
#
# Not optimised, so that each condition of the source is a branch of the code. Counters are exact with several processors. In a
# kernel nobody calls constructors: what describes a file's counters is found in a section (src/check/coverage/gcov.c). Where counters
# are written is in the objects: a tree that was copied, with its build/, compiles them anew.

ifdef COVERAGE

COUNTED := -O0 -include src/check/coverage/calls.h -fprofile-arcs -ftest-coverage -fprofile-update=atomic \
	-DCOUNTED_IN=$(CURDIR)
$(B)/src/hat/%.o $(B)/solutions/%.o: CFLAGS += $(COUNTED) $(COUNTED_HOW)

endif
