/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The PS/2 keyboard, polled, and the codes of keys that have no character.
 */
#ifndef X86_KEYBOARD_H
#define X86_KEYBOARD_H

#include <sys/types.h>

#define CTRL(c)     ((c)&0x1f)
#define KEY_MONITOR CTRL(']') /**< what F12 gives, and Ctrl-] on any input */

/** Above all characters. */
enum { KEY_UP = 0x100, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE };

/** The next key: a character or KEY_*; -1: none, or no keyboard. Never waits, takes no lock: for one CPU at a time. */
int keyboard_read(void);
/** What one byte of scan code set 1 means after those before it; -1: nothing yet. */
int keyboard_decode(uint8_t code);

#endif
