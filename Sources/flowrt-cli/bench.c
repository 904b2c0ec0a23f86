/* The command bench: how long a row takes on this machine. */
#include "commands.h"

#include "block.h"
#include "context.h"
#include "failure.h"
#include "progress.h"

#include <stdlib.h>

enum { ROUNDS = 9 };
static const double seconds_of_round = 0.02;

/* Calls of one verb with one batch. */
static double time_calls(const job *work, block *batch, size_t calls) {
    double begin = seconds_now();
    for (size_t i = 0; i < calls; i++) block_evaluate(work, batch);
    return seconds_now() - begin;
}

static int compare(const void *left, const void *right) {
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* Nanoseconds a row: the median of some rounds, each long enough for the clock. */
static double time_row(const job *work, block *batch) {
    size_t calls = 1;
    while (time_calls(work, batch, calls) < seconds_of_round) calls *= 2;
    double times[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) times[i] = time_calls(work, batch, calls);
    qsort(times, ROUNDS, sizeof *times, compare);
    return times[ROUNDS / 2] / (double)calls / (double)batch->count * 1e9;
}

/* The first context that is given, else zeros. */
static float *read_context(const model *flow, const arguments *given) {
    float *values = allocate(flow->info.context_dim, sizeof *values);
    for (size_t i = 0; i < flow->info.context_dim; i++) values[i] = 0;
    rows *from = context_open(given, flow, false);
    if (!from) return values;
    if (rows_read(from, 1, values, NULL) == 0) fail("%s: there are no rows", rows_name(from));
    rows_close(from);
    return values;
}

int command_bench(const arguments *given) {
    static const size_t batches[] = {1, 16, 256, 4096};
    model flow;
    model_open(&flow, given->operands[0], NULL);
    require_cpu(flow.path);
    float *context = read_context(&flow, given);
    job draw = {.flow = &flow, .verb = VERB_SAMPLE, .rows = 4096, .shared = flow.info.context_dim ? context : NULL};
    job density = draw;
    density.verb = VERB_LOG_PROB;
    output_open(NULL);
    output_printf("%s\n%zu bytes, kernel level %u, one thread; nanoseconds a row, medians of %d\n", flowrt_build_info(),
                  flow.size, flow.info.cpu_level, ROUNDS);
    output_printf("%8s %12s %12s\n", "rows", "log-prob", "sample");
    block drawn = block_make(&draw, false), given_rows = block_make(&density, false);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        drawn.count = given_rows.count = batches[i];
        double sample = time_row(&draw, &drawn);
        for (size_t j = 0; j < batches[i] * flow.info.dim; j++) given_rows.input[j] = drawn.result[j];
        output_printf("%8zu %12.1f %12.1f\n", batches[i], time_row(&density, &given_rows), sample);
        output_flush();
    }
    output_finish(0);
    block_free(&drawn);
    block_free(&given_rows);
    free(context);
    model_close(&flow);
    return EXIT_DONE;
}
