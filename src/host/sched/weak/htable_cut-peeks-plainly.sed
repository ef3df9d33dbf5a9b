# src/hat/htable_cut.c
s/atomic_peek_int(&\(ht->ht_busy\))/\1/
