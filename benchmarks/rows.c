/* Time a row against the number of rows, of one library or of several, interleaved.
 *
 * *   rows FOLDER LEVEL ROUNDS FLOW,FLOW,... ROWS,ROWS,... LIBRARY...
 *
 * FOLDER has the flows of flows.py, LEVEL is the highest kernel level (FLOWRT_OPEN_LEVEL; 0: the CPU's best), each LIBRARY a
 * libflowrt.so. In every round each library has its turn at each number of rows of a flow; medians over rounds count, and ratios
 * are taken within a round. Columns: the first library's microseconds a row; the step, its time a row over the least of all smaller
 * numbers of rows; the time of each other library over the first one's. Processor time, one thread. `benchmarks/rows.sh` builds
 * and runs it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <flowrt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIBRARIES = 4, MOST_ROUNDS = 101, MOST_ROWS = 1024, COUNTS = 64 };
static size_t counts[COUNTS];
static int count_count;
static const double TURN = 0.002; /* seconds of a turn, at least */

typedef struct library {
    __typeof__(&flowrt_model_open) open;
    __typeof__(&flowrt_workspace_size) workspace_size;
    __typeof__(&flowrt_log_prob) log_prob;
    __typeof__(&flowrt_sample) sample;
    flowrt_model model;
} library;

static double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *must(void *p, const char *what) {
    if (p) return p;
    fprintf(stderr, "%s: %s\n", what, dlerror());
    exit(1);
}

static library load(const char *path) {
    void *handle = must(dlopen(path, RTLD_NOW | RTLD_LOCAL), path);
    return (library){(__typeof__(&flowrt_model_open))must(dlsym(handle, "flowrt_model_open"), path),
                     (__typeof__(&flowrt_workspace_size))must(dlsym(handle, "flowrt_workspace_size"), path),
                     (__typeof__(&flowrt_log_prob))must(dlsym(handle, "flowrt_log_prob"), path),
                     (__typeof__(&flowrt_sample))must(dlsym(handle, "flowrt_sample"), path),
                     {{0}}};
}

static void *read_file(const char *folder, const char *name, const char *suffix, size_t *size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    void *bytes = NULL;
    if (posix_memalign(&bytes, FLOWRT_ALIGNMENT, *size) != 0 || fread(bytes, 1, *size, file) != *size) exit(1);
    fclose(file);
    return bytes;
}

static float *x, *log_p, *out;
static void *workspace;

static double turn(const library *l, int sample, size_t rows, size_t repeats) {
    const size_t size = l->workspace_size(&l->model, rows);
    flowrt_status status = FLOWRT_OK;
    double start = 0;
    for (size_t i = 0; i <= repeats; i++) {
        if (i == 1) start = processor_seconds(); /* the first call fills the caches */
        flowrt_rng rng = {1, 0, 0};
        status = sample ? l->sample(&l->model, rows, &rng, NULL, 0, out, log_p, workspace, size)
                        : l->log_prob(&l->model, rows, x, NULL, 0, log_p, workspace, size);
        if (status != FLOWRT_OK) exit(1);
    }
    return (processor_seconds() - start) / (double)(repeats * rows);
}

static int by_size(const void *a, const void *b) {
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}
static double median(const double *values, int count) {
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return sorted[count / 2];
}

static void measure(library *libraries, int library_count, const char *flow, int sample, int rounds) {
    static double times[COUNTS][LIBRARIES][MOST_ROUNDS];
    size_t repeats[COUNTS];
    for (int n = 0; n < count_count; n++)
        repeats[n] = 1 + (size_t)(TURN / ((double)counts[n] * turn(&libraries[0], sample, counts[n], 1)));
    for (int round = 0; round < rounds; round++)
        for (int n = 0; n < count_count; n++)
            for (int l = 0; l < library_count; l++)
                times[n][l][round] = turn(&libraries[l], sample, counts[n], repeats[n]);
    double least = 1;
    for (int n = 0; n < count_count; n++) {
        const double time = median(times[n][0], rounds);
        printf("| %s | %s | %zu | %.2f | %.2f |", flow, sample ? "sample" : "log_prob", counts[n], 1e6 * time,
               n ? time / least : 1.0);
        if (time < least) least = time;
        for (int l = 1; l < library_count; l++) {
            double ratios[MOST_ROUNDS];
            for (int round = 0; round < rounds; round++) ratios[round] = times[n][l][round] / times[n][0][round];
            printf(" %.2f |", median(ratios, rounds));
        }
        printf("\n");
    }
    fflush(stdout);
}

static void measure_flow(library *libraries, int library_count, const char *folder, const char *flow, unsigned level,
                         int rounds) {
    char file[64];
    size_t size, row_bytes, most = 0;
    snprintf(file, sizeof file, "%s-MAF", flow);
    void *bytes = read_file(folder, file, ".flw", &size);
    x = read_file(folder, flow, ".x", &row_bytes);
    for (int l = 0; l < library_count; l++) {
        if (libraries[l].open(&libraries[l].model, bytes, size, FLOWRT_OPEN_LEVEL(level), NULL) != FLOWRT_OK) exit(1);
        const size_t needed = libraries[l].workspace_size(&libraries[l].model, SIZE_MAX);
        if (needed > most) most = needed;
    }
    log_p = malloc(MOST_ROWS * sizeof *log_p);
    out = malloc(row_bytes);
    if (!log_p || !out || posix_memalign(&workspace, FLOWRT_ALIGNMENT, most) != 0) exit(1);
    for (int sample = 0; sample <= 1; sample++) measure(libraries, library_count, flow, sample, rounds);
    free(bytes);
    free(x);
    free(log_p);
    free(out);
    free(workspace);
}

int main(int argc, char **argv) {
    library libraries[LIBRARIES];
    const int library_count = argc - 6;
    const int rounds = argc > 3 ? atoi(argv[3]) : 0;
    if (library_count < 1 || library_count > LIBRARIES || rounds < 1 || rounds > MOST_ROUNDS) {
        fprintf(stderr, "usage: rows FOLDER LEVEL ROUNDS FLOW,FLOW,... ROWS,ROWS,... LIBRARY...\n");
        return 2;
    }
    for (char *rows = strtok(argv[5], ","); rows && count_count < COUNTS; rows = strtok(NULL, ",")) {
        counts[count_count] = strtoul(rows, NULL, 10);
        if (counts[count_count] < 1 || counts[count_count++] > MOST_ROWS) return 2;
    }
    for (int l = 0; l < library_count; l++) libraries[l] = load(argv[6 + l]);
    printf("| flow | direction | rows | us a row | step |");
    for (int l = 1; l < library_count; l++) printf(" library %d / library 1 |", l + 1);
    printf("\n|---|---|---|---|---|");
    for (int l = 1; l < library_count; l++) printf("---|");
    printf("\n");
    for (char *flow = strtok(argv[4], ","); flow; flow = strtok(NULL, ","))
        measure_flow(libraries, library_count, argv[1], flow, (unsigned)atoi(argv[2]), rounds);
    return 0;
}
