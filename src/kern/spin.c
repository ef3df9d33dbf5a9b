/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Spinlocks.
 *
 * Interrupts are off while one is held, so a handler never finds its own CPU holding what it wants. Interrupts are off while
 * waiting too; other CPUs' cross-calls are answered by asking for them in the loop (spec 3.2, rule 5).
 */
#include <sys/atomic.h>
#include <sys/cpu.h>
#include <sys/debug.h>
#include <sys/mutex.h>
#include <sys/xcall.h>
#include <x86/cpufunc.h>

ulong_t
spin_enter(spinlock_t *l)
{
	ulong_t saved = intr_save();

	if (!cpu_ready) /* one CPU, interrupts off, and CPU means nothing yet */
		return (saved);
	if (spin_held(l))
		panic("spin_enter: lock 0x%lx is held by this CPU already", (ulong_t)(uintptr_t)l);
	while (atomic_cas_32(&l->sl_held, 0, 1) != 0) {
		xc_poll();
		pause();
	}
	l->sl_cpu = (uint32_t)CPU->cpu_id + 1;
	CPU->cpu_spin_depth++;
	return (saved);
}

void
spin_exit(spinlock_t *l, ulong_t saved)
{
	if (cpu_ready && l->sl_held) {
		CPU->cpu_spin_depth--;
		l->sl_cpu = 0;
		(void)atomic_swap_32(&l->sl_held, 0);
	}
	intr_restore(saved);
}

bool
spin_held(const spinlock_t *l)
{
	return (l->sl_held && l->sl_cpu == (uint32_t)CPU->cpu_id + 1);
}
