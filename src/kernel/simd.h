/* Eight boxes or eight points against one origin at a time: the two inner loops. With SSE2, which
   every x86-64 has, and in plain C; both give the same bits. */

#ifndef KETAFIND_SIMD_H
#define KETAFIND_SIMD_H

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

/* The same for each group of 8, of n of them: a byte out for eight in. */
static inline void groups_set(const uint8_t *bytes, int64_t n, uint8_t *out)
{
    int64_t i = 0;
#ifdef USE_SSE2
    for (; i + 2 <= n; i += 2) {
        const __m128i sixteen = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 8 * i));
        const int none = _mm_movemask_epi8(_mm_cmpeq_epi8(sixteen, _mm_setzero_si128()));
        out[i] = (uint8_t)~none;
        out[i + 1] = (uint8_t)(~none >> 8);
    }
#endif
    for (; i < n; i++)
        out[i] = (uint8_t)bytes_set(bytes + 8 * i);
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

/* What no squared distance to a box reaches; room for a lane in its lowest bits. */
#define NOWHERE 3.4e38f

/* Squared distances from a point to 8 boxes (their 8 low x, y, z, then 8 high x, y, z), rounded down
   to have the number of the box in their lowest three bits; NOWHERE or a little more for boxes
   without their bit. No distance is so small that it would come out subnormal, which some programs
   flush to zero. Returns a bit for each within reach. */
static inline unsigned keyed_distances(const float *box, const float at[3], unsigned bits,
                                       float reach2, float keyed[8])
{
    unsigned within = 0;
#ifdef USE_SSE2
    const __m128i all = _mm_set1_epi32((int)bits), low3 = _mm_set1_epi32(7);
    const __m128i nowhere = _mm_castps_si128(_mm_set1_ps(NOWHERE));
    __m128i lane = _mm_setr_epi32(0, 1, 2, 3), bit = _mm_setr_epi32(1, 2, 4, 8);
    for (int half = 0; half < 8; half += 4) {
        __m128 sum = _mm_set1_ps(1e-30f);
        for (int axis = 0; axis < 3; axis++) {
            const __m128 here = _mm_set1_ps(at[axis]);
            const __m128 under = _mm_sub_ps(_mm_loadu_ps(box + 8 * axis + half), here);
            const __m128 over = _mm_sub_ps(here, _mm_loadu_ps(box + 24 + 8 * axis + half));
            const __m128 gap = _mm_max_ps(_mm_max_ps(under, over), _mm_setzero_ps());
            sum = _mm_add_ps(sum, _mm_mul_ps(gap, gap));
        }
        const __m128i wanted = _mm_cmpeq_epi32(_mm_and_si128(all, bit), bit);
        const __m128i value = _mm_or_si128(_mm_and_si128(wanted, _mm_castps_si128(sum)),
                                           _mm_andnot_si128(wanted, nowhere));
        const __m128 key = _mm_castsi128_ps(_mm_or_si128(_mm_andnot_si128(low3, value), lane));
        within |= (unsigned)_mm_movemask_ps(_mm_cmple_ps(key, _mm_set1_ps(reach2))) << half;
        _mm_storeu_ps(keyed + half, key);
        lane = _mm_add_epi32(lane, _mm_set1_epi32(4));
        bit = _mm_slli_epi32(bit, 4);
    }
#else
    for (unsigned i = 0; i < 8; i++) {
        float sum = 1e-30f;
        for (int axis = 0; axis < 3; axis++) {
            const float under = box[8 * axis + i] - at[axis], over = at[axis] - box[24 + 8 * axis + i];
            const float far = under > over ? under : over, gap = far > 0.0f ? far : 0.0f;
            sum += gap * gap;
        }
        const float value = bits >> i & 1u ? sum : NOWHERE;
        uint32_t key;
        memcpy(&key, &value, sizeof key);
        key = (key & ~7u) | i;
        memcpy(keyed + i, &key, sizeof key);
        within |= (unsigned)(keyed[i] <= reach2) << i;
    }
#endif
    return within;
}

/* The least of 8 keyed distances. */
static inline float least_keyed(const float keyed[8])
{
#ifdef USE_SSE2
    __m128 least = _mm_min_ps(_mm_loadu_ps(keyed), _mm_loadu_ps(keyed + 4));
    least = _mm_min_ps(least, _mm_movehl_ps(least, least));
    least = _mm_min_ss(least, _mm_shuffle_ps(least, least, 1));
    return _mm_cvtss_f32(least);
#else
    float least = keyed[0];
    for (int i = 1; i < 8; i++)
        least = keyed[i] < least ? keyed[i] : least;
    return least;
#endif
}

static inline unsigned box_in(float keyed)
{
    uint32_t bits;
    memcpy(&bits, &keyed, sizeof bits);
    return bits & 7u;
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
