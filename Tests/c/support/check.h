/* Assertions that print what they saw and end the program with status 1. */
#ifndef CHECK_H
#define CHECK_H

#include <flowrt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4), noreturn)) static inline void check_failed(const char *file, int line,
                                                                                const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* CHECK(condition, format, ...): the format says where (which flow, which row) and with what values. */
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "not true: %s\n", #condition);                                                             \
            check_failed(__FILE__, __LINE__, __VA_ARGS__);                                                             \
        }                                                                                                              \
    } while (0)

static inline const char *status_name(int status) {
    switch (status) {
    case FLOWRT_OK: return "OK";
    case FLOWRT_ERR_ARGUMENT: return "ARGUMENT";
    case FLOWRT_ERR_MODEL: return "MODEL";
    case FLOWRT_ERR_WORKSPACE: return "WORKSPACE";
    case FLOWRT_ERR_ALIGNMENT: return "ALIGNMENT";
    case FLOWRT_ERR_NULL: return "NULL";
    case FLOWRT_ERR_OVERLAP: return "OVERLAP";
    case FLOWRT_ERR_CONTEXT_MISSING: return "CONTEXT_MISSING";
    case FLOWRT_ERR_CONTEXT_UNUSED: return "CONTEXT_UNUSED";
    case FLOWRT_ERR_CONTEXT_ROWS: return "CONTEXT_ROWS";
    case FLOWRT_ERR_COUNT: return "COUNT";
    case FLOWRT_ERR_FLAGS: return "FLAGS";
    case FLOWRT_ERR_TRUNCATED: return "TRUNCATED";
    case FLOWRT_ERR_MAGIC: return "MAGIC";
    case FLOWRT_ERR_VERSION: return "VERSION";
    case FLOWRT_ERR_FEATURE: return "FEATURE";
    case FLOWRT_ERR_MALFORMED: return "MALFORMED";
    case FLOWRT_ERR_LIMIT: return "LIMIT";
    case FLOWRT_ERR_CHECKSUM: return "CHECKSUM";
    case FLOWRT_ERR_VALUE: return "VALUE";
    case FLOWRT_ERR_NONFINITE: return "NONFINITE";
    case FLOWRT_ERR_GRADIENT: return "GRADIENT";
    }
    return "unknown status";
}

#define CHECK_STATUS(expected, call)                                                                                   \
    do {                                                                                                               \
        const int check_expected = (expected), check_found = (call);                                                   \
        if (check_found != check_expected)                                                                             \
            check_failed(__FILE__, __LINE__, "%s: expected %s, found %s (%d)", #call, status_name(check_expected),     \
                         status_name(check_found), check_found);                                                       \
    } while (0)

static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The two arrays have the same bits; `what` names the case. */
static inline void check_same_bits(const char *file, int line, const char *what, const float *expected,
                                   const float *found, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bits_of(expected[i]) != bits_of(found[i]))
            check_failed(file, line, "%s: value %zu of %zu: expected %.9g (%08x), found %.9g (%08x)", what, i, count,
                         (double)expected[i], (unsigned)bits_of(expected[i]), (double)found[i],
                         (unsigned)bits_of(found[i]));
}
#define CHECK_SAME_BITS(what, expected, found, count) check_same_bits(__FILE__, __LINE__, what, expected, found, count)

/* `size` bytes, aligned for any use in the API; never NULL. */
static inline void *must_allocate(size_t size) {
    void *memory;
    CHECK(posix_memalign(&memory, FLOWRT_ALIGNMENT, size ? size : 1) == 0, "out of memory: %zu bytes", size);
    return memory;
}

#endif
