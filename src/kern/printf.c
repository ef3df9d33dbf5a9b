/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Formatting. One pass over the format drives a sink: a caller's buffer here, the consoles in console.c.
 *
 * A conversion is read into a struct spec, turned into a prefix ("-", "0x", nothing), zeros and a body, and laid out in its
 * width. Numbers are formatted from a uintmax-wide value, so that 64-bit ones are right in both kernels.
 */
#include <kern/format.h>
#include <sys/printf.h>
#include <sys/string.h>

/** One conversion of a format. */
struct spec {
	bool left, zero, plus, space, alt;
	int width, precision; /**< precision -1: not given */
	int size;             /**< bytes of the argument */
	char conv;
};

/** Where the text goes and how much there was. */
struct out {
	void (*put)(void *, const char *, size_t);
	void *arg;
	int len;
};

static void
emit(struct out *o, const char *s, size_t n)
{
	if (n > 0)
		o->put(o->arg, s, n);
	o->len += (int)n;
}

static void
pad(struct out *o, char c, int n)
{
	char run[16];

	memset(run, c, sizeof(run));
	for (; n > 0; n -= (int)sizeof(run))
		emit(o, run, (size_t)MIN(n, (int)sizeof(run)));
}

/* blanks, prefix, zeros, body, blanks */
static void
lay_out(struct out *o, const struct spec *sp, const char *prefix, int zeros, const char *body, size_t n)
{
	int fill = sp->width - (int)strlen(prefix) - zeros - (int)n;

	if (!sp->left)
		pad(o, ' ', fill);
	emit(o, prefix, strlen(prefix));
	pad(o, '0', zeros);
	emit(o, body, n);
	if (sp->left)
		pad(o, ' ', fill);
}

static const char *
number_prefix(const struct spec *sp, uint64_t value, bool negative)
{
	if (negative)
		return ("-");
	if (sp->conv == 'd')
		return (sp->plus ? "+" : sp->space ? " " : "");
	if (sp->conv == 'p' || (sp->alt && sp->conv == 'x' && value != 0))
		return ("0x");
	if (sp->alt && sp->conv == 'X' && value != 0)
		return ("0X");
	return ("");
}

static void
put_number(struct out *o, const struct spec *sp, uint64_t value, bool negative)
{
	uint_t base = sp->conv == 'd' || sp->conv == 'u' ? 10 : sp->conv == 'o' ? 8 : 16;
	const char *digits = sp->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	const char *prefix = number_prefix(sp, value, negative);
	char buf[24], *p = buf + sizeof(buf);
	int n, zeros;

	for (uint64_t v = value; v != 0; v /= base)
		*--p = digits[v % base];
	n = (int)(buf + sizeof(buf) - p);
	if (sp->precision >= 0)
		zeros = sp->precision - n;
	else if (sp->zero && !sp->left)
		zeros = MAX(sp->width - (int)strlen(prefix) - n, 1 - n);
	else
		zeros = 1 - n; /* zero is written "0" */
	if (sp->alt && sp->conv == 'o' && zeros < 1)
		zeros = 1;
	lay_out(o, sp, prefix, MAX(zeros, 0), p, (size_t)n);
}

static void
put_string(struct out *o, const struct spec *sp, const char *s)
{
	size_t n = 0;

	if (s == NULL)
		s = "(null)";
	while ((sp->precision < 0 || n < (size_t)sp->precision) && s[n] != '\0')
		n++;
	lay_out(o, sp, "", 0, s, n);
}

static const char *
parse_flags(struct spec *sp, const char *f)
{
	for (;; f++) {
		switch (*f) {
		case '-':
			sp->left = true;
			break;
		case '0':
			sp->zero = true;
			break;
		case '+':
			sp->plus = true;
			break;
		case ' ':
			sp->space = true;
			break;
		case '#':
			sp->alt = true;
			break;
		default:
			return (f);
		}
	}
}

static const char *
parse_int(const char *f, int *np)
{
	for (*np = 0; *f >= '0' && *f <= '9'; f++)
		*np = *np * 10 + (*f - '0');
	return (f);
}

