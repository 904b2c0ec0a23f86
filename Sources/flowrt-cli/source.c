#include "source.h"

#include "failure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 18, LONGEST_LINE = 1 << 26 };

source source_open(const char *path) {
    bool standard = strcmp(path, "-") == 0;
    source input = {.name = standard ? "standard input" : path, .fd = STDIN_FILENO};
    if (!standard) input.fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (input.fd < 0 || fstat(input.fd, &status) != 0) fail("%s: %s", input.name, strerror(errno));
    if (S_ISDIR(status.st_mode)) fail("%s: %s", input.name, strerror(EISDIR));
    return input;
}

void source_close(source *input) {
    if (input->fd != STDIN_FILENO) close(input->fd);
    free(input->data);
    *input = (source){.fd = STDIN_FILENO, .ended = true};
}

/* Reads once. */
static void read_more(source *input) {
    if (input->begin > 0) {
        memmove(input->data, input->data + input->begin, input->end - input->begin);
        input->end -= input->begin;
        input->begin = 0;
    }
    if (input->capacity - input->end < READ_SIZE / 2) {
        input->capacity = input->capacity ? 2 * input->capacity : READ_SIZE;
        input->data = reallocate(input->data, input->capacity, 1);
    }
    ssize_t count;
    do count = read(input->fd, input->data + input->end, input->capacity - input->end);
    while (count < 0 && errno == EINTR);
    if (count < 0) fail("%s: %s", input->name, strerror(errno));
    input->end += (size_t)count;
    input->ended = count == 0;
}

size_t source_need(source *input, size_t count) {
    while (!input->ended && input->end - input->begin < count) read_more(input);
    return input->end - input->begin;
}

bool source_starts(source *input, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (source_need(input, i + 1) <= i || input->data[input->begin + i] != bytes[i]) return false;
    return true;
}

static bool would_wait(const source *input) {
    struct pollfd ready = {.fd = input->fd, .events = POLLIN};
    return poll(&ready, 1, 0) == 0;
}

source_state source_line(source *input, bool may_wait, const char **line, const char **line_end) {
    size_t seen = 0; /* bytes without an end of line */
    for (;;) {
        size_t count = input->end - input->begin;
        const char *start = input->data ? input->data + input->begin : NULL;
        const char *end = count > seen ? memchr(start + seen, '\n', count - seen) : NULL;
        if (!end && count > LONGEST_LINE)
            fail("%s: a line is longer than %d bytes: expected rows of numbers", input->name, LONGEST_LINE);
        if (end || (input->ended && count > 0)) {
            if (!end) end = start + count;
            size_t taken = (size_t)(end - start);
            input->begin += taken < count ? taken + 1 : taken;
            if (end > start && end[-1] == '\r') end--;
            *line = start;
            *line_end = end;
            return SOURCE_LINE;
        }
        if (input->ended) return SOURCE_END;
        if (!may_wait && would_wait(input)) return SOURCE_WAIT;
        seen = count;
        read_more(input);
    }
}

void *read_whole(const char *path, size_t *size) {
    source input = source_open(path);
    while (!input.ended) read_more(&input);
    *size = input.end - input.begin;
    void *data = allocate_aligned(*size);
    if (*size) memcpy(data, input.data + input.begin, *size);
    source_close(&input);
    return data;
}
