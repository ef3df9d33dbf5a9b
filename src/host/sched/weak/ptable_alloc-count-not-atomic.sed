# solutions/lab7-running-out/ptable_alloc.c
s/atomic_inc_32(&active_ptables);/active_ptables++;/
