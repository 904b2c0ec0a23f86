#include "progress.h"

#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool shown;

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_show(uint64_t done, uint64_t all) {
    static double next;
    static enum { UNKNOWN, YES, NO } wanted;
    if (wanted == UNKNOWN) {
        wanted = isatty(STDERR_FILENO) && !output_is_terminal() ? YES : NO;
        next = seconds_now() + 1;
    }
    if (wanted == NO || seconds_now() < next) return;
    next = seconds_now() + 0.25;
    shown = true;
    fprintf(stderr, "\r\x1b[K%" PRIu64 " rows", done);
    if (all != UINT64_MAX && all > 0) fprintf(stderr, ", %.0f %%", 100.0 * (double)done / (double)all);
    fflush(stderr);
}

void progress_clear(void) {
    if (shown) fputs("\r\x1b[K", stderr);
    shown = false;
}
