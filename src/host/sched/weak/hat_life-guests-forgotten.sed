# src/hat/hat_life.c
s/while (hat->hat_guests != 0)/while (false)/
