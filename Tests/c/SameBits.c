/* The outputs of every verb on every flow, and its gradients, have the hashes of same_bits.txt, on every CPU with fused multiply-add. A
 * kernel level without it agrees to rounding, and its noise has the same bits.
 *
 *   SameBits same_bits.txt            compare; then many rows of each flow, level with level, and their one hash
 *   SameBits --print > same_bits.txt  accept what the highest level of this CPU gives
 *
 * Then rows of subnormal numbers, likewise. FLOWRT_SAME_BITS_ROWS says how many are many. The file has the hash of 2000
 * rows; that of any other number is printed, to be compared with what another CPU prints. */
#include "support/call.h"
#include <math.h>

enum { ROWS = 200, MANY = 2000 };
static const double ROUNDING = 2e-3;
#define IF_MEANT "; if that is meant: build/Tests/c/SameBits --print > Tests/c/same_bits.txt"
static const float SUBNORMAL = 0x1p-130f; /* times a normal variable */
#if defined(__arm__) || defined(FLUSHES_TO_ZERO)
enum { HAS_SUBNORMALS = 0 }; /* the vectors of 32-bit ARM take them for zero */
#else
enum { HAS_SUBNORMALS = 1 };
#endif
#ifdef FLUSHES_TO_ZERO
#include <xmmintrin.h>
__attribute__((constructor)) static void flush_to_zero(void) { _mm_setcsr(_mm_getcsr() | 0x8040); } /* FTZ, DAZ */
#endif

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t state, const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int shift = 0; shift < 32; shift += 8)
            state = (state ^ (bits_of(values[i]) >> shift & 0xff)) * 0x100000001b3u;
    return state;
}

static size_t outputs(const call *c) { return c->verb == LOG_PROB ? 0 : c->count * info_of(c->model).dim; }

static call evaluate(const flowrt_model *model, enum verb verb) {
    call c = call_new(model, verb, ROWS, 101);
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    return c;
}

static uint64_t hash_of(const call *c) {
    return hash(hash(0xcbf29ce484222325u, c->output, outputs(c)), c->log_output, c->count);
}

static void make_nans_equal(float *values, size_t count);

/* Of log p and its gradients by x and by the context; 0 if the model has none at this level. */
static uint64_t hash_of_gradient(const flowrt_model *model) {
    call c = call_new(model, LOG_PROB, ROWS, 101);
    const size_t by_x = ROWS * info_of(model).dim, by_context = ROWS * info_of(model).context_dim;
    const size_t size = flowrt_gradient_workspace_size(model, ROWS);
    void *workspace = must_allocate(size);
    float *context_gradient = must_allocate(by_context * sizeof(float));
    const flowrt_status status =
        flowrt_log_prob_gradient(model, ROWS, c.input, c.context, c.context_rows, c.log_output, c.output,
                                 by_context ? context_gradient : NULL, workspace, size);
    CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE || status == FLOWRT_ERR_GRADIENT, "%s",
          status_name(status));
    uint64_t result = 0;
    if (status != FLOWRT_ERR_GRADIENT) {
        make_nans_equal(c.output, by_x);
        make_nans_equal(context_gradient, by_context);
        result = hash(hash(hash_of(&c), c.output, by_x), context_gradient, by_context);
    }
    free(workspace);
    free(context_gradient);
    call_free(c);
    return result;
}

static void check_near(const char *what, const float *expected, const float *found, size_t count) {
    for (size_t i = 0; i < count; i++)
        CHECK(fabs((double)expected[i] - (double)found[i]) <= ROUNDING * (1 + fabs((double)expected[i])),
              "%s: value %zu is %.9g, not %.9g", what, i, (double)found[i], (double)expected[i]);
}

static uint64_t expected_hash(FILE *file, const char *flow, const char *verb) {
    char name[64], verb_name[16];
    unsigned long long value;
    CHECK(fscanf(file, "%63s %15s %llx", name, verb_name, &value) == 3 && !strcmp(name, flow) &&
              !strcmp(verb_name, verb),
          "same_bits.txt has no line here for %s %s" IF_MEANT, flow, verb);
    return value;
}

static void check_level(uint32_t level, FILE *file) {
    rewind(file);
    size_t compared = 0;
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_spec *spec = &flow_cases[i];
        const flow_file flow = flow_build(spec, i);
        flowrt_model model, best;
        const int has_level = flow_open_level(&model, flow, level);
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&best, flow.bytes, flow.size, 0, NULL));
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
            const uint64_t expected = expected_hash(file, spec->name, verb_names[verb]);
            if (!has_level) continue;
            call c = evaluate(&model, verb);
            if (level_has_fma(level)) {
                CHECK(hash_of(&c) == expected, "level %u: %s %s: expected %016llx, found %016llx" IF_MEANT, level,
                      spec->name, verb_names[verb], (unsigned long long)expected, (unsigned long long)hash_of(&c));
            } else {
                call reference = evaluate(&best, verb);
                check_near(spec->name, reference.output, c.output, outputs(&c));
                check_near(spec->name, reference.log_output, c.log_output, ROWS);
                if (verb == SAMPLE && !spec->steps[0].kind)
                    CHECK_SAME_BITS(spec->name, reference.output, c.output, outputs(&c));
                call_free(reference);
            }
            compared++;
            call_free(c);
        }
        const uint64_t expected = expected_hash(file, spec->name, "gradient");
        if (has_level && level_has_fma(level)) {
            const unsigned long long found = hash_of_gradient(&model);
            CHECK(found == expected, "level %u: gradient of %s: expected %016llx, found %016llx" IF_MEANT, level,
                  spec->name, (unsigned long long)expected, found);
            compared++;
        }
        flow_free(flow);
    }
    if (compared)
        printf("kernel level %u: %zu results %s\n", level, compared,
               level_has_fma(level) ? "equal to the bit" : "agree");
}

