/* Laying points out as a tree: kd order by selection, then boxes from the leaves up. */

#ifndef KETAFIND_BUILD_H
#define KETAFIND_BUILD_H

#include "tree.h"

#if defined(_WIN32)
#define HAS_THREADS 0
#else
#include <pthread.h>
#define HAS_THREADS 1
#endif

/* Fewer items than this are not worth a thread. */
#define WORTH_THREAD 50000

typedef struct {
    float at[3]; /* in the turned frame */
    int32_t id;
} Item;

typedef struct {
    int64_t low, high;
} Parts;

/* Sort items into those below both pivots, those from the one to the other, and those above, in
   one pass without a branch that depends on them: each is written to all three places, and one of
   the places moves on. Returns where the second and the third part begin. */
static Parts partition(Item *items, int64_t n, int axis, const float pivots[2], Item *scratch)
{
    int64_t below = 0, between = 0, above = n;
    for (int64_t i = 0; i < n; i++) {
        const Item item = items[i];
        const bool is_below = item.at[axis] < pivots[0], is_above = item.at[axis] > pivots[1];
        items[below] = item;
        scratch[between] = item;
        scratch[above - 1] = item;
        below += is_below;
        above -= is_above;
        between += !is_below && !is_above;
    }
    memcpy(items + below, scratch, (size_t)between * sizeof *items);
    memcpy(items + below + between, scratch + above, (size_t)(n - above) * sizeof *items);
    const Parts parts = {below, below + between};
    return parts;
}

static void insertion_sort(Item *items, int64_t n, int axis)
{
    for (int64_t i = 1; i < n; i++) {
        const Item item = items[i];
        int64_t hole = i;
        for (; hole > 0 && item.at[axis] < items[hole - 1].at[axis]; hole--)
            items[hole] = items[hole - 1];
        items[hole] = item;
    }
}

/* Pivots that very likely lie just below and just above the item of a rank: quantiles of a sample,
   as in Floyd and Rivest's selection. */
static void choose_pivots(const Item *items, int64_t n, int64_t rank, int axis, float pivots[2])
{
    float sample[256];
    int size = 16;
    while (size < 256 && (int64_t)size * size < n)
        size *= 2;
    for (int i = 0; i < size; i++) {
        const float value = items[n / size * i + (n / size) / 2].at[axis];
        int hole = i;
        for (; hole > 0 && value < sample[hole - 1]; hole--)
            sample[hole] = sample[hole - 1];
        sample[hole] = value;
    }
    const double share = (double)rank / (double)n, step = 1.2 * sqrt((double)size * 0.25);
    const int low = (int)(share * size - step), high = (int)(share * size + step);
    pivots[0] = sample[low < 0 ? 0 : low];
    pivots[1] = sample[high >= size ? size - 1 : high];
}

/* Order items so that the first `rank` are not above the rest along an axis. */
static void split_at(Item *items, int64_t n, int64_t rank, int axis, Item *scratch)
{
    bool stuck = false;
    while (n > 24) {
        float pivots[2];
        choose_pivots(items, n, rank, axis, pivots);
        if (stuck)
            pivots[0] = pivots[1];
        const Parts parts = partition(items, n, axis, pivots, scratch);
        if (rank >= parts.low && rank < parts.high && pivots[0] == pivots[1])
            return; /* everything in between is equal */
        const int64_t from = rank < parts.low ? 0 : rank < parts.high ? parts.low : parts.high;
        const int64_t to = rank < parts.low ? parts.low : rank < parts.high ? parts.high : n;
        stuck = to - from == n; /* the pivots were the extremes: try with one */
        items += from;
        n = to - from;
        rank -= from;
    }
    insertion_sort(items, n, axis);
}

/* The axis along which a sample of items spreads most, or -1 if all of it is in one place. */
static int widest_axis(const Item *items, int64_t n, int64_t step)
{
    float low[3], high[3];
    for (int axis = 0; axis < 3; axis++)
        low[axis] = high[axis] = items[0].at[axis];
    for (int64_t i = step; i < n; i += step)
        for (int axis = 0; axis < 3; axis++) {
            const float value = items[i].at[axis];
            low[axis] = value < low[axis] ? value : low[axis];
            high[axis] = value > high[axis] ? value : high[axis];
        }
    int widest = 0;
    for (int axis = 1; axis < 3; axis++)
        if (high[axis] - low[axis] > high[widest] - low[widest])
            widest = axis;
    return high[widest] > low[widest] ? widest : -1;
}

typedef struct {
    Item *items, *scratch;
    int64_t n, rows;
    int threads;
} Part;

static void arrange(Item *items, int64_t n, int64_t rows, Item *scratch, int threads);

#if HAS_THREADS
static void *arrange_part(void *given)
{
    const Part *part = given;
    arrange(part->items, part->n, part->rows, part->scratch, part->threads);
    return NULL;
}
#endif

