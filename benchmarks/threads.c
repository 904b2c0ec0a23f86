/* Two threads against one: threads MODEL.flw ROWS. Prints how many times as fast two threads sample ROWS rows, by processor
 * time: that of one thread for all rows, over that of the slower of two threads, which run at once and take half each. What the
 * threads share (caches, memory, the clock of the CPU) counts, other programs on the machine do not. */
#define _GNU_SOURCE
#include <flowrt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9 };

typedef struct piece {
    const flowrt_model *model;
    size_t first, count;
    int core;
    pthread_barrier_t *start;
    float *x;
    void *workspace;
    size_t workspace_size;
    double seconds;
} piece;

static void *run(void *argument) {
    piece *p = argument;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(p->core, &cores);
    if (pthread_setaffinity_np(pthread_self(), sizeof cores, &cores) != 0) exit(1);
    flowrt_rng rng = {1, 0, p->first};
    struct timespec start, end;
    pthread_barrier_wait(p->start);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    if (flowrt_sample(p->model, p->count, &rng, NULL, 0, p->x, NULL, p->workspace, p->workspace_size) != FLOWRT_OK) exit(1);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    p->seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    return NULL;
}

/* Processor seconds of the slowest of `count` threads that share `rows`. */
static double threads(const flowrt_model *model, size_t rows, size_t dim, size_t count) {
    pthread_t ids[2];
    piece pieces[2];
    pthread_barrier_t start;
    double slowest = 0;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (size_t t = 0; t < count; t++) {
        const size_t share = rows / count, size = flowrt_workspace_size(model, share);
        pieces[t] = (piece){model, t * share, share, (int)t, &start, malloc(share * dim * sizeof(float)), NULL, size, 0};
        if (posix_memalign(&pieces[t].workspace, FLOWRT_ALIGNMENT, size) != 0) exit(1);
        if (pthread_create(&ids[t], NULL, run, &pieces[t]) != 0) exit(1);
    }
    for (size_t t = 0; t < count; t++) {
        pthread_join(ids[t], NULL);
        if (pieces[t].seconds > slowest) slowest = pieces[t].seconds;
        free(pieces[t].x);
        free(pieces[t].workspace);
    }
    pthread_barrier_destroy(&start);
    return slowest;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    flowrt_model model;
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return fprintf(stderr, "usage: threads MODEL.flw ROWS\n"), 1;
    const size_t size = (size_t)ftell(file), rows = (size_t)atol(argv[2]);
    void *bytes;
    rewind(file);
    if (posix_memalign(&bytes, FLOWRT_ALIGNMENT, size) != 0 || fread(bytes, 1, size, file) != size) return 1;
    if (flowrt_model_open(&model, bytes, size, FLOWRT_OPEN_DEFAULT, NULL) != FLOWRT_OK) return 1;
    if (flowrt_model_get_info(&model, &info) != FLOWRT_OK) return 1;
    double ratios[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) ratios[r] = threads(&model, rows, info.dim, 1) / threads(&model, rows, info.dim, 2);
    qsort(ratios, ROUNDS, sizeof(double), ascending);
    printf("%.3f\n", ratios[ROUNDS / 2]);
    return 0;
}
