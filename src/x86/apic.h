/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The local APIC: interrupts between CPUs and the timer.
 */
#ifndef X86_APIC_H
#define X86_APIC_H

#include <sys/cpu.h>

/** Send an interrupt to one CPU. Interrupts may be on or off; returns when it is on its way. */
void apic_send(const cpu_t *to, int vector);
void apic_send_nmi(const cpu_t *to);
/** @name To start a CPU, by its APIC id
 * @{ */
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, paddr_t entry);
/** @} */
/** This CPU's own part: enable it. After apic_init() on the boot CPU; apic_init() does it there. */
void apic_cpu_init(void);
/** The interrupt being handled is done with. */
void apic_eoi(void);
uint32_t apic_id(void);
/** Let this CPU tick 100 times a second. */
void apic_timer_start(void);

#endif
