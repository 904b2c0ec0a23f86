/* The arrays of a call may lie in any way that the header allows, and in no other: every pair of them is moved past each
 * other, float by float. Model, its bytes and its plan, context, outputs, generator and workspace are apart; an output may be the input itself, and where a
 * row is one float, so may log_prob. */
#include "support/call.h"

enum { ROWS = 3 };
enum { BYTES, MODEL, PLAN, INPUT, CONTEXT_ARRAY, OUTPUT, LOG_OUTPUT, RNG, WORKSPACE, ARRAYS };
static const char *const names[ARRAYS] = {"model's bytes", "model",      "plan",      "input",    "context",
                                         "output",        "log output", "generator", "workspace"};

typedef struct layout {
    size_t size[ARRAYS];    /* bytes; 0 if the call does not have it */
    unsigned char *at[ARRAYS];
} layout;

static int intersect(const layout *l, int a, int b) {
    return l->at[a] < l->at[b] + l->size[b] && l->at[b] < l->at[a] + l->size[a];
}

/* What include/flowrt.h says of this pair. */
static int is_allowed(const layout *l, int a, int b, uint32_t dim) {
    if (!intersect(l, a, b)) return 1;
    const int same = l->at[a] == l->at[b] && l->size[a] == l->size[b];
    if (a > b) return is_allowed(l, b, a, dim);
    if (a == INPUT && b == OUTPUT) return same;
    if (a == INPUT && b == LOG_OUTPUT) return same && dim == 1 && l->size[OUTPUT] == 0;
    return a < OUTPUT && b < OUTPUT; /* what is only read */
}

static flowrt_status run(enum verb verb, const layout *l, size_t context_rows) {
    call c = {.model = (const flowrt_model *)(void *)l->at[MODEL],
              .verb = verb,
              .count = ROWS,
              .input = (float *)(void *)l->at[INPUT],
              .context = l->size[CONTEXT_ARRAY] ? (float *)(void *)l->at[CONTEXT_ARRAY] : NULL,
              .context_rows = context_rows,
              .output = l->size[OUTPUT] ? (float *)(void *)l->at[OUTPUT] : NULL,
              .log_output = l->size[LOG_OUTPUT] ? (float *)(void *)l->at[LOG_OUTPUT] : NULL,
              .workspace = l->at[WORKSPACE],
              .workspace_size = l->size[WORKSPACE]};
    if (verb != SAMPLE) return call_run(&c);
    flowrt_rng *rng = (flowrt_rng *)(void *)l->at[RNG];
    return flowrt_sample(c.model, c.count, rng, c.context, c.context_rows, c.output, c.log_output, c.workspace, c.workspace_size);
}

/* Moves array b past array a, which stays. */
static size_t check_pair(const char *name, flow_file file, const flowrt_model *model, enum verb verb, layout l, int a, int b,
                         size_t context_rows, unsigned char *arena) {
    const flowrt_model_info info = info_of(model);
    const size_t step = b == WORKSPACE ? FLOWRT_ALIGNMENT : b == RNG ? _Alignof(flowrt_rng) : sizeof(float);
    size_t tried = 0;
    unsigned char *first = l.at[a] - (l.size[b] + step) / FLOWRT_ALIGNMENT * FLOWRT_ALIGNMENT - FLOWRT_ALIGNMENT;
    for (unsigned char *at = first; at <= l.at[a] + l.size[a] + FLOWRT_ALIGNMENT; at += step) {
        l.at[b] = at;
        CHECK(at >= arena, "no room to move the %s", names[b]);
        const int allowed = is_allowed(&l, a, b, info.dim);
        if (!allowed || b != WORKSPACE || a != BYTES) { /* an allowed call may write there: the bytes must stay as they are */
            const flowrt_status status = run(verb, &l, context_rows);
            const int expected = allowed ? FLOWRT_OK : FLOWRT_ERR_OVERLAP;
            CHECK(status == expected || (allowed && status == FLOWRT_ERR_NONFINITE),
                  "%s, %s: %s %td bytes from the %s: expected %s, found %s", name, verb_names[verb], names[b],
                  at - l.at[a], names[a], status_name(expected), status_name(status));
            tried++;
        }
        CHECK(memcmp(l.at[BYTES], file.bytes, file.size) == 0, "%s: the model's bytes were changed", name);
        CHECK(memcmp(l.at[MODEL], model, sizeof *model) == 0, "%s: the model was changed", name);
    }
    return tried;
}

static size_t check_verb(const flow_spec *spec, enum verb verb, int has_output, int has_log_output, size_t context_rows,
                         int is_prepared) {
    const flow_file file = flow_build(spec, 1);
    flowrt_model probe;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&probe, file.bytes, file.size, 0, NULL));
    const size_t row = spec->dim * sizeof(float), room = 1 << 17;
    layout l = {.size = {[BYTES] = file.size,
                         [MODEL] = sizeof(flowrt_model),
                         [PLAN] = is_prepared ? flowrt_plan_size(&probe) : 0,
                         [INPUT] = verb == SAMPLE ? 0 : ROWS * row,
                         [CONTEXT_ARRAY] = context_rows * spec->context_dim * sizeof(float),
                         [OUTPUT] = has_output ? ROWS * row : 0,
                         [LOG_OUTPUT] = has_log_output ? ROWS * sizeof(float) : 0,
                         [RNG] = verb == SAMPLE ? sizeof(flowrt_rng) : 0,
                         [WORKSPACE] = flowrt_workspace_size(&probe, 1)}};
    unsigned char *arena = must_allocate(ARRAYS * room);
    memset(arena, 0, ARRAYS * room);
    for (int i = 0; i < ARRAYS; i++) {
        CHECK(l.size[i] < room / 2 - 2 * FLOWRT_ALIGNMENT, "%s: %zu bytes of %s", spec->name, l.size[i], names[i]);
        l.at[i] = arena + (size_t)i * room + room / 2;
    }
    memcpy(l.at[BYTES], file.bytes, file.size);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, l.at[BYTES], file.size, 0, NULL));
    if (is_prepared) CHECK_STATUS(FLOWRT_OK, flowrt_model_prepare(&model, l.at[PLAN], l.size[PLAN]));
    memcpy(l.at[MODEL], &model, sizeof model);
    size_t tried = 0;
    for (int a = 0; a < ARRAYS; a++)
        for (int b = INPUT; b < ARRAYS; b++)
            if (a != b && l.size[a] && l.size[b] && !(a <= PLAN && b < OUTPUT))
                tried += check_pair(spec->name, file, &model, verb, l, a, b, context_rows, arena);
    free(arena);
    flow_free(file);
    return tried;
}

int main(void) {
    static const char *const flows[] = {"no-steps", "one-coordinate-context", "scale-exp-clamped"};
    size_t tried = 0;
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        const flow_spec *spec = flow_case(flows[i]);
        for (size_t rows = spec->context_dim ? 1 : 0; rows <= (spec->context_dim ? ROWS : 0); rows += ROWS - 1)
            for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
                tried += check_verb(spec, verb, verb != LOG_PROB, 1, rows, 1);
                if (verb != LOG_PROB) tried += check_verb(spec, verb, 1, 0, rows, 0);
                if (verb == FORWARD) tried += check_verb(spec, verb, 0, 1, rows, 0);
            }
    }
    printf("%zu layouts\n", tried);
}
