/* Where results go: a file that is written whole or not at all, or standard output. */
#ifndef FLOWRT_CLI_OUTPUT_H
#define FLOWRT_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum output_format { OUTPUT_CSV, OUTPUT_TSV, OUTPUT_NPY } output_format;

/* Opens the output of this process, once. `path` NULL or "-": standard output. A file appears under its name when
 * output_finish is called; until then, and if anything fails, an older file stays as it is. What is no plain file, such
 * as /dev/stdout or a named pipe, is written to.
 *
 * A reader that closes a pipe has seen enough: the program then ends with EXIT_DONE and no message. */
void output_open(const char *path);

/* Begins an .npy array, before any bytes: rows of `width` numbers, 0 for one dimension. `count` is the number of rows,
 * UINT64_MAX if it is not known yet. Into a pipe such an array is kept in memory until it is complete. */
void output_begin_npy(size_t width, uint64_t count);

void output_write(const void *bytes, size_t size);
void output_printf(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Writes what is still in memory, for a reader who waits. */
void output_flush(void);

/* Writes what is left; `count` rows if output_begin_npy was called. */
void output_finish(uint64_t count);

bool output_is_terminal(void);

#endif
