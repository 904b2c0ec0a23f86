/* Rows of numbers in text: fields between commas, tabs or semicolons, with or without a header. */
#ifndef FLOWRT_CLI_CSV_H
#define FLOWRT_CLI_CSV_H

#include "names.h"
#include "source.h"

typedef struct csv {
    source *input;
    const names *wanted; /* of the columns in the model, or none */
    size_t width;        /* numbers in a row */
    char separator;
    size_t columns;    /* fields in a line */
    size_t *column_of; /* field of each number; NULL if they are the same */
    size_t *number_of; /* its inverse, SIZE_MAX for fields that nobody asks for; NULL with column_of */
    names header;
    uint64_t line; /* number of the line that was read last, from 1 */
    bool started;
} csv;

/* Rows of `width` numbers each. Named columns are taken by their names where the text has a header and the model has
 * names (`wanted`, which must outlive the result); else all columns, in their order. */
csv csv_open(source *input, size_t width, const names *wanted);
void csv_close(csv *table);

/* Reads the next row. SOURCE_WAIT: see source_line. Wrong text ends the program with its place. */
source_state csv_row(csv *table, bool may_wait, float *row);

#endif
