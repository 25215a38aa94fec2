/* An implicit tree of boxes over points, searched under a bitmap of the points that pass.

   Rows lie in tree order. Eight rows make a leaf, eight leaves a node of level 1, eight of those a
   node of level 2, up to one root; only the last of a level may be short. So a child's number is
   its parent's times eight and more, and there are no pointers that a damaged file could bend. */

#ifndef KETAFIND_TREE_H
#define KETAFIND_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "best.h"
#include "geodesic.h"
#include "lanes.h"

#define FANOUT 8
#define MAX_LEVEL 11              /* 8^11 rows are more than MAX_ROWS */
#define MAX_ROWS (INT32_MAX - 64) /* ids are 32 bits wide */
#define LEAF_DOUBLES (3 * FANOUT)
#define NODE_FLOATS (6 * FANOUT)
/* Boxes are grown by a metre, more than the rounding of float32 to either side of them. */
#define BOX_MARGIN 0.001

typedef struct {
    int64_t rows, leaves, nodes;
    int level;                       /* of the root; 0 is a leaf */
    int64_t first[MAX_LEVEL + 1];    /* where the nodes of level 1, 2, ... begin */
} Shape;

typedef struct {
    Shape shape;
    const double *points; /* a leaf: x of 8 rows, y of 8, z of 8; earth-centred km */
    const int32_t *ids;   /* position of each row */
    const float *boxes;   /* a node: of its 8 children low x, y, z and high x, y, z; turned frame */
    const double *frame;  /* 9 of a rotation, row by row, and 3 of the centre it is about */
    const uint8_t *bits;  /* a byte a leaf, rows that pass; a byte a node, children that have any */
    int64_t count;        /* rows that pass */
} Tree;

static Shape shape_of(int64_t rows)
{
    Shape shape = {rows, (rows + FANOUT - 1) / FANOUT, 0, 0, {0}};
    for (int64_t below = shape.leaves; below > 1;) {
        below = (below + FANOUT - 1) / FANOUT;
        shape.first[++shape.level] = shape.nodes;
        shape.nodes += below;
    }
    return shape;
}

/* ---- one question ------------------------------------------------------------------------- */

typedef struct {
    Point at;
    double m; /* cross_curvature(at.z) */
    float turned[3];
} Origin;

static inline void turn(const double *frame, Point p, double turned[3])
{
    const double x = p.x - frame[9], y = p.y - frame[10], z = p.z - frame[11];
    for (int i = 0; i < 3; i++)
        turned[i] = frame[3 * i] * x + frame[3 * i + 1] * y + frame[3 * i + 2] * z;
}

static inline Origin origin_at(const Tree *tree, Point at)
{
    double turned[3];
    turn(tree->frame, at, turned);
    const Origin origin = {
        at, cross_curvature(at.z), {(float)turned[0], (float)turned[1], (float)turned[2]}};
    return origin;
}

static inline Point point_in(const double *points, int64_t row)
{
    const double *p = points + row / FANOUT * LEAF_DOUBLES + row % FANOUT;
    const Point point = {p[0], p[FANOUT], p[2 * FANOUT]};
    return point;
}

static inline Point point_of(const Tree *tree, int64_t row)
{
    return point_in(tree->points, row);
}

static inline void measure(const Tree *tree, const Origin *origin, double chord2, int64_t row,
                           Best *best)
{
    const Point point = point_of(tree, row);
    offer(best, length_km(chord2, origin->at, origin->m, point), tree->ids[row], row);
}

/* Measure what waits; from here on, measure at once. */
static void settle(const Tree *tree, const Origin *origin, Best *best)
{
    const Deferred *later = best->later;
    best->later = NULL;
    for (int64_t i = 0; i < later->n; i++)
        if (later->points[i].chord2 <= best->reach2)
            measure(tree, origin, later->points[i].chord2, later->points[i].row, best);
}

/* Set a point aside, unless too many are. The k smallest chords bound the k-th distance, and so
   the reach. */
static inline bool defer(Best *best, double chord2, int64_t row)
{
    Deferred *later = best->later;
    Waiting *points = later->points;
    int64_t n = later->n;
    while (n > best->capacity && points[n - 1].chord2 > best->reach2)
        n--;
    if (n == ROOM) {
        later->n = n;
        return false;
    }
    int64_t hole = n++;
    for (; hole > 0 && chord2 < points[hole - 1].chord2; hole--)
        points[hole] = points[hole - 1];
    points[hole] = (Waiting){chord2, row};
    later->n = n;
    if (n >= best->capacity && hole < best->capacity)
        shorten_reach(best, longest_km(points[best->capacity - 1].chord2));
    return true;
}

/* Measure what waits at the end of a search: few, and nearly in order already. */
static void finish(const Tree *tree, const Origin *origin, Best *best)
{
    const Deferred *later = best->later;
    Found *found = best->found;
    for (int64_t i = 0; i < later->n && later->points[i].chord2 <= best->reach2; i++) {
        const int64_t row = later->points[i].row;
        const double km =
            length_km(later->points[i].chord2, origin->at, origin->m, point_of(tree, row));
        const Found value = {micrometres(km), km, tree->ids[row], (int32_t)row};
        if (!(value.key <= best->limit_key))
            continue;
        int64_t hole = best->size;
        if (hole < best->capacity)
            best->size++;
        else if (!before(&value, &found[--hole]))
            continue;
        for (; hole > 0 && before(&value, &found[hole - 1]); hole--)
            found[hole] = found[hole - 1];
        found[hole] = value;
    }
}

