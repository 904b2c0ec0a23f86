/* The commands log-prob, sample, forward and inverse. */
#include "commands.h"

#include "block.h"
#include "context.h"
#include "failure.h"
#include "pipeline.h"
#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { MOST_THREADS = 1024 };

typedef struct run {
    job work;
    rows *input;   /* NULL for draws */
    rows *context; /* NULL, or one for each row */
    float *ahead;  /* contexts that were read already */
    size_t ahead_count;
    uint64_t each;   /* draws for a context */
    uint64_t left;   /* of them, for the context that was read last */
    float *latest;   /* that context */
    uint64_t wanted; /* draws in all; UINT64_MAX: not known before all contexts, or rows, were read */
    uint64_t read, written;
    bool header;
    uint64_t nonfinite;
    char reason[300]; /* of the first row that is not finite */
} run;

/* ---- context ---- */

/* Opens the context: one row is shared, more are read on the way. */
static void open_context(run *of, const arguments *given, float **shared) {
    size_t width = of->work.flow->info.context_dim;
    *shared = NULL;
    of->context = context_open(given, of->work.flow, true);
    if (!of->context) return;
    of->ahead = allocate(2 * width, sizeof(float));
    for (int i = 0; i < 2; i++) of->ahead_count += rows_read(of->context, 1, of->ahead + of->ahead_count * width, NULL);
    if (of->ahead_count == 0) fail("%s: there are no rows", rows_name(of->context));
    if (of->ahead_count == 2) return;
    *shared = of->ahead;
    of->ahead = NULL;
    rows_close(of->context);
    of->context = NULL;
}

/* Up to `most` contexts of their rows. */
static size_t read_contexts(run *of, size_t most, float *values) {
    size_t width = of->work.flow->info.context_dim, count = of->ahead_count < most ? of->ahead_count : most;
    memcpy(values, of->ahead, count * width * sizeof(float));
    memmove(of->ahead, of->ahead + count * width, (of->ahead_count - count) * width * sizeof(float));
    of->ahead_count -= count;
    while (count < most) {
        size_t more = rows_read(of->context, most - count, values + count * width, NULL);
        if (more == 0) break;
        count += more;
    }
    return count;
}

/* Another number of contexts than of rows, of which so many were read: reads on, to tell both numbers. */
static _Noreturn void fail_contexts(run *of, uint64_t contexts, uint64_t inputs) {
    float *spare = allocate((size_t)of->work.flow->info.dim + of->work.flow->info.context_dim, sizeof(float));
    while (rows_read(of->input, 1, spare, NULL) > 0) inputs++;
    while (read_contexts(of, 1, spare) > 0) contexts++;
    fail("%s has %" PRIu64 " rows: expected 1, or as many as %s (%" PRIu64 ")", rows_name(of->context), contexts,
         rows_name(of->input), inputs);
}

/* ---- blocks ---- */

static void fill_rows(run *of, block *to, size_t most) {
    to->count = rows_read(of->input, most, to->input, to->places);
    if (of->context && to->count > 0) {
        size_t there = read_contexts(of, to->count, to->context);
        if (there < to->count) fail_contexts(of, of->read + there, of->read + to->count);
        to->context_rows = to->count;
    } else if (of->context) {
        float *spare = allocate(of->work.flow->info.context_dim, sizeof(float));
        if (read_contexts(of, 1, spare) > 0) fail_contexts(of, of->read + 1, of->read);
        free(spare);
    }
    if (to->count == 0 && of->read == 0) fail("%s: there are no rows", rows_name(of->input));
}

/* Draws for one context after the other. A block within one context has it once. */
static void fill_draws(run *of, block *to, size_t most) {
    size_t width = of->work.flow->info.context_dim;
    to->count = 0;
    if (!of->context) {
        to->count = of->wanted - of->read < most ? (size_t)(of->wanted - of->read) : most;
        return;
    }
    size_t contexts = 0;
    while (to->count < most) {
        if (of->left == 0) {
            if (read_contexts(of, 1, of->latest) == 0) break;
            of->left = of->each;
            if (of->each == 0) continue;
        }
        size_t take = of->left < most - to->count ? (size_t)of->left : most - to->count;
        for (size_t i = 0; i < take; i++)
            memcpy(to->context + (to->count + i) * width, of->latest, width * sizeof(float));
        to->count += take;
        of->left -= take;
        contexts++;
    }
    to->context_rows = contexts == 1 ? 1 : to->count;
}