/* NaN has a sign and a payload that mean nothing. */
static void make_nans_equal(float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i])) values[i] = NAN;
}

/* Without fused multiply-add, only noise has the same bits. `unit`: what the rows of data or noise are multiplied with. */
static uint64_t hash_of_many(const flow_spec *spec, const flowrt_model *model, enum verb verb, size_t rows, float unit) {
    uint64_t state = 0xcbf29ce484222325u;
    for (size_t first = 0; first < rows; first += ROWS) {
        call c = call_new(model, verb, ROWS, first);
        c.rng.index = first;
        for (size_t k = 0; c.verb != SAMPLE && k < ROWS * spec->dim; k++) c.input[k] *= unit;
        /* Of a million rows, some take a sigmoid to its end, from where its inverse finds no way back. */
        const flowrt_status status = call_run(&c);
        CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s: %s", spec->name, status_name(status));
        make_nans_equal(c.output, outputs(&c));
        make_nans_equal(c.log_output, c.count);
        state = hash(state, c.output, outputs(&c));
        if (spec->steps[0].kind) state = hash(state, c.log_output, c.count);
        call_free(c);
    }
    return state;
}

/* The levels of this CPU give the same bits on many rows. Returns the hash of what they give for all flows and verbs. */
static uint64_t check_many(size_t rows, float unit) {
    uint64_t all = 0xcbf29ce484222325u;
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_spec *spec = &flow_cases[i];
        const flow_file flow = flow_build(spec, i);
        flowrt_model best;
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&best, flow.bytes, flow.size, 0, NULL));
        const uint32_t best_level = info_of(&best).cpu_level;
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
            const int noise = verb == SAMPLE && !spec->steps[0].kind;
            const uint64_t expected = hash_of_many(spec, &best, verb, rows, unit);
            all = (all ^ expected) * 0x100000001b3u;
            for (uint32_t level = 1; level < best_level; level++) {
                flowrt_model model;
                if (!flow_open_level(&model, flow, level) || !(level_has_fma(level) || noise)) continue;
                const uint64_t found = hash_of_many(spec, &model, verb, rows, unit);
                CHECK(found == expected, "%s %s, %zu rows: level %u has hash %016llx, the best level %016llx",
                      spec->name, verb_names[verb], rows, level, (unsigned long long)found,
                      (unsigned long long)expected);
            }
        }
        flow_free(flow);
    }
    return all;
}

static int best_has_fma(void) {
    const flow_file flow = flow_build(flow_cases, 0);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, flow.bytes, flow.size, 0, NULL));
    const int has_fma = level_has_fma(info_of(&model).cpu_level);
    flow_free(flow);
    return has_fma;
}

/* Every activation and scale function is in a flow whose bits are compared. */
static void check_that_all_occur(void) {
    int activations[ACTIVATION_COUNT] = {0}, scales[SCALE_COUNT] = {0};
    for (size_t i = 0; i < flow_case_count; i++)
        for (const step_spec *step = flow_cases[i].steps; step->kind; step++) {
            if (step->kind == RECORD_AUTOREGRESSIVE && step->transformer == AFFINE) scales[step->scale] = 1;
            for (size_t k = 0; k < step->layer_count; k++) activations[step->layers[k].activation] = 1;
        }
    for (int k = 0; k < ACTIVATION_COUNT; k++)
        CHECK(activations[k], "no flow of Tests/c/support/flow_cases.c has activation %d: add one", k);
    for (int k = 0; k < SCALE_COUNT; k++)
        CHECK(scales[k], "no flow of Tests/c/support/flow_cases.c has scale function %d: add one", k);
}

static void print_hashes(void) {
    CHECK(best_has_fma(), "this CPU has no fused multiply-add");
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_file flow = flow_build(&flow_cases[i], i);
        flowrt_model model;
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, flow.bytes, flow.size, 0, NULL));
        for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
            call c = evaluate(&model, verb);
            printf("%s %s %016llx\n", flow_cases[i].name, verb_names[verb], (unsigned long long)hash_of(&c));
            call_free(c);
        }
        printf("%s gradient %016llx\n", flow_cases[i].name, (unsigned long long)hash_of_gradient(&model));
        flow_free(flow);
    }
    printf("all %d-rows %016llx\n", MANY, (unsigned long long)check_many(MANY, 1));
    printf("all subnormal-rows %016llx\n", (unsigned long long)check_many(ROWS, SUBNORMAL));
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: SameBits same_bits.txt | --print");
    check_that_all_occur();
    if (strcmp(argv[1], "--print") == 0) {
        print_hashes();
        return 0;
    }
    FILE *file = fopen(argv[1], "r");
    CHECK(file != NULL, "cannot read %s", argv[1]);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) check_level(level, file);
    const uint64_t expected = expected_hash(file, "all", "2000-rows");
    const uint64_t expected_of_subnormal = expected_hash(file, "all", "subnormal-rows");
    fclose(file);
    const char *asked = getenv("FLOWRT_SAME_BITS_ROWS");
    const size_t rows = asked ? (size_t)strtoul(asked, NULL, 10) : MANY;
    const unsigned long long found = check_many(rows, 1);
    if (best_has_fma() && rows == MANY) CHECK(found == expected, "all flows, %d rows: found %016llx" IF_MEANT, MANY, found);
    if (HAS_SUBNORMALS) {
        const unsigned long long tiny = check_many(ROWS, SUBNORMAL);
        CHECK(tiny == expected_of_subnormal || !best_has_fma(), "subnormal rows: found %016llx" IF_MEANT, tiny);
    }
    if (best_has_fma()) printf("%zu rows of each, at every level: hash %016llx\n", rows, found);
}
