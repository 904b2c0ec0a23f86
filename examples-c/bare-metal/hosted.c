#include "console.h"
#include <stdio.h>

void console_write(const char *text) { fputs(text, stdout); }
