/* images: a flow of convolutions on handwritten digits, 28 x 28 grey levels of 0 to 255: a Glow or a RealNVP.
 *
 *   cc images.c -lflowrt -lm -o images
 *   ./images bits    glow.flw digits.pgm              bits per dimension of every digit
 *   ./images bits    glow.flw digits.pgm inverted     the same, white for black; also damaged, shuffled, noise, blank
 *   ./images bits    glow.flw digits.pgm as-is 5      of every fifth digit
 *   ./images draw    glow.flw new.png 7               new digits with seed 7, a row of the sheet for each temperature
 *   ./images between glow.flw digits.pgm path.png     from one digit to another, in equal steps of z
 *
 * A row of the flow is an image, channel by channel and in a channel row by row: here one channel of 784 numbers
 *
 *     x = (level + u) / 256         0 <= u < 1, so that each level is an interval and no image a point: dequantisation
 *
 * The flow has a density for x. Its mean over u is a lower bound of the log probability of the image of whole levels.
 * What one wants to know of it is the number of bits that a code for the image would need, for each of its pixels:
 *
 *     bits per dimension = (-log p(x) / log 2 + 784 log2(256)) / 784
 *
 * 8 is what an image costs that one knows nothing of. All other preprocessing (a logit) is part of the file.
 *
 * DIGITS.pgm is a picture of 28 columns, one digit below the other. */
#include "png.h"

enum {
    SIDE = 28, PIXELS = SIDE * SIDE, LEVELS = 256,
    GAP = 4, CELL = SIDE + GAP, ACROSS = 20, /* of a sheet: pixels between images, images in a row */
    PAIRS = 8, STEPS = 11,                   /* of `between` */
    DAMAGE = 7                               /* side of a square that is inverted */
};
static const double TEMPERATURES[] = {0.7, 0.8, 0.9, 1};

/* ---- Chance: SplitMix64 (Steele et al. 2014) and Box and Muller's normal numbers. */

static unsigned long long chance;

