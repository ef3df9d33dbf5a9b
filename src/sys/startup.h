/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What kmain() calls to bring the services up, in the order in which it must.
 *
 * | call | needs | from here on |
 * |---|---|---|
 * | (nothing) | - | printf() and record() to port E9 |
 * | cpu_init_boot() | - | CPU, curthread, locks, traps with a register dump, panic with a backtrace |
 * | features_init() | - | x86_features |
 * | tunables_parse() | bootinfo | tunables |
 * | console_init() | tunables | the consoles that `console` names (VGA once vga_va is set) |
 * | vmem_init(), kmem_init() | boot_alloc() | kmem_alloc() and kin |
 * | acpi_init() | boot_read_phys() | list of CPUs |
 * | *the HAT takes over* | | |
 * | pat_init() | the HAT's tables | memory types as x86/pte.h numbers them |
 * | apic_init() | map_device(), acpi_init() | this CPU's interrupt controller, time between ticks known |
 * | sched_init() | kmem | threads may block: there is an idle thread |
 * | clock_start() | apic_init(), sched_init() | interrupts on, ticks, preemption, watchdog |
 * | kmem_thread_init() | | reaping in the background |
 * | mp_start() | clock_start(), physical 0x8000 mapped at 0x8000 | the other CPUs |
 */
#ifndef SYS_STARTUP_H
#define SYS_STARTUP_H

#include <sys/types.h>

/** Make the boot context CPU 0 and its thread 0 ("boot"), and load descriptor tables. Interrupts are off. Cannot fail. */
void cpu_init_boot(void);
/** Fill in x86_features. */
void features_init(void);
/** Prepare the consoles that the tunable `console` names. */
void console_init(void);
/** VGA text memory (physical 0xb8000) once somebody has mapped it; NULL: nothing is written there. */
extern volatile uint16_t *vga_va;
/** Read the ACPI tables: how many CPUs, which. Without tables there is one CPU. */
void acpi_init(void);
/** Program this CPU's page attribute table. */
void pat_init(void);
/** Silence the old interrupt controllers, map and enable the local APIC, measure its timer. Panics when there is none. */
void apic_init(void);
/** Make the boot CPU's idle thread. Sleeps for memory. */
void sched_init(void);
/** Start the CPUs that the ACPI tables and the tunable `cpus` allow; returns when they are online. */
void mp_start(void);

/** Self tests of these services, as check records, when the command line says `selftest=1`; else nothing. */
void kern_selftest(void);

#endif
