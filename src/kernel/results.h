/* Where the answers of many origins go: rows of k distances and of k positions, which may be
   integers of any size. */

#ifndef KETAFIND_RESULTS_H
#define KETAFIND_RESULTS_H

#include <math.h>
#include <stdint.h>

#include "top_k.h"

typedef struct {
    double *km;
    void *position;
    int width; /* of a position, in bytes */
    int64_t k;
} Results;

static inline void put_one(const Results *results, int64_t at, double km, int64_t position)
{
    results->km[at] = km;
    switch (results->width) {
    case 1: ((int8_t *)results->position)[at] = (int8_t)position; break;
    case 2: ((int16_t *)results->position)[at] = (int16_t)position; break;
    case 4: ((int32_t *)results->position)[at] = (int32_t)position; break;
    default: ((int64_t *)results->position)[at] = position;
    }
}

static inline void put_row(const Results *results, int64_t row, const Found *found, int64_t n)
{
    for (int64_t i = 0; i < results->k; i++)
        put_one(results, row * results->k + i, i < n ? found[i].km : NAN,
                i < n ? found[i].position : -1);
}

#endif