static double uniform(void) /* 0 < u < 1 */
{
    unsigned long long bits = chance += 0x9e3779b97f4a7c15ull;
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
    return ((double)((bits ^ bits >> 31) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    const double radius = sqrt(-2 * log(uniform()));
    return radius * cos(6.283185307179586 * uniform());
}

/* ---- Images: levels are bytes, x are the coordinates of the flow. */

static void dequantise(const unsigned char *levels, float *x)
{
    for (int i = 0; i < PIXELS; i++)
        x[i] = (float)((levels[i] + uniform()) / LEVELS);
}

static unsigned char level_of(float x)
{
    const double level = floor((double)x * LEVELS);
    return level > 0 ? level < LEVELS ? (unsigned char)level : LEVELS - 1 : 0; /* a NaN is 0 too */
}

/* All digits of a PGM file, 28 columns wide. Sets *count. */
static unsigned char *read_digits(const char *path, size_t *count)
{
    unsigned width = 0, height = 0, largest = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("%s: %s", path, strerror(errno));
    if (fscanf(file, "P5 %u %u %u", &width, &height, &largest) != 3 || getc(file) == EOF)
        fail("%s: not a PGM file (P5, columns, rows, 255)", path);
    if (width != SIDE || height % SIDE != 0 || height == 0 || height > SIDE * 1000000u || largest != LEVELS - 1)
        fail("%s: %u x %u pixels up to %u; expected %d columns, whole digits below each other, up to %d", path, width,
             height, largest, SIDE, LEVELS - 1);
    *count = height / SIDE;
    unsigned char *digits = malloc(*count * PIXELS);
    if (digits == NULL)
        fail("no memory for %lu digits", (unsigned long)*count);
    if (fread(digits, PIXELS, *count, file) != *count)
        fail("%s: ends before its %lu digits do", path, (unsigned long)*count);
    fclose(file);
    return digits;
}

/* Other images, made of a digit. */
static void change(unsigned char *levels, const char *kind)
{
    const int top = (int)(uniform() * (SIDE - DAMAGE)), left = (int)(uniform() * (SIDE - DAMAGE));
    for (int i = 0; i < PIXELS; i++) {
        const int inside = i / SIDE - top < DAMAGE && i / SIDE >= top && i % SIDE - left < DAMAGE && i % SIDE >= left;
        const int other = i + (int)(uniform() * (PIXELS - i)); /* of those that have not been placed */
        const unsigned char level = levels[i];
        if (strcmp(kind, "shuffled") == 0) {
            levels[i] = levels[other];
            levels[other] = level;
        } else if (strcmp(kind, "inverted") == 0 || (strcmp(kind, "damaged") == 0 && inside))
            levels[i] = (unsigned char)(LEVELS - 1 - level);
        else if (strcmp(kind, "noise") == 0)
            levels[i] = (unsigned char)(uniform() * LEVELS);
        else if (strcmp(kind, "blank") == 0)
            levels[i] = 0;
        else if (strcmp(kind, "damaged") != 0 && strcmp(kind, "as-is") != 0)
            fail("'%s' is none of as-is, inverted, damaged, shuffled, noise, blank", kind);
    }
}

/* ---- What the program does. */

static void bits(flowrt_file *flow, const char *path, const char *kind, size_t every)
{
    size_t count;
    unsigned char *digits = read_digits(path, &count);
    float x[PIXELS], log_p;
    for (size_t i = 0; i < count && !ferror(stdout); i += every) {
        if (kind != NULL)
            change(digits + i * PIXELS, kind);
        dequantise(digits + i * PIXELS, x);
        check(flowrt_log_prob(&flow->model, 1, x, NULL, 0, &log_p, flow->workspace, flow->workspace_size));
        printf("%.4f\n", log2(LEVELS) - log_p / (PIXELS * log(2)));
    }
    free(digits);
}

/* A sheet of rows x columns images, of which `images` are the x. */
static void write_sheet(const char *path, const float *images, int rows, int columns)
{
    const int width = GAP + columns * CELL, height = GAP + rows * CELL;
    unsigned char *grey = malloc((size_t)width * (size_t)height);
    if (grey == NULL)
        fail("no memory for a sheet of %d images", rows * columns);
    memset(grey, LEVELS - 1, (size_t)width * (size_t)height);
    for (int i = 0; i < rows * columns; i++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                grey[(GAP + i / columns * CELL + y) * width + GAP + i % columns * CELL + x] =
                    (unsigned char)(LEVELS - 1 - level_of(images[i * PIXELS + y * SIDE + x])); /* ink is dark */
    write_png(path, grey, (unsigned)width, (unsigned)height);
    free(grey);
}

/* z at the temperature T is T times standard normal noise, and x is what the flow makes of it. At 1 the images are
 * draws of the flow; below, they keep to where the density is high: less ink, down to blank paper. */
static void draw(flowrt_file *flow, const char *path)
{
    const int rows = sizeof TEMPERATURES / sizeof *TEMPERATURES, count = rows * ACROSS;
    float *x = new_floats((size_t)count * PIXELS);
    for (int i = 0; i < count * PIXELS; i++)
        x[i] = (float)(TEMPERATURES[i / PIXELS / ACROSS] * normal());
    /* z may be x: the images take the place of their noise. */
    if (check(flowrt_inverse(&flow->model, (size_t)count, x, NULL, 0, x, NULL, flow->workspace, flow->workspace_size)))
        fputs("note: some image has pixels that are not finite; they are white\n", stderr);
    write_sheet(path, x, rows, ACROSS);
    printf("%d images, temperatures", count);
    for (int row = 0; row < rows; row++)
        printf("%s%g", row == 0 ? " " : ", ", TEMPERATURES[row]);
    printf(" from top to bottom: %s\n", path);
    free(x);
}

/* Of some pairs of digits: their z, points between these, and their x. In many dimensions noise is near a sphere: cos
 * and sin keep the points between two of them on it, where a straight line would pass closer to its centre. */
static void between(flowrt_file *flow, const char *path, const char *sheet)
{
    size_t count;
    unsigned char *digits = read_digits(path, &count);
    if (count < 2 * PAIRS)
        fail("%s: %lu digits; expected %d", path, (unsigned long)count, 2 * PAIRS);
    float *ends = new_floats(2 * PAIRS * PIXELS), *x = new_floats(PAIRS * STEPS * PIXELS);
    for (size_t i = 0; i < 2 * PAIRS; i++) /* from the whole file: it may be sorted */
        dequantise(digits + i * (count - 1) / (2 * PAIRS - 1) * PIXELS, ends + i * PIXELS);
    check(flowrt_forward(&flow->model, 2 * PAIRS, ends, NULL, 0, ends, NULL, flow->workspace, flow->workspace_size));
    for (int pair = 0; pair < PAIRS; pair++)
        for (int step = 0; step < STEPS; step++) {
            const double angle = 1.5707963267948966 * step / (STEPS - 1);
            const float *from = ends + 2 * pair * PIXELS, *to = from + PIXELS;
            float *z = x + (pair * STEPS + step) * PIXELS;
            for (int i = 0; i < PIXELS; i++)
                z[i] = (float)(cos(angle) * from[i] + sin(angle) * to[i]);
        }
    check(flowrt_inverse(&flow->model, PAIRS * STEPS, x, NULL, 0, x, NULL, flow->workspace, flow->workspace_size));
    write_sheet(sheet, x, PAIRS, STEPS);
    double off = 0; /* at the ends are the digits themselves, each pixel within the interval of its level */
    for (size_t i = 0; i < 2 * PAIRS; i++) {
        const unsigned char *levels = digits + i * (count - 1) / (2 * PAIRS - 1) * PIXELS;
        const float *end = x + (i / 2 * STEPS + i % 2 * (STEPS - 1)) * PIXELS;
        for (int k = 0; k < PIXELS; k++) {
            const double away = fabs(end[k] * LEVELS - levels[k] - 0.5) - 0.5;
            if (away > off) off = away;
        }
    }
    printf("%d pairs, %d images each: %s; the digits at the ends come back, but for %.2g grey levels\n", PAIRS, STEPS,
           sheet, off);
    free(ends);
    free(x);
    free(digits);
}

int main(int argc, char **argv)
{
    const int scoring = argc >= 4 && argc <= 6 && strcmp(argv[1], "bits") == 0;
    const int drawing = argc >= 4 && argc <= 5 && strcmp(argv[1], "draw") == 0;
    const int joining = argc == 5 && strcmp(argv[1], "between") == 0;
    if (!scoring && !drawing && !joining)
        fail("usage: images bits MODEL.flw DIGITS.pgm [as-is|inverted|damaged|shuffled|noise|blank [EVERY]]  or "
             "images draw MODEL.flw SHEET.png [SEED]  or  images between MODEL.flw DIGITS.pgm SHEET.png");
    flowrt_file flow = model_open(argv[2]);
    if (flow.info.dim != PIXELS || flow.info.context_dim != 0)
        fail("%s: a model of %u dimensions and %u context numbers; these images have 784 and 0", argv[2],
             (unsigned)flow.info.dim, (unsigned)flow.info.context_dim);
    chance = drawing && argc > 4 ? whole_number(argv[4], "SEED") : 0;
    const size_t every = argc > 5 && scoring ? count_of(argv[5], "EVERY") : 1;
    if (every == 0)
        fail("EVERY: 0 is no step from one digit to the next");
    if (scoring)
        bits(&flow, argv[3], argc > 4 ? argv[4] : NULL, every);
    else if (drawing)
        draw(&flow, argv[3]);
    else
        between(&flow, argv[3], argv[4]);
    flowrt_file_close(&flow);
    return written();
}
