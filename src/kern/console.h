/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Output devices, as console.c sees them.
 */
#ifndef KERN_CONSOLE_H
#define KERN_CONSOLE_H

#include <sys/printf.h>

enum { CONS_ALL, CONS_RECORD, CONS_NOT_E9 }; /**< every console; port E9; every console but E9 */

/** Print to some consoles, in one piece. Takes the console lock, except in a panic. */
int console_vprint(int where, const char *fmt, va_list ap);

/** Read the `console` tunable and prepare the devices it names. Before this only E9 is written to. */
void console_init(void);

/** @name Write n bytes; called under the console lock, never block for ever
 * @{ */
void cons_e9_write(const char *s, size_t n);
void cons_vga_write(const char *s, size_t n);    /**< silent while vga_va is NULL */
void cons_serial_write(const char *s, size_t n); /**< silent when there is no UART */
/** @} */

void cons_serial_init(void);
/** A byte that came in over the serial line; -1: none, or no line. Never waits. */
int cons_serial_read(void);

/** VGA text memory, 80 x 25 cells, once somebody has mapped it. */
extern volatile uint16_t *vga_va;

#endif
