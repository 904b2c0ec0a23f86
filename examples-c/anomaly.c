/* anomaly: flag the rows of a stream that the flow finds too unlikely.
 *
 *   cc anomaly.c -lflowrt -o anomaly
 *   sensor | ./anomaly model.flw normal.csv 0.05
 *   ./anomaly model.flw normal.csv 0.05 stream.csv
 *
 * The threshold is a quantile of log p over rows that are known to be normal and that the training did not see: 0.05
 * means that about one normal row in twenty will be flagged. Each row of the stream is evaluated when it arrives and
 * answered with one line: its log p, then "normal" or "ANOMALY". */
#include "example.h"

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Log density of one row. A row so far out that its density is not a number in float32 is as unlikely as can be. */
static float log_density(flowrt_file *flow, const float *row)
{
    float log_p;
    check(flowrt_log_prob(&flow->model, 1, row, NULL, 0, &log_p, flow->workspace, flow->workspace_size));
    return isnan(log_p) ? -INFINITY : log_p;
}

/* The log p below which a fraction of the rows of `path` lies. */
static float threshold(flowrt_file *flow, const char *path, double fraction)
{
    struct csv csv = csv_open(path);
    float *row = new_floats(flow->info.dim), *log_p = NULL;
    size_t count = 0, room = 0;
    while (csv_row(&csv, flow->info.dim, row)) {
        if (count == room) {
            room = room ? 2 * room : 256;
            log_p = realloc(log_p, room * sizeof(float));
            if (log_p == NULL)
                fail("no memory for %lu rows", (unsigned long)room);
        }
        log_p[count++] = log_density(flow, row);
    }
    if (count == 0)
        fail("%s: no rows to choose a threshold from", path);
    qsort(log_p, count, sizeof(float), ascending);
    const float result = log_p[(size_t)(fraction * (double)(count - 1))];
    free(log_p);
    free(row);
    csv_close(&csv);
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 5)
        fail("usage: anomaly MODEL.flw NORMAL.csv FRACTION [STREAM.csv]");
    char *end;
    const double fraction = strtod(argv[3], &end);
    if (end == argv[3] || *end != '\0' || !(fraction >= 0 && fraction < 1))
        fail("FRACTION: '%s' is not a number of 0 .. 1", argv[3]);
    flowrt_file flow = model_open(argv[1]);
    if (flow.info.context_dim != 0)
        fail("%s: the model is conditional; this program has no context to give", argv[1]);

    const float lowest = threshold(&flow, argv[2], fraction);
    fprintf(stderr, "threshold: log p = %.4g\n", lowest);

    struct csv stream = csv_open(argc > 4 ? argv[4] : NULL);
    float *row = new_floats(flow.info.dim);
    while (csv_row(&stream, flow.info.dim, row)) {
        const float log_p = log_density(&flow, row);
        printf("%.4g %s\n", log_p, log_p < lowest ? "ANOMALY" : "normal");
        written(); /* whoever reads wants to know now */
    }

    free(row);
    csv_close(&stream);
    flowrt_file_close(&flow);
    return EXIT_SUCCESS;
}
