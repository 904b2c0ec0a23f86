#include "failure.h"

#include "message.h"
#include "progress.h"

#include <flowrt.h>
#include <flowrt_check.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(const char *format, va_list arguments) {
    char text[4096];
    make_message(text, sizeof text, format, arguments);
    progress_clear();
    fprintf(stderr, "flowrt: %s\n", text);
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    exit(EXIT_FAILED);
}

void fail_usage(const char *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_line(format, arguments);
    va_end(arguments);
    fprintf(stderr, "try: flowrt help%s%s\n", command ? " " : "", command ? command : "");
    exit(EXIT_USAGE);
}

void *reallocate(void *memory, size_t count, size_t size) {
    if (count == 0 || size == 0) count = size = 1;
    void *result = count > SIZE_MAX / size ? NULL : realloc(memory, count * size);
    if (!result) fail("out of memory");
    return result;
}

void *allocate(size_t count, size_t size) { return reallocate(NULL, count, size); }

void *allocate_aligned(size_t size) {
    void *result = NULL;
    if (posix_memalign(&result, FLOWRT_ALIGNMENT, size ? size : 1) != 0) fail("out of memory");
    return result;
}

void require_cpu(const char *path) {
    const char *lacks = flowrt_cpu_lacks();
    if (lacks) fail("%s: this CPU cannot run it: libflowrt needs %s", path, lacks);
}
