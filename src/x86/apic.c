/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief The local APIC [SDM3 ch. 10], reached through its page of registers, and the old controllers, which are silenced.
 *
 * Its timer counts at a rate that nobody tells. It is measured once against channel 2 of the PIT, whose rate is known:
 * both run while the PIT counts down two milliseconds. In Bochs that is 20,000 instructions at ips=10000000.
 */
#include <kern/hat_hooks.h>
#include <sys/debug.h>
#include <sys/startup.h>
#include <x86/acpi.h>
#include <x86/apic.h>
#include <x86/cpufunc.h>
#include <x86/features.h>
#include <x86/vectors.h>

/* Registers, as indices of 32-bit words */
#define APIC_ID         (0x020 / 4)
#define APIC_TPR        (0x080 / 4)
#define APIC_EOI        (0x0b0 / 4)
#define APIC_SPIV       (0x0f0 / 4)
#define APIC_ICR_LOW    (0x300 / 4)
#define APIC_ICR_HIGH   (0x310 / 4)
#define APIC_LVT_TIMER  (0x320 / 4)
#define APIC_LVT_LINT0  (0x350 / 4)
#define APIC_LVT_LINT1  (0x360 / 4)
#define APIC_LVT_ERROR  (0x370 / 4)
#define APIC_TIMER_INIT (0x380 / 4)
#define APIC_TIMER_NOW  (0x390 / 4)
#define APIC_TIMER_DIV  (0x3e0 / 4)

#define SPIV_ENABLE  0x100u
#define ICR_NMI      0x00000400u
#define ICR_INIT     0x00000500u
#define ICR_STARTUP  0x00000600u
#define ICR_PENDING  0x00001000u
#define ICR_ASSERT   0x00004000u
#define LVT_MASKED   0x00010000u
#define LVT_PERIODIC 0x00020000u
#define DIV_BY_1     0xbu

#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_X2     0x400u

#define PIC_MASTER 0x20
#define PIC_SLAVE  0xa0

#define PIT_HZ       1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_GATE     0x61 /* bit 0: channel 2 counts; bit 1: loudspeaker; bit 5: its output */
#define MEASURE_HZ   500u /* two milliseconds */
#define TICK_HZ      100u

static volatile uint32_t *lapic_va;
static uint32_t timer_count; /* counts in a tick */

/* Each gets vectors of its own, in case of a spurious interrupt, and is masked [8259A data sheet]. */
static void
pic_silence(void)
{
	for (int i = 0; i < 2; i++) {
		uint16_t port = i == 0 ? PIC_MASTER : PIC_SLAVE;

		outb(port, 0x11); /* initialise: edge, cascade, four words */
		outb(port + 1, (uint8_t)(VEC_PIC + 8 * i));
		outb(port + 1, i == 0 ? 4 : 2); /* the slave is on line 2 */
		outb(port + 1, 1);              /* 8086 mode */
		outb(port + 1, 0xff);
	}
}

uint32_t
apic_id(void)
{
	return (lapic_va[APIC_ID] >> 24);
}

void
apic_eoi(void)
{
	lapic_va[APIC_EOI] = 0;
}

void
apic_cpu_init(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	lapic_va[APIC_TPR] = 0;
	lapic_va[APIC_LVT_TIMER] = LVT_MASKED;
	lapic_va[APIC_LVT_LINT0] = LVT_MASKED;
	lapic_va[APIC_LVT_LINT1] = ICR_NMI;
	lapic_va[APIC_LVT_ERROR] = LVT_MASKED;
	lapic_va[APIC_SPIV] = SPIV_ENABLE | VEC_SPURIOUS;
}

/* The two words of a command belong together, and a handler may send as well. */
static void
send(uint32_t id, uint32_t command)
{
	ulong_t saved = intr_save();

	lapic_va[APIC_ICR_HIGH] = id << 24;
	lapic_va[APIC_ICR_LOW] = command;
	while (lapic_va[APIC_ICR_LOW] & ICR_PENDING)
		pause();
	intr_restore(saved);
}

void
apic_send(const cpu_t *to, int vector)
{
	send(to->cpu_apic_id, ICR_ASSERT | (uint32_t)vector);
}

void
apic_send_nmi(const cpu_t *to)
{
	send(to->cpu_apic_id, ICR_ASSERT | ICR_NMI);
}

void
apic_send_init(uint32_t id)
{
	send(id, ICR_ASSERT | ICR_INIT);
}

void
apic_send_startup(uint32_t id, paddr_t entry)
{
	send(id, ICR_ASSERT | ICR_STARTUP | (uint32_t)(entry >> PAGESHIFT));
}

/* One shot of channel 2, and how far the timer came meanwhile. Its output goes high at the end [8254 data sheet, mode 0]. */
static uint32_t
timer_measure(void)
{
	uint16_t count = PIT_HZ / MEASURE_HZ;

	outb(PIT_GATE, (inb(PIT_GATE) & ~3u) | 1);
	outb(PIT_COMMAND, 0xb0); /* channel 2, two bytes, mode 0 */
	outb(PIT_CHANNEL2, (uint8_t)count);
	outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
	lapic_va[APIC_TIMER_INIT] = UINT32_MAX;
	while ((inb(PIT_GATE) & 0x20) == 0)
		pause();
	return (UINT32_MAX - lapic_va[APIC_TIMER_NOW]);
}

void
apic_init(void)
{
	if (!x86_features.apic || !x86_features.msr)
		panic("apic_init: this CPU has no local APIC");
	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2)
		panic("apic_init: the loader left the local APIC in x2APIC mode");
	pic_silence();
	lapic_va = map_device(acpi_lapic_pa, PAGESIZE);
	apic_cpu_init();
	CPU->cpu_apic_id = apic_id();
	lapic_va[APIC_TIMER_DIV] = DIV_BY_1;
	timer_count = timer_measure() * (MEASURE_HZ / TICK_HZ);
	if (timer_count == 0)
		panic("apic_init: the timer of the local APIC does not run");
}

void
apic_timer_start(void)
{
	lapic_va[APIC_TIMER_DIV] = DIV_BY_1;
	lapic_va[APIC_LVT_TIMER] = LVT_PERIODIC | VEC_TICK;
	lapic_va[APIC_TIMER_INIT] = timer_count;
}
