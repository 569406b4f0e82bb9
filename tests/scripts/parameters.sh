# Parameters and what can be done with them.
unset u; e=; s=set
echo "${u-a}" "${u:-b}" "${e-c}" "${e:-d}" "${s-f}" "${s:+g}" "[${u+h}]" "[${e+i}]" "[${e:+j}]"
echo "${u:=assigned}" "$u" ${#s} ${#u}
path=/usr/lib/name.tar.gz
echo ${path##*/} ${path#*/} ${path%.*} ${path%%.*} "${path%/*}" ${path#x} "${path%'*'}"
set -- one "two words" three
echo $# $1 "$2" $3 "[$4]" ${1} ${#}
for a in "$@"; do echo "<$a>"; done
for a in "$*"; do echo "<$a>"; done
for a in $*; do echo "<$a>"; done
for a; do echo "($a)"; done
for a in x"$@"y; do echo "{$a}"; done
shift; echo $# "$1"
shift 2; echo $#
for a in "$@"; do echo never; done
set --; echo "[$@]" "[$*]" $#
IFS=:; v=a:b::c:; for a in $v; do echo "<$a>"; done; set -- p q; echo "$*"
IFS=' :'; v=' a : b  c:  : d '; for a in $v; do echo "<$a>"; done
unset IFS; v="  lead  trail  "; for a in $v; do echo "<$a>"; done
set -- a b c d e f g h i j k; echo ${10} ${11} $1
x=1 y=$x; echo $y
A=outer; A=inner true; echo $A
echo $((1 + 2 * 3)) "$((x + 10))" $(( (1 + 2) * 3 )) $((7 / 2)) $((-7 % 3)) $((1 << 4 | 1)) $((3 > 2)) $((2 == 3)) $((!0)) $((~5)) $((1 ? 5 : 6))
i=0; while [ $i -lt 3 ]; do i=$((i + 1)); echo $i; done; echo $((0x10 + 010))
