/* Points on the WGS 84 ellipsoid and the length of the geodesic between two of them, in km.

   Every distance that leaves the kernel comes from length_km(), so a pair has one distance whoever
   asks. All of it is plain IEEE arithmetic in a fixed
   order: compile without contraction into fused operations and without -ffast-math. */

#ifndef KETAFIND_GEODESIC_H
#define KETAFIND_GEODESIC_H

#include <float.h>
#include <math.h>
#include <stdbool.h>

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "needs arithmetic in plain doubles (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

/* For what must become part of a loop before the compiler looks at vectors. */
#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define ALWAYS_INLINE __forceinline
#else
#define ALWAYS_INLINE inline
#endif

#include "series.h"

#define PI 3.14159265358979323846
#define EARTH_A 6378.137
#define EARTH_F (1.0 / 298.257223563)
#define EARTH_F1 (1.0 - EARTH_F)
#define EARTH_B (EARTH_A * EARTH_F1)
#define EARTH_E2 (EARTH_F * (2.0 - EARTH_F))
#define EARTH_EP2 (EARTH_E2 / (EARTH_F1 * EARTH_F1))

/* Chords up to here (squared) are measured by the first series, by the second, and longer ones by
   the inverse problem. */
#define NEAR_CHORD2 (1000.0 * 1000.0)
#define MIDDLE_CHORD2 (4000.0 * 4000.0)
/* Below this the correction stays under 0.03 nm and is left out. */
#define SHORT_CHORD2 (30.0 * 30.0)

typedef struct {
    double x, y, z;
} Point;

/* Nearest whole number, ties to even, for |value| < 2^51; a library call on baseline x86-64. */
static ALWAYS_INLINE double whole(double value)
{
    const double magic = 6755399441055744.0;
    return (value + magic) - magic;
}

/* Sine and cosine of -180..180 degrees. The reduction to -45..45 is exact, so right angles are. */
static ALWAYS_INLINE void sine_cosine(double degrees, double *sine, double *cosine)
{
    const double quarter = whole(degrees * (1.0 / 90.0));
    const double t = (degrees - 90.0 * quarter) * (PI / 180.0), u = t * t;
    /* Taylor: the first terms left out are 5e-17 and 2e-18 at 45 degrees. */
    double s = u * (-1.0 / 1307674368000 + u * (1.0 / 355687428096000));
    s = u * (1.0 / 362880 + u * (-1.0 / 39916800 + u * (1.0 / 6227020800 + s)));
    s = t + t * (u * (-1.0 / 6 + u * (1.0 / 120 + u * (-1.0 / 5040 + s))));
    double c = u * (-1.0 / 87178291200 + u * (1.0 / 20922789888000));
    c = u * (1.0 / 40320 + u * (-1.0 / 3628800 + u * (1.0 / 479001600 + c)));
    c = 1.0 + u * (-0.5 + u * (1.0 / 24 + u * (-1.0 / 720 + c)));
    const int turns = (int)quarter;
    const double first = turns & 1 ? c : s, second = turns & 1 ? s : c;
    *sine = turns & 2 ? -first : first;
    *cosine = (turns + 1) & 2 ? -second : second;
}

/* Earth-centred position of a latitude and longitude in degrees. */
static ALWAYS_INLINE Point point_at(double lat, double lon)
{
    double sin_lat, cos_lat, sin_lon, cos_lon;
    sine_cosine(lat, &sin_lat, &cos_lat);
    sine_cosine(lon, &sin_lon, &cos_lon);
    const double n = EARTH_A / sqrt(1.0 - EARTH_E2 * sin_lat * sin_lat), ring = n * cos_lat;
    const Point point = {ring * cos_lon, ring * sin_lon, n * (1.0 - EARTH_E2) * sin_lat};
    return point;
}

static ALWAYS_INLINE double chord_squared(Point p, Point q)
{
    const double x = p.x - q.x, y = p.y - q.y, z = p.z - q.z;
    return x * x + y * y + z * z;
}

/* The ellipsoid's a times its curvature across the meridian, at height z over the equator:
   1 / sqrt(1 + e'^2 (z/b)^2). The fit of the series allows for the term cut off. */
