# solutions/lab5-walking/htable_walk.c
s/va = MAX(va, from);/{ if (va < from) break; }/
