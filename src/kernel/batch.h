/* Many origins: taken in an order in which neighbours follow each other, so that what one needs
   is in the cache for the next, and started with what the last one's answer proves. */

#ifndef KETAFIND_BATCH_H
#define KETAFIND_BATCH_H

#include "brute_force_small.h"
#include "results.h"
#include "tree.h"

/* With more answers than this, a warm start costs more than it saves. */
#define WARM 64
/* Fewer origins than this, or few leaves, are not worth an order. */
#define WORTH_ORDER 64
/* Looking around pays when it serves so many origins; where the last look did not, the next waits
   for as many as that. */
#define WORTH_A_LOOK 8
#define MOST_PATIENCE 64

/* Spread the bits of a number apart: one (of 16) or two (of 10) empty ones between them. */
static inline uint32_t spread_one(uint32_t v)
{
    v = (v | v << 8) & 0x00ff00ffu;
    v = (v | v << 4) & 0x0f0f0f0fu;
    v = (v | v << 2) & 0x33333333u;
    return (v | v << 1) & 0x55555555u;
}

static inline uint32_t spread_two(uint32_t v)
{
    v = (v | v << 16) & 0x030000ffu;
    v = (v | v << 8) & 0x0300f00fu;
    v = (v | v << 4) & 0x030c30c3u;
    return (v | v << 2) & 0x09249249u;
}

/* Sort by the upper half, in three passes of eleven bits; the result is in `items`. */
static void radix_sort(uint64_t *items, uint64_t *other, int64_t n)
{
    enum { WIDTH = 2048 };
    uint32_t counts[3][WIDTH];
    memset(counts, 0, sizeof counts);
    for (int64_t i = 0; i < n; i++)
        for (int pass = 0; pass < 3; pass++)
            counts[pass][items[i] >> (32 + 11 * pass) & (WIDTH - 1)]++;
    for (int pass = 0; pass < 3; pass++) {
        uint32_t sum = 0;
        for (int i = 0; i < WIDTH; i++) {
            const uint32_t here = counts[pass][i];
            counts[pass][i] = sum;
            sum += here;
        }
        for (int64_t i = 0; i < n; i++)
            other[counts[pass][items[i] >> (32 + 11 * pass) & (WIDTH - 1)]++] = items[i];
        uint64_t *const sorted = other;
        other = items;
        items = sorted;
    }
    memcpy(other, items, (size_t)n * sizeof *items); /* after three passes they lie in the other */
}

/* A number's place along an axis; what is no number has the first. */
static inline uint32_t cell_of(double value)
{
    return value > 0.0 ? (uint32_t)value : 0;
}

/* Order origins along a Z-curve: over two axes of the turned frame where they lie flat in it. */
static void order_origins(const Tree *tree, const Point *origins, int64_t n, uint64_t *items,
                          uint64_t *other)
{
    double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (int64_t i = 0; i < n; i++) {
        double at[3];
        turn(tree->frame, origins[i], at);
        for (int axis = 0; axis < 3; axis++) {
            low[axis] = at[axis] < low[axis] ? at[axis] : low[axis];
            high[axis] = at[axis] > high[axis] ? at[axis] : high[axis];
        }
    }
    double side = 1e-9;
    for (int axis = 0; axis < 3; axis++)
        side = high[axis] - low[axis] > side ? high[axis] - low[axis] : side;
    const bool flat = high[2] - low[2] < 0.125 * side;
    const double scale = (flat ? 65535.0 : 1023.0) / side;
    for (int64_t i = 0; i < n; i++) {
        double at[3];
        uint32_t cell[3];
        turn(tree->frame, origins[i], at);
        for (int axis = 0; axis < 3; axis++)
            cell[axis] = cell_of((at[axis] - low[axis]) * scale);
        const uint32_t key =
            flat ? spread_one(cell[0]) | spread_one(cell[1]) << 1
                 : spread_two(cell[0]) | spread_two(cell[1]) << 1 | spread_two(cell[2]) << 2;
        items[i] = (uint64_t)key << 32 | (uint64_t)i;
    }
    radix_sort(items, other, n);
}

/* The k points found for the last origin bound the k-th distance of the next: it is no more than
   the longest geodesic to them. */