static ALWAYS_INLINE double cross_curvature(double z)
{
    const double v = z * z * (EARTH_EP2 / (EARTH_B * EARTH_B));
    return 1.0 - v * (0.5 - v * (0.375 - v * (0.3125 - v * 0.2734375)));
}

/* Length from the squared chord, for chords up to 1,000 km: the arc of a circle of the mean normal
   curvature, whose sine series is summed, and the fitted correction (see series.h), which short
   chords do without. m1 is cross_curvature(z1). There is no branch, so that loops over it become
   vectors; the tiny term keeps a chord of 0 from being divided by. */
static ALWAYS_INLINE double near_km(double chord2, double z1, double m1, double z2, bool all_short)
{
    const double chord = sqrt(chord2), dz = z1 - z2, t = dz * dz / (chord2 + 1e-290);
    const double bend = (1.0 + EARTH_EP2 * t) * (m1 + cross_curvature(z2));
    const double y = bend * bend * chord2 * (1.0 / (16.0 * EARTH_A * EARTH_A));
    double arc = 5.0 / 112 + y * (35.0 / 1152 + y * (63.0 / 2816));
    arc = chord * (y * (1.0 / 6 + y * (3.0 / 40 + y * arc)));
    if (all_short)
        return chord + arc;
    const double x = chord2 * 1e-6, mean = (z1 + z2) * (0.5 / EARTH_B);
    const double more = chord * 1e-3 * (x * x) * near_correction(x, t, mean * mean);
    return chord + (arc + (chord2 > SHORT_CHORD2 ? more : 0.0));
}

/* asin(s) / s from y = s^2 up to 0.1: Taylor's series; the first term left out is under 4e-19. */
static ALWAYS_INLINE double arc_over_sine(double y)
{
    double sum = 5014575.0 / 973078528 + y * (9694845.0 / 2080374784);
    sum = 676039.0 / 104857600 + y * (1300075.0 / 226492416 + y * sum);
    sum = 46189.0 / 5505024 + y * (88179.0 / 12058624 + y * sum);
    sum = 6435.0 / 557056 + y * (12155.0 / 1245184 + y * sum);
    sum = 231.0 / 13312 + y * (143.0 / 10240 + y * sum);
    sum = 35.0 / 1152 + y * (63.0 / 2816 + y * sum);
    sum = 3.0 / 40 + y * (5.0 / 112 + y * sum);
    return 1.0 + y * (1.0 / 6 + y * sum);
}

/* The same for chords up to 4,000 km. */
static ALWAYS_INLINE double middle_km(double chord2, double z1, double m1, double z2)
{
    const double chord = sqrt(chord2), dz = z1 - z2, t = dz * dz / chord2;
    const double bend = (1.0 + EARTH_EP2 * t) * (m1 + cross_curvature(z2));
    const double y = bend * bend * chord2 * (1.0 / (16.0 * EARTH_A * EARTH_A));
    const double x = chord2 * 1e-6, mean = (z1 + z2) * (0.5 / EARTH_B);
    return chord * arc_over_sine(y) +
           chord * 1e-3 * (x * x) * middle_correction(x, t, mean * mean);
}

/* The three integrals along an arc of the auxiliary sphere (Karney 2013, eqs. 7, 8 and 39), over
   sigma from mid - half to mid + half, with p = k^2 sin^2 sigma and q = sqrt(1 + p):
   stretch = of q - 1 (length), turn = of (2 - f) / (1 + (1 - f) q) (longitude),
   reduced = of p / q (reduced length). Twelve Gauss-Legendre nodes reach the rounding of doubles
   since k^2 < 0.0068 and half <= pi / 2. */
typedef struct {
    double stretch, turn, reduced;
} Integrals;