static inline void scan_leaf(const Tree *tree, int64_t leaf, const Origin *origin, Best *best)
{
    double chord2[FANOUT];
    unsigned left =
        chords_within(tree->points + leaf * LEAF_DOUBLES, origin->at, best->reach2, chord2);
    for (left &= tree->bits[leaf]; left; left &= left - 1u) {
        const int i = lowest_bit(left);
        if (!(chord2[i] <= best->reach2))
            continue;
        if (best->later && defer(best, chord2[i], leaf * FANOUT + i))
            continue;
        if (best->later)
            settle(tree, origin, best); /* many within the ring: rank them as they come */
        measure(tree, origin, chord2[i], leaf * FANOUT + i, best);
    }
}

typedef struct {
    float distance2;
    int level;
    int64_t number;
} Visit;

/* A leaf's points and a node's boxes both take three cache lines. */
static inline void fetch_ahead(const void *at)
{
    PREFETCH((const char *)at);
    PREFETCH((const char *)at + 64);
    PREFETCH((const char *)at + 128);
}

/* Put the children worth a visit on the stack, the nearest on top; returns the new height. */
static inline int expand(const Tree *tree, Visit node, const Origin *origin, float reach2,
                         Visit *stack, int top)
{
    const int64_t at = tree->shape.first[node.level] + node.number;
    const float *box = tree->boxes + at * NODE_FLOATS;
    float distance2[FANOUT];
    const int64_t below = tree->shape.first[node.level - 1];
    const int base = top;
    unsigned left = boxes_within(box, origin->turned, reach2, distance2);
    for (left &= tree->bits[tree->shape.leaves + at]; left; left &= left - 1u) {
        const int i = lowest_bit(left);
        int slot = top++;
        for (; slot > base && stack[slot - 1].distance2 < distance2[i]; slot--)
            stack[slot] = stack[slot - 1];
        const int64_t child = node.number * FANOUT + i;
        stack[slot] = (Visit){distance2[i], node.level - 1, child};
        if (node.level == 1)
            fetch_ahead(tree->points + child * LEAF_DOUBLES);
        else
            fetch_ahead(tree->boxes + (below + child) * NODE_FLOATS);
    }
    return top;
}

/* Offer every point that could enter, nearest boxes first; the best k then lie nearest first. */
static void search(const Tree *tree, const Origin *origin, Best *best)
{
    Deferred later;
    if (!best->growing && best->capacity <= MOST_DEFERRED) {
        later.n = 0;
        best->later = &later;
    }
    Visit stack[MAX_LEVEL * FANOUT + 1];
    int top = 0;
    if (tree->count > 0)
        stack[top++] = (Visit){0.0f, tree->shape.level, 0};
    while (top > 0) {
        const Visit visit = stack[--top];
        if (!(visit.distance2 <= best->box_reach2))
            continue;
        if (visit.level == 0)
            scan_leaf(tree, visit.number, origin, best);
        else
            top = expand(tree, visit, origin, best->box_reach2, stack, top);
    }
    if (best->later)
        finish(tree, origin, best);
    else if (!best->growing)
        unheap(best->found, best->size);
    best->later = NULL;
}

static Best best_of(Found *found, int64_t capacity, double limit_km)
{
    Best best = {found, 0,    capacity, false, false, NULL, micrometres(limit_km),
                 INFINITY, INFINITY};
    shorten_reach(&best, limit_km);
    return best;
}

/* The k nearest within a limit, into found[0..k-1]; returns how many. */
static int64_t find_nearest(const Tree *tree, Point at, double limit_km, int64_t k, Found *found)
{
    const Origin origin = origin_at(tree, at);
    Best best = best_of(found, k, limit_km);
    search(tree, &origin, &best);
    return best.size;
}

/* All within a radius, nearest first, added behind what `all` holds; false without memory. */
static bool find_within(const Tree *tree, Point at, double radius_km, Best *all)
{
    const Origin origin = origin_at(tree, at);
    Best best = best_of(all->found, all->capacity, radius_km);
    best.size = all->size;
    best.growing = true;
    search(tree, &origin, &best);
    Found *fresh = best.found + all->size;
    const int64_t n = best.size - all->size;
    for (int64_t i = n / 2; i-- > 0;)
        sift_down(fresh, n, i, fresh[i]);
    unheap(fresh, n);
    *all = best;
    return !best.failed;
}

/* ---- bitmaps ------------------------------------------------------------------------------- */

/* Complete a bitmap whose leaf bytes are set: clear bits past the last row, fill the levels above;
   returns how many rows pass. */
static int64_t raise_bits(const Shape *shape, uint8_t *bits)
{
    if (shape->rows % FANOUT)
        bits[shape->leaves - 1] &= (uint8_t)((1u << shape->rows % FANOUT) - 1u);
    const uint8_t *below = bits;
    int64_t n = shape->leaves;
    uint8_t *out = bits + shape->leaves;
    for (int level = 1; level <= shape->level; level++) {
        const int64_t whole_nodes = n / FANOUT;
        for (int64_t i = 0; i < whole_nodes; i++)
            out[i] = (uint8_t)bytes_set(below + i * FANOUT);
        if (n % FANOUT) {
            uint8_t last[FANOUT] = {0};
            memcpy(last, below + whole_nodes * FANOUT, (size_t)(n % FANOUT));
            out[whole_nodes] = (uint8_t)bytes_set(last);
        }
        below = out;
        n = (n + FANOUT - 1) / FANOUT;
        out += n;
    }
    return count_bits(bits, shape->leaves);
}

#endif
