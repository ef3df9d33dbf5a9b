# solutions/lab7-running-out/ptable_free.c
s/atomic_dec_32(&active_ptables);/active_ptables--;/
