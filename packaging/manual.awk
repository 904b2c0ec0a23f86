# flowrt(3), the manual page, from the header, which is the manual:
#   awk -v version=0.1.0 -v date=2026-01-31 -f manual.awk include/flowrt.h
BEGIN {
    printf ".TH FLOWRT 3 \"%s\" \"flowrt %s\" \"Library Functions Manual\"\n", date, version
    print ".SH NAME\nflowrt \\- density and sampling of trained normalizing flows"
    print ".SH LIBRARY\nlibflowrt (\\fB\\-lflowrt\\fR, or \\fBpkg\\-config \\-\\-cflags \\-\\-libs flowrt\\fR)"
    print ".SH SYNOPSIS\n.B #include <flowrt.h>\n.SH DESCRIPTION\n.nf"
}
/^#(ifndef|ifdef|endif|include)|^#define FLOWRT_H$|^extern "C"|^}$/ { next } # what only a compiler needs
/^\/\* ---- [0-9]+\. / { # a section begins
    sub(/^\/\* ---- [0-9]+\. /, "")
    sub(/ -+.*$/, "")
    printf ".fi\n.SH %s\n.nf\n", toupper($0)
    blank = 0
    next
}
/^$/ { blank = 1; next } # several are one
{
    if (blank) print ""
    blank = 0
    gsub(/\\/, "\\e")
    gsub(/-/, "\\-")
    if ($0 ~ /^[.']/) $0 = "\\&" $0
    print
}
END {
    print ".fi\n.SH SEE ALSO\n.BR flowrt (1),\nthe pages and examples in /usr/share/doc/libflowrt\\-dev"
}
