/* SPDX-License-Identifier: ISC */
/**
 * @file
 * @brief All shared state of the HAT and its units: a unit has no globals, so that two copies of it can be linked.
 */
#include <hat/htable_impl.h>
#include <hat/mmu.h>
#include <sys/tunable.h>
#include <memmap.h>

struct hat_mmu_info mmu;

hat_t *kas_hat;
uintptr_t kernelbase = KERNELBASE;
uintptr_t userlimit = USERLIMIT;
struct hat_kernel_range kernel_ranges[NUM_KERNEL_RANGE];
int num_kernel_ranges;
bool kernel_ranges_final;

kmutex_t hat_list_lock;
kcondvar_t hat_list_cv;
cpuset_t khat_cpuset;
bool khat_running;
uintptr_t kpm_vbase;
uintptr_t ptable_vbase;
uintptr_t vlp_page;
volatile uint32_t hat_unflushed;
uint64_t use_boot_reserve = 1;
uint64_t can_steal_post_boot;

kmem_cache_t *htable_cache;
kmutex_t htable_reserve_mutex;
htable_t *htable_reserve_pool;
uint_t htable_reserve_cnt;
uint64_t htable_reserve_amount = HTABLE_RESERVE_AMOUNT;
volatile uint32_t htable_dont_cache;
volatile uint32_t active_ptables;
uint64_t htable_steal_passes = 8;
uintptr_t htable_secret = 1;
uint64_t force_steal;
volatile uint32_t ptable_cnt;
volatile uint32_t htable_ranks[HTABLE_NRANKS];
struct hatstats hatstat;

TUNABLE_NUMBER(htable_reserve_amount, "htable_reserve_amount", "steady number of htable objects in the reserve");
TUNABLE_NUMBER(htable_steal_passes, "htable_steal_passes", "steps from empty to full tables while stealing");
TUNABLE_NUMBER(force_steal, "force_steal", "let every (n+1)-th request for a page-table frame fail");
