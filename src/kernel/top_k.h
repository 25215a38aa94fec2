/* The best points found so far, and how far a search must reach for a better one. */

#ifndef KETAFIND_TOP_K_H
#define KETAFIND_TOP_K_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "geodesic.h"

/* Two micrometres: one for the rounding of keys, one for the error of distances and chords. */
#define SLACK 2e-9

typedef struct {
    double key, km; /* key: whole micrometres */
    int32_t position, row;
} Found;

static inline bool before(const Found *a, const Found *b)
{
    return a->key < b->key || (a->key == b->key && a->position < b->position);
}

/* With few wanted, points are set aside by chord and measured at the end: those within the ring
   around the k-th smallest chord, which are hardly more than k. */
#define MOST_DEFERRED 32
#define ROOM 256
#define REGISTER_K 6 /* the smallest so many are kept in registers */

typedef struct {
    double chord2;
    int64_t row;
} Waiting;

typedef struct {
    Waiting points[ROOM]; /* as they came */
    int64_t n;
    double least[MOST_DEFERRED]; /* the k smallest chords, in order; see keyed_chord() */
} Deferred;

/* A squared chord whose lowest eight bits are the place where it waits: far less than SLACK.
   Nothing is so near that it would come out subnormal, which some programs flush to zero. */
static ALWAYS_INLINE double keyed_chord(double chord2, int64_t place)
{
    const double value = chord2 + 1e-290;
    uint64_t bits;
    double keyed;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits & ~(uint64_t)(ROOM - 1)) | (uint64_t)place;
    memcpy(&keyed, &bits, sizeof keyed);
    return keyed;
}

static ALWAYS_INLINE int64_t place_in(double keyed)
{
    uint64_t bits;
    memcpy(&bits, &keyed, sizeof bits);
    return (int64_t)(bits & (ROOM - 1));
}

/* Put a value in its place among the k smallest: without a branch to guess, and where k is known
   to the compiler, in registers. */
static inline void insert_least(double *least, int k, double value)
{
    for (int i = k - 1; i > 0; i--) {
        const double up = least[i - 1] > value ? least[i - 1] : value;
        least[i] = least[i] < up ? least[i] : up;
    }
    least[0] = least[0] < value ? least[0] : value;
}

/* The best k so far, as a heap with the worst on top; with `growing`, all within the limit. */
typedef struct {
    Found *found;
    int64_t size, capacity;
    bool growing, failed;
    Deferred *later; /* NULL: measure at once */
    double limit_key;
    double reach2;     /* squared chord beyond which nothing can enter */
    float box_reach2;  /* the same for float boxes */
} TopK;

/* Points within km of geodesic lie within this chord: c <= s always, and far away the arc on the
   auxiliary sphere, s >= b sigma with c <= 2 a sin(sigma / 2), says more. */
static inline double chord_within(double km)
{
    double chord = km;
    if (km > 1800.0) {
        const double half = km / (2.0 * EARTH_B);
        const double wide = half < PI / 2 ? 2.0 * EARTH_A * sin(half) * (1.0 + 1e-12) : 13000.0;
        chord = wide < chord ? wide : chord;
    }
    return chord + SLACK;
}

#define NEAR_RING (1.1 / (24.0 * 6335.0 * 6335.0))

/* A geodesic with this squared chord is no longer: s <= 2 R asin(c / 2 R), where R = b^2 / a is the
   smallest radius of curvature (Schur's comparison), which up to 1,000 km is less than what is
   returned; beyond, s <= a sigma with c >= 2 b sin(sigma / 2). */
static inline double longest_km(double chord2)
{
    const double chord = sqrt(chord2), sine = chord / (2.0 * EARTH_B);
    if (chord2 <= NEAR_CHORD2)
        return chord * (1.0 + chord2 * NEAR_RING);
    return 2.0 * EARTH_A * asin(sine < 1.0 ? sine : 1.0) * (1.0 + 1e-12);
}

/* A warm start may already reach less far. */
static inline void reach_at_most(TopK *best, double reach2)
{
    if (reach2 < best->reach2) {
        best->reach2 = reach2;
        best->box_reach2 = (float)(reach2 * (1.0 + 1e-5));
    }
}

/* Reach no farther than km. */
static inline void shorten_reach(TopK *best, double km)
{
    const double chord = chord_within(km);
    reach_at_most(best, chord * chord);
}

/* A geodesic is at most so long for its chord (longest_km). Whatever is no longer than that has a
   squared chord of at most this; for chords up to NEAR_CHORD2, without a root, since 2 c <= 1 + c^2. */
static ALWAYS_INLINE double near_reach2(double chord2)
{
    const double ring = 1.0 + chord2 * NEAR_RING;
    return chord2 * ring * ring + 1.1 * SLACK * (1.0 + chord2);
}

/* Reach no farther than the longest geodesic with this squared chord. */
static inline void shorten_to_chord(TopK *best, double chord2)
{
    if (chord2 <= NEAR_CHORD2)
        reach_at_most(best, near_reach2(chord2));
    else
        shorten_reach(best, longest_km(chord2));
}

static inline void sift_down(Found *heap, int64_t size, int64_t hole, Found value)
{
    for (int64_t child; (child = 2 * hole + 1) < size; hole = child) {
        if (child + 1 < size && before(&heap[child], &heap[child + 1]))
            child++;
        if (!before(&value, &heap[child]))
            break;
        heap[hole] = heap[child];
    }
    heap[hole] = value;
}

static inline void sift_up(Found *heap, int64_t hole, Found value)
{
    for (int64_t parent; hole > 0 && before(&heap[parent = (hole - 1) / 2], &value); hole = parent)
        heap[hole] = heap[parent];
    heap[hole] = value;
}

/* Turn the heap into a list, nearest first. */
static void unheap(Found *heap, int64_t size)
{
    while (size > 1) {
        const Found worst = heap[0];
        size--;
        sift_down(heap, size, 0, heap[size]);
        heap[size] = worst;
    }
}

static void append(TopK *best, Found value)
{
    if (best->size == best->capacity) {
        const int64_t capacity = 2 * best->capacity + 64;
        Found *found = best->failed ? NULL : realloc(best->found, (size_t)capacity * sizeof *found);
        if (!found) {
            best->failed = true;
            return;
        }
        best->found = found;
        best->capacity = capacity;
    }
    best->found[best->size++] = value;
}

static inline void offer(TopK *best, double km, int32_t position, int64_t row)
{
    const Found value = {micrometres(km), km, position, (int32_t)row};
    if (!(value.key <= best->limit_key))
        return;
    if (best->growing) {
        append(best, value);
        return;
    }
    if (best->size < best->capacity)
        sift_up(best->found, best->size++, value);
    else if (before(&value, &best->found[0]))
        sift_down(best->found, best->size, 0, value);
    else
        return;
    if (best->size == best->capacity)
        shorten_reach(best, best->found[0].km);
}

#endif