/* Arrange two parts side by side, each with its share of the scratch; false if no thread is to be
   had. */
static bool arrange_both(Part left, Part right)
{
#if HAS_THREADS
    pthread_t helper;
    if (pthread_create(&helper, NULL, arrange_part, &left) == 0) {
        arrange_part(&right);
        pthread_join(helper, NULL);
        return true;
    }
#else
    (void)left;
    (void)right;
#endif
    return false;
}

/* Put items into tree order: halve, by whole children, until each child is alone, then go on
   inside it. `rows` is how many rows a full child of this range holds. The order does not depend on
   the number of threads. */
static void arrange(Item *items, int64_t n, int64_t rows, Item *scratch, int threads)
{
    while (n > FANOUT) {
        while (n <= rows)
            rows /= FANOUT;
        int axis = widest_axis(items, n, 1 + n / 1024);
        if (axis < 0 && (axis = widest_axis(items, n, 1)) < 0)
            return;
        const int64_t children = (n + rows - 1) / rows, left = (children + 1) / 2 * rows;
        split_at(items, n, left, axis, scratch);
        if (threads > 1 && n >= WORTH_THREAD) {
            const Part first = {items, scratch, left, rows, threads / 2};
            const Part second = {items + left, scratch + left, n - left, rows,
                                 threads - threads / 2};
            if (arrange_both(first, second))
                return;
        }
        arrange(items, left, rows, scratch, 1);
        items += left;
        n -= left;
    }
}

/* A frame whose third axis points up at the middle of the points: boxes over a region then lie
   flat. Points all around the globe keep the usual axes, and so do those of a damaged file that are
   not on it. */
static void choose_frame(const Point *points, int64_t n, double frame[12])
{
    static const double usual[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
    memcpy(frame, usual, sizeof usual);
    Point mean = {0.0, 0.0, 0.0};
    for (int64_t i = 0; i < n; i++) {
        mean.x += points[i].x;
        mean.y += points[i].y;
        mean.z += points[i].z;
    }
    const double share = n > 0 ? 1.0 / (double)n : 0.0;
    mean = (Point){mean.x * share, mean.y * share, mean.z * share};
    const double length = sqrt(mean.x * mean.x + mean.y * mean.y + mean.z * mean.z);
    if (!(length >= 0.1 * EARTH_A && length <= EARTH_A))
        return;
    const double up[3] = {mean.x / length, mean.y / length, mean.z / length};
    const bool polar = fabs(up[2]) > 0.9; /* there, cross with x instead of z */
    const double side[3] = {polar ? 0.0 : -up[1], polar ? -up[2] : up[0], polar ? up[1] : 0.0};
    const double norm = sqrt(side[0] * side[0] + side[1] * side[1] + side[2] * side[2]);
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        frame[i] = side[i] / norm;
        frame[3 + i] = (up[j] * side[k] - up[k] * side[j]) / norm;
        frame[6 + i] = up[i];
    }
    frame[9] = mean.x;
    frame[10] = mean.y;
    frame[11] = mean.z;
}

/* Where a row's x, y and z go. */
static inline void put_point(double *points, int64_t row, Point p)
{
    double *leaf = points + row / FANOUT * LEAF_DOUBLES + row % FANOUT;
    leaf[0] = p.x;
    leaf[FANOUT] = p.y;
    leaf[2 * FANOUT] = p.z;
}

/* The box of one leaf, grown by the margin. */
static void leaf_box(const Shape *shape, const double *points, const double *frame, int64_t leaf,
                     float box[6])
{
    double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (int64_t row = leaf * FANOUT; row < shape->rows && row < (leaf + 1) * FANOUT; row++) {
        double turned[3];
        turn(frame, point_in(points, row), turned);
        for (int i = 0; i < 3; i++) {
            low[i] = turned[i] < low[i] ? turned[i] : low[i];
            high[i] = turned[i] > high[i] ? turned[i] : high[i];
        }
    }
    for (int i = 0; i < 3; i++) {
        box[i] = (float)(low[i] - BOX_MARGIN);
        box[3 + i] = (float)(high[i] + BOX_MARGIN);
    }
}

/* The box around the children of a node. */
static void node_box(const float *node, float box[6])
{
    for (int i = 0; i < 6; i++) {
        box[i] = node[i * FANOUT];
        for (int j = 1; j < FANOUT; j++) {
            const float value = node[i * FANOUT + j];
            box[i] = (i < 3 ? value < box[i] : value > box[i]) ? value : box[i];
        }
    }
}

