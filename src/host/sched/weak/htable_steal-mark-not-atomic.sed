# solutions/lab7-running-out/htable_steal.c
s/atomic_and_32(&hat->hat_flags, ~(uint32_t)HAT_VICTIM);/hat->hat_flags \&= ~(uint32_t)HAT_VICTIM;/