static inline Integrals integrate(double k2, double mid, double half)
{
    static const double node[6] = {0.12523340851146891, 0.36783149899818018, 0.58731795428661748,
                                   0.76990267419430469, 0.9041172563704748,  0.98156063424671924};
    static const double weight[6] = {0.24914704581340269, 0.23349253653835461, 0.20316742672306573,
                                     0.16007832854334642, 0.10693932599531907,
                                     0.047175336386511411};
    const double cos_mid = cos(2.0 * mid), sin_mid = sin(2.0 * mid);
    Integrals sum = {0.0, 0.0, 0.0};
    for (int i = 0; i < 6; i++) {
        const double even = cos_mid * cos(2.0 * half * node[i]);
        const double odd = sin_mid * sin(2.0 * half * node[i]);
        for (int side = -1; side <= 1; side += 2) {
            const double p = k2 * 0.5 * (1.0 - (even + side * odd)), q = sqrt(1.0 + p);
            sum.stretch += weight[i] * (p / (1.0 + q));
            sum.turn += weight[i] * ((2.0 - EARTH_F) / (1.0 + EARTH_F1 * q));
            sum.reduced += weight[i] * (p / q);
        }
    }
    sum.stretch *= half;
    sum.turn *= half;
    sum.reduced *= half;
    return sum;
}

/* A geodesic that leaves latitude 1, in the south, at azimuth alpha1 and meets latitude 2, which is
   no farther from the equator, on reduced latitudes (sines and cosines), and what follows from it.
   gain is how much larger the square of the second cosine is. */
typedef struct {
    double sin1, cos1, sin2, cos2, gain, longitude;
} Problem;

typedef struct {
    double km, longitude, slope, sin0;
} Path;

static Path follow(const Problem *p, double sin_a1, double cos_a1)
{
    Path path;
    /* Clairaut: the azimuth at the equator, then at latitude 2. */
    path.sin0 = sin_a1 * p->cos1;
    const double cos0 = hypot(cos_a1, sin_a1 * p->sin1);
    const double north1 = cos_a1 * p->cos1;
    const double north2 = p->gain == 0.0 ? fabs(north1) : sqrt(north1 * north1 + p->gain);

    const double s1 = p->sin1, c1 = north1, s2 = p->sin2, c2 = north2;
    const double across = c1 * s2 - s1 * c2;
    const double sigma1 = atan2(s1, c1);
    const double sigma = atan2(across > 0.0 ? across : 0.0, c1 * c2 + s1 * s2);
    const double turned = path.sin0 * (across > 0.0 ? across : 0.0);
    const double omega = atan2(turned, c1 * c2 + path.sin0 * s1 * path.sin0 * s2);

    const double k2 = EARTH_EP2 * cos0 * cos0;
    const Integrals arc = integrate(k2, sigma1 + 0.5 * sigma, 0.5 * sigma);
    path.km = EARTH_B * (sigma + arc.stretch);
    path.longitude = omega - EARTH_F * path.sin0 * arc.turn;

    const double norm1 = 1.0 / hypot(s1, c1), norm2 = 1.0 / hypot(s2, c2);
    const double ss1 = s1 * norm1, cs1 = c1 * norm1, ss2 = s2 * norm2, cs2 = c2 * norm2;
    const double reduced = sqrt(1.0 + k2 * ss2 * ss2) * cs1 * ss2 -
                           sqrt(1.0 + k2 * ss1 * ss1) * ss1 * cs2 - cs1 * cs2 * arc.reduced;
    path.slope = north2 > 0.0 ? EARTH_F1 * reduced / north2
                              : -2.0 * EARTH_F1 * sqrt(1.0 + EARTH_EP2 * s1 * s1) / s1;
    return path;
}

/* The azimuth at which the longitudes agree: Newton's method inside a bracket that halves when a
   step leaves it. Longitude rises with azimuth, from 0 at 0 to pi at pi (Karney 2013, section 4).
   What is left of the longitude moves the end along its parallel, and the length with it. */