static void fill_boxes(const Shape *shape, const double *points, const double *frame, float *boxes)
{
    int64_t below = shape->leaves;
    for (int level = 1; level <= shape->level; level++) {
        const int64_t nodes = (below + FANOUT - 1) / FANOUT;
        for (int64_t child = 0; child < nodes * FANOUT; child++) {
            float *node = boxes + (shape->first[level] + child / FANOUT) * NODE_FLOATS;
            /* A child that is not there is nowhere. */
            float box[6] = {INFINITY, INFINITY, INFINITY, -INFINITY, -INFINITY, -INFINITY};
            if (child < below && level == 1)
                leaf_box(shape, points, frame, child, box);
            else if (child < below)
                node_box(boxes + (shape->first[level - 1] + child) * NODE_FLOATS, box);
            for (int i = 0; i < 6; i++)
                node[i * FANOUT + child % FANOUT] = box[i];
        }
        below = nodes;
    }
}

/* Lay points out as a tree, into arrays of the right sizes (see shape_of). A row's id is its place
   among the points, or what `names` holds there. False without memory. */
static bool lay_out(const Point *all, const int32_t *names, int64_t n, int threads, double *points,
                    int32_t *ids, float *boxes, double *frame)
{
    const Shape shape = shape_of(n);
    Item *items = malloc((size_t)(n + 1) * sizeof *items);
    if (!items)
        return false;
    /* Where the points will lie there is room for the items, until then. */
    Item *scratch = (Item *)(void *)points;
    choose_frame(all, n, frame);
    for (int64_t i = 0; i < n; i++) {
        double turned[3];
        turn(frame, all[i], turned);
        items[i].id = (int32_t)i;
        /* What is no number cannot be sorted: the pivots would not be in order, and split_at() would
           write beyond the items, or not end. */
        for (int axis = 0; axis < 3; axis++)
            items[i].at[axis] = isnan(turned[axis]) ? 0.0f : (float)turned[axis];
    }
    int64_t rows = FANOUT;
    while (rows * FANOUT < n)
        rows *= FANOUT;
    arrange(items, n, rows, scratch, threads);
    memset(points, 0, (size_t)shape.leaves * LEAF_DOUBLES * sizeof *points);
    for (int64_t row = 0; row < n; row++) {
        const int32_t place = items[row].id;
        ids[row] = names ? names[place] : place;
        put_point(points, row, all[place]);
    }
    fill_boxes(&shape, points, frame, boxes);
    free(items);
    return true;
}

/* Build a tree from degrees. */
static bool build(const double *lat, const double *lon, int64_t n, int threads, double *points,
                  int32_t *ids, float *boxes, double *frame)
{
    Point *all = malloc((size_t)(n + 1) * sizeof *all);
    if (!all)
        return false;
    for (int64_t i = 0; i < n; i++)
        all[i] = point_at(lat[i], lon[i]);
    const bool built = lay_out(all, NULL, n, threads, points, ids, boxes, frame);
    free(all);
    return built;
}

/* Build a tree of the rows that pass alone. The arrays must fit as many. */
static bool compact(const Tree *tree, double *points, int32_t *ids, float *boxes, double *frame)
{
    const size_t most = (size_t)count_of(tree) + 1;
    Point *all = malloc(most * sizeof *all);
    int32_t *names = malloc(most * sizeof *names);
    int64_t n = 0;
    if (all && names)
        for (int64_t leaf = 0; leaf < tree->shape.leaves; leaf++)
            for (unsigned left = tree->bits[leaf]; left; left &= left - 1u) {
                const int64_t row = leaf * FANOUT + lowest_bit(left);
                names[n] = tree->ids[row];
                all[n++] = point_of(tree, row);
            }
    const bool built = all && names && lay_out(all, names, n, 1, points, ids, boxes, frame);
    free(names);
    free(all);
    return built;
}

/* What is wrong with a tree read from a file, or NULL: ids are the positions 0..n-1 in some order,
   points lie on the ellipsoid, and boxes are those of the points. Memory is for n flags. */
static const char *fault_of(const Tree *tree, uint8_t *seen, float *boxes)
{
    const Shape *shape = &tree->shape;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double dot = 0.0;
            for (int k = 0; k < 3; k++)
                dot += tree->frame[3 * i + k] * tree->frame[3 * j + k];
            if (!(fabs(dot - (i == j)) < 1e-9) || !(fabs(tree->frame[9 + i]) < 1e4))
                return "its frame is no rotation";
        }
    memset(seen, 0, (size_t)shape->rows);
    for (int64_t row = 0; row < shape->rows; row++) {
        const int32_t id = tree->ids[row];
        if (id < 0 || id >= shape->rows || seen[id]++)
            return "its order is no permutation";
        const Point p = point_of(tree, row);
        const double u = (p.x * p.x + p.y * p.y) / (EARTH_A * EARTH_A), v = p.z / EARTH_B;
        if (!(fabs(u + v * v - 1.0) < 1e-12))
            return "a point is not on the ellipsoid";
    }
    fill_boxes(shape, tree->points, tree->frame, boxes);
    if (memcmp(boxes, tree->boxes, (size_t)shape->nodes * NODE_FLOATS * sizeof *boxes) != 0)
        return "its boxes are not those of its points";
    return NULL;
}

#endif