static const char *
parse_size(struct spec *sp, const char *f)
{
	sp->size = (int)sizeof(int);
	switch (*f) {
	case 'h':
		sp->size = f[1] == 'h' ? 1 : 2;
		break;
	case 'l':
		sp->size = f[1] == 'l' ? 8 : (int)sizeof(long);
		break;
	case 'z':
	case 't':
		sp->size = (int)sizeof(size_t);
		return (f + 1);
	case 'j':
		sp->size = 8;
		return (f + 1);
	default:
		return (f);
	}
	return (f + (f[1] == f[0] ? 2 : 1));
}

/** The arguments. A va_list cannot be passed by address portably when it is itself a parameter; inside a structure it can. */
struct args {
	va_list ap;
};

static uint64_t
fetch_unsigned(const struct spec *sp, struct args *a)
{
	if (sp->size == 8)
		return (va_arg(a->ap, uint64_t));
	if (sp->size == 1)
		return ((uint8_t)va_arg(a->ap, uint_t));
	if (sp->size == 2)
		return ((uint16_t)va_arg(a->ap, uint_t));
	return (va_arg(a->ap, uint_t));
}

static int64_t
fetch_signed(const struct spec *sp, struct args *a)
{
	if (sp->size == 8)
		return (va_arg(a->ap, int64_t));
	if (sp->size == 1)
		return ((int8_t)va_arg(a->ap, int));
	if (sp->size == 2)
		return ((int16_t)va_arg(a->ap, int));
	return (va_arg(a->ap, int));
}

static const char *
parse_spec(struct spec *sp, const char *f, struct args *a)
{
	memset(sp, 0, sizeof(*sp));
	sp->precision = -1;
	f = parse_flags(sp, f);
	if (*f == '*') {
		sp->width = va_arg(a->ap, int);
		if (sp->width < 0)
			sp->left = true, sp->width = -sp->width;
		f++;
	} else {
		f = parse_int(f, &sp->width);
	}
	if (*f == '.') {
		if (*++f == '*')
			sp->precision = va_arg(a->ap, int), f++;
		else
			f = parse_int(f, &sp->precision);
	}
	f = parse_size(sp, f);
	sp->conv = *f;
	return (f);
}

static void
convert(struct out *o, struct spec *sp, struct args *a)
{
	int64_t n;
	char c;

	switch (sp->conv) {
	case 'c':
		c = (char)va_arg(a->ap, int);
		lay_out(o, sp, "", 0, &c, 1);
		break;
	case 's':
		put_string(o, sp, va_arg(a->ap, const char *));
		break;
	case 'd':
	case 'i':
		sp->conv = 'd';
		n = fetch_signed(sp, a);
		put_number(o, sp, n < 0 ? -(uint64_t)n : (uint64_t)n, n < 0);
		break;
	case 'p':
		sp->size = (int)sizeof(void *);
		/* FALLTHROUGH */
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_number(o, sp, fetch_unsigned(sp, a), false);
		break;
	default: /* %% and what we do not know: as it stands */
		emit(o, &sp->conv, 1);
		break;
	}
}

int
format(void (*put)(void *, const char *, size_t), void *arg, const char *fmt, va_list ap)
{
	struct out o = { put, arg, 0 };
	struct spec sp;
	struct args a;

	va_copy(a.ap, ap);
	for (const char *f = fmt; *f != '\0'; f++) {
		const char *text = f;

		while (*f != '\0' && *f != '%')
			f++;
		emit(&o, text, (size_t)(f - text));
		if (*f == '\0')
			break;
		f = parse_spec(&sp, f + 1, &a);
		if (sp.conv == '\0')
			break;
		convert(&o, &sp, &a);
	}
	va_end(a.ap);
	return (o.len);
}

/** What is left of a caller's buffer. */
struct room {
	char *p;
	size_t left; /**< without the terminator */
};

static void
put_buffer(void *arg, const char *s, size_t n)
{
	struct room *r = arg;

	n = MIN(n, r->left);
	memcpy(r->p, s, n);
	r->p += n;
	r->left -= n;
}

int
vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct room r = { buf, size > 0 ? size - 1 : 0 };
	int len = format(put_buffer, &r, fmt, ap);

	if (size > 0)
		*r.p = '\0';
	return (len);
}

int
snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return (len);
}
