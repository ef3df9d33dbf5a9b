/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Undoing what a check has set up, however it ends.
 */
#include <check/check_impl.h>
#include <check/guard.h>
#include <check/trial.h>

/* The frame around ours must answer for what ended in ours, and for what the copy has done that shows later. */
void
check_guarded(void (*fn)(void), void (*undo)(void))
{
	struct check_frame f;

	curthread->t_check->cf_catch = true;
	check_frame_push(&f, true);
	if (md_setjmp(&f.cf_jump) == 0)
		fn();
	check_frame_pop(&f);
	if (f.cf_kind == NULL)
		return;
	trial_end();
	undo();
	check_intercept(f.cf_kind, NULL, 0, f.cf_text);
}
