/* within: draw rows that lie in a box, such as the bounds of a prior, and say how many of all draws do.
 *
 *   cc within.c -lflowrt -lm -o within
 *   ./within model.flw 1000 42 -2,0 2,5 > rows.csv        two coordinates: -2 .. 2 and 0 .. 5
 *
 * Rows outside are drawn again, a thousand times as many as are asked for at most. The last line, which starts with #, is
 * the share a of all draws that lies in the box: log p - log a is the log density of what was printed. */
#include "example.h"

#define BATCH 256
#define MOST_DRAWS 1000 /* for each row */

static float *vector(const char *text, const char *what, size_t dim)
{
    float *values = new_floats(dim);
    const char *next = text;
    for (size_t i = 0; i < dim; i++) {
        char *end;
        values[i] = strtof(next, &end);
        if (end == next || isnan(values[i]) || *end != (i + 1 == dim ? '\0' : ','))
            fail("%s: '%s' is not %lu numbers with commas between them", what, text, (unsigned long)dim);
        next = end + 1;
    }
    return values;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        fail("usage: within MODEL.flw COUNT SEED LOW,... HIGH,...");
    flowrt_file flow = model_open(argv[1]);
    if (flow.info.context_dim != 0)
        fail("%s: the model is conditional; posterior.c draws from such a model", argv[1]);
    const size_t dim = flow.info.dim;
    const unsigned long long wanted = whole_number(argv[2], "COUNT");
    flowrt_rng rng = {.seed = whole_number(argv[3], "SEED"), .stream = 0, .index = 0};
    float *low = vector(argv[4], "LOW", dim), *high = vector(argv[5], "HIGH", dim), *x = new_floats(BATCH * dim);
    unsigned long long inside = 0, printed = 0;

    while (printed < wanted && !ferror(stdout)) {
        if (rng.index / MOST_DRAWS >= wanted && rng.index >= BATCH)
            fail("%llu of %llu draws lie in the box", inside, (unsigned long long)rng.index);
        check(flowrt_sample(&flow.model, BATCH, &rng, NULL, 0, x, NULL, flow.workspace, flow.workspace_size));
        for (size_t row = 0; row < BATCH; row++) {
            const float *values = x + row * dim;
            size_t i = 0;
            while (i < dim && low[i] <= values[i] && values[i] <= high[i])
                i++;
            if (i < dim)
                continue;
            inside++;
            if (printed++ >= wanted)
                continue;
            for (i = 0; i < dim; i++)
                printf("%.9g%c", values[i], i + 1 < dim ? ',' : '\n');
        }
    }
    if (rng.index > 0)
        printf("# %.9g\n", (double)inside / (double)rng.index);

    free(x);
    free(high);
    free(low);
    flowrt_file_close(&flow);
    return written();
}
