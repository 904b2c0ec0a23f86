/* The bytes of a file or of standard input, line by line or in pieces, in bounded memory. */
#ifndef FLOWRT_CLI_SOURCE_H
#define FLOWRT_CLI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct source {
    const char *name; /* for messages */
    int fd;
    char *data; /* data[begin .. end) has been read and not been taken */
    size_t begin, end, capacity;
    bool ended;
} source;

/* Opens `path`, "-" for standard input, or ends the program with a message. */
source source_open(const char *path);
void source_close(source *input);

/* Reads until `count` bytes are there, or the end of the file. Returns the bytes that are there. */
size_t source_need(source *input, size_t count);

/* Whether the next bytes are these. Takes none, and waits for no more than it needs to tell. */
bool source_starts(source *input, const char *bytes, size_t length);

typedef enum source_state { SOURCE_LINE, SOURCE_END, SOURCE_WAIT } source_state;

/* The next line without its end (LF, CR LF), valid until the next call. With `may_wait` false it returns SOURCE_WAIT
 * instead of waiting for bytes that are still to be written into a pipe. */
source_state source_line(source *input, bool may_wait, const char **line, const char **line_end);

/* A whole file in FLOWRT_ALIGNMENT-aligned memory. */
void *read_whole(const char *path, size_t *size);

#endif
