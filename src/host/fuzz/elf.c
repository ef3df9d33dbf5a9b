/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Programs: what elf_read() accepts can be mapped and run without another look. The input's first byte: a 32-bit space or not.
 */
#include <host/fuzz/fuzz.h>
#include <host/host.h>
#include <sys/debug.h>
#include <sys/string.h>
#include <vm/as.h>
#include <vm/elf.h>
#include <vm/image.h>

#define LIMIT_32 0xfffff000ull
#define HOLE     0x800000000000ull

/* What the loader asks the rest of the kernel. The image is the input: exactly as many bytes, so that AddressSanitizer watches its end. */
bool md_user_can_run(bool is32);
bool
md_user_can_run(bool is32)
{
	return (is32 || sizeof(uintptr_t) == 8);
}

bool
image_read(const struct image *im, size_t off, void *buf, size_t n)
{
	if (off > im->im_size || n > im->im_size - off)
		return (false);
	memcpy(buf, (const char *)im->im_mem + off, n);
	return (true);
}

uintptr_t
as_limit(const struct as *as)
{
	return (sizeof(uintptr_t) == 4 ? (uintptr_t)0xc0000000 : as->a_32bit ? (uintptr_t)LIMIT_32 : (uintptr_t)HOLE);
}

bool
as_range_ok(const struct as *as, uintptr_t va, size_t len)
{
	return (len <= as_limit(as) && va <= as_limit(as) - len);
}

as_result_t
as_map(struct as *as, uintptr_t va, size_t len, uint_t prot, const struct image *im, size_t off, size_t filesz)
{
	expect(((va | len | off) & PAGEOFFSET) == 0 && len > 0, "0x%lx, 0x%lx bytes from 0x%lx", va, len, off);
	expect(va >= PAGESIZE && as_range_ok(as, va, len), "0x%lx, 0x%lx bytes", va, len);
	expect(filesz <= len && off <= im->im_size && filesz <= im->im_size - off, "0x%lx bytes from 0x%lx of 0x%lx", filesz, off,
	    im->im_size);
	expect((prot & PROT_READ) && (prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC), "permissions 0x%x", prot);
	return (AS_OK);
}

const char *
as_result_text(as_result_t r)
{
	(void)r;
	return ("");
}

static void
judge(const struct elf_program *ep)
{
	bool runs = false;

	expect(ep->ep_nsegs > 0 && ep->ep_nsegs <= ELF_MAXSEGS, "%u segments", ep->ep_nsegs);
	for (uint_t i = 0; i < ep->ep_nsegs; i++) {
		const struct elf_seg *a = &ep->ep_seg[i];

		runs |= (a->es_prot & PROT_EXEC) && ep->ep_entry - a->es_base < a->es_size;
		for (uint_t k = 0; k < i; k++) {
			const struct elf_seg *b = &ep->ep_seg[k];

			expect(a->es_base - b->es_base >= b->es_size && b->es_base - a->es_base >= a->es_size, "segments %u and %u",
			    k, i);
		}
	}
	expect(runs, "starts at 0x%lx, which is no code", ep->ep_entry);
}

static void
try_one(const unsigned char *data, unsigned long size)
{
	struct as as = { .a_32bit = size > 0 && (data[0] & 1) };
	struct image im = { .im_size = size - (size > 0), .im_mem = data + (size > 0) };
	struct elf_program ep;

	if (elf_read(&im, &as, &ep) != NULL)
		return;
	judge(&ep);
	expect(elf_map(&im, &as, &ep) == NULL, "cannot be mapped");
}

const struct fuzz_target fuzz_elf = { "elf", NULL, try_one, NULL };
