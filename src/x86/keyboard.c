/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The PS/2 keyboard behind the 8042 controller, as the BIOS leaves it: translated to scan code set 1. US layout.
 *
 * No interrupt is used: the controller keeps the last bytes until somebody asks.
 */
#include <x86/cpufunc.h>
#include <x86/keyboard.h>

#define KBD_DATA      0x60
#define KBD_STATUS    0x64
#define STATUS_FULL   0x01 /* a byte is waiting */
#define STATUS_MOUSE  0x20 /* and it is the mouse's */
#define NOTHING_THERE 0xff /* what a port without a device reads as */

#define CODE_CTRL     0x1d
#define CODE_LSHIFT   0x2a
#define CODE_RSHIFT   0x36
#define CODE_F12      0x58
#define CODE_EXTENDED 0xe0 /* before the keys that the first keyboards did not have */
#define CODE_RELEASED 0x80

/* By scan code. Shift and control have no character; nor has Alt. */
static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* The middle block, and the keypad with its number lock off, from 0x47 on. */
static const int16_t block[] = { KEY_HOME, KEY_UP, -1, -1, KEY_LEFT, -1, KEY_RIGHT, -1, KEY_END, KEY_DOWN, -1, -1, KEY_DELETE };
#define BLOCK_FIRST 0x47

static bool shift, control, extended;

static int
character(uint8_t code)
{
	char c;

	if (code >= sizeof(plain) - 1)
		return (-1);
	c = (shift ? shifted : plain)[code];
	if (c == '\0')
		return (-1);
	return (control && c >= '@' ? CTRL(c) : c);
}

int
keyboard_decode(uint8_t code)
{
	bool second = extended, down = (code & CODE_RELEASED) == 0;
	uint8_t key = code & ~CODE_RELEASED;

	extended = code == CODE_EXTENDED;
	if (extended)
		return (-1);
	if (key == CODE_CTRL)
		control = down;
	else if (!second && (key == CODE_LSHIFT || key == CODE_RSHIFT)) /* an extended one is made up by the keyboard */
		shift = down;
	if (!down)
		return (-1);
	if (key == CODE_F12)
		return (KEY_MONITOR);
	if (key >= BLOCK_FIRST && (uint_t)key - BLOCK_FIRST < NELEM(block))
		return (block[key - BLOCK_FIRST]);
	return (character(key));
}

int
keyboard_read(void)
{
	uint8_t status = inb(KBD_STATUS), code;

	if (status == NOTHING_THERE || (status & STATUS_FULL) == 0)
		return (-1);
	code = inb(KBD_DATA);
	return (status & STATUS_MOUSE ? -1 : keyboard_decode(code));
}
