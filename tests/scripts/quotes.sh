# Quotes, and what is special within them.
x='a  b'
echo 'single $x "q" \' "double $x 'q' \" \$x \\ \z \`" back\ slash\$x\
joined
echo "two
lines" 'and
three'
echo $x "$x" "$x"'$x'$x
echo "" '' | cat
for w in "" '' a"b c"d ''; do echo "[$w]"; done
echo a#b # a comment
echo "nested $(echo "in $(echo 'deep "er"')" )" `echo old \`echo style\``
echo "${x}y" ${x}y "$(printf_is_missing_here 2>/dev/null)"
e=; echo [$e] ["$e"] $e end
echo "it's ${x:-it's}" "a\
b"
echo -n no newline; echo
