/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Look for `pae=0` and `pse=0` before there is paging.
 *
 * Runs where it was loaded, at physical addresses, so it may refer to nothing outside of .boot.text: no strings, no
 * tables, no library. Words and blanks are those of kern/tunable.c, which reads (and judges) the same line later.
 */
#include <bootwords.h>
#include <sys/tunable.h>

#define BOOT_TEXT __attribute__((section(".boot.text")))

#define MB1_MAGIC   0x2badb002u
#define MB1_CMDLINE 0x04u /* bit of the first word */
#define MB1_AT      4     /* word that holds the line's address */
#define MB2_MAGIC   0x36d76289u
#define MB2_END     0u
#define MB2_CMDLINE 1u
#define MB2_FIRST   8u /* bytes before the first tag, and of a tag's head */

uint32_t boot_words(uint32_t magic, uint32_t info);

/* What the entry code has done is seen in CR4; these make the words known, and show what was asked for. */
static uint64_t want_pae = 1, want_pse = 1;
TUNABLE_NUMBER(want_pae, "pae", "0: two levels of 4-byte entries, as if the CPU had no PAE");
TUNABLE_NUMBER(want_pse, "pse", "0: without PAE, only 4 KiB pages, as if the CPU had no others");

static BOOT_TEXT const char *
command_line(uint32_t magic, uint32_t info)
{
	const uint32_t *word = (const uint32_t *)(uintptr_t)info;

	if (magic == MB1_MAGIC && (word[0] & MB1_CMDLINE))
		return ((const char *)(uintptr_t)word[MB1_AT]);
	for (uintptr_t at = info + MB2_FIRST; magic == MB2_MAGIC; at = ROUNDUP(at + word[1], (uintptr_t)8)) {
		word = (const uint32_t *)at;
		if (word[0] == MB2_CMDLINE)
			return ((const char *)(at + MB2_FIRST));
		if (word[0] == MB2_END || word[1] == 0)
			break;
	}
	return (NULL);
}

static BOOT_TEXT bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"');
}

/* 0, 00, 0x0: anything else made of these is no number, and will be refused. */
static BOOT_TEXT bool
is_zero(const char *s)
{
	while (*s == '0' || *s == 'x' || *s == 'X')
		s++;
	return (*s == '\0' || is_blank(*s));
}

/* Which of the two words starts here. */
static BOOT_TEXT uint32_t
which(const char *s)
{
	if (s[0] != 'p' || (s[1] != 'a' && s[1] != 's') || s[2] != 'e' || s[3] != '=')
		return (0);
	return (s[1] == 'a' ? BOOT_NO_PAE : BOOT_NO_PSE);
}

/** What the loader's command line forbids. The last word of a name counts. */
BOOT_TEXT uint32_t
boot_words(uint32_t magic, uint32_t info)
{
	const char *s = command_line(magic, info);
	uint32_t found = 0;

	while (s != NULL && *s != '\0') {
		uint32_t bit = which(s);

		if (bit != 0)
			found = is_zero(s + 4) ? found | bit : found & ~bit;
		while (*s != '\0' && !is_blank(*s))
			s++;
		while (is_blank(*s))
			s++;
	}
	return (found);
}
