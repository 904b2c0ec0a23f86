/* One call of a verb as data, so that a test can be written once for all four. */
#ifndef CALL_H
#define CALL_H

#include "check.h"
#include "flow.h"
#include "random.h"

enum verb { FORWARD, INVERSE, LOG_PROB, SAMPLE, VERB_COUNT };
static const char *const verb_names[VERB_COUNT] = {"forward", "inverse", "log_prob", "sample"};

typedef struct call {
    const flowrt_model *model;
    enum verb verb;
    size_t count;
    float *input; /* x or z; unused by sample */
    float *context;
    size_t context_rows;
    float *output;     /* z or x; unused by log_prob */
    float *log_output; /* log_det or log_prob */
    void *workspace;
    size_t workspace_size;
    flowrt_rng rng; /* used by sample */
} call;

static inline flowrt_status call_run(call *c) {
    switch (c->verb) {
    case FORWARD:
        return flowrt_forward(c->model, c->count, c->input, c->context, c->context_rows, c->output, c->log_output,
                              c->workspace, c->workspace_size);
    case INVERSE:
        return flowrt_inverse(c->model, c->count, c->input, c->context, c->context_rows, c->output, c->log_output,
                              c->workspace, c->workspace_size);
    case LOG_PROB:
        return flowrt_log_prob(c->model, c->count, c->input, c->context, c->context_rows, c->log_output, c->workspace,
                               c->workspace_size);
    default:
        return flowrt_sample(c->model, c->count, &c->rng, c->context, c->context_rows, c->output, c->log_output,
                             c->workspace, c->workspace_size);
    }
}

static inline flowrt_model_info info_of(const flowrt_model *model) {
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_get_info(model, &info));
    return info;
}

/* Random rows for any verb, one context for each row, fresh outputs and a full workspace. */
static inline call call_new(const flowrt_model *model, enum verb verb, size_t count, uint64_t seed) {
    const flowrt_model_info info = info_of(model);
    random_source random = {seed};
    float *input = must_allocate(count * info.dim * sizeof *input);
    float *context = must_allocate(count * info.context_dim * sizeof *context);
    random_fill(&random, input, count * info.dim);
    random_fill(&random, context, count * info.context_dim);
    call c = {.model = model,
              .verb = verb,
              .count = count,
              .input = input,
              .context = info.context_dim ? context : NULL,
              .context_rows = info.context_dim ? count : 0,
              .output = must_allocate(count * info.dim * sizeof(float)),
              .log_output = must_allocate(count * sizeof(float)),
              .rng = {seed, 3, 5}};
    c.workspace_size = flowrt_workspace_size(model, count);
    c.workspace = must_allocate(c.workspace_size);
    if (!info.context_dim) free(context);
    return c;
}

static inline void call_free(call c) {
    free(c.input);
    free(c.context);
    free(c.output);
    free(c.log_output);
    free(c.workspace);
}

/* The rows first .. first + count - 1 of a call with one context for each row. */
static inline call call_rows(call c, size_t first, size_t count) {
    const flowrt_model_info info = info_of(c.model);
    c.input += first * info.dim;
    if (c.context) c.context += first * info.context_dim;
    if (c.context) c.context_rows = count;
    c.output += first * info.dim;
    c.log_output += first;
    c.rng.index += first;
    c.count = count;
    return c;
}

#endif
