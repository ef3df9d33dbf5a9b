/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief COM1, 115200 baud, eight bits, polled (16550 data sheet).
 *
 * A UART that stops sending is given up: a kernel must not hang because nobody listens.
 */
#include <kern/console.h>
#include <x86/cpufunc.h>

#define COM1         0x3f8
#define UART_DATA    (COM1 + 0) /* with DLAB set: divisor, low byte */
#define UART_IER     (COM1 + 1) /* with DLAB set: divisor, high byte */
#define UART_FCR     (COM1 + 2)
#define UART_LCR     (COM1 + 3)
#define UART_MCR     (COM1 + 4)
#define UART_LSR     (COM1 + 5)
#define UART_SCRATCH (COM1 + 7)
#define LCR_8N1      0x03
#define LCR_DLAB     0x80
#define LSR_DR       0x01 /* a byte has come in */
#define LSR_THRE     0x20 /* the FIFO is empty */
#define LSR_TEMT     0x40 /* and so is the shift register: all is sent */
#define FIFO_SIZE    16
#define POLLS        100000 /* sending 16 bytes takes 1.4 ms */

#define INPUT_MAX 128u /* what is typed, or pasted, while we print */

static bool present;
static uint8_t input[INPUT_MAX];
static uint_t input_in, input_out; /* bytes ever taken in and given out */

void
cons_serial_init(void)
{
	outb(UART_SCRATCH, 0x5a);
	if (inb(UART_SCRATCH) != 0x5a)
		return;
	outb(UART_IER, 0); /* no interrupts */
	outb(UART_LCR, LCR_DLAB);
	outb(UART_DATA, 1); /* 115200 / 1 */
	outb(UART_IER, 0);
	outb(UART_LCR, LCR_8N1);
	outb(UART_FCR, 0x07); /* FIFOs on and empty */
	outb(UART_MCR, 0x03); /* DTR, RTS */
	present = true;
}

/*
 * The UART itself keeps only 16 bytes. What finds no room is lost, like there; and so may be a byte that two CPUs take at
 * once, one in its tick and one that prints: but then nobody is reading yet.
 */
static void
take_input(uint8_t status)
{
	for (uint_t n = 0; (status & LSR_DR) && n < INPUT_MAX; n++) {
		uint8_t c = inb(UART_DATA);

		if (input_in - input_out < INPUT_MAX)
			input[input_in++ % INPUT_MAX] = c;
		status = inb(UART_LSR);
	}
}

static bool
status_wait(uint8_t bit)
{
	for (int i = 0; i < POLLS; i++) {
		uint8_t status = inb(UART_LSR);

		if (status & LSR_DR)
			take_input(status);
		if (status & bit)
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
		if (room < 2) { /* a newline takes two */
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
	if (present)
		take_input(inb(UART_LSR));
	return (input_out == input_in ? -1 : input[input_out++ % INPUT_MAX]);
}
