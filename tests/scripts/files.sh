# Redirections, here-documents, pipelines, names of files.
echo one > f; echo two >> f; cat < f; cat f f | cat | cat
echo err 2> g >&2; cat g
{ echo out; echo err >&2; } > both 2>&1; cat both
cat <<EOF
x is $((1 + 1)) and `echo back` "quoted" \$x \\
EOF
cat <<'EOF'
$x \$x "literal"
EOF
cat <<-EOF | cat
	tabs
		gone
	EOF
cat <<A; cat <<B
a
A
b
B
if true; then cat; fi <<EOF
in if
EOF
echo hidden > .h; mkdir d; echo x > d/x.c; echo y > d/y.c; echo z > 'd/a b'
echo * d/* */*.c [fg] d/[!a]* nothing* "*" \* d/?.c .h* ./f* d//x*
v='*'; echo $v "$v"
for n in d/*; do echo "<$n>"; done
cat < missing; echo $?
cat f > missing/x; echo $?
echo a | { read x; echo "got $x"; }
echo a b c | while read x y; do echo "$y"; done
printf= ; read -r l < f; echo "$l"
exec 3> third; echo to three >&3; exec 3>&-; cat third
exec 4< f; read a <&4; read b <&4; echo $b $a; exec 4<&-
while read l; do echo "[$l]"; done < f > h; cat h
cat <<'EOF' | { read -r x; read y; case $x$y in 'a\d\ab c') echo raw;; *) echo cooked;; esac; }
a\d\
a\b\
 c
EOF
true | false; echo $?; false | true; echo $?
echo x > clobber; echo y >| clobber; cat clobber; cat <> clobber
[ -f f ] && [ -d d ] && [ ! -e none ] && [ -s f ] && echo tests
rm -r d f g h both third clobber .h 2>/dev/null; echo $?
mkdir place; cd place; [ "$PWD" = "$(pwd)" ] && echo "${PWD##*/}"; [ "$OLDPWD/place" = "$PWD" ] && echo came; (cd ..; echo "${PWD##*/}" >/dev/null); echo "${PWD##*/}"; cd ..; rm -r place 2>/dev/null || echo rm
sh -c '[ "$PWD" = "$(pwd)" ] && echo at the start'
