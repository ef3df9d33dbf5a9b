/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The ways into the in-kernel debugger (docs/monitor.md), and what other parts may add to it.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <sys/types.h>

/**
 * Stop here, let the user look around (or run `monitor_script`), and go on. The other CPUs stand still meanwhile, and
 * interrupts are off. Takes no lock of the HAT; callable wherever a tick may come, and in a panic. Does not nest: ignored inside itself.
 */
void monitor_enter(const char *why);
/** The same if the tunable `monitor` names this place. */
void monitor_at(const char *place);
/** A tick, at the end of its handler: has somebody pressed the key? */
void monitor_tick(void);
/** The message of a panic is out: the same if the tunable `panic_monitor` asks for it. */
void monitor_panic(void);

extern uint_t monitor_entries; /**< how often it was entered */

/**
 * Weak: steal one table and say what it was; false: there is no stealing in this kernel. The others stand still but answer
 * cross-calls, nobody holds a mutex, interrupts are off.
 */
bool monitor_step_steal(void);

#endif
