/* What the examples share: memory, files, CSV rows and the opening of a model. It holds no state, and any of it may be
 * replaced by what your program already has: flowrt needs bytes that are aligned, and nothing else. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <flowrt.h>

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

/* ---- Memory. Model bytes and workspaces stand on FLOWRT_ALIGNMENT bytes; malloc promises less, so round up and keep
 * malloc's own pointer just below. (C11 has aligned_alloc, POSIX has posix_memalign.) */

static inline void *aligned_new(size_t size)
{
    char *base = size <= SIZE_MAX - FLOWRT_ALIGNMENT - sizeof(void *)
                     ? malloc(size + FLOWRT_ALIGNMENT + sizeof(void *)) : NULL;
    if (base == NULL)
        fail("no memory for %lu bytes", (unsigned long)size);
    char *start = base + sizeof(void *);
    start += (FLOWRT_ALIGNMENT - (uintptr_t)start % FLOWRT_ALIGNMENT) % FLOWRT_ALIGNMENT;
    memcpy(start - sizeof(void *), &base, sizeof(void *));
    return start;
}

static inline void aligned_free(void *start)
{
    char *base;
    memcpy(&base, (char *)start - sizeof(void *), sizeof(void *));
    free(base);
}

static inline float *new_floats(size_t count)
{
    float *floats = calloc(count ? count : 1, sizeof(float));
    if (floats == NULL)
        fail("no memory for %lu floats", (unsigned long)count);
    return floats;
}

/* ---- The model: read the file, open a view of it, and make a workspace that runs every call at full speed. */

struct flow {
    flowrt_model model;
    flowrt_model_info info;
    void *bytes; /* the file's content, which `model` views: it lives as long as the model is used */
    void *workspace;
    size_t workspace_size;
};

static inline void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = -1;
    if (file == NULL || (getc(file) == EOF && ferror(file)) /* a directory */ || fseek(file, 0, SEEK_END) != 0 ||
        (end = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
        fail("%s: %s", path, strerror(errno));
    void *bytes = aligned_new((size_t)end);
    if (fread(bytes, 1, (size_t)end, file) != (size_t)end)
        fail("%s: cannot read %ld bytes", path, end);
    fclose(file);
    *size = (size_t)end;
    return bytes;
}

/* Says where and why a file was refused. `expected` is 0 where no number tells it, and so is `found` if that says
 * nothing either. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
static inline void refuse(const char *path, flowrt_status status, const flowrt_error_detail *detail)
{
    char record[32] = "", found[32] = "", expected[32] = "";
    if (detail->record >= 0)
        snprintf(record, sizeof record, "record %ld, ", (long)detail->record);
    if (detail->found != detail->expected)
        snprintf(found, sizeof found, ", found %llu", (unsigned long long)detail->found);
    if (detail->found != detail->expected && detail->expected != 0)
        snprintf(expected, sizeof expected, ", expected %llu", (unsigned long long)detail->expected);
    fail("%s: %s (%sbyte %llu%s%s)", path, flowrt_status_message(status), record, (unsigned long long)detail->offset,
         found, expected);
}

static inline struct flow flow_open(const char *path)
{
    struct flow flow = {.info = FLOWRT_MODEL_INFO_INIT};
    flowrt_error_detail detail;
    size_t size;
    flow.bytes = read_file(path, &size);
    flowrt_status status = flowrt_model_open(&flow.model, flow.bytes, size, FLOWRT_OPEN_VERIFY, &detail);
    if (status != FLOWRT_OK)
        refuse(path, status, &detail);
    check(flowrt_model_get_info(&flow.model, &flow.info));
    flow.workspace_size = flowrt_workspace_size(&flow.model, SIZE_MAX);
    flow.workspace = aligned_new(flow.workspace_size);
    return flow;
}

static inline void flow_close(struct flow *flow)
{
    aligned_free(flow->workspace);
    aligned_free(flow->bytes);
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
