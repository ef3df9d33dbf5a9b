/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief GRUB's modules as files.
 */
#include <sys/bootinfo.h>
#include <sys/mutex.h>
#include <sys/string.h>
#include <vm/as_hat.h>
#include <vm/image.h>

static struct image images[BOOT_MAXMODULES];
static bool known;
static kmutex_t image_lock; /* guards the table being made, once */

static void
make_table(void)
{
	mutex_enter(&image_lock);
	for (int i = 0; !known && i < bootinfo.bi_nmodules; i++) {
		const boot_module_t *m = &bootinfo.bi_module[i];

		strlcpy(images[i].im_name, m->bm_name, sizeof(images[i].im_name));
		images[i].im_pa = m->bm_start;
		images[i].im_size = (size_t)(m->bm_end - m->bm_start);
	}
	known = true;
	mutex_exit(&image_lock);
}

const struct image *
image_number(uint_t n)
{
	make_table();
	return (n < (uint_t)bootinfo.bi_nmodules ? &images[n] : NULL);
}

const struct image *
image_find(const char *name)
{
	const struct image *im;

	for (uint_t n = 0; (im = image_number(n)) != NULL; n++)
		if (strcmp(im->im_name, name) == 0)
			return (im);
	return (NULL);
}

bool
image_read(const struct image *im, size_t off, void *buf, size_t n)
{
	char *to = buf;

	if (off > im->im_size || n > im->im_size - off)
		return (false);
	if (im->im_mem != NULL) {
		memcpy(buf, (const char *)im->im_mem + off, n);
		return (true);
	}
	while (n > 0) {
		paddr_t pa = im->im_pa + off;
		size_t part = MIN(n, PAGESIZE - (size_t)(pa & PAGEOFFSET));

		frame_read(pa_to_pfn(pa), pa & PAGEOFFSET, to, part);
		off += part;
		to += part;
		n -= part;
	}
	return (true);
}

pfn_t
image_pfn(const struct image *im, size_t off)
{
	if (im->im_mem != NULL || (im->im_pa & PAGEOFFSET) != 0)
		return (PFN_INVALID);
	if (off > im->im_size || im->im_size - off < PAGESIZE)
		return (PFN_INVALID);
	return (pa_to_pfn(im->im_pa + off));
}
