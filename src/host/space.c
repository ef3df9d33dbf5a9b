/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief An address space goes as as_free() lets it go: unloaded first, so that no page remembers a table that is gone.
 */
#include <host/host.h>
#include <hat/hat_impl.h>
#include <x86/cpufunc.h>

/** A range of the HAT's must not touch the hole: so one on each side. */
void
host_unload_user(hat_t *hat)
{
	uintptr_t end = hat_user_end(hat);

	if (mmu.num_level < 4 || end <= mmu.hole_start) {
		hat_unload(hat, 0, end, HAT_UNLOAD);
		return;
	}
	hat_unload(hat, 0, mmu.hole_start, HAT_UNLOAD);
	hat_unload(hat, mmu.hole_end + 1, end - mmu.hole_end - 1, HAT_UNLOAD);
}

void
host_free_space(hat_t *hat)
{
	hat_free_start(hat);
	host_unload_user(hat);
	hat_free_end(hat);
}
