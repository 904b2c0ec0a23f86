/* posteriors: what each of many observations says about the unknowns of a conditional flow.
 *
 *   cc posteriors.c -lflowrt -lm -o posteriors
 *   ./posteriors model.flw observations.csv             mean and standard deviation of 1000 draws, a line each
 *   ./posteriors model.flw observations.csv 5000 7      of 5000 draws with seed 7
 *
 * An observation is a context of the model. One call draws for a block of them: with context_rows m and count m * n, row i
 * has context i / n, and each context's part of the network is computed once. The numbers are those of one call for each
 * observation, and the block changes none of them. */
#include "example.h"

#define BLOCK 64 /* observations in a call */

static void print_moments(const float *x, size_t draws, size_t dim)
{
    for (size_t j = 0; j < dim; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < draws; i++)
            sum += x[i * dim + j];
        const double mean = sum / (double)draws;
        for (size_t i = 0; i < draws; i++)
            squares += (x[i * dim + j] - mean) * (x[i * dim + j] - mean);
        printf("%.5g,%.5g%c", mean, draws > 1 ? sqrt(squares / (double)(draws - 1)) : 0.0, j + 1 < dim ? ',' : '\n');
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        fail("usage: posteriors MODEL.flw OBSERVATIONS.csv [DRAWS [SEED]]");
    flowrt_file flow = model_open(argv[1]);
    const size_t dim = flow.info.dim, context_dim = flow.info.context_dim;
    if (context_dim == 0)
        fail("%s: the model takes no context; sample.c draws from such a model", argv[1]);
    const size_t draws = argc > 3 ? count_of(argv[3], "DRAWS") : 1000;
    if (draws == 0 || draws > SIZE_MAX / sizeof(float) / dim / BLOCK)
        fail("DRAWS: '%s' is zero, or more draws than memory holds", argv[3]);
    flowrt_rng rng = {.seed = argc > 4 ? whole_number(argv[4], "SEED") : 0, .stream = 0, .index = 0};
    struct csv csv = csv_open(argv[2]);
    float *context = new_floats(BLOCK * context_dim), *x = new_floats(BLOCK * draws * dim);

    for (size_t count = BLOCK; count == BLOCK && !ferror(stdout);) {
        for (count = 0; count < BLOCK && csv_row(&csv, context_dim, context + count * context_dim);)
            count++;
        if (check(flowrt_sample(&flow.model, count * draws, &rng, context, count, x, NULL, flow.workspace,
                                flow.workspace_size)))
            fail("at least one draw is not finite");
        for (size_t i = 0; i < count; i++)
            print_moments(x + i * draws * dim, draws, dim);
    }

    free(x);
    free(context);
    csv_close(&csv);
    flowrt_file_close(&flow);
    return written();
}
