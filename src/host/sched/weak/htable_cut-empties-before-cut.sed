# src/hat/htable_cut.c
/PTE_CUT);$/{N;s/\n\that_tlb_inval.*//;}
