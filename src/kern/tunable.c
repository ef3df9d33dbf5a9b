/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The words of the command line, and the table of variables that they set.
 */
#include <sys/printf.h>
#include <sys/string.h>
#include <sys/tunable.h>

#define WORD_MAX 512

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"');
}

static const tunable_t *
tunable_find(const char *name)
{
	for (const tunable_t *t = __start_tunables; t < __stop_tunables; t++) {
		if (strcmp(t->tn_name, name) == 0)
			return (t);
	}
	return (NULL);
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (99);
}

/* The whole word, and no more than 64 bits. */
bool
number_parse(const char *s, uint64_t *np)
{
	uint_t base = 10;
	uint64_t n = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		base = 16, s += 2;
	if (*s == '\0')
		return (false);
	for (; *s != '\0'; s++) {
		uint_t d = (uint_t)digit_value(*s);

		if (d >= base || n > (UINT64_MAX - d) / base)
			return (false);
		n = n * base + d;
	}
	*np = n;
	return (true);
}

static void
tunables_list(void)
{
	for (const tunable_t *t = __start_tunables; t < __stop_tunables; t++) {
		if (t->tn_number != NULL)
			record("%%tunable name=%s value=%llu text=%s\n", t->tn_name, (unsigned long long)*t->tn_number, t->tn_help);
		else
			record("%%tunable name=%s value=%s text=%s\n", t->tn_name, t->tn_string[0] != '\0' ? t->tn_string : "-",
			    t->tn_help);
	}
}

static bool
tunable_set(const tunable_t *t, const char *value)
{
	if (t->tn_number != NULL) {
		if (number_parse(value, t->tn_number))
			return (true);
		printf("hatlab: tunable \"%s\" wants a number, not \"%s\"\n", t->tn_name, value);
		return (false);
	}
	if (strlen(value) >= t->tn_size) {
		printf("hatlab: the value of tunable \"%s\" is longer than %u characters\n", t->tn_name, (uint_t)t->tn_size - 1);
		return (false);
	}
	strlcpy(t->tn_string, value, t->tn_size);
	return (true);
}

/* `word` is ours to cut at the equals sign. */
static bool
word_set(char *word)
{
	char *value = strchr(word, '=');
	const tunable_t *t;

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(word, "help") == 0) {
		tunables_list();
		return (true);
	}
	t = tunable_find(word);
	if (t == NULL) {
		printf("hatlab: unknown tunable \"%s\"\n", word);
		return (false);
	}
	if (value == NULL) {
		printf("hatlab: tunable \"%s\" has no value\n", word);
		return (false);
	}
	return (tunable_set(t, value));
}

bool
tunables_parse(const char *cmdline)
{
	char word[WORD_MAX];
	size_t n;

	for (;;) {
		while (is_blank(*cmdline))
			cmdline++;
		if (*cmdline == '\0')
			return (true);
		for (n = 0; *cmdline != '\0' && !is_blank(*cmdline); cmdline++) {
			if (n < sizeof(word) - 1)
				word[n++] = *cmdline;
		}
		word[n] = '\0';
		if (!word_set(word))
			return (false);
	}
}
