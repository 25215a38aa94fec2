/* A target for libFuzzer: damaged trees, as unverified files may hold them, and every question.

   bash tools/fuzz_kernel.sh [SECONDS]

   Input: a header (see Header), then patches of 12 bytes that overwrite what build() laid out, then
   origins of 16 bytes. What module.c and ketafind.index.kernel refuse before a question, this does
   too. A tree in which fault_of() finds nothing wrong must have the answers of plain sorting. */

#include <stdio.h>

#include "batch.h"
#include "build.h"

typedef struct {
    uint8_t rows[2], place, k, patches, threads, filter, limit;
} Header;

typedef struct {
    uint8_t array, at[3], value[8];
} Patch;

enum { MOST_ROWS = 1200, MOST_ORIGINS = 200, CHECKED = 6 };

static uint64_t state; /* of a generator that a header seeds */

static double unit(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / 9007199254740992.0;
}

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Clusters, one point, the whole earth, a pole or the antimeridian. */
static void place(uint8_t kind, double *lat, double *lon)
{
    const double u = unit(), v = unit();
    switch (kind % 5) {
    case 0: *lat = 43.0 + 0.01 * u; *lon = -79.0 + 0.01 * v; break;
    case 1: *lat = 44.0; *lon = -79.0; break;
    case 2: *lat = 180.0 * u - 90.0; *lon = 360.0 * v - 180.0; break;
    case 3: *lat = 90.0 - 1e-5 * u; *lon = 360.0 * v - 180.0; break;
    default: *lat = 2.0 * u - 1.0; *lon = v < 0.5 ? 179.0 + 2.0 * v : -181.0 + 2.0 * v;
    }
}

static bool is_turn(const double *frame)
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double dot = 0.0;
            for (int k = 0; k < 3; k++)
                dot += frame[3 * i + k] * frame[3 * j + k];
            if (!(fabs(dot - (i == j)) < 1e-9) || !(fabs(frame[9 + i]) < 1e4))
                return false;
        }
    return true;
}

static int by_rank(const void *a, const void *b)
{
    return before(a, b) ? -1 : before(b, a);
}

/* Every distance, sorted. */
static int64_t truth(const Tree *tree, Point at, double limit_km, Found *found)
{
    int64_t n = 0;
    for (int64_t row = 0; row < tree->shape.rows; row++) {
        if (!(tree->bits[row / FANOUT] >> row % FANOUT & 1))
            continue;
        const double km = geodesic_km(at, point_of(tree, row));
        if (micrometres(km) <= micrometres(limit_km))
            found[n++] = (Found){micrometres(km), km, tree->ids[row], (int32_t)row};
    }
    qsort(found, (size_t)n, sizeof *found, by_rank);
    return n;
}

