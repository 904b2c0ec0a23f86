/* How the tool ends. */
#ifndef FLOWRT_CLI_FAILURE_H
#define FLOWRT_CLI_FAILURE_H

#include <stddef.h>

/* Exit codes, documented in flowrt.1. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,    /* a file, its data, the disk or memory */
    EXIT_USAGE = 2,     /* the command line */
    EXIT_NONFINITE = 3, /* all results were written; some rows have a NaN or an infinity */
};

#define PRINTF_LIKE(text, arguments) __attribute__((__format__(__printf__, text, arguments)))

/* One line on standard error, "flowrt: ...", then exit with EXIT_FAILED. For the main thread. */
_Noreturn void fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same for a wrong command line: names the command's help, exits with EXIT_USAGE. `command` may be NULL. */
_Noreturn void fail_usage(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);

/* One line on standard error, "flowrt: ...". */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* malloc and realloc that end the program with a line when there is no memory. `count` items of `size` bytes. */
void *allocate(size_t count, size_t size);
void *reallocate(void *memory, size_t count, size_t size);

/* FLOWRT_ALIGNMENT-aligned bytes, at least one. */
void *allocate_aligned(size_t size);

/* Ends the program if this CPU lacks what evaluating a model needs. `path`: the model's, for the message. */
void require_cpu(const char *path);

#endif
