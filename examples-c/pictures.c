/* pictures: look at 8 x 8 images, a few in the terminal and all of them on a PNG sheet.
 *
 *   cc pictures.c -o pictures
 *   ./digits draw digits_maf.flw 100 | ./pictures sheet.png
 *
 * A row of the CSV on standard input is an image: 64 numbers, 0 (white) to 16 (black). Nothing here needs flowrt but the
 * CSV reader of example.h. */
#include "png.h"

enum {
    SIDE = 8, PIXELS = SIDE * SIDE, BLACK = 16,
    MOST = 1000,                   /* images on a sheet */
    ACROSS = 20, ZOOM = 4, GAP = 6, /* of the sheet, in images, and in pixels of the sheet */
    CELL = SIDE * ZOOM + GAP,
    SHOWN = 12, SHOWN_ACROSS = 4   /* in the terminal */
};

static void print_images(float (*images)[PIXELS], int count)
{
    static const char ink[] = " .:-=+*#%@";
    for (int first = 0; first < count; first += SHOWN_ACROSS)
        for (int y = 0; y <= SIDE; y++) { /* the last line is empty */
            for (int i = first; i < first + SHOWN_ACROSS && i < count && y < SIDE; i++)
                for (int x = 0; x <= SIDE; x++) {
                    const int shade = x < SIDE ? (int)(images[i][y * SIDE + x] * 9 / BLACK + 0.5f) : 0;
                    printf("%c%c", ink[shade], ink[shade]);
                }
            putchar('\n');
        }
}

static void write_sheet(const char *path, float (*images)[PIXELS], int count)
{
    const int down = (count + ACROSS - 1) / ACROSS;
    const int width = GAP + ACROSS * CELL, height = GAP + down * CELL;
    unsigned char *grey = malloc((size_t)width * (size_t)height);
    if (grey == NULL)
        fail("no memory for a sheet of %d images", count);
    memset(grey, 255, (size_t)width * (size_t)height);
    for (int i = 0; i < count; i++)
        for (int y = 0; y < SIDE * ZOOM; y++)
            for (int x = 0; x < SIDE * ZOOM; x++)
                grey[(GAP + i / ACROSS * CELL + y) * width + GAP + i % ACROSS * CELL + x] =
                    (unsigned char)(255 - images[i][y / ZOOM * SIDE + x / ZOOM] * 255 / BLACK);
    write_png(path, grey, (unsigned)width, (unsigned)height);
    free(grey);
}

int main(int argc, char **argv)
{
    static float images[MOST][PIXELS];
    struct csv csv = csv_open(NULL);
    int count = 0;
    if (argc != 2)
        fail("usage: pictures SHEET.png < IMAGES.csv");
    while (count < MOST && csv_row(&csv, PIXELS, images[count])) {
        for (int i = 0; i < PIXELS; i++)
            if (images[count][i] < 0 || images[count][i] > BLACK)
                fail("%s:%lu: column %d: %g is not a pixel of 0 .. 16", csv.name, csv.line, i + 1, images[count][i]);
        count++;
    }
    print_images(images, count < SHOWN ? count : SHOWN);
    write_sheet(argv[1], images, count);
    return written();
}
