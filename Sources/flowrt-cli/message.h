/* Messages hold bytes of files and names of files, which may be anything. */
#ifndef FLOWRT_CLI_MESSAGE_H
#define FLOWRT_CLI_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

/* vsnprintf, with '?' for control characters: a message is one line, and cannot steer a terminal. */
void make_message(char *text, size_t size, const char *format, va_list arguments)
    __attribute__((__format__(__printf__, 3, 0)));

#endif
