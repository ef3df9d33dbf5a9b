# solutions/lab4-letting-go/unlink_ptp.c
s/atomic_dec_int(&\(.*\));/\1--;/
