/* mixture: draw rows from a mixture of flows and print them as CSV, each with its log density.
 *
 *   cc mixture.c -lflowrt -lm -o mixture
 *   ./mixture ensemble.flm 1000 42 [CONTEXT] > rows.csv
 *
 * flowrt.save_mixture("ensemble.flm", ensemble) writes such a file. */
#include "example.h"
#include "mixture.h"

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        fail("usage: mixture MIXTURE.flm COUNT [SEED [CONTEXT]]");
    static flow_mixture mixture;
    size_t size;
    char error[256];
    void *bytes = flowrt_read(argv[1], &size, error, sizeof error);
    if (bytes == NULL)
        fail("%s", error);
    const flowrt_status status = flow_mixture_open(&mixture, bytes, size);
    if (status != FLOWRT_OK)
        fail("%s: %s", argv[1], flowrt_status_message(status));
    unsigned long long remaining = whole_number(argv[2], "COUNT");
    flowrt_rng rng = {.seed = argc > 3 ? whole_number(argv[3], "SEED") : 0, .stream = 0, .index = 0};
    float *context = NULL, *x = new_floats(mixture.dim);
    if (mixture.context_dim != 0) {
        if (argc < 5)
            fail("%s: the mixture needs a context of %u numbers, as in 1.5,2", argv[1], (unsigned)mixture.context_dim);
        context = new_floats(mixture.context_dim);
        char *next = argv[4];
        for (uint32_t i = 0; i < mixture.context_dim; i++) {
            char *end;
            context[i] = strtof(next, &end);
            if (end == next || (*end != ',' && *end != '\0') || (*end == '\0') != (i + 1 == mixture.context_dim))
                fail("CONTEXT: '%s' is not %u numbers with commas between them", argv[4], (unsigned)mixture.context_dim);
            next = end + 1;
        }
    }
    const size_t workspace_size = flow_mixture_workspace_size(&mixture, 1);
    void *workspace = workspace_new(workspace_size);

    for (; remaining > 0 && !ferror(stdout); remaining--) {
        float log_prob;
        check(flow_mixture_sample(&mixture, &rng, context, x, workspace, workspace_size));
        check(flow_mixture_log_prob(&mixture, x, context, &log_prob, workspace, workspace_size));
        for (uint32_t i = 0; i < mixture.dim; i++)
            printf("%.9g,", x[i]);
        printf("%.9g\n", log_prob);
    }

    flowrt_aligned_free(workspace);
    flowrt_aligned_free(bytes);
    free(context);
    free(x);
    return written();
}
