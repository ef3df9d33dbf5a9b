# solutions/lab7-running-out/htable_steal.c
/^share_of/,/^}/s/mutex_\(enter\|exit\)(&hat_list_lock);/;/
