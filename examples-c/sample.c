/* sample: draw rows from a flow and print them as CSV.
 *
 *   cc sample.c -lflowrt -o sample
 *   ./sample model.flw 1000 42 > rows.csv
 *   ./sample model.flw 500 42 500 >> rows.csv       rows 500 to 999 of the same stream
 *
 * Draw number k of a seed is a pure function of (seed, stream, k): the two commands
 *   ./sample model.flw 1000 42        and        (./sample model.flw 500 42; ./sample model.flw 500 42 500)
 * print the same bytes, on every machine with fused multiply-add. This is how threads share one stream, too. */
#include "example.h"

#define BATCH 256

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        fail("usage: sample MODEL.flw COUNT [SEED [FIRST]]");
    flowrt_file flow = model_open(argv[1]);
    if (flow.info.context_dim != 0)
        fail("%s: the model is conditional; posterior.c draws from such a model", argv[1]);
    unsigned long long remaining = whole_number(argv[2], "COUNT");
    flowrt_rng rng = {.seed = argc > 3 ? whole_number(argv[3], "SEED") : 0,
                      .stream = 0,
                      .index = argc > 4 ? whole_number(argv[4], "FIRST") : 0};
    const size_t dim = flow.info.dim;
    float *x = new_floats(BATCH * dim);
    int nonfinite = 0;

    while (remaining > 0 && !ferror(stdout)) {
        const size_t count = remaining < BATCH ? (size_t)remaining : BATCH;
        /* Advances rng.index by count: the next batch goes on where this one ends. */
        nonfinite |= check(flowrt_sample(&flow.model, count, &rng, NULL, 0, x, NULL, flow.workspace,
                                         flow.workspace_size));
        for (size_t i = 0; i < count * dim; i++)
            printf("%.9g%c", x[i], (i + 1) % dim ? ',' : '\n');
        remaining -= count;
    }

    free(x);
    flowrt_file_close(&flow);
    if (nonfinite)
        fail("at least one sample is not finite");
    return written();
}