static bool fill(void *owner, block *to, bool *pause) {
    run *of = owner;
    size_t most = of->work.rows;
    to->first = of->read;
    if (of->input)
        fill_rows(of, to, most);
    else
        fill_draws(of, to, most);
    of->read += to->count;
    *pause = to->count < most;
    return to->count > 0;
}

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* Where the first row that is not finite stands, and which of its numbers are. */
static void note_nonfinite(run *of, const block *from) {
    const model *flow = of->work.flow;
    size_t at = from->first_nonfinite;
    size_t context_row = from->context_rows > 1 ? at : 0;
    const float *context = from->context ? from->context + context_row * flow->info.context_dim : of->work.shared;
    bool input_bad = from->input && !all_finite(from->input + at * flow->info.dim, flow->info.dim);
    bool context_bad = context && !all_finite(context, flow->info.context_dim);
    char place[200];
    if (of->input)
        snprintf(place, sizeof place, "%.150s, %s %" PRIu64, rows_name(of->input),
                 rows_have_lines(of->input) ? "line" : "row", from->places[at]);
    else
        snprintf(place, sizeof place, "draw %" PRIu64, of->work.first.index + from->first + at);
    snprintf(of->reason, sizeof of->reason, "%s: %s", place,
             input_bad     ? "the row has a NaN or an infinity"
             : context_bad ? "the context has a NaN or an infinity"
                           : "the result is NaN or infinite, of finite numbers");
}

static void drain(void *owner, block *from, bool flush) {
    run *of = owner;
    if (from->status != FLOWRT_OK && from->status != FLOWRT_ERR_NONFINITE)
        fail("%s: %s", of->work.flow->path, flowrt_status_message(from->status));
    output_write(from->bytes, from->size);
    if (flush) output_flush();
    of->written += from->count;
    if (from->nonfinite && of->nonfinite == 0) note_nonfinite(of, from);
    of->nonfinite += from->nonfinite;
    uint64_t all = of->wanted;
    if (of->input && !rows_count(of->input, &all)) all = UINT64_MAX;
    progress_show(of->written, all);
}

/* ---- output ---- */

static output_format read_format(const arguments *given) {
    static const char *const formats[] = {[OUTPUT_CSV] = "csv", [OUTPUT_TSV] = "tsv", [OUTPUT_NPY] = "npy"};
    const char *text = given->values[OPTION_FORMAT], *path = given->values[OPTION_OUTPUT];
    const char *dot = path ? strrchr(path, '.') : NULL;
    for (int i = OUTPUT_CSV; i <= OUTPUT_NPY; i++) {
        if (text && strcmp(text, formats[i]) == 0) return (output_format)i;
        if (!text && dot && strcmp(dot + 1, formats[i]) == 0) return (output_format)i;
    }
    if (text) fail_usage(given->command, "%s: --format: expected csv, tsv or npy, found \"%s\"", given->command, text);
    return OUTPUT_CSV;
}

static void write_name(const char *name, char separator) {
    bool quoted = *name == 0 || *name == '#' || *name == ' ' || strchr(name, separator) || strpbrk(name, "\"\n\r");
    if (quoted) output_printf("\"");
    for (; *name; name++) output_printf(quoted && *name == '"' ? "\"\"" : "%c", *name);
    if (quoted) output_printf("\"");
}

static void write_header(const run *of) {
    const model *flow = of->work.flow;
    char separator = of->work.format == OUTPUT_TSV ? '\t' : ',', brief[32];
    bool is_x = of->work.verb != VERB_FORWARD;
    if (of->work.verb == VERB_LOG_PROB)
        output_printf("log_prob");
    else
        for (size_t i = 0; i < flow->info.dim; i++) {
            snprintf(brief, sizeof brief, "%c%zu", is_x ? 'x' : 'z', i);
            if (i) output_printf("%c", separator);
            write_name(is_x && flow->features.count ? flow->features.items[i] : brief, separator);
        }
    if (of->work.extra) output_printf("%c%s", separator, of->work.verb == VERB_SAMPLE ? "log_prob" : "log_det");
    output_printf("\n");
}

