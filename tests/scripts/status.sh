# Statuses, subshells, programs that are not there, ends.
true; echo $?; false; echo $?
no_such_program_here 2>/dev/null; echo $?
echo 'echo script $1 $#' > s; sh ./s arg; echo $?
/ 2>/dev/null; echo $?
x=$(exit 7); echo $?
x=1; echo $?
(exit 5); echo $?
(x=2; echo $x); echo $x
sleep 0 & wait $!; echo $?
(exit 9) & wait $!; echo $?
wait; echo $?
sh -c 'echo $0 $1 $#' name arg
sh -c 'exit 12'; echo $?
sh -c 'kill -9 $$'; echo $?
sh -c 'echo a; if'; echo $?
export E=exported; N=not; sh -c 'echo $E $N'
E=once sh -c 'echo $E'; echo $E
unset E; sh -c 'echo [$E]'
sh -c 'trap "echo trapped; exit 3" EXIT; echo before; exit 1'; echo $?
sh -c 'set -e; echo a; false || echo b; if false; then :; fi; ! true; false; echo never'; echo $?
sh -c 'set -e; f() { false; echo x; }; f && echo in; f; echo never'; echo $?
sh -c 'set -u; echo $nothing; echo never' 2>/dev/null; echo $?
sh -c ': ${nothing?msg}; echo never' 2>/dev/null; echo $?
echo 'echo dot $v; return 6; echo never' > s; v=val; . ./s; echo $?
rm s
[ 1 -lt 2 -a a = a ] && echo and; [ a = b -o 2 -ge 2 ] && echo or; [ ! a = b ] && echo not; [ -z "" ] && [ -n x ] && echo zn
[ "(" = "(" ] && echo paren; [ x ] && echo one; [ "" ] || echo none; [ ]; echo $?
test 1 -eq x 2>/dev/null; echo $?
exec sh -c 'echo replaced; exit 42'
