/* pictures: look at 8 x 8 images, a few in the terminal and all of them on a PNG sheet.
 *
 *   cc pictures.c -o pictures
 *   ./digits draw digits_maf.flw 100 | ./pictures sheet.png
 *
 * A row of the CSV on standard input is an image: 64 numbers, 0 (white) to 16 (black). The PNG is written without
 * compression, so that a page of C suffices. Nothing here needs flowrt but the CSV reader of example.h. */
#include "example.h"

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

/* PNG: a signature, then chunks of (length, type, data, CRC-32 of type and data), numbers with the high byte first. */

static unsigned char *put_u32(unsigned char *to, unsigned long value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (unsigned char)(value >> shift);
    return to;
}

static void write_chunk(FILE *file, const char *type, const unsigned char *data, size_t size)
{
    unsigned char length[4], check_sum[4];
    unsigned long crc = 0xffffffffu;
    put_u32(length, (unsigned long)size);
    for (size_t i = 0; i < 4 + size; i++) {
        crc ^= i < 4 ? (unsigned char)type[i] : data[i - 4];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    put_u32(check_sum, crc ^ 0xffffffffu);
    fwrite(length, 1, 4, file);
    fwrite(type, 1, 4, file);
    fwrite(data, 1, size, file);
    fwrite(check_sum, 1, 4, file);
}

/* `height` rows of `width` grey bytes, 255 white. Each row is one stored deflate block: filter byte 0, then the pixels. */
static void write_png(const char *path, const unsigned char *grey, unsigned width, unsigned height)
{
    const unsigned line = 1 + width; /* a stored block holds at most 65535 bytes */
    unsigned char header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8 /* bits */, 0 /* grey */, 0, 0, 0};
    put_u32(put_u32(header, width), height);

    unsigned char *zlib = malloc(2 + (size_t)height * (5 + line) + 4), *to = zlib;
    FILE *file = fopen(path, "wb");
    if (file == NULL || zlib == NULL)
        fail("%s: %s", path, strerror(errno));
    unsigned long low = 1, high = 0; /* Adler-32 of the bytes inside the blocks */
    *to++ = 0x78;
    *to++ = 0x01;
    for (unsigned y = 0; y < height; y++) {
        const unsigned char block[5] = {y + 1 == height, (unsigned char)line, (unsigned char)(line >> 8), (unsigned char)~line,
                                        (unsigned char)(~line >> 8)};
        memcpy(to, block, 5);
        to[5] = 0;
        memcpy(to + 6, grey + (size_t)y * width, width);
        to += 5;
        for (unsigned i = 0; i < line; i++) {
            low = (low + *to++) % 65521;
            high = (high + low) % 65521;
        }
    }
    to = put_u32(to, high << 16 | low);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);
    write_chunk(file, "IHDR", header, sizeof header);
    write_chunk(file, "IDAT", zlib, (size_t)(to - zlib));
    write_chunk(file, "IEND", zlib, 0);
    const int failed = ferror(file);
    if (fclose(file) != 0 || failed)
        fail("%s: cannot be written", path);
    free(zlib);
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
