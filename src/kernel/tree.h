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

#include "top_k.h"
#include "geodesic.h"
#include "simd.h"

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
                           TopK *best)
{
    const Point point = point_of(tree, row);
    offer(best, length_km(chord2, origin->at, origin->m, point), tree->ids[row], row);
}

/* Put a point among the best k, which lie in order. */
static inline void insert_found(TopK *best, Found value)
{
    Found *found = best->found;
    int64_t hole = best->size;
    if (hole < best->capacity)
        best->size++;
    else if (!before(&value, &found[--hole]))
        return;
    for (; hole > 0 && before(&value, &found[hole - 1]); hole--)
        found[hole] = found[hole - 1];
    found[hole] = value;
}

/* Measure what waits; from here on, measure at once. */
static void settle(const Tree *tree, const Origin *origin, TopK *best)
{
    const Deferred *later = best->later;
    best->later = NULL;
    for (int64_t i = 0; i < later->n; i++)
        if (later->points[i].chord2 <= best->reach2)
            measure(tree, origin, later->points[i].chord2, later->points[i].row, best);
}

/* Lengths for as many of the chords as come before one too long for the series, which are summed
   for several at once; the same bits as length_km. Returns how many. */
static int64_t measure_series(const Origin *origin, const double *restrict chord2,
                              const double *restrict z, int64_t n, double *restrict km)
{
    const double z1 = origin->at.z, m1 = origin->m;
    int64_t near = 0, middle;
    while (near < n && chord2[near] <= SHORT_CHORD2)
        near++;
    if (near == n) {
        for (int64_t i = 0; i < n; i++)
            km[i] = near_km(chord2[i], z1, m1, z[i], true);
        return n;
    }
    while (near < n && chord2[near] <= NEAR_CHORD2)
        near++;
    for (middle = near; middle < n && chord2[middle] <= MIDDLE_CHORD2;)
        middle++;
    for (int64_t i = 0; i < near; i++)
        km[i] = near_km(chord2[i], z1, m1, z[i], false);
    for (int64_t i = near; i < middle; i++)
        km[i] = middle_km(chord2[i], z1, m1, z[i]);
    return middle;
}

/* Measure what waits at the end of a search: first the k with the smallest chords, nearly in order
   already, then what else lies in the ring. */
static void finish(const Tree *tree, const Origin *origin, TopK *best)
{
    const Deferred *later = best->later;
    const Waiting *points = later->points;
    if (later->n == 0) /* k may be 0, where there are no points */
        return;
    const double last = later->least[best->capacity - 1];
    int64_t rows[ROOM], n = 0;
    double chord2[ROOM], z[ROOM], km[ROOM];
    for (int64_t i = 0; i < best->capacity && later->least[i] < INFINITY; i++)
        rows[n++] = place_in(later->least[i]);
    for (int64_t i = 0; n < later->n && i < later->n; i++)
        if (points[i].chord2 <= best->reach2 && keyed_chord(points[i].chord2, i) > last)
            rows[n++] = i;
    for (int64_t i = 0; i < n; i++) {
        chord2[i] = points[rows[i]].chord2;
        rows[i] = points[rows[i]].row;
        z[i] = point_of(tree, rows[i]).z;
    }
    const int64_t done = measure_series(origin, chord2, z, n, km);
    for (int64_t i = done; i < n; i++)
        km[i] = length_km(chord2[i], origin->at, origin->m, point_of(tree, rows[i]));
    for (int64_t i = 0; i < n; i++) {
        const Found value = {micrometres(km[i]), km[i], tree->ids[rows[i]], (int32_t)rows[i]};
        if (value.key <= best->limit_key)
            insert_found(best, value);
    }
}

static ALWAYS_INLINE void put_aside(Deferred *later, double *least, int k,
                                    const double chord2[FANOUT], unsigned which, int64_t leaf)
{
    int64_t n = later->n;
    for (; which; which &= which - 1u, n++) {
        const int i = lowest_bit(which);
        later->points[n] = (Waiting){chord2[i], leaf * FANOUT + i};
        insert_least(least, k, keyed_chord(chord2[i], n));
    }
    later->n = n;
}

/* Set points of a leaf aside. The k smallest chords bound the k-th distance, and so the reach. */
static inline void defer(TopK *best, const double chord2[FANOUT], unsigned which, int64_t leaf)
{
    Deferred *later = best->later;
    const int k = (int)best->capacity;
    double least[REGISTER_K]; /* a fixed number stays in registers */
    if (k == 1) {
        least[0] = later->least[0];
        put_aside(later, least, 1, chord2, which, leaf);
        later->least[0] = least[0];
    } else if (k <= REGISTER_K) {
        memcpy(least, later->least, sizeof least);
        put_aside(later, least, REGISTER_K, chord2, which, leaf);
        memcpy(later->least, least, sizeof least);
    } else {
        put_aside(later, later->least, k, chord2, which, leaf);
    }
    if (later->least[k - 1] < INFINITY) /* what is rounded away is added again */
        shorten_to_chord(best, later->least[k - 1] * (1.0 + 1e-13));
}

