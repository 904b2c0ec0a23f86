/* Speed of flowrt beside what the machine can do, on one core.
 *
 * Workloads: affine MAFs with two hidden layers and alternating orders, and the same networks read from the noise side (IAF).
 * Weights are random: the time of a sweep does not depend on their values.
 *
 * For each workload and batch size: time per row of log_prob and of sample, the multiply-adds of the non-zero weights as a
 * share of the core's measured peak, and the ratio of the expensive direction to the cheap one. Rounds are interleaved, so
 * that a disturbance of the machine hits all cells alike; the median round counts.
 *
 *   speed [level [rounds]]
 */

#include "../Tests/c/support/call.h"
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* other programs on this core do not count */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- the machine ---- */

typedef float lanes __attribute__((vector_size(64)));
static volatile float sink;

/* Multiply-adds per second: enough independent chains of 16 lanes to fill both ports of a big core. */
static double peak_rate(void) {
    enum { CHAINS = 12, REPEATS = 200000 };
    lanes a[CHAINS], scale, shift;
    for (int i = 0; i < 16; i++) {
        scale[i] = 0.999f + sink;
        shift[i] = 0.001f;
    }
    for (int c = 0; c < CHAINS; c++) a[c] = scale;
    double best = 0;
    for (int trial = 0; trial < 20; trial++) {
        const double start = now();
        for (int r = 0; r < REPEATS; r++) {
#pragma GCC unroll 12
            for (int c = 0; c < CHAINS; c++) a[c] = a[c] * scale + shift;
        }
        const double rate = (double)CHAINS * 16 * REPEATS / (now() - start);
        if (rate > best) best = rate;
    }
    for (int c = 0; c < CHAINS; c++) sink = a[c][0];
    return best;
}

/* Bytes per second of reading `bytes` again and again. */
static double read_rate(size_t bytes) {
    const size_t count = bytes / sizeof(lanes);
    lanes *data = must_allocate(bytes);
    memset(data, 0, bytes);
    double best = 0;
    for (int trial = 0; trial < 12; trial++) {
        const int repeats = (int)(64e6 / (double)bytes) + 1;
        lanes sum[8] = {{0}};
        const double start = now();
        for (int r = 0; r < repeats; r++)
            for (size_t i = 0; i + 8 <= count; i += 8)
                for (int j = 0; j < 8; j++) sum[j] += data[i + (size_t)j];
        const double rate = (double)bytes * repeats / (now() - start);
        for (int j = 0; j < 8; j++) sink = sum[j][0];
        if (rate > best) best = rate;
    }
    free(data);
    return best;
}

/* ---- the workloads ---- */

typedef struct workload {
    const char *name;
    uint32_t dim, width, steps;
    int activation;
} workload;

static const workload workloads[] = {
    {"S", 6, 50, 5, TANH},    {"M", 8, 100, 5, TANH},    {"L21", 21, 512, 5, TANH},
    {"L43", 43, 512, 5, TANH}, {"XL", 63, 512, 10, RELU},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads, BATCHES = 4, ROUNDS = 31 };
static const size_t batches[BATCHES] = {1, 8, 64, 1024};

static flow_file build(const workload *w, int reads) {
    static flow_spec spec;
    spec = (flow_spec){.name = w->name, .dim = w->dim};
    for (uint32_t s = 0; s < w->steps; s++) {
        spec.steps[s].kind = RECORD_AUTOREGRESSIVE;
        spec.steps[s].reads = reads;
        spec.steps[s].transformer = AFFINE;
        spec.steps[s].scale = SCALE_SOFTPLUS;
        spec.steps[s].p[0] = 1e-3f;
        spec.steps[s].layer_count = 3;
        spec.steps[s].layers[0] = (layer_spec){.width = w->width, .activation = w->activation, .source = READ_SIDE};
        spec.steps[s].layers[1] = (layer_spec){.width = w->width, .activation = w->activation, .source = LAYER(0)};
        spec.steps[s].layers[2] = (layer_spec){.source = LAYER(1)};
    }
    return flow_build(&spec, 1);
}