static void begin_output(const run *of, const arguments *given) {
    output_open(given->values[OPTION_OUTPUT]);
    if (of->work.format == OUTPUT_NPY) {
        if (output_is_terminal()) fail("an .npy array is not for a terminal: -o FILE, or a pipe");
        size_t width = job_width(&of->work) + of->work.extra;
        uint64_t all = of->wanted;
        if (of->input && !rows_count(of->input, &all)) all = UINT64_MAX;
        output_begin_npy(of->work.verb == VERB_LOG_PROB ? 0 : width, all);
    } else if (of->header) {
        write_header(of);
    }
}

/* ---- the command ---- */

static size_t thread_count(const arguments *given) {
    uint64_t wanted = option_number_or(given, OPTION_THREADS, 0);
    if (wanted > MOST_THREADS)
        fail_usage(given->command, "%s: --threads: expected 0 to %d", given->command, MOST_THREADS);
    if (wanted > 0) return (size_t)wanted;
    cpu_set_t mine;
    int count = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
    return (size_t)(count < 1 ? 1 : count > MOST_THREADS ? MOST_THREADS : count);
}

static void set_draws(run *of, const arguments *given) {
    flowrt_rng *first = &of->work.first;
    of->each = option_number_or(given, OPTION_COUNT, 1);
    if (of->context)
        of->latest = allocate(of->work.flow->info.context_dim, sizeof(float));
    else
        of->wanted = of->each;
    *first = (flowrt_rng){0, option_number_or(given, OPTION_STREAM, 0), option_number_or(given, OPTION_INDEX, 0)};
    if (of->each > UINT64_MAX - first->index)
        fail_usage(given->command, "sample: --index and --count: there are draws 0 to 2^64 - 1 alone");
    if (given->values[OPTION_SEED]) {
        first->seed = option_number(given, OPTION_SEED);
        return;
    }
    if (getentropy(&first->seed, sizeof first->seed) != 0) fail("no random seed can be had: --seed N");
    say("--seed %" PRIu64, first->seed);
}

/* Rows of a block: whole tiles of 64, about as many numbers in a block for every model. */
static size_t rows_of_block(const model *flow) {
    size_t width = (size_t)flow->info.dim + flow->info.context_dim, count = ((size_t)1 << 16) / width / 64 * 64;
    return count < 64 ? 64 : count > 4096 ? 4096 : count;
}

static int evaluate(const arguments *given, verb which) {
    model flow;
    run of = {.wanted = UINT64_MAX, .header = given->values[OPTION_HEADER] != NULL};
    const char *path = given->operand_count > 1 ? given->operands[1] : "-", *context = given->values[OPTION_CONTEXT];
    int readers = (strcmp(given->operands[0], "-") == 0) + (context && strcmp(context, "-") == 0) +
                  (which != VERB_SAMPLE && strcmp(path, "-") == 0);
    if (readers > 1) fail_usage(given->command, "%s: standard input can be one thing only", given->command);
    size_t threads = thread_count(given);
    output_format format = read_format(given);
    model_open(&flow, given->operands[0], NULL);
    require_cpu(flow.path);
    of.work = (job){.flow = &flow,
                    .verb = which,
                    .format = format,
                    .rows = rows_of_block(&flow),
                    .extra = given->values[OPTION_LOG_DET] || given->values[OPTION_LOG_PROB]};
    float *shared;
    open_context(&of, given, &shared);
    of.work.shared = shared;
    if (which == VERB_SAMPLE)
        set_draws(&of, given);
    else
        of.input = rows_open(path, flow.info.dim, which != VERB_INVERSE && flow.features.count ? &flow.features : NULL);
    begin_output(&of, given);
    pipeline_run(&of.work, of.context != NULL, threads, fill, drain, &of);
    output_finish(of.written);
    progress_clear();
    if (of.nonfinite)
        say("%s (%" PRIu64 " of %" PRIu64 " rows are NaN or infinite)", of.reason, of.nonfinite, of.written);
    rows_close(of.input);
    rows_close(of.context);
    free(of.ahead);
    free(of.latest);
    free(shared);
    model_close(&flow);
    return of.nonfinite ? EXIT_NONFINITE : EXIT_DONE;
}

int command_log_prob(const arguments *given) { return evaluate(given, VERB_LOG_PROB); }
int command_sample(const arguments *given) { return evaluate(given, VERB_SAMPLE); }
int command_forward(const arguments *given) { return evaluate(given, VERB_FORWARD); }
int command_inverse(const arguments *given) { return evaluate(given, VERB_INVERSE); }
