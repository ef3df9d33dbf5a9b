/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief COM1, 115200 baud, eight bits, polled (16550 data sheet).
 *
 * A UART that stops sending is given up: a kernel must not hang because nobody listens.
 */
#include <kern/console.h>
#include <x86/cpufunc.h>

#define COM1		0x3f8
#define UART_DATA	(COM1 + 0)	/* with DLAB set: divisor, low byte */
#define UART_IER	(COM1 + 1)	/* with DLAB set: divisor, high byte */
#define UART_FCR	(COM1 + 2)
#define UART_LCR	(COM1 + 3)
#define UART_MCR	(COM1 + 4)
#define UART_LSR	(COM1 + 5)
#define UART_SCRATCH	(COM1 + 7)
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define LSR_DR		0x01		/* a byte has come in */
#define LSR_THRE	0x20		/* the FIFO is empty */
#define LSR_TEMT	0x40		/* and so is the shift register: all is sent */
#define FIFO_SIZE	16
#define POLLS		100000		/* sending 16 bytes takes 1.4 ms */

static bool present;

void
cons_serial_init(void)
{
	outb(UART_SCRATCH, 0x5a);
	if (inb(UART_SCRATCH) != 0x5a)
		return;
	outb(UART_IER, 0);			/* no interrupts */
	outb(UART_LCR, LCR_DLAB);
	outb(UART_DATA, 1);			/* 115200 / 1 */
	outb(UART_IER, 0);
	outb(UART_LCR, LCR_8N1);
	outb(UART_FCR, 0x07);			/* FIFOs on and empty */
	outb(UART_MCR, 0x03);			/* DTR, RTS */
	present = true;
}

static bool
status_wait(uint8_t bit)
{
	for (int i = 0; i < POLLS; i++) {
		if (inb(UART_LSR) & bit)
			return (true);
		pause();
	}
	present = false;
	return (false);
}

/* An empty FIFO takes 16 bytes at once. At the end everything is sent: these may be the last words of a run. */
void
cons_serial_write(const char *s, size_t n)
{
	int room = 0;

	for (; present && n > 0; s++, n--) {
		if (room < 2) {			/* a newline takes two */
			if (!status_wait(LSR_THRE))
				return;
			room = FIFO_SIZE;
		}
		if (*s == '\n') {
			outb(UART_DATA, '\r');
			room--;
		}
		outb(UART_DATA, (uint8_t)*s);
		room--;
	}
	if (present)
		(void)status_wait(LSR_TEMT);
}

int
cons_serial_read(void)
{
	if (!present || (inb(UART_LSR) & LSR_DR) == 0)
		return (-1);
	return (inb(UART_DATA));
}
