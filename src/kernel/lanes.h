/* Eight boxes or eight points against one origin at a time: the two inner loops. With SSE2, which
   every x86-64 has, and in plain C; both give the same bits. */

#ifndef KETAFIND_LANES_H
#define KETAFIND_LANES_H

#include <stdint.h>
#include <string.h>

#include "geodesic.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define USE_SSE2 1
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static inline int lowest_bit(unsigned bits)
{
    unsigned long place;
    _BitScanForward(&place, bits);
    return (int)place;
}
#else
static inline int lowest_bit(unsigned bits)
{
    return __builtin_ctz(bits);
}
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

/* A bit for each of 8 bytes that is not zero. */
static inline unsigned bytes_set(const uint8_t bytes[8])
{
#ifdef USE_SSE2
    const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)bytes);
    return ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(eight, _mm_setzero_si128())) & 0xffu;
#else
    unsigned set = 0;
    for (int i = 0; i < 8; i++)
        set |= (unsigned)(bytes[i] != 0) << i;
    return set;
#endif
}

/* How many bits are set: eight bytes at a time, adding neighbours of 1, 2 and 4 bits. */
static int64_t count_bits(const uint8_t *bytes, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, (size_t)(n - i < 8 ? n - i : 8));
        word -= word >> 1 & 0x5555555555555555u;
        word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
        word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        count += (int64_t)(word * 0x0101010101010101u >> 56);
    }
    return count;
}

/* Squared distances from a point to 8 boxes (their 8 low x, y, z, then 8 high x, y, z), and a bit
   for each that is within reach. A NaN is never within. */
static inline unsigned boxes_within(const float *box, const float at[3], float reach2,
                                    float distance2[8])
{
    unsigned within = 0;
#ifdef USE_SSE2
    const __m128 reach = _mm_set1_ps(reach2), zero = _mm_setzero_ps();
    for (int half = 0; half < 8; half += 4) {
        __m128 sum = zero;
        for (int axis = 0; axis < 3; axis++) {
            const __m128 here = _mm_set1_ps(at[axis]);
            const __m128 under = _mm_sub_ps(_mm_loadu_ps(box + 8 * axis + half), here);
            const __m128 over = _mm_sub_ps(here, _mm_loadu_ps(box + 24 + 8 * axis + half));
            const __m128 gap = _mm_max_ps(_mm_max_ps(under, over), zero);
            sum = _mm_add_ps(sum, _mm_mul_ps(gap, gap));
        }
        _mm_storeu_ps(distance2 + half, sum);
        within |= (unsigned)_mm_movemask_ps(_mm_cmple_ps(sum, reach)) << half;
    }
#else
    for (int i = 0; i < 8; i++) {
        float sum = 0.0f;
        for (int axis = 0; axis < 3; axis++) {
            const float under = box[8 * axis + i] - at[axis], over = at[axis] - box[24 + 8 * axis + i];
            const float far = under > over ? under : over, gap = far > 0.0f ? far : 0.0f;
            sum += gap * gap;
        }
        distance2[i] = sum;
        within |= (unsigned)(sum <= reach2) << i;
    }
#endif
    return within;
}

/* Squared chords from a point to 8 points (their 8 x, y and z), and a bit for each within reach.
   The sums are those of chord_squared, term by term. */
static inline unsigned chords_within(const double *points, Point at, double reach2,
                                     double chord2[8])
{
    unsigned within = 0;
#ifdef USE_SSE2
    const __m128d reach = _mm_set1_pd(reach2);
    const __m128d x = _mm_set1_pd(at.x), y = _mm_set1_pd(at.y), z = _mm_set1_pd(at.z);
    for (int pair = 0; pair < 8; pair += 2) {
        const __m128d dx = _mm_sub_pd(x, _mm_loadu_pd(points + pair));
        const __m128d dy = _mm_sub_pd(y, _mm_loadu_pd(points + 8 + pair));
        const __m128d dz = _mm_sub_pd(z, _mm_loadu_pd(points + 16 + pair));
        const __m128d flat = _mm_add_pd(_mm_mul_pd(dx, dx), _mm_mul_pd(dy, dy));
        const __m128d sum = _mm_add_pd(flat, _mm_mul_pd(dz, dz));
        _mm_storeu_pd(chord2 + pair, sum);
        within |= (unsigned)_mm_movemask_pd(_mm_cmple_pd(sum, reach)) << pair;
    }
#else
    for (int i = 0; i < 8; i++) {
        const Point p = {points[i], points[8 + i], points[16 + i]};
        chord2[i] = chord_squared(at, p);
        within |= (unsigned)(chord2[i] <= reach2) << i;
    }
#endif
    return within;
}

#endif
