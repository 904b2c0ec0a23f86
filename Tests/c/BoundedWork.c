/* The time to open a model and to evaluate a row is bounded by the bytes of the file, even for files made to be slow: as
 * many stages, units and layers as the limits allow, joined by as few weights as possible. Processor time, against bounds
 * that are ten times what is measured; what grows with the square of a count is off by a factor of thousands. */
#include "support/call.h"
#include <time.h>

enum { LINE = 64 };
static const double OPEN_BOUND = 50, ROW_BOUND = 200; /* nanoseconds for each byte */

typedef struct shape {
    const char *name;
    uint32_t dim, width, hidden; /* stages are as many as coordinates */
    int adds; /* each layer adds the three before it, and is gated by the one before it */
} shape;

typedef struct writer {
    uint8_t *bytes;
    size_t record, block, room;
} writer;

static void *take_block(writer *w, size_t size) {
    void *at = w->bytes + w->block;
    w->block += (size + LINE - 1) / LINE * LINE;
    CHECK(w->block <= w->room, "%zu bytes are too few", w->room);
    return at;
}

static uint16_t *take_record(writer *w) {
    uint16_t *at = (void *)(w->bytes + w->record);
    w->record += LINE;
    return at;
}

static void identity(writer *w, uint32_t count, uint32_t first) {
    uint32_t *index = take_block(w, count * sizeof *index);
    for (uint32_t k = 0; k < count; k++) index[k] = first + k;
}

/* One unit of degree 0, then layers whose units are spread over all degrees and see that unit alone. */
static flow_file slow_file(const shape *s) {
    const uint32_t layers = s->hidden + 2, panels = (s->width + 15) / 16, outputs = s->dim; /* additive: one a rank */
    writer w = {.record = LINE, .block = LINE * (layers + 3)};
    w.room = w.block + 4 * LINE + 5 * (s->dim * sizeof(float) + LINE) + s->dim * 4 + LINE + outputs * 8 +
             s->hidden * (s->dim * sizeof(float) + (s->width + 16) * 8 + 4 * LINE);
    w.bytes = must_allocate(w.room);
    memset(w.bytes, 0, w.room);
    uint16_t *step = take_record(&w);
    step[0] = RECORD_AUTOREGRESSIVE;
    memcpy(step + 2, &s->dim, sizeof s->dim);
    step[6] = (uint16_t)layers;
    step[7] = ADDITIVE;
    identity(&w, s->dim, 0);
    identity(&w, s->dim, 0);
    identity(&w, s->dim, 1);
    for (uint32_t i = 0; i < layers; i++) {
        uint16_t *layer = take_record(&w);
        const uint32_t width = i == 0 ? 1 : i + 1 == layers ? outputs : s->width;
        layer[0] = RECORD_LAYER;
        memcpy(layer + 2, &width, sizeof width);
        layer[4] = i == 0 ? READ_SIDE : LAYER(0);
        if (s->adds && i > 4 && i + 1 < layers) {
            layer[6] = LAYER(i - 1);
            for (uint32_t j = 0; j < 3; j++) layer[7 + j] = LAYER(i - 1 - j);
        }
        if (i + 1 < layers) {
            uint32_t *degree_end = take_block(&w, s->dim * sizeof *degree_end);
            for (uint32_t g = 0; g < s->dim; g++)
                degree_end[g] = i == 0 ? 1 : (uint32_t)((uint64_t)(g + 1) * width / s->dim);
        }
        take_block(&w, width * sizeof(float));
        if (i > 0) take_block(&w, LINE * (size_t)(i + 1 < layers ? panels : (outputs + 15) / 16));
    }
    take_record(&w)[0] = RECORD_BASE;
    static const uint8_t magic[10] = {0x89, 'F', 'L', 'W', '\r', '\n', 0x1a, '\n', 1, 0};
    const uint64_t size = w.block;
    const uint32_t records = layers + 2;
    memcpy(w.bytes, magic, sizeof magic);
    memcpy(w.bytes + 16, &size, sizeof size);
    memcpy(w.bytes + 28, &s->dim, sizeof s->dim);
    memcpy(w.bytes + 36, &records, sizeof records);
    const flow_file file = {w.bytes, w.block};
    flow_seal(file);
    return file;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void check(const shape *s) {
    const flow_file file = slow_file(s);
    const double bytes = (double)file.size;
    flowrt_model model;
    flowrt_error_detail why;
    double start = now();
    const flowrt_status opened = flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_VERIFY, &why);
    const double open_time = (now() - start) / bytes;
    CHECK(opened == FLOWRT_OK, "%s: %s, record %d, byte %llu", s->name, status_name(opened), why.record,
          (unsigned long long)why.offset);
    printf("%-16s %6.1f MB: open %.1f ns a byte;", s->name, bytes / 1e6, open_time);
    CHECK(open_time < OPEN_BOUND, "%s: opening takes %.0f ns a byte", s->name, open_time);
    for (size_t count = 1; count <= 16; count += 15)
        for (enum verb verb = FORWARD; verb <= INVERSE; verb++) {
            call c = call_new(&model, verb, count, 1);
            start = now();
            CHECK_STATUS(FLOWRT_OK, call_run(&c));
            const double time = (now() - start) / (double)count / bytes;
            printf(" %s %.1f", verb_names[verb], time);
            CHECK(time < ROW_BOUND, "%s: %s of %zu rows takes %.0f ns a byte and row", s->name, verb_names[verb], count,
                  time);
            call_free(c);
        }
    printf(" ns a byte and row, of 1 and of 16\n");
    flow_free(file);
}

int main(void) {
    static const shape shapes[] = {
        {"wide", 16384, 262144, 1, 0}, {"deep", 2048, 4096, 126, 1}, {"deep and thin", 8192, 16, 126, 1},
        {"many stages", 65536, 65536, 1, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check(&shapes[i]);
}
