/* NumPy's .npy files: float32 and float64, little-endian, C order, one or two dimensions. The format is described in
 * numpy.lib.format. */
#ifndef FLOWRT_CLI_NPY_H
#define FLOWRT_CLI_NPY_H

#include "source.h"

typedef struct npy {
    source *input;
    size_t width;   /* numbers in a row */
    size_t size;    /* bytes of a number, 4 or 8 */
    uint64_t count; /* rows */
    uint64_t taken; /* rows that were read */
} npy;

#define NPY_MAGIC "\x93NUMPY"
enum { NPY_MAGIC_SIZE = 6 };

/* Reads the header. An array of one dimension is a column if `width` is 1, else one row. Ends the program with a
 * message if the array is of another type, order or shape. */
npy npy_open(source *input, size_t width);

/* Reads the next row; false at the end. Fewer or more bytes than the header says end the program with a message. */
bool npy_row(npy *array, float *row);

/* The 128 bytes before the numbers of a float32 array of `count` rows of `width` numbers; `width` 0 for one dimension.
 */
enum { NPY_HEADER_SIZE = 128 };
void npy_header(char *header, uint64_t count, size_t width);

#endif
