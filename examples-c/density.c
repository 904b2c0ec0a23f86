/* density: log p(x) of every row of a CSV file.
 *
 *   cc density.c -lflowrt -o density
 *   ./density model.flw rows.csv > log_p.txt
 *   generate_rows | ./density model.flw
 *
 * A row is `dim` numbers, followed by `context_dim` numbers if the model is conditional. Rows are read and evaluated in
 * batches, so a file of any length needs the same memory; the batch size changes the speed, never the numbers. */
#include "example.h"

#define BATCH 256

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3)
        fail("usage: density MODEL.flw [ROWS.csv]");
    flowrt_file flow = model_open(argv[1]);
    struct csv csv = csv_open(argc > 2 ? argv[2] : NULL);
    const size_t dim = flow.info.dim, context_dim = flow.info.context_dim;
    float *x = new_floats(BATCH * dim);
    float *context = new_floats(BATCH * context_dim);
    float *row = new_floats(dim + context_dim);
    float *log_p = new_floats(BATCH);
    int nonfinite = 0;

    for (size_t count = BATCH; count == BATCH && !ferror(stdout);) {
        for (count = 0; count < BATCH && csv_row(&csv, dim + context_dim, row); count++) {
            memcpy(x + count * dim, row, dim * sizeof(float));
            memcpy(context + count * context_dim, row + dim, context_dim * sizeof(float));
        }
        /* One context for each row; a model that takes no context wants NULL and 0 rows of it. */
        nonfinite |= check(flowrt_log_prob(&flow.model, count, x, context_dim ? context : NULL, context_dim ? count : 0,
                                           log_p, flow.workspace, flow.workspace_size));
        for (size_t i = 0; i < count; i++)
            printf("%.9g\n", log_p[i]);
    }

    free(log_p);
    free(row);
    free(context);
    free(x);
    csv_close(&csv);
    flowrt_file_close(&flow);
    if (nonfinite)
        fail("at least one row has no finite density");
    return written();
}
