/* Some rows on their way: read, evaluated by one of the four verbs, made into text. */
#ifndef FLOWRT_CLI_BLOCK_H
#define FLOWRT_CLI_BLOCK_H

#include "model.h"
#include "output.h"

typedef enum verb { VERB_LOG_PROB, VERB_SAMPLE, VERB_FORWARD, VERB_INVERSE } verb;

/* What all blocks of a command share. */
typedef struct job {
    const model *flow;
    verb verb;
    flowrt_rng first; /* VERB_SAMPLE: its index is that of row 0 */
    bool extra;       /* a last column: log|det|, or log p of draws */
    output_format format;
    const float *shared; /* one context for all rows; NULL if there is none or one for each row */
    size_t rows;         /* most rows of a block */
} job;

typedef struct block {
    uint64_t first; /* number of its first row */
    size_t count;
    float *input;        /* NULL for draws */
    float *context;      /* NULL unless contexts differ from row to row */
    size_t context_rows; /* of `context`: count, or 1 if all rows of this block share it */
    uint64_t *places;    /* of the rows in the input, see rows_read */
    float *result, *extra;
    void *workspace;
    size_t workspace_size;
    char *bytes; /* what is written */
    size_t size;
    flowrt_status status; /* neither OK nor NONFINITE: there are no results */
    size_t nonfinite;     /* rows that have a NaN or an infinity */
    size_t first_nonfinite;
} block;

/* Numbers in a row of the result, without the extra one. */
size_t job_width(const job *work);

block block_make(const job *work, bool own_context);
void block_free(block *rows);

/* Evaluates the rows: results alone. */
flowrt_status block_evaluate(const job *work, block *rows);

/* Evaluates the rows and makes their bytes. Blocks do not depend on each other; any thread may do it. */
void block_run(const job *work, block *rows);

#endif
