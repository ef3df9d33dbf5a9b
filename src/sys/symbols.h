/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Names of functions by address, and backtraces.
 */
#ifndef SYS_SYMBOLS_H
#define SYS_SYMBOLS_H

#include <sys/md.h>
#include <sys/types.h>

/**
 * The function that an address lies in.
 *
 * @param pc      the address
 * @param offset  if not NULL, receives the distance from its start
 * @return        its name, or NULL: not in the kernel's text, or the kernel was linked without a table
 */
const char *symbol_find(uintptr_t pc, uintptr_t *offset);

/** The n-th name of the table, in order of address; NULL: there are fewer. */
const char *symbol_name(uint32_t n);
/** Where a function of that name starts; false: there is none. */
bool symbol_value(const char *name, uintptr_t *va);

/** Write "function+0x12", or the number when there is no name. Always terminates. */
void symbol_format(char *buf, size_t size, uintptr_t pc);

/**
 * Print one line `  #N 0xADDR function+0xOFF` for each frame, innermost first, to all consoles.
 *
 * Follows frame pointers, through trapframes too. Reads with peek(), accepts only a chain that climbs, and stops after a
 * fixed number of frames: a damaged stack shortens it, nothing worse.
 * @param pc  where the innermost frame is; 0: it is fp's return address
 * @param fp  its frame pointer
 */
void backtrace(uintptr_t pc, uintptr_t fp);

#endif
