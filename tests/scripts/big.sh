# Sizes: long words, many words, deep nesting, much output through a pipe.
x=0123456789; i=0
while [ $i -lt 7 ]; do x=$x$x; i=$((i + 1)); done
echo ${#x}
set -- $(i=0; while [ $i -lt 300 ]; do echo $i; i=$((i + 1)); done); echo $# $1 ${300}
y=$(echo "$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x$x" | cat | cat)
echo ${#y}
echo $(echo $(echo $(echo $(echo $(echo $(echo deep))))))
( ( (echo nested) ) )
d() { if [ $1 -gt 0 ]; then d $(($1 - 1)); else echo bottom; fi; }
d 100
i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); z="$i $x"; done; echo $i
true | true | true | true | true | true | true | true | true | true | echo ten
cat <<EOF | { while read l; do n=$((n + 1)); done; echo $n; }
$(i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i + 1)); done)
EOF