static inline void scan_leaf(const Tree *tree, int64_t leaf, const Origin *origin, TopK *best)
{
    double chord2[FANOUT];
    unsigned which =
        chords_within(tree->points + leaf * LEAF_DOUBLES, origin->at, best->reach2, chord2) &
        tree->bits[leaf];
    PREFETCH(tree->ids + leaf * FANOUT); /* for the end */
    if (best->later && best->later->n <= ROOM - FANOUT) {
        defer(best, chord2, which, leaf);
        return;
    }
    if (best->later)
        settle(tree, origin, best); /* many within the ring: rank them as they come */
    for (; which; which &= which - 1u) {
        const int i = lowest_bit(which);
        if (chord2[i] <= best->reach2)
            measure(tree, origin, chord2[i], leaf * FANOUT + i, best);
    }
}

/* A leaf's points and a node's boxes both take three cache lines. */
static inline void fetch_ahead(const void *at)
{
    PREFETCH((const char *)at);
    PREFETCH((const char *)at + 64);
    PREFETCH((const char *)at + 128);
}

/* ---- walking ------------------------------------------------------------------------------- */

typedef struct {
    float keyed[FANOUT]; /* distances to the children */
    unsigned left;       /* children that were within reach and are still to visit */
    int64_t number;
} Node;

static inline void open_node(const Tree *tree, int level, int64_t number, const Origin *origin,
                             float reach2, Node *node)
{
    const int64_t at = tree->shape.first[level] + number;
    node->number = number;
    node->left = keyed_distances(tree->boxes + at * NODE_FLOATS, origin->turned,
                                 tree->bits[tree->shape.leaves + at], reach2, node->keyed);
    if (level == 1)
        for (unsigned left = node->left; left; left &= left - 1u)
            fetch_ahead(tree->points + (number * FANOUT + lowest_bit(left)) * LEAF_DOUBLES);
}

/* The keyed distance of the nearest child that is still to visit; false if none is within reach. */
static inline bool next_child(Node *node, float reach2, float *keyed)
{
    if (!node->left)
        return false;
    *keyed = least_keyed(node->keyed);
    if (!(*keyed <= reach2))
        return false;
    node->keyed[box_in(*keyed)] = NOWHERE;
    node->left &= ~(1u << box_in(*keyed));
    return true;
}

/* What is done with a leaf at a squared distance; it may shorten the reach. */
typedef void Visit(const Tree *tree, int64_t leaf, float distance2, const Origin *origin,
                   void *state);

/* Visit the leaves within reach, nearest boxes first. Of each level one node is open. */
static ALWAYS_INLINE void walk(const Tree *tree, const Origin *origin, const float *reach2,
                               Visit *visit, void *state)
{
    const int top = tree->shape.level;
    Node open[MAX_LEVEL + 1];
    if (top == 0) {
        if (tree->shape.rows > 0)
            visit(tree, 0, 0.0f, origin, state);
        return;
    }
    open_node(tree, top, 0, origin, *reach2, open + top);
    for (int level = top; level <= top;) {
        Node *node = open + level;
        float keyed;
        if (!next_child(node, *reach2, &keyed)) {
            level++;
            continue;
        }
        const int64_t child = node->number * FANOUT + box_in(keyed);
        if (level == 1)
            visit(tree, child, keyed, origin, state);
        else
            open_node(tree, --level, child, origin, *reach2, node - 1);
    }
}

/* The leaves around a place, as the children of a node of their own. */
typedef struct {
    float boxes[NODE_FLOATS];
    int64_t leaves[FANOUT];
    unsigned bits;
    Point centre;
    double room; /* every other leaf is farther away from the centre */
} Around;

typedef struct {
    float distance2[FANOUT + 1], reach2;
    int64_t leaves[FANOUT + 1];
} Gathered;

static inline void gather(const Tree *tree, int64_t leaf, float distance2, const Origin *origin,
                          void *state)
{
    (void)tree;
    (void)origin;
    Gathered *all = state;
    int hole = FANOUT;
    for (; hole > 0 && distance2 < all->distance2[hole - 1]; hole--) {
        all->distance2[hole] = all->distance2[hole - 1];
        all->leaves[hole] = all->leaves[hole - 1];
    }
    all->distance2[hole] = distance2;
    all->leaves[hole] = leaf;
    all->reach2 = all->distance2[FANOUT];
}

