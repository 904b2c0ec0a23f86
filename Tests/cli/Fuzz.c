/* Whatever the bytes of a table, an array or a metadata text are, they are read or refused: nothing is read outside of
 * buffers (built with sanitizers, where there are any), and each refusal is one line that names the file.
 *   Fuzz [COUNT] */
#include "failure.h"
#include "json.h"
#include "message.h"
#include "rows.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static jmp_buf refused;
static char message[4096], path[64];

/* In the place of failure.c: a refusal returns here. What it held in memory is lost. */
void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    make_message(message, sizeof message, format, arguments);
    va_end(arguments);
    longjmp(refused, 1);
}

void *reallocate(void *memory, size_t count, size_t size) {
    void *result = count && size && count > SIZE_MAX / size ? NULL : realloc(memory, count * size + 1);
    if (!result) abort();
    return result;
}
void *allocate(size_t count, size_t size) { return reallocate(NULL, count, size); }
void *allocate_aligned(size_t size) { return allocate(size, 1); }

static uint64_t state = 88172645463325252u;
static size_t below(size_t count) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)(state % count);
}

static const char *const seeds[] = {
    "1,2,3\n4,5,6\n",
    "a,b,c\n1,2,3\n",
    "\"a\",\"b\"\"x\",c\n\"1\",2,3\n",
    "# note\n\n1;2;3\r\n4;5;6",
    "a\tb\tc\n1\t2\t3\n",
    "c,b,a,d\n1e5,-2.5e-7,nan,x\n",
    "\357\273\2771,2,3\n",
    "1,,3\n",
    "1.0000000000000000000000000001,2,3e400\n",
    "{\"names\": [\"a\", \"b\\u00e9\\ud83d\\ude00\", \"c\"], \"x\": {\"y\": [1, -2.5e3, true, null]}}",
    "[\"a\", \"\\n\\t\\\\\", \"\\ud800\"]"};
static const char array_seed[] =
    "\x93NUMPY\1\0\x46\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n\0\0\x80\x3f\0\0\0\x40"
    "\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc0\x40";

static size_t make(char *text, size_t most) {
    static const char pieces[] = "0123456789.,;\t\n\r\"-+eE #nanif'():{}[]\\u<f48\x93\0\xff\x7f";
    size_t which = below(sizeof seeds / sizeof *seeds + 3), size;
    if (which < sizeof seeds / sizeof *seeds) {
        size = strlen(seeds[which]);
        memcpy(text, seeds[which], size);
    } else {
        size = sizeof array_seed - 1;
        memcpy(text, array_seed, size);
    }
    for (size_t changes = below(8); changes > 0 && size > 0; changes--) {
        size_t at = below(size);
        switch (below(4)) {
        case 0: text[at] = pieces[below(sizeof pieces - 1)]; break;
        case 1: text[at] = (char)below(256); break;
        case 2: size = below(3) ? size : at; break;
        default: { /* a part, once more */
            size_t length = below(size - at) + 1;
            if (size + length > most) break;
            memmove(text + at + length, text + at, size - at);
            size += length;
        }
        }
    }
    return size;
}

static void read_rows(const names *wanted) {
    float values[3 * 5];
    uint64_t places[5];
    rows *volatile from = NULL;
    if (setjmp(refused)) {
        bool named = strncmp(message, path, strlen(path)) == 0;
        if (named && !strchr(message, '\n')) return;
        printf("a refusal does not name the file in one line: %s\n", message);
        exit(1);
    }
    from = rows_open(path, 3, wanted);
    while (rows_read(from, 5, values, places) > 0) {
    }
    rows_close(from);
}

static void read_json(const char *text, size_t size) {
    json all = json_parse(text, size);
    if (!all.begin) return;
    names list = json_names(json_member(all, "names")), whole = json_names(all);
    names_free(&list);
    names_free(&whole);
    if (*all.begin != '{') return;
    json key, value = {NULL, NULL};
    for (value = json_next(all, value, &key); value.begin; value = json_next(all, value, &key)) {
        size_t length;
        free(json_string(key, &length));
        if (*value.begin == '"') free(json_string(value, &length));
    }
}

int main(int count, char **arguments) {
    long rounds = count > 1 ? atol(arguments[1]) : 20000;
    static char text[1 << 16];
    names wanted = {0};
    names_add(&wanted, "a", 1);
    names_add(&wanted, "b", 1);
    names_add(&wanted, "c", 1);
    int file = memfd_create("rows", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    for (long i = 0; i < rounds; i++) {
        size_t size = make(text, sizeof text / 2);
        char *exact = malloc(size + 1); /* so that a sanitizer sees the end */
        memcpy(exact, text, size);
        read_json(exact, size);
        if (ftruncate(file, 0) || pwrite(file, exact, size, 0) != (ssize_t)size) return 2;
        free(exact);
        read_rows(i % 2 ? &wanted : NULL);
        if (i % 64 == 0) closefrom(file + 1); /* of refused files */
    }
    printf("%ld texts\n", rounds);
    return 0;
}
