# Assembly code for x86-64 as clang writes it (FlowrtSwift.cmake): leaves out of the unwind tables how the stack shrinks in the last
# instructions of a function, a quarter of the tables. These only pop registers and return: nothing there can fault, and all
# else, in between and behind, stays as it is.
/^\t\.cfi_startproc/ { size = said = 8; leaves = 0; last = "" }
/^\t\.cfi_adjust_cfa_offset / { size += $2; said += $2 }
/^\t\.cfi_def_cfa_offset / {
    size = $2
    if (last ~ /^\t(popq\t|addq\t\$[0-9]+, %rsp)/) leaves = 1
    next
}
/^\t[a-z]/ {
    if (!leaves && size != said) {
        print "\t.cfi_def_cfa_offset " size
        said = size
    }
    if ($1 ~ /^(retq?|jmpq?)$/) leaves = 0
    last = $0
}
{ print }
