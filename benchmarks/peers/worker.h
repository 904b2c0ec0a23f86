/* A program that is measured, seen from benchmarks/bench.py: commands on standard input, one line of answer to each.
 *
 *   open FLOW                 ok
 *   values VERB COUNT FILE    writes the results for the first rows of FLOW.x or FLOW.z, float32: log_prob, gradient, inverse
 *   time VERB COUNT REPEATS   processor seconds of a call: log_prob, gradient, inverse, sample
 *
 * "no WHY" in place of an answer: the program cannot do that. Before any command: it cannot do anything here.
 * It is started with the folder of the flows (flows.py); with "cold FLOW" after it, it evaluates one log p, prints the most kB of
 * memory that it had, and ends.
 * peers/worker.py is the same in Python. */
#ifndef WORKER_H
#define WORKER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum { LOG_PROB, GRADIENT, INVERSE, SAMPLE } verb;
static const char *const verb_names[] = {"log_prob", "gradient", "inverse", "sample"};

/* What a program provides. `rows` is count x D floats and unused by SAMPLE; `out` has count floats for LOG_PROB, else
 * count x D. peer_open returns D. */
static const char *peer_name(void);
static size_t peer_open(const char *folder, const char *flow);
static void peer_run(verb verb, size_t count, const float *rows, float *out);

__attribute__((noreturn)) static inline void give_up(const char *what, const char *name) {
    fprintf(stderr, "%s: %s\n", what, name);
    exit(1);
}

/* All of a file, on 64 bytes. */
static inline void *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) give_up("cannot be read", path);
    *size = (size_t)ftell(file);
    void *bytes = aligned_alloc(64, *size / 64 * 64 + 64);
    rewind(file);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) give_up("cannot be read", path);
    fclose(file);
    return bytes;
}

static inline double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void worker_path(char *path, const char *folder, const char *name, const char *end) {
    /* The rows of a flow and of its inverse are the same: NAME-MAF and NAME-IAF share NAME.x. */
    snprintf(path, 512, "%s/%.*s%s", folder, (int)strcspn(name, "-"), name, end);
}

static inline verb verb_of(const char *name) {
    verb v = LOG_PROB;
    while (strcmp(verb_names[v], name) != 0) v++;
    return v;
}

static int worker_main(int argc, char **argv) {
    char line[1024], flow[64] = "", what[64], file[512], path[512];
    float *rows[2] = {NULL, NULL}, *out = NULL;
    size_t dim = 0, count, repeats, size;
    if (argc < 2) give_up("usage", "PROGRAM FOLDER [cold FLOW]");
    if (argc == 4 && strcmp(argv[2], "cold") == 0) {
        const float x[1024] = {0};
        float log_p;
        peer_open(argv[1], argv[3]);
        peer_run(LOG_PROB, 1, x, &log_p);
        fprintf(stderr, "%.6g\n", log_p);
        /* The most memory since this program began; getrusage would count its parent's. */
        FILE *status = fopen("/proc/self/status", "r");
        while (status && fgets(line, sizeof line, status))
            if (sscanf(line, "VmHWM: %zu", &size) == 1) printf("%zu\n", size);
        return 0;
    }
    printf("ready %s\n", peer_name());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "open %63s", flow) == 1) {
            dim = peer_open(argv[1], flow);
            for (int i = 0; i < 2; i++) {
                worker_path(path, argv[1], flow, i ? ".z" : ".x");
                free(rows[i]);
                rows[i] = read_file(path, &size);
            }
            free(out);
            out = malloc(65536 * dim * sizeof(float)); /* more rows than any cell has */
            puts("ok");
        } else if (sscanf(line, "values %63s %zu %511s", what, &count, file) == 3) {
            const verb v = verb_of(what);
            peer_run(v, count, rows[v == INVERSE], out);
            FILE *to = fopen(file, "wb");
            if (to == NULL || fwrite(out, sizeof(float), count * (v == LOG_PROB ? 1 : dim), to) == 0 || fclose(to) != 0)
                give_up("cannot be written", file);
            puts("ok");
        } else if (sscanf(line, "time %63s %zu %zu", what, &count, &repeats) == 3) {
            const verb v = verb_of(what);
            if (repeats > 1) peer_run(v, count, rows[v == INVERSE], out); /* fills the caches */
            const double start = processor_seconds();
            for (size_t i = 0; i < repeats; i++) peer_run(v, count, rows[v == INVERSE], out);
            printf("%.9g\n", (processor_seconds() - start) / (double)repeats);
        } else
            give_up("no such command", line);
        fflush(stdout);
    }
    return 0;
}

#endif
