/* posterior: what one observation says about the unknowns of a conditional flow.
 *
 *   cc posterior.c -lflowrt -lm -o posterior
 *   ./posterior model.flw 59,2,32.1,101              mean, standard deviation and quantiles of 10000 draws
 *   ./posterior model.flw 59,2,32.1,101 100000 7     of 100000 draws with seed 7
 *
 * The observation is the context of the model. All draws share it: context_rows is 1, and the part of the network that
 * reads the context is computed once for each batch and not for each row. */
#include "example.h"

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The observation, numbers with commas between them. */
static void parse_observation(const char *text, float *context, size_t context_dim)
{
    for (size_t i = 0; i < context_dim; i++) {
        char *end;
        context[i] = strtof(text, &end);
        if (end == text || !isfinite(context[i]) || *end != (i + 1 < context_dim ? ',' : '\0'))
            fail("the observation must be %lu numbers with commas between; number %lu is wrong at '%s'",
                 (unsigned long)context_dim, (unsigned long)i + 1, text);
        text = end + 1;
    }
}

/* Quantile of sorted values, linear between neighbours. */
static double quantile(const float *sorted, size_t count, double fraction)
{
    const double place = fraction * (double)(count - 1);
    const size_t below = (size_t)place, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

static void print_summary(float *values, size_t count, size_t coordinate)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    const double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    qsort(values, count, sizeof(float), ascending);
    printf("%10lu %10.4g %10.4g %10.4g %10.4g %10.4g\n", (unsigned long)coordinate, mean,
           count > 1 ? sqrt(squares / (double)(count - 1)) : 0.0, quantile(values, count, 0.05),
           quantile(values, count, 0.5), quantile(values, count, 0.95));
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        fail("usage: posterior MODEL.flw OBSERVATION [COUNT [SEED]]");
    flowrt_file flow = model_open(argv[1]);
    const size_t dim = flow.info.dim, context_dim = flow.info.context_dim;
    if (context_dim == 0)
        fail("%s: the model takes no context; sample.c draws from such a model", argv[1]);
    const size_t count = argc > 3 ? count_of(argv[3], "COUNT") : 10000;
    if (count == 0 || count > SIZE_MAX / sizeof(float) / dim)
        fail("COUNT: '%s' is zero, or more draws than memory holds", argv[3]);
    flowrt_rng rng = {.seed = argc > 4 ? whole_number(argv[4], "SEED") : 0, .stream = 0, .index = 0};
    float *context = new_floats(context_dim), *x = new_floats(count * dim), *column = new_floats(count);
    parse_observation(argv[2], context, context_dim);

    if (check(flowrt_sample(&flow.model, count, &rng, context, 1, x, NULL, flow.workspace, flow.workspace_size)))
        fail("at least one draw is not finite");

    printf("%10s %10s %10s %10s %10s %10s\n", "coordinate", "mean", "sd", "5 %", "50 %", "95 %");
    for (size_t j = 0; j < dim; j++) {
        for (size_t i = 0; i < count; i++)
            column[i] = x[i * dim + j];
        print_summary(column, count, j + 1);
    }

    free(column);
    free(x);
    free(context);
    flowrt_file_close(&flow);
    return written();
}
