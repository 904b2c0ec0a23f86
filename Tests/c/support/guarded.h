/* Memory between two inaccessible pages: one byte too far, in either direction, is a fault. */
#ifndef GUARDED_H
#define GUARDED_H

#include "check.h"
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded {
    unsigned char *start; /* first accessible byte, on a page boundary */
    unsigned char *end;   /* first inaccessible byte behind it */
} guarded;

/* Room for `size` bytes, rounded up to pages. */
static inline guarded guarded_map(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t room = (size + page) / page * page;
    unsigned char *all = mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED, "mmap of %zu bytes", room);
    CHECK(mprotect(all + page, room, PROT_READ | PROT_WRITE) == 0, "mprotect of %zu bytes", room);
    return (guarded){all + page, all + page + room};
}

static inline void guarded_unmap(guarded g) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(g.start - page, (size_t)(g.end - g.start) + 2 * page);
}

/* Makes the room between the inaccessible pages readable, or readable and writable. */
static inline void guarded_allow(guarded g, int protection) {
    CHECK(mprotect(g.start, (size_t)(g.end - g.start), protection) == 0, "mprotect of %td bytes", g.end - g.start);
}

/* The last `size` bytes before the guard page; with alignment, up to alignment - 1 canary bytes stay behind them. */
static inline void *guarded_last(guarded g, size_t size, size_t alignment) {
    CHECK(size <= (size_t)(g.end - g.start), "%zu bytes in %zu", size, (size_t)(g.end - g.start));
    return (void *)((uintptr_t)(g.end - size) & ~(uintptr_t)(alignment - 1));
}

enum { CANARY = 0xa5 };

static inline void canary_fill(guarded g) { memset(g.start, CANARY, (size_t)(g.end - g.start)); }

/* Nothing outside [used, used + size) was written since canary_fill. */
static inline void canary_check(const char *what, guarded g, const void *used, size_t size) {
    for (const unsigned char *p = g.start; p < g.end; p++)
        if ((p < (const unsigned char *)used || p >= (const unsigned char *)used + size) && *p != CANARY)
            check_failed(__FILE__, __LINE__, "%s: byte %td relative to a block of %zu bytes was written", what,
                         p - (const unsigned char *)used, size);
}

#endif
