/* parallel: one batch on several threads, and the same bits as on one.
 *
 *   cc parallel.c -lflowrt -pthread -o parallel
 *   ./parallel model.flw                 100000 draws and their log p, on 2 threads
 *   ./parallel model.flw 1000000 8       on 8 threads
 *
 * A batch is cut into pieces of consecutive rows, one for each thread. All threads share the model, which nothing
 * changes. Each has its own workspace and its own range of draws: draw number k is a function of (seed, stream, k), so a
 * piece that starts at row k sets index to k and needs to know nothing of the others. There is nothing to lock. */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

#include <pthread.h>
#include <time.h>

enum { SEED = 1, MOST_THREADS = 256, REPEATS = 3 };

struct piece {
    const flowrt_file *flow;
    size_t first, count; /* rows of the batch */
    float *x, *log_p;    /* of the whole batch */
    void *workspace;     /* this thread's own */
};

static void *draw_piece(void *argument)
{
    const struct piece *piece = argument;
    flowrt_rng rng = {SEED, 0, piece->first};
    check(flowrt_sample(&piece->flow->model, piece->count, &rng, NULL, 0,
                        piece->x + piece->first * piece->flow->info.dim, piece->log_p + piece->first,
                        piece->workspace, piece->flow->workspace_size));
    return NULL;
}

/* Fills x and log_p on this thread and threads - 1 new ones. */
static void draw(const flowrt_file *flow, size_t rows, size_t threads, void **workspaces, float *x, float *log_p)
{
    struct piece pieces[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    for (size_t t = 0; t < threads; t++) {
        /* rows = threads * q + r: the first r pieces have q + 1 rows, the others q. */
        const size_t q = rows / threads, r = rows % threads, first = t * q + (t < r ? t : r);
        pieces[t] = (struct piece){flow, first, q + (t < r), x, log_p, workspaces[t]};
        if (t > 0 && pthread_create(&ids[t], NULL, draw_piece, &pieces[t]) != 0)
            fail("thread %lu cannot be started", (unsigned long)t);
    }
    draw_piece(&pieces[0]);
    for (size_t t = 1; t < threads; t++)
        pthread_join(ids[t], NULL);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4)
        fail("usage: parallel MODEL.flw [ROWS [THREADS]]");
    flowrt_file flow = model_open(argv[1]);
    const size_t rows = argc > 2 ? count_of(argv[2], "ROWS") : 100000;
    const size_t threads = argc > 3 ? count_of(argv[3], "THREADS") : 2;
    const size_t dim = flow.info.dim;
    if (flow.info.context_dim != 0)
        fail("%s: the model is conditional; posterior.c draws from such a model", argv[1]);
    if (threads < 1 || threads > MOST_THREADS)
        fail("THREADS: %lu is not between 1 and %d", (unsigned long)threads, MOST_THREADS);
    if (rows < 1 || rows > SIZE_MAX / sizeof(float) / dim)
        fail("ROWS: '%s' is zero, or more rows than memory holds", argv[2]);

    /* [0] by one thread, [1] by all of them */
    float *x[2] = {new_floats(rows * dim), new_floats(rows * dim)}, *log_p[2] = {new_floats(rows), new_floats(rows)};
    void *workspaces[MOST_THREADS];
    for (size_t t = 0; t < threads; t++)
        workspaces[t] = workspace_new(flow.workspace_size);

    double best[2] = {HUGE_VAL, HUGE_VAL};
    for (int repeat = 0; repeat < REPEATS; repeat++)
        for (int all = 0; all < 2; all++) {
            const double start = seconds();
            draw(&flow, rows, all ? threads : 1, workspaces, x[all], log_p[all]);
            const double time = seconds() - start;
            best[all] = time < best[all] ? time : best[all];
        }
    if (memcmp(x[0], x[1], rows * dim * sizeof(float)) != 0 || memcmp(log_p[0], log_p[1], rows * sizeof(float)) != 0)
        fail("%lu threads give other bits than one", (unsigned long)threads);
    printf("%lu draws: one thread %.4f s, %lu threads %.4f s, %.2f times as fast, the same bits\n", (unsigned long)rows,
           best[0], (unsigned long)threads, best[1], best[0] / best[1]);

    for (size_t t = 0; t < threads; t++)
        flowrt_aligned_free(workspaces[t]);
    for (int all = 0; all < 2; all++) {
        free(x[all]);
        free(log_p[all]);
    }
    flowrt_file_close(&flow);
    return written();
}
