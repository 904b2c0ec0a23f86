/* doubles: log p of rows of doubles, and what to do with a row that has no finite answer.
 *
 *   cc doubles.c -lflowrt -lm -o doubles
 *   ./doubles model.flw 5.1 3.5 1.4 0.2      a row from the command line
 *
 * flowrt computes in float32, as the models were trained. A program with doubles converts at the edge, row by row: the
 * nearest float of a double is within 6e-8 of it, relatively, which the answer already allows for. Two things are lost
 * if nobody looks: a finite double beyond 3.4e38 becomes infinite; and of values that stand far from zero beside their
 * spread (a time since 1970, in seconds) the digits that matter. Subtract such an offset in double, here and in the
 * training. Sums of many log p belong in a double, too. */
#include "example.h"

/* Rounds to the nearest float. Returns how many values are finite as a double and not as a float. */
static size_t to_floats(const double *from, float *to, size_t count)
{
    size_t beyond = 0;
    for (size_t i = 0; i < count; i++) {
        to[i] = (float)from[i];
        beyond += isfinite(from[i]) && !isfinite(to[i]);
    }
    return beyond;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        fail("usage: doubles MODEL.flw NUMBER...");
    flowrt_file flow = model_open(argv[1]);
    const size_t dim = flow.info.dim;
    const size_t given = (size_t)argc - 2;
    if (flow.info.context_dim != 0)
        fail("%s: the model is conditional; density.c evaluates such a model", argv[1]);
    if (given % dim != 0)
        fail("%lu numbers are no rows of %lu", (unsigned long)given, (unsigned long)dim);
    const size_t rows = given / dim;
    double *numbers = calloc(given, sizeof *numbers), sum = 0;
    float *x = new_floats(given), *log_p = new_floats(rows);
    if (numbers == NULL)
        fail("no memory for %lu numbers", (unsigned long)given);
    for (size_t i = 0; i < given; i++) {
        char *end;
        numbers[i] = strtod(argv[i + 2], &end);
        if (end == argv[i + 2] || *end != '\0')
            fail("'%s' is not a number", argv[i + 2]);
    }

    const size_t beyond = to_floats(numbers, x, given);
    if (beyond > 0)
        fprintf(stderr, "warning: %lu numbers are beyond float32\n", (unsigned long)beyond);
    if (check(flowrt_log_prob(&flow.model, rows, x, NULL, 0, log_p, flow.workspace, flow.workspace_size))) {
        flowrt_cause cause;
        for (size_t row = 0; row < rows; row++) {
            row = flowrt_nonfinite_row(&flow.model, rows, row, x, NULL, 0, NULL, log_p, &cause);
            if (row < rows)
                fprintf(stderr, "warning: row %lu: %s\n", (unsigned long)row, flowrt_cause_text(cause));
        }
    }
    for (size_t i = 0; i < rows; i++) {
        printf("%.9g\n", log_p[i]);
        sum += log_p[i];
    }
    printf("sum %.12g\n", sum);

    free(log_p);
    free(x);
    free(numbers);
    flowrt_file_close(&flow);
    return written();
}
