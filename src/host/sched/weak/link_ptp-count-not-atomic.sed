# solutions/lab3-building/link_ptp.c
s/atomic_inc_int(&\(.*\));/\1++;/
