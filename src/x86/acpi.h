/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief What we want to know from ACPI: the CPUs. Filled in by acpi_init(), constant then.
 */
#ifndef X86_ACPI_H
#define X86_ACPI_H

#include <sys/cpu.h>

extern paddr_t acpi_lapic_pa;        /**< registers of the local APICs */
extern uint32_t acpi_apic_ids[NCPU]; /**< of the CPUs that may be used, in the table's order; the boot CPU is among them */
extern int acpi_ncpus;               /**< how many of them; 0: there are no tables */

#endif