static void ask(const Tree *tree, const double *lat, const double *lon, int64_t n, int64_t k,
                double limit_km, bool sound)
{
    static Found right[MOST_ROWS + 1];
    Found *found = malloc((size_t)(k + 1) * sizeof *found);
    double *km = malloc((size_t)(n * k + 1) * sizeof *km);
    int16_t *position = malloc((size_t)(n * k + 1) * sizeof *position);
    const Results results = {km, position, 2, k};
    check(find_nearest_many(tree, lat, lon, n, limit_km, &results), "no memory");
    for (int64_t i = 0; i < n && i < CHECKED; i++) {
        const Point at = point_at(lat[i], lon[i]);
        const int64_t size = find_nearest(tree, at, limit_km, k, found);
        TopK all;
        check(find_within(tree, at, limit_km, &all), "no memory");
        if (sound) {
            const int64_t every = truth(tree, at, limit_km, right), most = k < every ? k : every;
            check(size == most && all.size == every, "a wrong number was found");
            for (int64_t j = 0; j < k; j++) {
                const int32_t one = j < most ? right[j].position : -1;
                check(position[i * k + j] == one, "a batch found another");
                check(j >= most || km[i * k + j] == right[j].km, "a batch measured otherwise");
                check(j >= most || found[j].position == one, "a question found another");
            }
            for (int64_t j = 0; j < every; j++)
                check(all.found[j].position == right[j].position, "a radius found another");
        }
        free(all.found);
    }
    free(position);
    free(km);
    free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Header header;
    if (size < sizeof header)
        return 0;
    memcpy(&header, data, sizeof header);
    data += sizeof header;
    size -= sizeof header;
    const int64_t rows = (header.rows[0] | header.rows[1] << 8) % (MOST_ROWS + 1);
    const Shape shape = shape_of(rows);
    state = header.place;

    const size_t lengths[4] = {(size_t)shape.leaves * LEAF_DOUBLES * sizeof(double),
                               (size_t)rows * sizeof(int32_t),
                               (size_t)shape.nodes * NODE_FLOATS * sizeof(float),
                               12 * sizeof(double)};
    unsigned char *arrays[4];
    for (int i = 0; i < 4; i++)
        arrays[i] = calloc(lengths[i] + (lengths[i] == 0), 1);
    double *lat = malloc((size_t)(rows + 1) * sizeof *lat), *lon = malloc((size_t)(rows + 1) * sizeof *lon);
    for (int64_t i = 0; i < rows; i++)
        place(header.place, lat + i, lon + i);
    check(build(lat, lon, rows, 1 + header.threads % 2, (double *)(void *)arrays[0],
                (int32_t *)(void *)arrays[1], (float *)(void *)arrays[2], (double *)(void *)arrays[3]),
          "no memory");

    for (int left = header.patches % 32; left > 0 && size >= sizeof(Patch); left--) {
        Patch patch;
        memcpy(&patch, data, sizeof patch);
        data += sizeof patch;
        size -= sizeof patch;
        const size_t length = lengths[patch.array % 4];
        if (length < 8)
            continue;
        const size_t at = (size_t)(patch.at[0] | patch.at[1] << 8 | patch.at[2] << 16);
        const size_t step = patch.array & 4 ? 1 : 8; /* a byte, or a number */
        const size_t start = at % (length / step) * step;
        memcpy(arrays[patch.array % 4] + start, patch.value, step);
    }

    uint8_t *bits = malloc((size_t)(shape.leaves + shape.nodes) + 1);
    memset(bits, 0xff, (size_t)(shape.leaves + shape.nodes) + 1);
    raise_bits(&shape, bits);
    Tree tree = {shape, (double *)(void *)arrays[0], (int32_t *)(void *)arrays[1],
                 (float *)(void *)arrays[2], (double *)(void *)arrays[3], bits};
    bool safe = is_turn(tree.frame);
    for (int64_t row = 0; row < rows; row++)
        safe = safe && tree.ids[row] >= 0 && tree.ids[row] < rows;
    if (safe) {
        uint8_t *seen = malloc((size_t)rows + 1);
        float *boxes = malloc(lengths[2] + 1);
        const bool sound = fault_of(&tree, seen, boxes) == NULL;
        free(boxes);
        free(seen);
        for (int64_t leaf = 0; leaf < shape.leaves; leaf++) /* what passes */
            bits[leaf] = header.filter & 1 ? (uint8_t)(unit() * 256.0) & header.filter : 0xff;
        raise_bits(&shape, bits);

        /* Origins of the input, then points of the tree, often more than a block of them. */
        static double from[2][MOST_ORIGINS];
        int64_t n = 0;
        for (; n < MOST_ORIGINS && size >= 16; n++, data += 16, size -= 16) {
            memcpy(&from[0][n], data, 8);
            memcpy(&from[1][n], data + 8, 8);
            if (!(fabs(from[0][n]) <= 90.0 && fabs(from[1][n]) <= 180.0))
                from[0][n] = from[1][n] = 0.0;
        }
        for (int64_t i = 0; i < rows && n < 70 && header.limit & 1; i += 7, n++) {
            from[0][n] = lat[i];
            from[1][n] = lon[i] * 0.999;
        }
        static const double limits[4] = {INFINITY, 0.0, 1.0, 5000.0};
        const double limit_km = limits[header.limit >> 1 & 3];
        const int64_t k = 1 + header.k % 80;
        ask(&tree, from[0], from[1], n, k, limit_km, sound);

        /* What an index does once a filter has been asked often. */
        const int64_t passing = count_of(&tree);
        const Shape small = shape_of(passing);
        double *points = calloc((size_t)small.leaves * LEAF_DOUBLES + 1, sizeof *points);
        int32_t *ids = calloc((size_t)passing + 1, sizeof *ids);
        float *small_boxes = calloc((size_t)small.nodes * NODE_FLOATS + 1, sizeof *small_boxes);
        double frame[12];
        uint8_t *small_bits = malloc((size_t)(small.leaves + small.nodes) + 1);
        memset(small_bits, 0xff, (size_t)(small.leaves + small.nodes) + 1);
        raise_bits(&small, small_bits);
        check(compact(&tree, points, ids, small_boxes, frame), "no memory");
        const Tree compacted = {small, points, ids, small_boxes, frame, small_bits};
        ask(&compacted, from[0], from[1], n, k, limit_km, sound);
        free(small_bits);
        free(small_boxes);
        free(ids);
        free(points);
    }
    free(bits);
    free(lon);
    free(lat);
    for (int i = 0; i < 4; i++)
        free(arrays[i]);
    return 0;
}
