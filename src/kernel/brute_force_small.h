/* The nearest of at most 64 points, for many origins: a tree would not pay. Each point is held
   against a block of origins at a time, in loops that the compiler turns into vectors. Answers have the bits
   that the tree's have. */

#ifndef KETAFIND_BRUTE_FORCE_SMALL_H
#define KETAFIND_BRUTE_FORCE_SMALL_H

#include "results.h"
#include "tree.h"

/* With more leaves a tree is faster where vectors are short. */
#define SMALL_LEAVES 8
/* A power of two, up to ROOM: the number of a place is masked. */
#define SMALL_POINTS (SMALL_LEAVES * FANOUT)
#define BLOCK 64

/* Where there are points that pass, and the lowest id at each place. */
typedef struct {
    int64_t n;
    double x[SMALL_POINTS], y[SMALL_POINTS], z[SMALL_POINTS];
    int64_t id[SMALL_POINTS];
} SmallSet;

/* What is found for a block of origins. */
typedef struct {
    double x[BLOCK], y[BLOCK], z[BLOCK];
    double least[BLOCK], second[BLOCK]; /* see keyed_chord() */
    double km[BLOCK];
    int64_t id[BLOCK];
    double doubt[BLOCK]; /* not 0: another place may be as near, or all are far, or some NaN; a
                            double, so that the loop that writes it becomes vectors */
} Block;

/* The points that pass, of a tree with SMALL_LEAVES or fewer. */
static void gather_small_set(const Tree *tree, SmallSet *places)
{
    places->n = 0;
    for (int64_t row = 0; row < tree->shape.rows; row++) {
        if (!(tree->bits[row / FANOUT] >> row % FANOUT & 1))
            continue;
        const Point at = point_of(tree, row);
        int64_t i = 0;
        while (i < places->n &&
               !(places->x[i] == at.x && places->y[i] == at.y && places->z[i] == at.z))
            i++;
        if (i < places->n && places->id[i] < tree->ids[row])
            continue;
        places->x[i] = at.x;
        places->y[i] = at.y;
        places->z[i] = at.z;
        places->id[i] = tree->ids[row];
        places->n += i == places->n;
    }
}

static ALWAYS_INLINE void search_block(const SmallSet *restrict places, const double *restrict lat,
                                       const double *restrict lon, Block *restrict block)
{
    double m[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        const Point at = point_at(lat[i], lon[i]);
        block->x[i] = at.x;
        block->y[i] = at.y;
        block->z[i] = at.z;
        m[i] = cross_curvature(at.z);
        block->least[i] = block->second[i] = INFINITY;
    }
    for (int64_t j = 0; j < places->n; j++) {
        const Point place = {places->x[j], places->y[j], places->z[j]};
        for (int i = 0; i < BLOCK; i++) {
            const Point at = {block->x[i], block->y[i], block->z[i]};
            const double value = keyed_chord(chord_squared(at, place), j);
            const double up = block->least[i] > value ? block->least[i] : value;
            block->second[i] = block->second[i] < up ? block->second[i] : up;
            block->least[i] = block->least[i] < value ? block->least[i] : value;
        }
    }
    for (int i = 0; i < BLOCK; i++) {
        const int64_t j = place_in(block->least[i]) & (SMALL_POINTS - 1);
        const Point at = {block->x[i], block->y[i], block->z[i]};
        const Point place = {places->x[j], places->y[j], places->z[j]};
        const double chord2 = chord_squared(at, place);
        block->km[i] = near_km(chord2, at.z, m[i], place.z, false);
        block->id[i] = places->id[j];
        /* What is rounded away from a keyed chord is added again. */
        const double reach2 = near_reach2(chord2) * (1.0 + 1e-13);
        const bool sure =
            block->least[i] < NEAR_CHORD2 * (1.0 - 1e-13) && block->second[i] > reach2;
        block->doubt[i] = sure ? 0.0 : 1.0;
    }
}

typedef void SearchBlock(const SmallSet *places, const double *lat, const double *lon,
                         Block *block);

static void search_block_plain(const SmallSet *places, const double *lat, const double *lon,
                               Block *block)
{
    search_block(places, lat, lon, block);
}

/* Vectors of 256 bits take half the time. Those of 512 gain a sixth more, which is not worth a
   third copy. */
#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
__attribute__((target("avx2"))) static void
search_block_avx2(const SmallSet *places, const double *lat, const double *lon, Block *block)
{
    search_block(places, lat, lon, block);
}

static SearchBlock *fitting_search(void)
{
    return __builtin_cpu_supports("avx2") ? search_block_avx2 : search_block_plain;
}
#else
static SearchBlock *fitting_search(void)
{
    return search_block_plain;
}
#endif

/* The nearest of each origin; some points pass, of a tree with SMALL_LEAVES or fewer. */
static void brute_force_nearest(const Tree *tree, const double *lat, const double *lon, int64_t n,
                           double limit_km, const Results *results)
{
    SmallSet places;
    gather_small_set(tree, &places);
    SearchBlock *const run = fitting_search();
    const double limit_key = micrometres(limit_km);
    for (int64_t begin = 0; begin < n; begin += BLOCK) {
        const int64_t size = n - begin < BLOCK ? n - begin : BLOCK;
        Block block;
        if (size == BLOCK) {
            run(&places, lat + begin, lon + begin, &block);
        } else {
            double last[2][BLOCK] = {{0.0}};
            memcpy(last[0], lat + begin, (size_t)size * sizeof *lat);
            memcpy(last[1], lon + begin, (size_t)size * sizeof *lon);
            run(&places, last[0], last[1], &block);
        }
        for (int64_t i = 0; i < size; i++) {
            if (block.doubt[i] != 0.0) {
                const Point at = {block.x[i], block.y[i], block.z[i]};
                Found found;
                put_row(results, begin + i, &found, find_nearest(tree, at, limit_km, 1, &found));
            } else {
                const bool within = micrometres(block.km[i]) <= limit_key;
                put_one(results, begin + i, within ? block.km[i] : NAN, within ? block.id[i] : -1);
            }
        }
    }
}

#endif