static double solve_km(const Problem *p)
{
    double sin_low = 0.0, cos_low = 1.0, sin_high = 0.0, cos_high = -1.0;
    double sin_a = p->cos2 * sin(p->longitude);
    double cos_a = p->cos1 * p->sin2 - p->sin1 * p->cos2 * cos(p->longitude);
    if (!(sin_a > 1e-6) || p->sin1 == 0.0) {
        sin_a = 1.0; /* nearly opposite or along a meridian: begin in the middle of the bracket */
        cos_a = p->sin1 == 0.0 ? -1.0 : 0.0;
    }
    Path path = {0.0, 0.0, 0.0, 0.0};
    double miss = 0.0;
    for (int i = 0; i < 100; i++) {
        const double norm = 1.0 / hypot(sin_a, cos_a);
        sin_a *= norm;
        cos_a *= norm;
        path = follow(p, sin_a, cos_a);
        miss = path.longitude - p->longitude;
        if (!(fabs(miss) > 1e-13))
            break;
        if (miss > 0.0) {
            sin_high = sin_a;
            cos_high = cos_a;
        } else {
            sin_low = sin_a;
            cos_low = cos_a;
        }
        const double step = -miss / path.slope;
        const double sin_next = sin_a * cos(step) + cos_a * sin(step);
        const double cos_next = cos_a * cos(step) - sin_a * sin(step);
        /* Inside means between the two ends of the bracket, as angles in 0..pi. */
        if (path.slope > 0.0 && fabs(step) < 1.0 && sin_next > 0.0 &&
            sin_next * cos_low - cos_next * sin_low > 0.0 &&
            sin_high * cos_next - cos_high * sin_next > 0.0) {
            sin_a = sin_next;
            cos_a = cos_next;
        } else if (sin_low == 0.0 && sin_high == 0.0) {
            sin_a = 1.0;
            cos_a = 0.0;
        } else {
            sin_a = 0.5 * (sin_low + sin_high);
            cos_a = 0.5 * (cos_low + cos_high);
        }
    }
    return path.km - EARTH_A * path.sin0 * miss;
}

typedef struct {
    double sine, cosine;
} Latitude;

static inline Latitude reduced_latitude(Point p)
{
    const double ring = hypot(p.x, p.y) / EARTH_A, up = p.z / EARTH_B, norm = 1.0 / hypot(up, ring);
    const Latitude latitude = {up * norm, ring * norm};
    return latitude;
}

/* Length for any two points, from the reduced latitudes and the longitude between them. */
static double far_km(Point p, Point q)
{
    Latitude one = reduced_latitude(p), two = reduced_latitude(q);
    const double sines = fabs(one.sine) + fabs(two.sine), cosines = one.cosine + two.cosine;
    /* How much farther from the equator the first lies: towards the poles sines round to 1, towards
       the equator cosines do. */
    const bool polar = cosines < sines;
    const double more = polar ? two.cosine - one.cosine : fabs(one.sine) - fabs(two.sine);
    if (more < 0.0) {
        const Latitude other = one;
        one = two;
        two = other;
    }
    if (more == 0.0) { /* the same latitude, north or south, to the last bit */
        one.cosine = two.cosine = fmax(one.cosine, two.cosine);
        one.sine = copysign(fmax(fabs(one.sine), fabs(two.sine)), one.sine);
        two.sine = copysign(one.sine, two.sine);
    }
    const Problem problem = {-fabs(one.sine), one.cosine,
                             one.sine > 0.0 ? -two.sine : two.sine, two.cosine,
                             fabs(more) * (polar ? cosines : sines),
                             atan2(fabs(p.x * q.y - q.x * p.y), p.x * q.x + p.y * q.y)};
    if (problem.longitude == 0.0 || problem.longitude == PI || problem.cos1 == 0.0)
        return follow(&problem, 0.0, problem.longitude == PI ? -1.0 : 1.0).km; /* a meridian */
    if (problem.sin1 == 0.0 && problem.longitude <= PI * EARTH_F1)
        return EARTH_A * problem.longitude;
    return solve_km(&problem);
}

/* The length from p to q, whose squared chord is at hand, and cross_curvature(p.z) as m. */
static double length_km(double chord2, Point p, double m, Point q)
{
    if (chord2 <= NEAR_CHORD2)
        return near_km(chord2, p.z, m, q.z, chord2 <= SHORT_CHORD2);
    return chord2 <= MIDDLE_CHORD2 ? middle_km(chord2, p.z, m, q.z) : far_km(p, q);
}

static inline double geodesic_km(Point p, Point q)
{
    return length_km(chord_squared(p, q), p, cross_curvature(p.z), q);
}

/* Distances are equal when they are equal in whole micrometres. */
static ALWAYS_INLINE double micrometres(double km)
{
    return whole(km * 1e9);
}

#endif
