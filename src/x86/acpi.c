/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief Find the MADT and list the CPUs in it [ACPI 6.4, 5.2.5 and 5.2.12].
 *
 * Root pointer -> RSDT -> table "APIC". Everything is copied out of physical memory piece by piece, because this happens
 * before the kernel maps anything of its own choice.
 */
#include <sys/bootinfo.h>
#include <sys/startup.h>
#include <sys/string.h>
#include <x86/acpi.h>

#define EBDA_POINTER  0x40e /* BIOS data area: segment of the extended one */
#define BIOS_START    0xe0000
#define BIOS_END      0x100000
#define LAPIC_DEFAULT 0xfee00000u

/** Root pointer. */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
} PACKED;

/** What every table starts with. */
struct sdt_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} PACKED;

/** After its header come these two words, then entries. */
struct madt {
	struct sdt_header header;
	uint32_t lapic_pa, flags;
} PACKED;

/** One entry of it. */
struct madt_entry {
	uint8_t type, length;
	uint8_t acpi_id, apic_id; /**< type 0: a CPU with its local APIC */
	uint32_t flags;
} PACKED;

#define MADT_LAPIC    0
#define LAPIC_ENABLED 0x1u

paddr_t acpi_lapic_pa = LAPIC_DEFAULT;
uint32_t acpi_apic_ids[NCPU];
int acpi_ncpus;

static bool
sums_to_zero(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n-- > 0)
		sum += *b++;
	return (sum == 0);
}

static bool
rsdp_at(paddr_t pa, struct rsdp *r)
{
	boot_read_phys(pa, r, sizeof(*r));
	return (memcmp(r->signature, "RSD PTR ", 8) == 0 && sums_to_zero(r, sizeof(*r)));
}

/* It starts at a multiple of 16. */
static bool
rsdp_search(paddr_t start, paddr_t end, struct rsdp *r)
{
	for (paddr_t pa = start; pa < end; pa += 16) {
		if (rsdp_at(pa, r))
			return (true);
	}
	return (false);
}

static bool
rsdp_find(struct rsdp *r)
{
	uint16_t segment;
	paddr_t ebda;

	if (bootinfo.bi_rsdp != 0 && rsdp_at(bootinfo.bi_rsdp, r))
		return (true);
	boot_read_phys(EBDA_POINTER, &segment, sizeof(segment));
	ebda = (paddr_t)segment << 4;
	if (ebda != 0 && rsdp_search(ebda, ebda + 1024, r))
		return (true);
	return (rsdp_search(BIOS_START, BIOS_END, r));
}

/* The RSDT is a header followed by 32-bit addresses of the other tables. */
static paddr_t
table_find(paddr_t rsdt, const char *signature)
{
	struct sdt_header root, h;
	uint32_t pa;

	boot_read_phys(rsdt, &root, sizeof(root));
	if (memcmp(root.signature, "RSDT", 4) != 0)
		return (0);
	for (uint32_t at = sizeof(root); at + sizeof(pa) <= root.length; at += sizeof(pa)) {
		boot_read_phys(rsdt + at, &pa, sizeof(pa));
		boot_read_phys(pa, &h, sizeof(h));
		if (memcmp(h.signature, signature, 4) == 0)
			return (pa);
	}
	return (0);
}

static void
madt_read(paddr_t pa)
{
	struct madt m;
	struct madt_entry e;

	boot_read_phys(pa, &m, sizeof(m));
	acpi_lapic_pa = m.lapic_pa;
	for (uint32_t at = sizeof(m); at + 2 <= m.header.length; at += e.length) {
		memset(&e, 0, sizeof(e));
		boot_read_phys(pa + at, &e, MIN(sizeof(e), m.header.length - at));
		if (e.length < 2)
			break; /* a table that would never end */
		if (e.type == MADT_LAPIC && (e.flags & LAPIC_ENABLED) && acpi_ncpus < NCPU)
			acpi_apic_ids[acpi_ncpus++] = e.apic_id;
	}
}

void
acpi_init(void)
{
	struct rsdp r;
	paddr_t madt;

	if (!rsdp_find(&r))
		return;
	madt = table_find(r.rsdt, "APIC");
	if (madt != 0)
		madt_read(madt);
}
