/* Where the answers of many origins go: rows of k distances and of k positions, which may be
   integers of any size. */

#ifndef KETAFIND_TABLE_H
#define KETAFIND_TABLE_H

#include <math.h>
#include <stdint.h>

#include "best.h"

typedef struct {
    double *km;
    void *position;
    int width; /* of a position, in bytes */
    int64_t k;
} Table;

static inline void put_one(const Table *table, int64_t at, double km, int64_t position)
{
    table->km[at] = km;
    switch (table->width) {
    case 1: ((int8_t *)table->position)[at] = (int8_t)position; break;
    case 2: ((int16_t *)table->position)[at] = (int16_t)position; break;
    case 4: ((int32_t *)table->position)[at] = (int32_t)position; break;
    default: ((int64_t *)table->position)[at] = position;
    }
}

static inline void put_row(const Table *table, int64_t row, const Found *found, int64_t n)
{
    for (int64_t i = 0; i < table->k; i++)
        put_one(table, row * table->k + i, i < n ? found[i].km : NAN,
                i < n ? found[i].position : -1);
}

#endif
