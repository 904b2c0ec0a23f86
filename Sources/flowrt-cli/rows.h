/* Rows of float32 from a file, from standard input or from the command line: CSV or .npy, as their bytes say. */
#ifndef FLOWRT_CLI_ROWS_H
#define FLOWRT_CLI_ROWS_H

#include "csv.h"
#include "npy.h"

typedef struct rows rows;

/* `path` is a file, or "-" for standard input. `width` numbers a row; `wanted` are the names of the columns, or NULL.
 */
rows *rows_open(const char *path, size_t width, const names *wanted);

/* One row of `width` numbers, which it takes over and frees. */
rows *rows_of_one(float *numbers, size_t width, const char *name);

void rows_close(rows *from);

/* Reads up to `most` rows, at least one unless these are all. Between the first and the last of them it does not wait
 * for bytes that are still to be written into a pipe. places[i], unless NULL, is where row i stands: a line of CSV,
 * from 1, or a row of an array, from 0. Text that is wrong ends the program with its place. */
size_t rows_read(rows *from, size_t most, float *values, uint64_t *places);

const char *rows_name(const rows *from);
bool rows_have_lines(const rows *from);           /* places are lines, not rows */
bool rows_count(const rows *from, uint64_t *all); /* whether the number of rows is known before they are read */

#endif
