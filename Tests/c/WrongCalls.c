/* One cause, one message: every kind of wrong call has a sentence of its own, which names what is wrong. */
#include "support/call.h"

enum { ROWS = 4 };

typedef struct mistake {
    const char *what;
    const char *word; /* of its sentence, and of no other's */
    flowrt_status status;
} mistake;

static mistake mistakes[32];
static int count_of_mistakes;

static void add(const char *what, const char *word, flowrt_status status) {
    mistakes[count_of_mistakes++] = (mistake){what, word, status};
}

/* Mistakes of a verb: `good` with one argument changed. */
static void call_wrongly(call good, call unconditional) {
    static const flowrt_model closed;
    call c;
#define WITH(from, what, word, ...) (c = from, __VA_ARGS__, add(what, word, call_run(&c)))
    WITH(good, "a model that is not open", "not open", c.model = &closed);
    WITH(good, "no output", "is NULL", c.output = NULL);
    WITH(good, "no context", "needs a context", c.context = NULL);
    WITH(unconditional, "a context that the model does not take", "takes no context", c.context = c.input,
         c.context_rows = 1);
    WITH(good, "three contexts for four rows", "context_rows does not divide", c.context_rows = 3);
    WITH(good, "a negative count", "count is too large", c.count = (size_t)-1, c.context_rows = 1);
    WITH(good, "a small workspace", "smaller than flowrt_workspace_size", c.workspace_size = 64);
    WITH(good, "a negative workspace", "a size that cannot be", c.workspace_size = (size_t)-64);
    WITH(good, "a workspace beside its alignment", "misaligned", c.workspace = (char *)c.workspace + 4);
    WITH(good, "an output shifted against the input", "overlap", c.output = c.input + 1);
#undef WITH
}

