/* digits: a model behind a preprocessing, here images of handwritten digits, 8 x 8 pixels of 0 (white) to 16 (black).
 *
 *   cc digits.c -lflowrt -lm -o digits
 *   ./digits score digits_maf.flw images.csv        log p of every image, in nats
 *   ./digits draw  digits_maf.flw 100 7 > new.csv   100 new images with seed 7
 *
 * A flow seldom sees raw data. This one was trained on the logit of pixels spread over (0, 1), as models/train_digits.py
 * tells:
 *
 *     s = LAMBDA + (1 - 2 LAMBDA) (pixel + 1/2) / 17            the middle of the pixel's grey level
 *     x = log(s / (1 - s))
 *
 * What is done to the data by hand has a Jacobian by hand. Without the last term below, an image would be rewarded for
 * grey pixels, where the logit is flat:
 *
 *     log p(image) = log p(x) + sum over pixels of log|dx / dpixel|
 *     dx / dpixel  = (1 - 2 LAMBDA) / (17 s (1 - s)) */
#include "example.h"

enum { PIXELS = 64, BATCH = 64, LEVELS = 17 };
static const double LAMBDA = 0.05;

/* Pixels of one image to the coordinates x of the flow. Returns log|det dx / dpixels|. */
static double encode(const float *pixels, float *x)
{
    double log_det = 0;
    for (int i = 0; i < PIXELS; i++) {
        const double s = LAMBDA + (1 - 2 * LAMBDA) * (pixels[i] + 0.5) / LEVELS;
        x[i] = (float)log(s / (1 - s));
        log_det += log((1 - 2 * LAMBDA) / (LEVELS * s * (1 - s)));
    }
    return log_det;
}

static int decode(float x)
{
    const double s = 1 / (1 + exp(-x));
    const double level = floor(LEVELS * (s - LAMBDA) / (1 - 2 * LAMBDA));
    return level < 0 ? 0 : level > LEVELS - 1 ? LEVELS - 1 : (int)level;
}

static void score(flowrt_file *flow, const char *path)
{
    struct csv csv = csv_open(path);
    float pixels[PIXELS], x[BATCH * PIXELS], log_p[BATCH];
    double log_det[BATCH];
    for (size_t count = BATCH; count == BATCH && !ferror(stdout);) {
        for (count = 0; count < BATCH && csv_row(&csv, PIXELS, pixels); count++) {
            for (int i = 0; i < PIXELS; i++)
                if (pixels[i] < 0 || pixels[i] > LEVELS - 1)
                    fail("%s:%lu: column %d: %g is not a pixel of 0 .. 16", csv.name, csv.line, i + 1, pixels[i]);
            log_det[count] = encode(pixels, x + count * PIXELS);
        }
        check(flowrt_log_prob(&flow->model, count, x, NULL, 0, log_p, flow->workspace, flow->workspace_size));
        for (size_t i = 0; i < count; i++)
            printf("%.4f\n", log_p[i] + log_det[i]);
    }
    csv_close(&csv);
}

static void draw(flowrt_file *flow, size_t count, unsigned long long seed)
{
    flowrt_rng rng = {seed, 0, 0};
    float x[PIXELS];
    while (count-- > 0 && !ferror(stdout)) {
        check(flowrt_sample(&flow->model, 1, &rng, NULL, 0, x, NULL, flow->workspace, flow->workspace_size));
        for (int i = 0; i < PIXELS; i++)
            printf("%d%c", decode(x[i]), i + 1 < PIXELS ? ',' : '\n');
    }
}

int main(int argc, char **argv)
{
    const int scoring = argc >= 3 && argc <= 4 && strcmp(argv[1], "score") == 0;
    const int drawing = argc >= 4 && argc <= 5 && strcmp(argv[1], "draw") == 0;
    if (!scoring && !drawing)
        fail("usage: digits score MODEL.flw [IMAGES.csv]  or  digits draw MODEL.flw COUNT [SEED]");
    flowrt_file flow = model_open(argv[2]);
    if (flow.info.dim != PIXELS || flow.info.context_dim != 0)
        fail("%s: a model of %u dimensions and %u context numbers; images have 64 and 0", argv[2],
             (unsigned)flow.info.dim, (unsigned)flow.info.context_dim);
    if (scoring)
        score(&flow, argc > 3 ? argv[3] : NULL);
    else
        draw(&flow, count_of(argv[3], "COUNT"), argc > 4 ? whole_number(argv[4], "SEED") : 0);
    flowrt_file_close(&flow);
    return written();
}
