# SPDX-License-Identifier: ISC
# Turn `nm -n kernel.elf` into an assembler file with the table that src/kern/symbols.c searches:
#
#     nm -n first.elf | awk -f symtab.awk > symtab.S		the real table
#     awk -f symtab.awk /dev/null > symtab0.S			an empty one, for the first link
#
# Only the symbols between text_start and text_end go in; arithmetic on addresses is left to the assembler, because awk's
# numbers do not hold 64 bits.

function hex(a) { return "0x" a }

function take(a, n) {
	if (a == last)			# two names for one address: the first will do
		return
	last = a
	address[count] = a
	name[count] = n
	count++
}

BEGIN { count = 0 }
$3 == "text_end" { end = $1; inside = 0 }
$3 == "text_start" {
	base = $1
	inside = 1
	if (before_at == base)		# a function that starts there and sorts before the mark
		take(before_at, before)
	next
}
$2 ~ /^[tTwW]$/ && $3 !~ /^\.L|^\$/ {
	before_at = $1
	before = $3
	if (inside)
		take($1, $3)
}

END {
	if (base == "")
		base = end = "0"
	print "\t.section .rodata.symtab, \"a\""
	print "\t.globl\tsymtab_base, symtab_count, symtab_offsets, symtab_places, symtab_names"
	print "\t.balign\t8"
	print "symtab_base:\n\t.quad\t" hex(base)
	print "symtab_count:\n\t.long\t" count + 0
	print "symtab_offsets:"
	for (i = 0; i < count; i++)
		print "\t.long\t" hex(address[i]) " - " hex(base)
	print "\t.long\t" hex(end) " - " hex(base)
	print "symtab_places:"
	place = 0
	for (i = 0; i < count; i++) {
		print "\t.long\t" place
		place += length(name[i]) + 1
	}
	print "symtab_names:"
	for (i = 0; i < count; i++)
		print "\t.asciz\t\"" name[i] "\""
	print "\t.byte\t0"
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
