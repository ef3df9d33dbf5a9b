# src/hat/hat_life.c
s/while (hat->hat_flags & HAT_VICTIM)/while (false)/
