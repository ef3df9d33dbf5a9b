# src/hat/hat_load.c
s/atomic_or_32(&hat->hat_flags, HAT_SHARED);/hat->hat_flags |= HAT_SHARED;/
