#include "message.h"

#include <stdio.h>

void make_message(char *text, size_t size, const char *format, va_list arguments) {
    if (vsnprintf(text, size, format, arguments) < 0) text[0] = 0;
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 32 || *at == 127) *at = '?';
}
