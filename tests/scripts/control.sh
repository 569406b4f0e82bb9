# Conditions, loops, cases, functions.
if true; then echo yes; else echo no; fi
if false; then echo no; elif [ 1 = 1 ]; then echo elif; else echo no; fi
if false; then echo never; fi; echo $?
for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
for i in 1 2; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done
for i in 1 2; do for j in a b; do break 2; done; done; echo $i$j
n=3; until [ $n -eq 0 ]; do echo $n; n=$((n - 1)); done
while read a b; do echo "$b-$a"; done <<EOF
1 2
3 4 5
EOF
for w in apple banana cherry x.c '*' ''; do
  case $w in
  a*) echo A ;;
  b*|c*) echo BC ;;
  *.[ch]) echo source ;;
  '*') echo star ;;
  (?) echo one ;;
  *) echo other
  esac
done
case abc in [!x]b?) echo match;; esac
f() { echo "f $# $1"; return 3; echo never; }
f a b; echo $?
g() { local v=inner; echo $v $x; x=changed; }
v=outer x=before; g; echo $v $x
fact() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi; }
fact 6
h() for i in "$@"; do echo "h$i"; done
h 1 2
k() ( x=gone; echo in )
k; echo $x
{ echo group; echo two; } | cat
( echo sub; exit 4 ); echo $?
! true; echo $?; ! false; echo $?
true && echo and || echo or
false && echo and || echo or
false || false && echo no; echo $?
if ! false; then echo not; fi
eval 'echo ev"al"; y=5'; echo $y
set -- a b; while [ $# -gt 0 ]; do echo "$1"; shift; done
: && echo colon
for i in; do echo never; done; echo $?
