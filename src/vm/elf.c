/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Loading programs.
 *
 * A file is hostile until shown otherwise: each number is compared before it is used, in an order in which nothing can
 * overflow. Headers of 32-bit files are widened first, so that every check exists once.
 */
#include <sys/md_user.h>
#include <sys/string.h>
#include <vm/as.h>
#include <vm/elf.h>
#include <vm/hat.h>
#include <vm/image.h>

#define ELFCLASS32  1
#define ELFCLASS64  2
#define ELFDATA2LSB 1
#define EV_CURRENT  1
#define ET_EXEC     2
#define EM_386      3
#define EM_X86_64   62
#define PT_LOAD     1
#define PT_DYNAMIC  2
#define PT_INTERP   3
#define PF_X        1
#define PF_W        2
#define PF_R        4

struct elf32_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} PACKED;

struct elf32_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
struct elf64_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
} PACKED;

/* ------------------------------------------------------------------ the file's header */

const char *
elf_width(const struct image *im, bool *is32)
{
	uint8_t ident[16];

	if (!image_read(im, 0, ident, sizeof(ident)))
		return ("shorter than an ELF header");
	if (memcmp(ident, "\177ELF", 4) != 0)
		return ("not an ELF file");
	if (ident[4] != ELFCLASS32 && ident[4] != ELFCLASS64)
		return ("neither a 32-bit nor a 64-bit file");
	*is32 = ident[4] == ELFCLASS32;
	if (!md_user_can_run(*is32))
		return ("a 64-bit program, and this kernel runs none");
	if (ident[5] != ELFDATA2LSB)
		return ("not little-endian");
	if (ident[6] != EV_CURRENT)
		return ("ELF version is not 1");
	return (NULL);
}

static bool
read_header(const struct image *im, bool is32, struct elf64_header *h)
{
	struct elf32_header n;

	if (!is32)
		return (image_read(im, 0, h, sizeof(*h)));
	if (!image_read(im, 0, &n, sizeof(n)))
		return (false);
	*h = (struct elf64_header){ .type = n.type,
		.machine = n.machine,
		.version = n.version,
		.entry = n.entry,
		.phoff = n.phoff,
		.phentsize = n.phentsize,
		.phnum = n.phnum };
	return (true);
}

static const char *
check_header(const struct image *im, const struct elf64_header *h, bool is32)
{
	size_t entsize = is32 ? sizeof(struct elf32_segment) : sizeof(struct elf64_segment);

	if (h->type != ET_EXEC)
		return ("not an executable at fixed addresses");
	if (h->machine != (is32 ? EM_386 : EM_X86_64))
		return ("for another processor");
	if (h->version != EV_CURRENT)
		return ("ELF version is not 1");
	if (h->phentsize != entsize)
		return ("program headers have another size");
	if (h->phnum == 0 || h->phnum > ELF_MAXSEGS)
		return ("no program headers, or too many");
	if (h->phoff > im->im_size || h->phnum * entsize > im->im_size - h->phoff)
		return ("program headers lie outside the file");
	return (NULL);
}

/* ------------------------------------------------------------------ one segment */

static bool
read_segment(const struct image *im, const struct elf64_header *h, uint_t i, bool is32, struct elf64_segment *p)
{
	size_t at = (size_t)h->phoff + i * (size_t)h->phentsize;
	struct elf32_segment n;

	if (!is32)
		return (image_read(im, at, p, sizeof(*p)));
	if (!image_read(im, at, &n, sizeof(n)))
		return (false);
	*p = (struct elf64_segment){ n.type, n.flags, n.offset, n.vaddr, n.paddr, n.filesz, n.memsz, n.align };
	return (true);
}

static const char *
check_place(const struct elf64_segment *p, const struct as *as)
{
	uintptr_t limit = as_limit(as);

	if (p->memsz > UINT64_MAX - PAGESIZE || p->vaddr > UINT64_MAX - PAGESIZE - p->memsz)
		return ("a segment's address and size overflow");
	if (p->vaddr < PAGESIZE)
		return ("a segment covers address 0");
	if (limit != 0 && (p->vaddr >= limit || ROUNDUP(p->vaddr + p->memsz, (uint64_t)PAGESIZE) > limit))
		return ("a segment reaches into the kernel");
	if (!as_range_ok(as, (uintptr_t)p->vaddr, (size_t)p->memsz))
		return ("a segment lies in the hole of addresses that do not exist");
	return (NULL);
}

