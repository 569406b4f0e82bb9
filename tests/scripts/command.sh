# command: what a name stands for, and programs and built-in commands in spite of functions.
command -v cd; echo $?
f() { echo function; }
command -v f; echo $?
command -v no_such_program_here; echo $?
command -v /no/such; echo $?
seq() { echo mine; }; seq 2; command seq 2
PATH=/nowhere command -v cat; echo $?
command no_such_program_here 2>/dev/null; echo $?
x=$(command -v cat); case $x in (*/cat) echo found;; esac
command echo a b; command exit 4; echo never
