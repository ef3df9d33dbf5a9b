# src/vm/page.c
/^[a-z].*\(mem\|throttlefree\|page_fail_after\);$/d
/^try_unless_gone/,/^}/{/spin_enter/d;/spin_exit/d;}
