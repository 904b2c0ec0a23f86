/* C with OpenBLAS, as a good engineer writes it in an afternoon: dense masked matrices, sgemm for a batch and sgemv for a row,
 * loops that the compiler vectorizes (cc -O3 -march=native -ffast-math: tanh, exp and log from libmvec).
 *
 * log_prob is one pass of the networks. For a sample each step is solved coordinate by coordinate: D passes over the hidden
 * layers, and of the output layer the two rows that are needed. */
#include "worker.h"
#include <cblas.h>
#include <math.h>

typedef struct step {
    const float *w1, *b1, *w2, *b2, *w3, *b3; /* rows are units; w3: D shifts, then D raw scales */
} step;

static int dim, hidden, step_count, relu;
static step steps[16];
static float *x, *other, *h1, *h2, *p, *log_det;
enum { MOST_ROWS = 10000 };

static const char *peer_name(void) { return openblas_get_config(); }

static size_t peer_open(const char *folder, const char *flow) {
    static void *bytes;
    char path[512];
    size_t size;
    worker_path(path, folder, flow, ".bin");
    free(bytes);
    bytes = read_file(path, &size);
    const int *head = bytes;
    dim = head[0], hidden = head[1], step_count = head[2], relu = head[3];
    const float *at = (const float *)(head + 4);
    const size_t d = (size_t)dim, h = (size_t)hidden;
    for (int s = 0; s < step_count; s++) {
        steps[s].w1 = at, at += h * d;
        steps[s].b1 = at, at += h;
        steps[s].w2 = at, at += h * h;
        steps[s].b2 = at, at += h;
        steps[s].w3 = at, at += 2 * d * h;
        steps[s].b3 = at, at += 2 * d;
    }
    free(x), free(other), free(h1), free(h2), free(p), free(log_det);
    x = aligned_alloc(64, MOST_ROWS * d * sizeof(float) / 64 * 64 + 64);
    other = aligned_alloc(64, MOST_ROWS * d * sizeof(float) / 64 * 64 + 64);
    h1 = aligned_alloc(64, MOST_ROWS * h * sizeof(float) / 64 * 64 + 64);
    h2 = aligned_alloc(64, MOST_ROWS * h * sizeof(float) / 64 * 64 + 64);
    p = aligned_alloc(64, MOST_ROWS * d * 2 * sizeof(float) / 64 * 64 + 64);
    log_det = aligned_alloc(64, MOST_ROWS * sizeof(float) / 64 * 64 + 64);
    return d;
}

/* out[rows][units] = in[rows][inputs] w^T */
static void multiply(float *out, const float *in, const float *w, int rows, int units, int inputs) {
    if (rows == 1)
        cblas_sgemv(CblasRowMajor, CblasNoTrans, units, inputs, 1, w, inputs, in, 1, 0, out, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, units, inputs, 1, in, inputs, w, inputs, 0, out, units);
}

static void activate(float *h, const float *bias, int rows) {
    for (int r = 0; r < rows; r++) {
        float *row = h + (size_t)r * (size_t)hidden;
        if (relu)
            for (int i = 0; i < hidden; i++) row[i] = fmaxf(row[i] + bias[i], 0);
        else
            for (int i = 0; i < hidden; i++) row[i] = tanhf(row[i] + bias[i]);
    }
}

static void hidden_layers(const step *s, const float *in, int rows) {
    multiply(h1, in, s->w1, rows, hidden, dim);
    activate(h1, s->b1, rows);
    multiply(h2, h1, s->w2, rows, hidden, hidden);
    activate(h2, s->b2, rows);
}

static float softplus(float a) { return fmaxf(a, 0) + logf(1 + expf(-fabsf(a))); }

static void forward(const step *s, float *rows_in_out, int rows) {
    hidden_layers(s, rows_in_out, rows);
    multiply(p, h2, s->w3, rows, 2 * dim, hidden);
    for (int r = 0; r < rows; r++) {
        float *row = rows_in_out + (size_t)r * (size_t)dim, sum = 0;
        const float *t = p + (size_t)r * 2 * (size_t)dim, *a = t + dim;
        for (int i = 0; i < dim; i++) {
            const float scale = softplus(a[i] + s->b3[dim + i]) + 1e-3f;
            row[i] = scale * row[i] + t[i] + s->b3[i];
            sum += logf(scale);
        }
        log_det[r] += sum;
    }
}

static void inverse(const step *s, const float *z, float *out, int rows, int descending) {
    memset(out, 0, (size_t)rows * (size_t)dim * sizeof(float));
    for (int k = 0; k < dim; k++) {
        const int i = descending ? dim - 1 - k : k;
        float *t = p, *a = p + rows;
        hidden_layers(s, out, rows);
        cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, hidden, 1, h2, hidden, s->w3 + (size_t)i * hidden, 1, 0, t, 1);
        cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, hidden, 1, h2, hidden, s->w3 + (size_t)(dim + i) * hidden, 1, 0, a, 1);
        for (int r = 0; r < rows; r++) {
            const float scale = softplus(a[r] + s->b3[dim + i]) + 1e-3f;
            out[(size_t)r * (size_t)dim + i] = (z[(size_t)r * (size_t)dim + i] - t[r] - s->b3[i]) / scale;
        }
    }
}

/* Box-Muller over a 32-bit hash of a counter. */
static void noise(float *z, size_t count) {
    static uint32_t seed;
    seed += (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        uint32_t a = (seed + (uint32_t)i) * 0x9e3779b9u, b;
        a = (a ^ a >> 16) * 0x85ebca6bu;
        a = (a ^ a >> 13) * 0xc2b2ae35u;
        b = (a ^ a >> 16) * 0x9e3779b9u;
        const float u = ((a >> 8) + 0.5f) * 0x1p-24f, angle = (b >> 8) * 0x1p-24f * 6.2831853f;
        z[i] = sqrtf(-2 * logf(u)) * cosf(angle);
    }
}

static void peer_run(verb verb, size_t count, const float *rows_in, float *out) {
    const size_t size = count * (size_t)dim;
    const int rows = (int)count;
    if (verb == GRADIENT) give_up("openblas", "has no gradients"); /* and is not asked for them */
    if (verb == LOG_PROB) {
        memcpy(x, rows_in, size * sizeof(float));
        memset(log_det, 0, count * sizeof(float));
        for (int s = 0; s < step_count; s++) forward(&steps[s], x, rows);
        for (size_t r = 0; r < count; r++) {
            float squares = 0;
            for (int i = 0; i < dim; i++) squares += x[r * (size_t)dim + (size_t)i] * x[r * (size_t)dim + (size_t)i];
            out[r] = log_det[r] - 0.5f * squares - 0.91893853f * (float)dim;
        }
        return;
    }
    float *from = x, *to = other;
    if (verb == SAMPLE)
        noise(from, size);
    else
        memcpy(from, rows_in, size * sizeof(float));
    for (int s = step_count - 1; s >= 0; s--) {
        inverse(&steps[s], from, to, rows, s % 2);
        float *swap = from;
        from = to, to = swap;
    }
    memcpy(out, from, size * sizeof(float));
}

int main(int argc, char **argv) {
    openblas_set_num_threads(1);
    return worker_main(argc, argv);
}