/* A wrong gradient has the status of the same mistake in another verb; `good` and `unconditional` as above. */
static void differentiate_wrongly(call good, call unconditional) {
    const flowrt_model_info info = info_of(good.model);
    const size_t floats = ROWS * (info.dim + info.context_dim) * sizeof(float);
    float *by_x = must_allocate(floats), *by_context = must_allocate(floats), *log_prob = must_allocate(floats);
    const size_t size = flowrt_gradient_workspace_size(good.model, ROWS);
    void *space = must_allocate(size);
    static const flowrt_model closed;
#define GRADIENT(expected, model, count, x, context, rows, log_prob, by_x, by_context, space, size)                        \
    CHECK_STATUS(expected,                                                                                                 \
                 flowrt_log_prob_gradient(model, count, x, context, rows, log_prob, by_x, by_context, space, size))
#define WRONG(expected, count, x, context, rows, log_prob, by_x, by_context, space, size)                                  \
    GRADIENT(expected, good.model, count, x, context, rows, log_prob, by_x, by_context, space, size)
    float *x = good.input, *context = good.context;
    GRADIENT(FLOWRT_ERR_MODEL, &closed, ROWS, x, context, ROWS, log_prob, by_x, by_context, space, size);
    GRADIENT(FLOWRT_ERR_NULL, NULL, ROWS, x, context, ROWS, log_prob, by_x, by_context, space, size);
    const flowrt_status status = flowrt_log_prob_gradient(good.model, ROWS, x, context, ROWS, log_prob, by_x, by_context, space, size);
    if (status != FLOWRT_ERR_GRADIENT) { /* else this CPU has none */
        CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s", status_name(status));
        WRONG(FLOWRT_OK, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0);
        WRONG(FLOWRT_OK, ROWS, x, context, 2, log_prob, by_x, by_context, space, size);
        WRONG(FLOWRT_ERR_NULL, ROWS, NULL, context, ROWS, log_prob, by_x, by_context, space, size);
        WRONG(FLOWRT_ERR_NULL, ROWS, x, context, ROWS, NULL, NULL, NULL, space, size);
        WRONG(FLOWRT_ERR_NULL, ROWS, x, context, ROWS, log_prob, by_x, by_context, NULL, size);
        WRONG(FLOWRT_ERR_CONTEXT_MISSING, ROWS, x, NULL, ROWS, log_prob, by_x, by_context, space, size);
        WRONG(FLOWRT_ERR_CONTEXT_ROWS, ROWS, x, context, 3, log_prob, by_x, by_context, space, size);
        WRONG(FLOWRT_ERR_CONTEXT_ROWS, ROWS, x, context, 0, log_prob, by_x, by_context, space, size);
        WRONG(FLOWRT_ERR_COUNT, (size_t)-1, x, context, 1, log_prob, by_x, by_context, space, size);
        /* A context shared by so many rows fits the memory; the gradients by it do not. */
        const size_t most = SIZE_MAX / 8 / (info.dim > info.context_dim ? info.context_dim : info.dim) + 1;
        WRONG(FLOWRT_ERR_COUNT, most, x, context, 1, NULL, NULL, by_context, space, size);
        WRONG(FLOWRT_ERR_WORKSPACE, ROWS, x, context, ROWS, log_prob, by_x, by_context, space, 64);
        WRONG(FLOWRT_ERR_ARGUMENT, ROWS, x, context, ROWS, log_prob, by_x, by_context, space, (size_t)-64);
        WRONG(FLOWRT_ERR_ALIGNMENT, ROWS, x, context, ROWS, log_prob, by_x, by_context, (char *)space + 4, size);
        WRONG(FLOWRT_ERR_ALIGNMENT, ROWS, x, context, ROWS, NULL, NULL, (float *)(void *)((char *)by_context + 1), space, size);
        WRONG(FLOWRT_ERR_OVERLAP, ROWS, x, context, ROWS, log_prob, x + 1, by_context, space, size);
        float *const elsewhere[] = {x, context, by_x, log_prob, space};
        for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
            WRONG(FLOWRT_ERR_OVERLAP, ROWS, x, context, ROWS, log_prob, by_x, elsewhere[i], space, size);
        WRONG(FLOWRT_ERR_OVERLAP, ROWS, x, context, ROWS, NULL, NULL, (float *)(uintptr_t)good.model, space, size);
        GRADIENT(FLOWRT_ERR_CONTEXT_UNUSED, unconditional.model, 1, unconditional.input, NULL, 0, log_prob, NULL, by_context,
                 space, size);
        GRADIENT(FLOWRT_ERR_CONTEXT_UNUSED, unconditional.model, 1, unconditional.input, context, 1, log_prob, NULL, NULL,
                 space, size);
    }
#undef WRONG
#undef GRADIENT
    free(by_x);
    free(by_context);
    free(log_prob);
    free(space);
}

int main(void) {
    const flow_file file = flow_build(flow_case("mixed-directions"), 1), plain = flow_build(flow_case("wide"), 1);
    flowrt_model model, without_context;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&without_context, plain.bytes, plain.size, 0, NULL));
    call good = call_new(&model, INVERSE, ROWS, 1), unconditional = call_new(&without_context, INVERSE, ROWS, 1);
    call_wrongly(good, unconditional);
    differentiate_wrongly(good, unconditional);
    flowrt_model refused;
    add("an unknown flag", "unknown flag", flowrt_model_open(&refused, file.bytes, file.size, 2, NULL));

    CHECK(count_of_mistakes > 10, "%d mistakes", count_of_mistakes);
    for (int i = 0; i < count_of_mistakes; i++)
        for (int j = 0; j < count_of_mistakes; j++) {
            const char *sentence = flowrt_status_message(mistakes[j].status);
            CHECK(!strstr(sentence, mistakes[i].word) == (i != j), "'%s' for %s", sentence, mistakes[j].what);
        }
    call_free(good);
    call_free(unconditional);
    flow_free(file);
    flow_free(plain);
}
