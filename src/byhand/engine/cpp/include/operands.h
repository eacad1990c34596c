// What is multiplied: numbers of type P, PAIR of them at a time in each lane of a W. Sums and states are of type T.
#pragma once
#include "vector.h"

#ifdef BFLOAT16
#ifndef __AVX512BF16__
#error "this compiler makes no products of bfloat16 pairs for this processor"
#endif
// The processor multiplies two neighbours each and adds both products to a sum in float. Whatever the modes are, it rounds to nearest
// and takes numbers too small for the usual form for 0, as it does where it rounds to bfloat16.
struct P {
    uint16_t bits;
    P() = default;
    P(float value) : bits(uint16_t(_mm_extract_epi16((__m128i)_mm_cvtneps_pbh(_mm_set_ss(value)), 0))) {}
    operator float() const { return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(int(uint32_t(bits) << 16)))); }
};
constexpr int PAIR = 2;
#if defined(__clang__)
#define UNROLL_PRODUCTS _Pragma("unroll 2")
#else
#define UNROLL_PRODUCTS _Pragma("GCC unroll 2")
#endif
typedef __m512bh W;
typedef W Moved __attribute__((aligned(2), may_alias));

static INLINE __mmask32 first_of_32(int64_t count) { return count >= 32 ? ~__mmask32(0) : __mmask32((1u << count) - 1); }
static INLINE __m512i as_words(const P* from, int64_t count) {  // 16 of them
    return _mm512_maskz_cvtepu16_epi32(0xffff, _mm256_maskz_loadu_epi16(__mmask16(first_of_32(count)), from));
}
static INLINE V load(const P* from, int64_t count) { return (V)_mm512_maskz_slli_epi32(0xffff, as_words(from, count), 16); }
static INLINE void store(P* to, V value, int64_t count) {
    _mm256_mask_storeu_epi16(to, __mmask16(first_of_32(count)), (__m256i)_mm512_cvtneps_pbh((__m512)value));
}
static INLINE V load_pairs(const P* from) { return (V)_mm512_loadu_si512(from); }  // to be moved only
static INLINE W load_operand(const P* from) { return (W)_mm512_loadu_si512(from); }
static INLINE W load_operand(const P* from, int64_t count) { return (W)_mm512_maskz_loadu_epi16(first_of_32(count), from); }
// The same pair in all lanes. WHOLE: else there is one number only, and a zero takes the other's place.
template <bool WHOLE>
static INLINE W spread(const P* from) {
    int32_t pair = from->bits;
    if constexpr (WHOLE) std::memcpy(&pair, from, sizeof pair);
    return (W)_mm512_set1_epi32(pair);
}
// Pairs of a number from each row; of the first row only and zeros if there is no second one.
static INLINE W joined(const P* first, const P* second, int64_t count) {
    const __m512i low = as_words(first, count);
    return (W)(second ? _mm512_or_si512(low, _mm512_maskz_slli_epi32(0xffff, as_words(second, count), 16)) : low);
}
static INLINE void add_product(V& sum, W a, W b) { sum = (V)_mm512_dpbf16_ps((__m512)sum, a, b); }
#else
typedef T P;
constexpr int PAIR = 1;
#define UNROLL_PRODUCTS
typedef V W;
typedef Loose Moved;

static INLINE V load_pairs(const P* from) { return load(from); }
static INLINE W load_operand(const P* from) { return load(from); }
static INLINE W load_operand(const P* from, int64_t count) { return load(from, count); }
template <bool>
static INLINE W spread(const P* from) { return fill(*from); }
static INLINE W joined(const P* first, const P*, int64_t count) { return load(first, count); }
static INLINE void add_product(V& sum, W a, W b) { sum += a * b; }
#endif

static INLINE int64_t in_pairs(int64_t count) { return (count + PAIR - 1) / PAIR * PAIR; }  // with the zero that is put to an odd number

// Read once and kept in a register: where several rows are multiplied with it, gcc would read it again for each of them.
template <bool MANY_TIMES>
static INLINE W in_register(W value) {
#if defined(__x86_64__)
    if constexpr (MANY_TIMES) asm("" : "+v"(value));
#elif defined(__aarch64__)
    if constexpr (MANY_TIMES) asm("" : "+w"(value));
#endif
    return value;
}
