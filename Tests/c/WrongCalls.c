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

int main(void) {
    const flow_file file = flow_build(flow_case("mixed-directions"), 1), plain = flow_build(flow_case("wide"), 1);
    flowrt_model model, without_context;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&without_context, plain.bytes, plain.size, 0, NULL));
    call good = call_new(&model, INVERSE, ROWS, 1), unconditional = call_new(&without_context, INVERSE, ROWS, 1);
    call_wrongly(good, unconditional);
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
