#include "output.h"

#include "failure.h"
#include "npy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

static struct {
    int fd;
    const char *name; /* for messages */
    char *target;     /* the file that `temporary` will replace; NULL if fd is written to directly */
    char *temporary;
    char buffer[BUFFER];
    size_t filled;
    /* .npy */
    bool is_npy, patch; /* the count goes into the header in the end */
    size_t width;
    off_t start;
    char *kept; /* numbers, if the header must wait for the count */
    size_t kept_size, kept_capacity;
    bool keep;
} out = {.fd = STDOUT_FILENO, .name = "standard output"};

static char *volatile doomed; /* the temporary file, for the signal handler */

static void forget_temporary(void) {
    char *path = doomed;
    doomed = NULL;
    if (path) unlink(path);
}

static void on_signal(int number) {
    forget_temporary();
    signal(number, SIG_DFL);
    raise(number);
}

static _Noreturn void fail_writing(void) {
    if (errno == EPIPE) {
        forget_temporary();
        _exit(EXIT_DONE);
    }
    fail("%s: %s", out.name, strerror(errno));
}

/* A new file beside the target, with the target's permissions or the usual ones. */
static void open_temporary(const char *path) {
    struct stat status;
    char *real = realpath(path, NULL);
    out.target = real ? real : allocate(strlen(path) + 1, 1);
    if (!real) strcpy(out.target, path);
    mode_t mode = 0666;
    bool exists = stat(out.target, &status) == 0;
    if (exists) {
        mode = status.st_mode & 0777;
        if (access(out.target, W_OK) != 0) fail_writing();
    }
    const char *slash = strrchr(out.target, '/');
    size_t folder = slash ? (size_t)(slash - out.target) + 1 : 0;
    out.temporary = allocate(folder + 48, 1);
    memcpy(out.temporary, out.target, folder);
    for (int attempt = 0; attempt < 100; attempt++) { /* an earlier process of this number may have left one */
        snprintf(out.temporary + folder, 48, ".flowrt-%ld-%d", (long)getpid(), attempt);
        out.fd = open(out.temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (out.fd >= 0 || errno != EEXIST) break;
    }
    if (out.fd < 0) fail_writing();
    doomed = out.temporary;
    atexit(forget_temporary);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signal(signals[i], on_signal) == SIG_IGN) signal(signals[i], SIG_IGN);
    if (exists && fchmod(out.fd, mode) != 0) fail_writing();
}

void output_open(const char *path) {
    signal(SIGPIPE, SIG_IGN); /* errors of write instead: a closed pipe, a limit of the size of files */
    signal(SIGXFSZ, SIG_IGN);
    if (!path || strcmp(path, "-") == 0) return;
    out.name = path;
    struct stat status;
    if (stat(path, &status) != 0 || S_ISREG(status.st_mode)) {
        open_temporary(path);
        return;
    }
    out.fd = open(path, O_WRONLY | O_CLOEXEC);
    if (out.fd < 0) fail_writing();
}

static void write_all(const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(out.fd, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail_writing();
        bytes += written;
        size -= (size_t)written;
    }
}

void output_flush(void) {
    write_all(out.buffer, out.filled);
    out.filled = 0;
}

static void put(const void *bytes, size_t size) {
    if (size > BUFFER - out.filled) output_flush();
    if (size > BUFFER) {
        write_all(bytes, size);
        return;
    }
    memcpy(out.buffer + out.filled, bytes, size);
    out.filled += size;
}

/* Whether bytes can be written anew: a plain file that is not written at its end alone. */
static bool can_patch(void) {
    struct stat status;
    int flags = fcntl(out.fd, F_GETFL);
    out.start = lseek(out.fd, 0, SEEK_CUR);
    return out.start >= 0 && flags >= 0 && !(flags & O_APPEND) && fstat(out.fd, &status) == 0 &&
           S_ISREG(status.st_mode);
}

void output_begin_npy(size_t width, uint64_t count) {
    char header[NPY_HEADER_SIZE];
    out.is_npy = true;
    out.width = width;
    out.patch = count == UINT64_MAX && can_patch();
    out.keep = count == UINT64_MAX && !out.patch;
    if (out.keep) return;
    npy_header(header, count, width);
    put(header, sizeof header);
}

void output_write(const void *bytes, size_t size) {
    if (!out.keep) {
        put(bytes, size);
        return;
    }
    if (size > out.kept_capacity - out.kept_size) {
        if (size > SIZE_MAX / 4 || out.kept_capacity > SIZE_MAX / 4) fail("out of memory");
        out.kept_capacity = 2 * out.kept_capacity + size;
        out.kept = reallocate(out.kept, out.kept_capacity, 1);
    }
    memcpy(out.kept + out.kept_size, bytes, size);
    out.kept_size += size;
}

void output_printf(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = allocate((size_t)length + 1, 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    output_write(text, (size_t)length);
    free(text);
}

void output_finish(uint64_t count) {
    char header[NPY_HEADER_SIZE];
    if (out.keep) {
        npy_header(header, count, out.width);
        put(header, sizeof header);
        put(out.kept, out.kept_size);
    }
    output_flush();
    if (out.patch) {
        npy_header(header, count, out.width);
        if (pwrite(out.fd, header, sizeof header, out.start) != (ssize_t)sizeof header) fail_writing();
    }
    if (close(out.fd) != 0) fail_writing();
    if (out.target && rename(out.temporary, out.target) != 0) fail_writing();
    doomed = NULL;
}

bool output_is_terminal(void) { return isatty(out.fd); }