static const char *
check_segment(const struct image *im, const struct elf64_segment *p, const struct as *as)
{
	if (p->memsz == 0)
		return ("a segment is empty");
	if (p->filesz > p->memsz)
		return ("a segment has more bytes in the file than in memory");
	if (p->offset > im->im_size || p->filesz > im->im_size - p->offset)
		return ("a segment lies outside the file");
	if (((p->offset ^ p->vaddr) & PAGEOFFSET) != 0)
		return ("a segment's address and offset do not agree within a page");
	if (p->align > 1 && ((p->align & (p->align - 1)) != 0 || ((p->vaddr ^ p->offset) & (p->align - 1)) != 0))
		return ("a segment's alignment makes no sense");
	if ((p->flags & ~(uint32_t)(PF_R | PF_W | PF_X)) != 0 || (p->flags & PF_R) == 0)
		return ("a segment has unknown permissions, or cannot be read");
	if ((p->flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return ("a segment is writable and executable");
	return (check_place(p, as));
}

static void
keep_segment(const struct elf64_segment *p, struct elf_program *ep)
{
	struct elf_seg *s = &ep->ep_seg[ep->ep_nsegs++];
	size_t lead = (size_t)p->vaddr & PAGEOFFSET;

	s->es_base = (uintptr_t)p->vaddr - lead;
	s->es_size = ROUNDUP((size_t)p->memsz + lead, (size_t)PAGESIZE);
	s->es_off = (size_t)p->offset - lead;
	s->es_filesz = p->filesz == 0 ? 0 : (size_t)p->filesz + lead;
	s->es_prot = PROT_READ | (p->flags & PF_W ? PROT_WRITE : 0) | (p->flags & PF_X ? PROT_EXEC : 0);
}

/* ------------------------------------------------------------------ all of them together */

static bool
overlap(const struct elf_seg *a, const struct elf_seg *b)
{
	return (a->es_base <= b->es_base + (b->es_size - 1) && b->es_base <= a->es_base + (a->es_size - 1));
}

static const char *
check_together(const struct elf_program *ep, uint64_t entry)
{
	bool runs = false;

	if (ep->ep_nsegs == 0)
		return ("nothing to load");
	for (uint_t i = 0; i < ep->ep_nsegs; i++) {
		const struct elf_seg *s = &ep->ep_seg[i];

		for (uint_t j = 0; j < i; j++)
			if (overlap(s, &ep->ep_seg[j]))
				return ("two segments share a page");
		runs = runs || ((s->es_prot & PROT_EXEC) && entry >= s->es_base && entry - s->es_base < s->es_filesz);
	}
	return (runs ? NULL : "it does not start in executable code");
}

const char *
elf_read(const struct image *im, const struct as *as, struct elf_program *ep)
{
	struct elf64_header h;
	const char *wrong;

	memset(ep, 0, sizeof(*ep));
	wrong = elf_width(im, &ep->ep_32bit);
	if (wrong == NULL && !read_header(im, ep->ep_32bit, &h))
		wrong = "shorter than an ELF header";
	if (wrong == NULL)
		wrong = check_header(im, &h, ep->ep_32bit);
	for (uint_t i = 0; wrong == NULL && i < h.phnum; i++) {
		struct elf64_segment p;

		if (!read_segment(im, &h, i, ep->ep_32bit, &p))
			return ("program headers lie outside the file");
		if (p.type == PT_INTERP || p.type == PT_DYNAMIC)
			return ("needs a dynamic linker");
		if (p.type != PT_LOAD)
			continue;
		wrong = check_segment(im, &p, as);
		if (wrong == NULL)
			keep_segment(&p, ep);
	}
	if (wrong == NULL)
		wrong = check_together(ep, h.entry);
	ep->ep_entry = wrong == NULL ? (uintptr_t)h.entry : 0;
	return (wrong);
}

const char *
elf_map(const struct image *im, struct as *as, const struct elf_program *ep)
{
	for (uint_t i = 0; i < ep->ep_nsegs; i++) {
		const struct elf_seg *s = &ep->ep_seg[i];
		as_result_t r = as_map(as, s->es_base, s->es_size, s->es_prot, im, s->es_off, s->es_filesz);

		if (r != AS_OK)
			return (as_result_text(r));
	}
	return (NULL);
}