static double warm_limit(const Tree *tree, const Found *last, int64_t k, Point next,
                         double limit_km)
{
    double chord2 = 0.0;
    for (int64_t i = 0; i < k; i++) {
        const double this2 = chord_squared(next, point_of(tree, last[i].row));
        chord2 = this2 > chord2 ? this2 : chord2;
    }
    const double km = longest_km(chord2) + SLACK;
    return km < limit_km ? km : limit_km;
}

typedef struct {
    Around around;
    int64_t served, patience;
} Neighbourhood;

/* Leaves that hold all within reach, or NULL. What one origin finds around it serves the next ones,
   as long as the displacement leaves room. */
static const Around *around_for(const Tree *tree, const Origin *origin, const TopK *best,
                                bool warm, Neighbourhood *hood)
{
    const double reach = sqrt(best->reach2);
    if (reach + sqrt(chord_squared(hood->around.centre, origin->at)) <= hood->around.room) {
        hood->served++;
        return &hood->around;
    }
    if (!warm || tree->shape.level < 2 || hood->patience-- > 0)
        return NULL;
    hood->patience = hood->served < WORTH_A_LOOK ? MOST_PATIENCE : 0;
    hood->served = 0;
    look_around(tree, origin, &hood->around);
    return reach <= hood->around.room ? &hood->around : NULL;
}

/* The k nearest of each origin on its own, as they come. */
static void find_one_by_one(const Tree *tree, const double *lat, const double *lon, int64_t n,
                            double limit_km, Found *found, int64_t most, const Results *results)
{
    Point at[64];
    for (int64_t begin = 0; begin < n; begin += 64) {
        const int64_t end = begin + 64 < n ? begin + 64 : n;
        for (int64_t i = begin; i < end; i++)
            at[i - begin] = point_at(lat[i], lon[i]);
        for (int64_t i = begin; i < end; i++)
            put_row(results, i, found, find_nearest(tree, at[i - begin], limit_km, most, found));
    }
}

/* The k nearest of each of n origins (fewer than 2^32), into rows of k; false without memory. */
static bool find_nearest_many(const Tree *tree, const double *lat, const double *lon, int64_t n,
                              double limit_km, const Results *results)
{
    const int64_t k = results->k, most = k < tree->shape.rows ? k : tree->shape.rows;
    const bool many = n >= WORTH_ORDER, few = tree->shape.leaves <= SMALL_LEAVES;
    if (k == 1 && many && few && count_of(tree) > 0) {
        brute_force_nearest(tree, lat, lon, n, limit_km, results);
        return true;
    }
    const bool ordered = many && !few;
    Found *found = malloc((size_t)(most + 1) * sizeof *found);
    Point *origins = ordered ? malloc((size_t)n * sizeof *origins) : NULL;
    uint64_t *items = ordered ? malloc((size_t)n * 2 * sizeof *items) : NULL;
    const bool ready = found && (!ordered || (origins && items));
    if (ready && !ordered)
        find_one_by_one(tree, lat, lon, n, limit_km, found, most, results);
    if (ready && ordered) {
        for (int64_t i = 0; i < n; i++)
            origins[i] = point_at(lat[i], lon[i]);
        order_origins(tree, origins, n, items, items + n);
        int64_t last = 0;
        Neighbourhood hood = {.around.room = -1.0};
        for (int64_t i = 0; i < n; i++) {
            const int64_t row = (int64_t)(items[i] & 0xffffffffu);
            const int64_t later = (int64_t)(items[i + 8 < n ? i + 8 : n - 1] & 0xffffffffu);
            PREFETCH(&origins[later]);
            PREFETCH(results->km + later * k);
            PREFETCH((const char *)results->position + later * k * results->width);
            const bool warm = last == most && most <= WARM;
            TopK best = top_k_of(found, most,
                                warm ? warm_limit(tree, found, last, origins[row], limit_km)
                                     : limit_km);
            best.limit_key = micrometres(limit_km);
            const Origin origin = origin_at(tree, origins[row]);
            search(tree, &origin, &best, around_for(tree, &origin, &best, warm, &hood));
            put_row(results, row, found, best.size);
            last = best.size;
        }
    }
    free(items);
    free(origins);
    free(found);
    return ready;
}

#endif
