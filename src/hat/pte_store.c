/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Plain stores to entries that nobody else writes.
 */
#include <hat/x86pte.h>
#include <sys/atomic.h>

/*
 * The MMU reads 8 bytes at a time, a 32-bit CPU stores 4. Present is in the low half: it is cleared first and written
 * last, so that no walk ever sees a present entry with half an address.
 */
void
pte_store(volatile void *p, x86pte_t value)
{
	if (!MMU_PAE) {
		atomic_store_32(p, (uint32_t)value);
		return;
	}
	if (sizeof(uintptr_t) == sizeof(x86pte_t)) {
		atomic_store_64(p, value);
		return;
	}
	atomic_store_32(p, 0);
	atomic_store_32((volatile uint8_t *)p + 4, (uint32_t)(value >> 32));
	atomic_store_32(p, (uint32_t)value);
}
