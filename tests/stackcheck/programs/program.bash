# SPDX-License-Identifier: Apache-2.0
# Recursion, arrays, expansions, regular expressions and eval, for ever.
work() {
	local -a a=("$@")
	local i s

	for i in {1..50}; do
		a[i]="x$i ${a[i - 1]:-}"
		s=${a[i]//x/yy}
		case $s in *y1*) s=${s%%1*} ;; *) s=${s,,} ;; esac
	done
	if [[ $s =~ (y+)([0-9]+) ]]; then s=${BASH_REMATCH[2]}; fi
	if [ "$1" -gt 0 ]; then work $(($1 - 1)) "$s"; fi
	eval "s=\$((${#s} + 1))"
}

while :; do work 12; done
