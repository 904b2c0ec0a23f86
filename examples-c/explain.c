/* explain: which measurement made a row an anomaly?
 *
 *   cc explain.c -lflowrt -lm -o explain
 *   ./explain model.flw normal.csv suspects.csv
 *
 * The rows of normal.csv give a reference, their median. From there a straight line leads to a suspect. The change of
 * log p along it is shared among the measurements:
 *
 *   share_i = (x_i - reference_i) * mean over the line of d log p / d x_i
 *
 * and the shares add up to log p(x) - log p(reference). (Integrated gradients: M. Sundararajan, A. Taly and Q. Yan,
 * Axiomatic Attribution for Deep Networks, 2017.) For each suspect one line is printed: its log p, and the measurements
 * that took most from it, each with its share in nats. "unexplained" is what the shares miss of the sum, since the line
 * has POINTS points only. */
#include "example.h"

enum { POINTS = 256, MOST = 3 };

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The median of each column of a file. */
static void medians(const char *path, size_t dim, float *result)
{
    struct csv csv = csv_open(path);
    float *rows = NULL, *column = NULL;
    size_t count = 0, room = 0;
    do {
        if (count == room) {
            room = room ? 2 * room : 256;
            rows = realloc(rows, room * dim * sizeof(float));
            if (rows == NULL)
                fail("no memory for %lu rows", (unsigned long)room);
        }
    } while (csv_row(&csv, dim, rows + count * dim) && ++count);
    if (count == 0)
        fail("%s: no rows", path);
    column = new_floats(count);
    for (size_t i = 0; i < dim; i++) {
        for (size_t k = 0; k < count; k++)
            column[k] = rows[k * dim + i];
        qsort(column, count, sizeof(float), ascending);
        result[i] = column[count / 2];
    }
    free(column);
    free(rows);
    csv_close(&csv);
}

/* Memory for the points of a line and what the model says of them. */
struct line {
    float *x, *gradient; /* [POINTS][dim] */
    void *workspace;
    size_t workspace_size;
};

/* Shares of all measurements, in nats: the mean of the gradient by the midpoint rule, which needs neither end. */
static void share(flowrt_file *flow, struct line *line, const float *reference, const float *row, double *shares)
{
    const size_t dim = flow->info.dim;
    for (size_t k = 0; k < POINTS; k++)
        for (size_t i = 0; i < dim; i++)
            line->x[k * dim + i] = reference[i] + (row[i] - reference[i]) * (((float)k + 0.5f) / POINTS);
    if (check(flowrt_log_prob_gradient(&flow->model, POINTS, line->x, NULL, 0, NULL, line->gradient, NULL,
                                       line->workspace, line->workspace_size)))
        fail("a gradient between the reference and a suspect is not finite");
    for (size_t i = 0; i < dim; i++) {
        double sum = 0;
        for (size_t k = 0; k < POINTS; k++)
            sum += line->gradient[k * dim + i];
        shares[i] = (row[i] - reference[i]) * sum / POINTS;
    }
}

/* The measurements of the MOST least shares, by their names if the model has them. Changes `shares`. */
static void print_least(const flowrt_file *flow, double *shares)
{
    for (size_t n = 0; n < MOST && n < flow->info.dim; n++) {
        size_t least = 0;
        char name[64];
        for (size_t i = 1; i < flow->info.dim; i++)
            if (shares[i] < shares[least])
                least = i;
        if (flowrt_file_metadata(flow, "names", least, name, sizeof name) < 0)
            snprintf(name, sizeof name, "measurement %lu", (unsigned long)least + 1);
        printf("  %s %+.3f", name, shares[least]);
        shares[least] = INFINITY;
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage: explain MODEL.flw NORMAL.csv SUSPECTS.csv");
    flowrt_file flow = model_open(argv[1]);
    const size_t dim = flow.info.dim;
    if (flow.info.context_dim != 0)
        fail("%s: the model takes a context; this program explains models without one", argv[1]);
    struct line line = {new_floats(POINTS * dim), new_floats(POINTS * dim), NULL,
                        flowrt_gradient_workspace_size(&flow.model, POINTS)};
    line.workspace = workspace_new(line.workspace_size);
    float *reference = new_floats(dim), *row = new_floats(dim), log_p[2];
    double *shares = calloc(dim, sizeof(double));
    if (shares == NULL)
        fail("no memory for %lu measurements", (unsigned long)dim);
    medians(argv[2], dim, reference);
    check(flowrt_log_prob(&flow.model, 1, reference, NULL, 0, &log_p[0], flow.workspace, flow.workspace_size));

    struct csv csv = csv_open(argv[3]);
    while (csv_row(&csv, dim, row)) {
        check(flowrt_log_prob(&flow.model, 1, row, NULL, 0, &log_p[1], flow.workspace, flow.workspace_size));
        share(&flow, &line, reference, row, shares);
        double unexplained = (double)log_p[1] - log_p[0];
        for (size_t i = 0; i < dim; i++)
            unexplained -= shares[i];
        printf("log p %.4f", log_p[1]);
        print_least(&flow, shares);
        printf("  unexplained %+.3f\n", unexplained);
    }

    csv_close(&csv);
    free(shares);
    free(row);
    free(reference);
    flowrt_aligned_free(line.workspace);
    free(line.gradient);
    free(line.x);
    flowrt_file_close(&flow);
    return written();
}
