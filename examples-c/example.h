/* What the examples share: how they end, numbers of the command line, CSV rows. It holds no state, and any of it may be
 * replaced by what your program already has. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <flowrt_file.h>

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
static inline void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

/* Calls after a successful open fail for programming errors, and for one more reason that is worth going on after:
 * FLOWRT_ERR_NONFINITE, when all outputs are written and some row has no finite answer. Returns 1 in that case. */
static inline int check(flowrt_status status)
{
    if (status != FLOWRT_OK && status != FLOWRT_ERR_NONFINITE)
        fail("%s", flowrt_status_message(status));
    return status == FLOWRT_ERR_NONFINITE;
}

/* Returns EXIT_SUCCESS when all that was printed has been written. */
static inline int written(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        fail("standard output cannot be written");
    return EXIT_SUCCESS;
}

/* A whole number from the command line. */
static inline unsigned long long whole_number(const char *text, const char *what)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        fail("%s: '%s' is not a whole number below 2^64", what, text);
    return value;
}

/* One that counts things in memory. */
static inline size_t count_of(const char *text, const char *what)
{
    unsigned long long value = whole_number(text, what);
    if (value > SIZE_MAX)
        fail("%s: %llu is more than memory holds", what, value);
    return (size_t)value;
}

/* ---- Memory and models: flowrt_file.h does the work. */

static inline float *new_floats(size_t count)
{
    float *floats = calloc(count ? count : 1, sizeof(float));
    if (floats == NULL)
        fail("no memory for %lu floats", (unsigned long)count);
    return floats;
}

static inline void *workspace_new(size_t size)
{
    void *workspace = flowrt_aligned_new(size);
    if (workspace == NULL)
        fail("no memory for a workspace of %lu bytes", (unsigned long)size);
    return workspace;
}

static inline flowrt_file model_open(const char *path)
{
    flowrt_file file;
    if (!flowrt_file_open(&file, path))
        fail("%s", file.error);
    return file;
}

/* ---- CSV: numbers separated by commas, a row a line. Empty lines and lines that start with # are skipped. */

struct csv {
    FILE *file;
    const char *name;
    unsigned long line;
};

/* `path` may be NULL or "-" for standard input. */
static inline struct csv csv_open(const char *path)
{
    if (path == NULL || strcmp(path, "-") == 0)
        return (struct csv){stdin, "standard input", 0};
    struct csv csv = {fopen(path, "r"), path, 0};
    if (csv.file == NULL)
        fail("%s: %s", path, strerror(errno));
    return csv;
}

static inline void csv_close(struct csv *csv)
{
    if (csv->file != stdin)
        fclose(csv->file);
}

/* Reads a field, at most 63 characters up to its comma (returned), the end of its line ('\n') or of the file (EOF). */
static inline int csv_field(struct csv *csv, unsigned long column, float *value)
{
    char text[64], *end = text;
    size_t length = 0;
    int c;
    while ((c = getc(csv->file)) != ',' && c != '\n' && c != EOF) {
        if (length == sizeof text - 1)
            fail("%s:%lu: column %lu: more than %lu characters", csv->name, csv->line, column, (unsigned long)length);
        text[length++] = (char)c;
    }
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\r'))
        length--;
    text[length] = '\0';
    *value = strtof(text, &end);
    if (length == 0 || end != text + length || !isfinite(*value))
        fail("%s:%lu: column %lu: '%s' is not a finite number", csv->name, csv->line, column, text);
    return c;
}

/* Reads the next row of exactly `columns` numbers. Returns 1, or 0 at the end of the file. */
static inline int csv_row(struct csv *csv, size_t columns, float *row)
{
    int c = '\n';
    do { /* find a line that has something on it */
        csv->line += c == '\n';
        c = getc(csv->file);
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(csv->file);
    } while (c == '\n' || c == '\r');
    if (ferror(csv->file))
        fail("%s: cannot be read", csv->name);
    if (c == EOF)
        return 0;
    ungetc(c, csv->file);
    size_t column = 0;
    for (c = ','; c == ','; column++) {
        float value;
        c = csv_field(csv, (unsigned long)column + 1, &value);
        if (column < columns)
            row[column] = value;
    }
    if (column != columns)
        fail("%s:%lu: %lu columns instead of %lu", csv->name, csv->line, (unsigned long)column,
             (unsigned long)columns);
    return 1;
}

#endif /* EXAMPLE_H */