/* Weights that a unit may see, over all layers: the multiply-adds of one row. */
static double nonzero_weights(const flowrt_model *model, const workload *w) {
    const double biases = (double)w->steps * (2.0 * w->width + 2.0 * w->dim);
    return (double)info_of(model).parameter_count - biases;
}

typedef struct cell {
    call calls[2]; /* log_prob, sample */
    int repeats;
    double rounds[2][ROUNDS];
} cell;

static double time_call(call c, int repeats) {
    const double start = now();
    /* Random deep flows may leave the range of float32; that takes no other time. */
    for (int i = 0; i < repeats; i++) {
        const flowrt_status status = call_run(&c);
        CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s", flowrt_status_message(status));
    }
    return (now() - start) / (repeats * (double)c.count);
}

int main(int argc, char **argv) {
    const uint32_t level = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    const int rounds = argc > 2 ? atoi(argv[2]) : 9;
    static cell cells[WORKLOADS][2][BATCHES];
    static flowrt_model models[WORKLOADS][2];
    CHECK(rounds > 0 && rounds <= ROUNDS, "1 to %d rounds", ROUNDS);
    printf("%s\n", flowrt_build_info());

    for (int w = 0; w < WORKLOADS; w++)
        for (int reads = 0; reads < 2; reads++) {
            flow_file file = build(&workloads[w], reads);
            CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&models[w][reads], file.bytes, file.size, FLOWRT_OPEN_LEVEL(level), NULL));
            for (int b = 0; b < BATCHES; b++) {
                cell *cell = &cells[w][reads][b];
                cell->calls[0] = call_new(&models[w][reads], LOG_PROB, batches[b], 1);
                cell->calls[1] = call_new(&models[w][reads], SAMPLE, batches[b], 1);
                const double once = time_call(cell->calls[0], 1) * (double)batches[b];
                cell->repeats = once < 2e-3 ? (int)(2e-3 / once) + 1 : 1;
            }
        }
    const double peak = peak_rate();
    for (int r = 0; r < rounds; r++)
        for (int w = 0; w < WORKLOADS; w++)
            for (int reads = 0; reads < 2; reads++)
                for (int b = 0; b < BATCHES; b++)
                    for (int v = 0; v < 2; v++) {
                        cell *cell = &cells[w][reads][b];
                        cell->rounds[v][r] = time_call(cell->calls[v], cell->repeats);
                    }

    printf("multiply-add peak %.1f GFLOP/s; kernel level %u\n", 2e-9 * peak, info_of(&models[0][0]).cpu_level);
    printf("read GB/s: 32 kB %.0f, 1 MB %.0f, 8 MB %.0f, 64 MB %.0f\n\n", 1e-9 * read_rate(32 << 10), 1e-9 * read_rate(1 << 20),
           1e-9 * read_rate(8 << 20), 1e-9 * read_rate(64 << 20));
    printf("| flow | batch | log_prob us/row | of peak | sample us/row | expensive / cheap |\n|---|---|---|---|---|---|\n");
    for (int w = 0; w < WORKLOADS; w++)
        for (int reads = 0; reads < 2; reads++)
            for (int b = 0; b < BATCHES; b++) {
                cell *cell = &cells[w][reads][b];
                for (int v = 0; v < 2; v++) qsort(cell->rounds[v], (size_t)rounds, sizeof(double), ascending);
                const double density = cell->rounds[0][rounds / 2], sample = cell->rounds[1][rounds / 2];
                const double share = nonzero_weights(&models[w][reads], &workloads[w]) / density / peak;
                printf("| %s %s | %zu | %.2f | %.0f %% | %.2f | %.2f |\n", workloads[w].name, reads ? "IAF" : "MAF", batches[b],
                       1e6 * density, 100 * share, 1e6 * sample, reads ? density / sample : sample / density);
            }
}
