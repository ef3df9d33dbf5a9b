/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The text screen: 25 lines of 80 cells, each a character and an attribute.
 */
#include <kern/console.h>
#include <sys/string.h>
#include <x86/cpufunc.h>

#define COLS        80
#define ROWS        25
#define BLANK       0x0720 /* a blank, light grey on black */
#define CRTC_INDEX  0x3d4
#define CRTC_DATA   0x3d5
#define CRTC_CURSOR 0x0e /* high byte; the low byte is the next register */

volatile uint16_t *vga_va;
static int row = -1, col; /* -1: nothing written yet */

static void
blank_from(int first)
{
	for (int i = first; i < ROWS * COLS; i++)
		vga_va[i] = BLANK;
}

static void
newline(void)
{
	col = 0;
	if (++row < ROWS)
		return;
	row = ROWS - 1;
	memmove((void *)(uintptr_t)vga_va, (const void *)(uintptr_t)(vga_va + COLS), (ROWS - 1) * COLS * sizeof(*vga_va));
	blank_from(row * COLS);
}

static void
put_char(char c)
{
	switch (c) {
	case '\n':
		newline();
		return;
	case '\r':
		col = 0;
		return;
	case '\b':
		col -= col > 0;
		return;
	case '\t':
		col = ROUNDUP(col + 1, 8);
		break;
	default:
		vga_va[row * COLS + col++] = 0x0700 | (uint8_t)c;
		break;
	}
	if (col >= COLS)
		newline();
}

static void
cursor_show(void)
{
	uint_t where = (uint_t)(row * COLS + col);

	outb(CRTC_INDEX, CRTC_CURSOR);
	outb(CRTC_DATA, (uint8_t)(where >> 8));
	outb(CRTC_INDEX, CRTC_CURSOR + 1);
	outb(CRTC_DATA, (uint8_t)where);
}

void
cons_vga_write(const char *s, size_t n)
{
	if (vga_va == NULL)
		return;
	if (row < 0) {
		row = 0;
		blank_from(0);
	}
	for (; n > 0; s++, n--)
		put_char(*s);
	cursor_show();
}
