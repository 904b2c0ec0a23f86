/* Where the program's text goes: standard output (hosted.c), or the debugger's console (semihosting.c). */
#ifndef CONSOLE_H
#define CONSOLE_H

void console_write(const char *text);

#endif