/* Find the eight leaves nearest to an origin; the ninth says how far they reach. */
static void look_around(const Tree *tree, const Origin *origin, Around *around)
{
    Gathered all = {.reach2 = 1e37f};
    for (int i = 0; i <= FANOUT; i++)
        all.distance2[i] = 1e37f;
    walk(tree, origin, &all.reach2, gather, &all);
    around->centre = origin->at;
    around->room = all.reach2 < 1e37f ? sqrt((double)all.reach2) * (1.0 - 1e-5) : INFINITY;
    around->bits = 0;
    for (int i = 0; i < FANOUT && all.distance2[i] < 1e37f; i++) {
        const int64_t leaf = all.leaves[i];
        const float *box = tree->boxes + leaf / FANOUT * NODE_FLOATS + leaf % FANOUT;
        for (int side = 0; side < 6; side++)
            around->boxes[side * FANOUT + i] = box[side * FANOUT];
        around->leaves[i] = leaf;
        around->bits |= 1u << i;
    }
}

/* ---- searching ----------------------------------------------------------------------------- */

static inline void scan(const Tree *tree, int64_t leaf, float distance2, const Origin *origin,
                        void *state)
{
    (void)distance2;
    scan_leaf(tree, leaf, origin, state);
}

/* Offer every point that could enter; the best k then lie nearest first. `around` holds all leaves
   within reach, or is NULL. */
static void search(const Tree *tree, const Origin *origin, TopK *best, const Around *around)
{
    Deferred later;
    if (!best->growing && best->capacity <= MOST_DEFERRED) {
        later.n = 0;
        for (int64_t i = 0; i < best->capacity || i < REGISTER_K; i++)
            later.least[i] = INFINITY;
        best->later = &later;
    }
    if (around) {
        Node node;
        node.left = keyed_distances(around->boxes, origin->turned, around->bits, best->box_reach2,
                                    node.keyed);
        for (float keyed; next_child(&node, best->box_reach2, &keyed);)
            scan_leaf(tree, around->leaves[box_in(keyed)], origin, best);
    } else {
        walk(tree, origin, &best->box_reach2, scan, best);
    }
    if (best->later)
        finish(tree, origin, best);
    else if (!best->growing)
        unheap(best->found, best->size);
    best->later = NULL;
}

static TopK top_k_of(Found *found, int64_t capacity, double limit_km)
{
    TopK best = {found, 0,    capacity, false, false, NULL, micrometres(limit_km),
                 1e37, 1e37f};
    shorten_reach(&best, limit_km);
    return best;
}

/* The k nearest within a limit, into found[0..k-1]; returns how many. */
static int64_t find_nearest(const Tree *tree, Point at, double limit_km, int64_t k, Found *found)
{
    const Origin origin = origin_at(tree, at);
    TopK best = top_k_of(found, k, limit_km);
    search(tree, &origin, &best, NULL);
    return best.size;
}

/* All within a radius, nearest first, on the heap; false without memory. */
static bool find_within(const Tree *tree, Point at, double radius_km, TopK *all)
{
    const Origin origin = origin_at(tree, at);
    *all = top_k_of(NULL, 0, radius_km);
    all->growing = true;
    search(tree, &origin, all, NULL);
    for (int64_t i = all->size / 2; i-- > 0;)
        sift_down(all->found, all->size, i, all->found[i]);
    unheap(all->found, all->size);
    return !all->failed;
}

/* ---- bitmaps ------------------------------------------------------------------------------- */

/* How many rows pass. */
static int64_t count_of(const Tree *tree)
{
    return count_bits(tree->bits, tree->shape.leaves);
}

/* Complete a bitmap whose leaf bytes are set: clear bits past the last row, fill the levels
   above. */
static void raise_bits(const Shape *shape, uint8_t *bits)
{
    if (shape->rows % FANOUT)
        bits[shape->leaves - 1] &= (uint8_t)((1u << shape->rows % FANOUT) - 1u);
    const uint8_t *below = bits;
    int64_t n = shape->leaves;
    uint8_t *out = bits + shape->leaves;
    for (int level = 1; level <= shape->level; level++) {
        const int64_t whole_nodes = n / FANOUT;
        groups_set(below, whole_nodes, out);
        if (n % FANOUT) {
            uint8_t last[FANOUT] = {0};
            memcpy(last, below + whole_nodes * FANOUT, (size_t)(n % FANOUT));
            out[whole_nodes] = (uint8_t)bytes_set(last);
        }
        below = out;
        n = (n + FANOUT - 1) / FANOUT;
        out += n;
    }
}

#endif
