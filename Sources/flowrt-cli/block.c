#include "block.h"

#include "failure.h"
#include "number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t job_width(const job *work) { return work->verb == VERB_LOG_PROB ? 1 : work->flow->info.dim; }

block block_make(const job *work, bool own_context) {
    size_t dim = work->flow->info.dim, columns = job_width(work) + work->extra;
    size_t most = work->format == OUTPUT_NPY ? sizeof(float) : NUMBER_TEXT + 1;
    block rows = {0};
    if (work->verb != VERB_SAMPLE) {
        rows.input = allocate(work->rows, dim * sizeof(float));
        rows.places = allocate(work->rows, sizeof *rows.places);
    }
    if (own_context) rows.context = allocate(work->rows, work->flow->info.context_dim * sizeof(float));
    rows.result = allocate(work->rows, job_width(work) * sizeof(float));
    if (work->extra) rows.extra = allocate(work->rows, sizeof(float));
    rows.workspace_size = flowrt_workspace_size(&work->flow->view, work->rows);
    rows.workspace = allocate_aligned(rows.workspace_size);
    rows.bytes = allocate(work->rows, columns * most);
    return rows;
}

void block_free(block *rows) {
    free(rows->input);
    free(rows->context);
    free(rows->places);
    free(rows->result);
    free(rows->extra);
    free(rows->workspace);
    free(rows->bytes);
}

/* Rows first .. first + count - 1 of a block. */
static flowrt_status run(const job *work, const block *rows, size_t first, size_t count) {
    const flowrt_model *flow = &work->flow->view;
    size_t dim = work->flow->info.dim, context_dim = work->flow->info.context_dim;
    const float *input = rows->input ? rows->input + first * dim : NULL;
    bool own = rows->context && rows->context_rows > 1;
    const float *context = own ? rows->context + first * context_dim : rows->context ? rows->context : work->shared;
    size_t context_rows = own ? count : context ? 1 : 0;
    float *result = rows->result + first * job_width(work), *extra = rows->extra ? rows->extra + first : NULL;
    void *workspace = rows->workspace;
    size_t size = rows->workspace_size;
    flowrt_rng rng = work->first;
    rng.index += rows->first + first;
    switch (work->verb) {
    case VERB_LOG_PROB: return flowrt_log_prob(flow, count, input, context, context_rows, result, workspace, size);
    case VERB_SAMPLE: return flowrt_sample(flow, count, &rng, context, context_rows, result, extra, workspace, size);
    case VERB_FORWARD: return flowrt_forward(flow, count, input, context, context_rows, result, extra, workspace, size);
    case VERB_INVERSE: return flowrt_inverse(flow, count, input, context, context_rows, result, extra, workspace, size);
    }
    return FLOWRT_ERR_ARGUMENT;
}

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* Which rows made the library say FLOWRT_ERR_NONFINITE: an infinite log p outside of a support is an answer, so each
 * row that may be one is asked for by itself. Results stay as they are, since no row depends on the others. */
static void find_nonfinite(const job *work, block *rows) {
    size_t width = job_width(work);
    for (size_t i = 0; i < rows->count; i++) {
        bool finite = all_finite(rows->result + i * width, width) && (!rows->extra || isfinite(rows->extra[i]));
        if (finite || run(work, rows, i, 1) != FLOWRT_ERR_NONFINITE) continue;
        if (rows->nonfinite++ == 0) rows->first_nonfinite = i;
    }
}

static void make_text(const job *work, block *rows) {
    size_t width = job_width(work);
    char *at = rows->bytes, separator = work->format == OUTPUT_TSV ? '\t' : ',';
    for (size_t i = 0; i < rows->count; i++) {
        const float *row = rows->result + i * width;
        for (size_t j = 0; j < width; j++) {
            at += print_number(row[j], at);
            *at++ = separator;
        }
        if (rows->extra) {
            at += print_number(rows->extra[i], at);
            *at++ = separator;
        }
        at[-1] = '\n';
    }
    rows->size = (size_t)(at - rows->bytes);
}

static void make_array(const job *work, block *rows) {
    size_t width = job_width(work) * sizeof(float);
    char *at = rows->bytes;
    for (size_t i = 0; i < rows->count; i++) {
        memcpy(at, (const char *)rows->result + i * width, width);
        at += width;
        if (rows->extra) memcpy(at, &rows->extra[i], sizeof(float));
        at += rows->extra ? sizeof(float) : 0;
    }
    rows->size = (size_t)(at - rows->bytes);
}

flowrt_status block_evaluate(const job *work, block *rows) { return run(work, rows, 0, rows->count); }

void block_run(const job *work, block *rows) {
    rows->nonfinite = 0;
    rows->size = 0;
    rows->status = block_evaluate(work, rows);
    if (rows->status == FLOWRT_ERR_NONFINITE)
        find_nonfinite(work, rows);
    else if (rows->status != FLOWRT_OK)
        return;
    if (work->format == OUTPUT_NPY)
        make_array(work, rows);
    else
        make_text(work, rows);
}
