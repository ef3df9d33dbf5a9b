/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Checkpoints and last words: where the host's debugger stops to look.
 */
#include <check/check.h>
#include <check/coverage.h>
#include <check/damage.h>
#include <check/walk.h>
#include <hat/dump_table.h>
#include <hat/kbm.h>
#include <monitor/monitor.h>
#include <sys/printf.h>
#include <sys/thread.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>

static uint_t checkpoint_count;

static void
checkpoint_dump(void)
{
	dump_lines = 0;
	if (khat_running)
		hat_dump();
	else
		kbm_dump();
	hat_settle_windows();
}

static void
checkpoint_shown(const char *name)
{
	hat_t *hat = khat_running ? CPU->cpu_current_hat : NULL;

	record("%%cp-begin name=%s n=%u cpu=%d cr3=0x%012llx hat=0x%llx\n", name, ++checkpoint_count, CPU->cpu_id,
	    (unsigned long long)walk_root(), (unsigned long long)(uintptr_t)hat);
	checkpoint_dump();
	record("%%cp-end name=%s lines=%u\n", name, dump_lines);
	damage_after_dump(name);
	magic_break();
	damage_after_look();
}

/* Interrupts stay on: the dump may wait for a window's mutex. Other CPUs are held before anything is read. */
void
checkpoint(const char *name)
{
	monitor_at(name);
	kpreempt_disable();
	if (khat_running)
		xc_pause_others();
	checkpoint_shown(name);
	if (khat_running)
		xc_resume_others();
	kpreempt_enable();
}

void
run_done(const char *result)
{
	coverage_tell();
	record("%%done result=%s\n", result);
	magic_break();
	for (;;) {
		cli();
		hlt();
	}
}
