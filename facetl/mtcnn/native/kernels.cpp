// The three networks of MTCNN and the pixels they see: one core, one image, no library.
//
// Feature maps are (rows, columns, channels); the channels of a pixel lie side by side, rounded up
// to whole blocks, and what is rounded up is zero.  A convolution keeps a tile of TILE pixels by
// VECTORS vectors of outputs in registers while it walks over the inputs: each is one broadcast
// and VECTORS multiply-adds.  The same source is compiled for AVX2, for AVX-512, and for AVX-512
// with products of bfloat16: maps and weights then keep two numbers in the place of a float, but
// for the pixels, what comes out of the last layers, and every sum.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#ifdef __AVX512F__
constexpr int WIDTH = 16, TILE = 12;
#else
constexpr int WIDTH = 8, TILE = 6;
#endif

#ifdef __AVX512BF16__
#include <immintrin.h>
constexpr int HALF = 2;  // numbers of a map in a float
#else
constexpr int HALF = 1;
#endif

typedef float Vector __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));

namespace {

inline Vector load(const float* from) { return *reinterpret_cast<const Vector*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Vector*>(to) = value; }

#ifdef __AVX512BF16__
inline uint32_t bfloat(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
// Two weights in the place of one.
inline float packed(float first, float second) {
    const uint32_t bits = bfloat(first) | bfloat(second) << 16;
    float both;
    std::memcpy(&both, &bits, 4);
    return both;
}
inline void store_half(float* to, Vector value) {
    const __m256bh half = _mm512_cvtneps_pbh((__m512)value);
    std::memcpy(to, &half, sizeof half);
}
inline Vector add_product_of_pairs(Vector sum, float value, Vector own) {
    return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)own, (__m512bh)_mm512_set1_ps(value));
}
#else
inline float packed(float first, float) { return first; }
inline void store_half(float* to, Vector value) { store(to, value); }
inline Vector add_product_of_pairs(Vector sum, float value, Vector own) {
    return sum + value * own;
}
#endif

// `PACK` numbers of a map lie in one float.
template <int PACK>
inline void store_packed(float* to, Vector value) {
    PACK == 2 ? store_half(to, value) : store(to, value);
}
template <int PACK>
inline Vector add_product(Vector sum, float value, Vector own) {
    return PACK == 2 ? add_product_of_pairs(sum, value, own) : sum + value * own;
}
inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }
inline Vector smaller(Vector a, Vector b) { return a < b ? a : b; }

// ---- layers

// A convolution with stride 1, or a dense layer (KERNEL = 1, one pixel).
// INPUTS channels are used of the STRIDE that a pixel of the input has; PACK_IN of them and
// PACK_OUT of the outputs lie in one float.
template <int KERNEL, int INPUTS, int STRIDE, int OUTPUTS, int VECTORS, int PACK_IN = 1,
          int PACK_OUT = 1, bool ACTIVATED = true>
struct Layer {
    static constexpr int WINDOW = KERNEL, BLOCK = VECTORS * WIDTH;
    static constexpr int BLOCKS = (OUTPUTS + BLOCK - 1) / BLOCK;
    static constexpr int CHANNELS = BLOCKS * BLOCK;  // of a pixel of the output
    static constexpr int IN = STRIDE / PACK_IN, OUT = CHANNELS / PACK_OUT;  // floats of a pixel
    static constexpr int STEPS = INPUTS / PACK_IN, TAPS = KERNEL * KERNEL * STEPS;
    std::vector<float> weights, bias, slopes;  // weights: (block, row, column, step, BLOCK)

    // From torch's (OUTPUTS, INPUTS, KERNEL, KERNEL); `place` says where an input of a dense layer
    // lies in torch's order.
    template <class Place>
    void pack(const float* w, const float* b, const float* s, int outputs, int first, Place place) {
        weights.resize(size_t(BLOCKS) * TAPS * BLOCK);
        bias.resize(CHANNELS);
        slopes.resize(CHANNELS);
        for (int o = 0; o < outputs; o++) {
            const int channel = first + o, block = channel / BLOCK;
            bias[channel] = b[o];
            slopes[channel] = s ? s[o] : 0.f;
            for (int tap = 0; tap < TAPS; tap++)
                weights[(size_t(block) * TAPS + tap) * BLOCK + channel % BLOCK] =
                    of(w + size_t(o) * TAPS * PACK_IN, place, tap);
        }
    }
    template <class Place>
    static float of(const float* w, Place place, int tap) {
        if (PACK_IN == 1) return w[place(tap)];
        return packed(w[place(2 * tap)], w[place(2 * tap + 1)]);
    }
    void pack(const float* w, const float* b, const float* s) {
        pack(w, b, s, OUTPUTS, 0, [](int tap) {  // (row, column, input) from (input, row, column)
            return tap % INPUTS * KERNEL * KERNEL + tap / INPUTS;
        });
    }

    template <int COUNT>
    void tile(int block, const float* in, long in_row, long in_pixel, float* out) const {
        const float* w = weights.data() + size_t(block) * TAPS * BLOCK;
        Vector sums[COUNT][VECTORS];
#pragma GCC unroll 16
        for (int p = 0; p < COUNT; p++)
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) sums[p][v] = load(&bias[block * BLOCK + v * WIDTH]);
        for (int row = 0; row < KERNEL; row++)
            for (int column = 0; column < KERNEL; column++) {
                const float* from = in + row * in_row + column * IN;
#pragma GCC unroll 2
                for (int step = 0; step < STEPS; step++, w += BLOCK) {
                    Vector own[VECTORS];
#pragma GCC unroll 4
                    for (int v = 0; v < VECTORS; v++) own[v] = load(w + v * WIDTH);
#pragma GCC unroll 16
                    for (int p = 0; p < COUNT; p++) {
                        const float value = from[step + p * in_pixel];
#pragma GCC unroll 4
                        for (int v = 0; v < VECTORS; v++)
                            sums[p][v] = add_product<PACK_IN>(sums[p][v], value, own[v]);
                    }
                }
            }
#pragma GCC unroll 16
        for (int p = 0; p < COUNT; p++)
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                Vector sum = sums[p][v];
                if (ACTIVATED)
                    sum = larger(sum, Vector{}) +
                          smaller(sum, Vector{}) * load(&slopes[block * BLOCK + v * WIDTH]);
                store_packed<PACK_OUT>(out + p * OUT + (block * BLOCK + v * WIDTH) / PACK_OUT, sum);
            }
    }

    template <int... COUNTS>
    void tile_of(int count, int block, const float* in, long in_row, long in_pixel, float* out,
                 std::integer_sequence<int, COUNTS...>) const {
        ((count == COUNTS + 1 ? tile<COUNTS + 1>(block, in, in_row, in_pixel, out) : void()), ...);
    }

    // Outputs of `count` pixels in a row; in_row and in_pixel are distances in floats.
    void row(int count, const float* in, long in_row, long in_pixel, float* out) const {
        const int tiles = (count + TILE - 1) / TILE;
        for (int block = 0; block < BLOCKS; block++)
            for (int t = 0, done = 0; t < tiles; t++) {
                const int own = count / tiles + (t < count % tiles);
                tile_of(own, block, in + done * in_pixel, in_row, in_pixel, out + done * OUT,
                        std::make_integer_sequence<int, TILE>{});
                done += own;
            }
    }

    // The whole map: (height, width, STRIDE) to (its rows, its columns, CHANNELS).
    void map(const float* in, int height, int width, float* out) const {
        const int rows = height - KERNEL + 1, columns = width - KERNEL + 1;
        for (int y = 0; y < rows; y++)
            row(columns, in + long(y) * width * IN, long(width) * IN, IN,
                out + long(y) * columns * OUT);
    }
};

// Side of a map after max pooling with stride 2, the last window reaching over the edge.
constexpr int pooled(int side, int kernel) { return (side - kernel + 1) / 2 + 1; }

// One row of max pooling of a (height, width, channels) map of floats; the maxima are packed.
inline void pool_row(const float* in, int height, int width, int channels, int kernel, int row,
                     float* out) {
    const int columns = pooled(width, kernel), bottom = std::min(row * 2 + kernel, height);
    for (int x = 0; x < columns; x++)
        for (int c = 0, right = std::min(x * 2 + kernel, width); c < channels; c += WIDTH) {
            Vector most = load(in + (long(row) * 2 * width + x * 2) * channels + c);
            for (int y = row * 2; y < bottom; y++)
                for (int k = x * 2; k < right; k++)
                    most = larger(most, load(in + (long(y) * width + k) * channels + c));
            store_packed<HALF>(out + (long(x) * channels + c) / HALF, most);
        }
}

inline void pool(const float* in, int height, int width, int channels, int kernel, float* out) {
    for (int row = 0; row < pooled(height, kernel); row++)
        pool_row(in, height, width, channels, kernel, row,
                 out + long(row) * pooled(width, kernel) * channels / HALF);
}

// A layer over a square map, then max pooling; `wide` takes what is between them.
template <class Convolution>
void map_and_pool(const Convolution& layer, const float* in, int side, int kernel, float* wide,
                  float* out) {
    const int mapped = side - Convolution::WINDOW + 1;
    layer.map(in, side, side, wide);
    pool(wide, mapped, mapped, Convolution::CHANNELS, kernel, out);
}

inline float face_probability(const float* logits) {
    const float most = std::max(logits[0], logits[1]);
    const float other = std::exp(logits[0] - most), face = std::exp(logits[1] - most);
    return face / (other + face);
}

// ---- pixels

constexpr float BLACK = -127.5f * 0.0078125f;

// The sums or means of a pixel's three channels; the fourth is zero, or black.
typedef uint32_t Sums __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t Signed __attribute__((vector_size(16), aligned(4), may_alias));
typedef float Means __attribute__((vector_size(16), aligned(4), may_alias));

// Mean over the bins of torch's adaptive average pooling, normalised: a window of an image of
// (height, width, 3) bytes becomes (rows, columns, 3) floats.  Black beyond the image.  What is
// written has one float of black more than that: there has to be room.
struct Resampler {
    std::vector<uint32_t> column;  // sums over a bin's rows, by byte
    std::vector<uint32_t> sums;    // the same, over all columns up to here; 4 a pixel
    std::vector<int> first, last;  // column of each bin

    void operator()(const uint8_t* image, int height, int width, long x1, long y1, long x2, long y2,
                    int rows, int columns, float* out, long out_row) {
        const long w = x2 - x1, h = y2 - y1;
        const long left = std::clamp(x1, 0L, long(width)),
                   right = std::clamp(x2, left, long(width));
        first.resize(columns), last.resize(columns);
        for (int c = 0; c < columns; c++) {
            first[c] = std::clamp(x1 + c * w / columns, left, right) - left;
            last[c] = std::clamp(x1 + ((c + 1) * w + columns - 1) / columns, left, right) - left;
        }
        for (int r = 0; r < rows; r++, out += out_row) {
            const long top = y1 + r * h / rows, bottom = y1 + ((r + 1) * h + rows - 1) / rows;
            add_up(image, width, left, right, std::max(top, 0L), std::min(bottom, long(height)));
            for (int c = 0; c < columns; c++) {
                const float across = ((c + 1) * w + columns - 1) / columns - c * w / columns;
                const Sums sum = *at(last[c]) - *at(first[c]);
                const Means mean =
                    __builtin_convertvector(Signed(sum), Means) / float(bottom - top) / across;
                *reinterpret_cast<Means*>(out + 3 * c) = (mean - 127.5f) * 0.0078125f;
            }
        }
    }

  private:
    void add_up(const uint8_t* image, int width, long left, long right, long top, long bottom) {
        const long count = 3 * (right - left);
        column.assign(count + 1, 0);
        for (long y = top; y < bottom; y++) {
            const uint8_t* from = image + (y * width + left) * 3;
            for (long i = 0; i < count; i++) column[i] += from[i];
        }
        constexpr Sums three = {~0u, ~0u, ~0u, 0};
        sums.resize(4 * (right - left + 1));
        Sums sum = *at(0) = Sums{};
        for (long x = 0; x < right - left; x++)
            *at(x + 1) = sum += *reinterpret_cast<const Sums*>(&column[3 * x]) & three;
    }

    Sums* at(long x) { return reinterpret_cast<Sums*>(&sums[4 * x]); }
};

// ---- networks

// A cell of PNet's map that passes: its place, its score and its offsets.
struct Cell {
    float column, row, score, offsets[4];
};

constexpr int small_vectors = WIDTH == 16 ? 1 : 2;  // 16 channels

// The latest three rows of a map, one after the other in memory.
struct Rows {
    long length;
    int count = 0;
    std::vector<float> values;

    explicit Rows(long length) : length(length), values(3 * length + 64) {}
    bool full() const { return count == 3; }
    float* next() {
        if (full()) {
            std::memmove(values.data(), values.data() + length, 2 * length * sizeof(float));
            count = 2;
        }
        return values.data() + length * count++;
    }
};

struct PNet {
    Layer<3, 3, 3, 10, small_vectors> first;
    Layer<3, 10, 16, 16, small_vectors, HALF, HALF> second;
    Layer<3, 16, 16, 32, 2, HALF> third;
    Layer<1, 32, 32, 6, small_vectors, 1, 1, false> heads;

    // The cells of a level of (height, width, 3) pixels whose score is at least the threshold.
    std::vector<Cell> sweep(const float* pixels, int height, int width, float threshold) const {
        std::vector<Cell> cells;
        const int h = height - 2, w = width - 2, across = pooled(w, 2) - 2, columns = across - 2;
        if (h < 1 || w < 1 || columns < 1 || pooled(h, 2) < 5) return cells;
        // Cheaper to compare than the score, which has the last word: so a little lower.
        const float logit = std::min(std::log(threshold / (1 - threshold)), 15.f) - 1e-3f;
        std::vector<float> fresh(2l * w * first.CHANNELS + 64), seen(columns * third.CHANNELS + 64);
        std::vector<float> said(TILE * heads.CHANNELS + 64);
        Rows halved(pooled(w, 2) * second.IN), deeper(across * third.IN);
        for (int row = 0; row < pooled(h, 2); row++) {
            const int both = std::min(2, h - 2 * row);
            for (int y = 0; y < both; y++)
                first.row(w, pixels + (2l * row + y) * width * 3, width * 3l, 3,
                          fresh.data() + long(y) * w * first.CHANNELS);
            pool_row(fresh.data(), both, w, first.CHANNELS, 2, 0, halved.next());
            if (!halved.full()) continue;
            second.row(across, halved.values.data(), halved.length, second.IN, deeper.next());
            if (!deeper.full()) continue;
            third.row(columns, deeper.values.data(), deeper.length, third.IN, seen.data());
            for (int x = 0; x < columns; x += TILE) {
                const int count = std::min(TILE, columns - x);
                heads.row(count, seen.data() + long(x) * third.CHANNELS, 0, third.CHANNELS,
                          said.data());
                for (int p = 0; p < count; p++) {
                    const float* own = said.data() + p * heads.CHANNELS;
                    if (own[1] - own[0] < logit) continue;
                    const float score = face_probability(own);
                    if (score >= threshold)
                        cells.push_back({float(x + p),
                                         float(row - 4),
                                         score,
                                         {own[2], own[3], own[4], own[5]}});
                }
            }
        }
        return cells;
    }
};

// A dense layer sees a map as torch flattens it: column by column, then row, then channel.
template <int SIDE, int CHANNELS>
int flattened(int tap) {
    const int channel = tap % CHANNELS, column = tap / CHANNELS % SIDE, row = tap / CHANNELS / SIDE;
    return (column * SIDE + row) * CHANNELS + channel;
}

struct RNet {
    static constexpr int SIDE = 24, FEATURES = 576, HIDDEN = 128, ANSWERS = 6;
    Layer<3, 3, 3, 28, 2> first;
    Layer<3, 28, 32, 48, WIDTH == 16 ? 3 : 2, HALF> second;
    Layer<2, 48, 48, 64, 2, HALF, HALF> third;
    Layer<1, FEATURES, FEATURES, HIDDEN, 2, HALF> dense;
    Layer<1, HIDDEN, HIDDEN, ANSWERS, small_vectors, 1, 1, false> heads;

    void describe(const float* pixels, float* a, float* b, float* features) const {
        map_and_pool(first, pixels, SIDE, 3, a, b);
        map_and_pool(second, b, 11, 3, a, b);
        third.map(b, 4, 4, features);
    }
};

struct ONet {
    static constexpr int SIDE = 48, FEATURES = 1152, HIDDEN = 256, ANSWERS = 16;
    Layer<3, 3, 3, 32, 2> first;
    Layer<3, 32, 32, 64, 2, HALF> second;
    Layer<3, 64, 64, 64, 2, HALF> third;
    Layer<2, 64, 64, 128, 2, HALF, HALF> fourth;
    Layer<1, FEATURES, FEATURES, HIDDEN, 2, HALF> dense;
    Layer<1, HIDDEN, HIDDEN, ANSWERS, small_vectors, 1, 1, false> heads;

    void describe(const float* pixels, float* a, float* b, float* features) const {
        map_and_pool(first, pixels, SIDE, 3, a, b);
        map_and_pool(second, b, 23, 3, a, b);
        map_and_pool(third, b, 10, 2, a, b);
        fourth.map(b, 4, 4, features);
    }
};

// What a network answers to (count) windows: score, then offsets, then landmarks if it has any.
template <class Net>
void judge(const Net& net, const uint8_t* image, int height, int width, const int64_t* windows,
           int count, float* answers) {
    constexpr int side = Net::SIDE, largest = (side - 2) * (side - 2) * 32;
    Resampler resample;
    std::vector<float> pixels(side * side * 3 + 64), a(largest + 64), b(largest / 3 + 64);
    std::vector<float> features(TILE * Net::FEATURES + 64), hidden(TILE * Net::HIDDEN + 64);
    std::vector<float> said(TILE * net.heads.CHANNELS + 64);
    for (int start = 0; start < count; start += TILE) {
        const int own = std::min(TILE, count - start);
        for (int i = 0; i < own; i++) {
            const int64_t* at = windows + 4 * (start + i);
            resample(image, height, width, at[0], at[1], at[2], at[3], side, side, pixels.data(),
                     3 * side);
            net.describe(pixels.data(), a.data(), b.data(), features.data() + i * net.dense.IN);
        }
        net.dense.row(own, features.data(), 0, net.dense.IN, hidden.data());
        net.heads.row(own, hidden.data(), 0, Net::HIDDEN, said.data());
        for (int i = 0; i < own; i++) {
            const float* from = said.data() + i * net.heads.CHANNELS;
            float* to = answers + (start + i) * (Net::ANSWERS - 1);
            to[0] = face_probability(from);
            std::copy(from + 2, from + Net::ANSWERS, to + 1);
        }
    }
}

struct Cascade {
    PNet pnet;
    RNet rnet;
    ONet onet;
};

// Takes torch's tensors one after the other.
struct Tensors {
    const float* const* next;
    template <class L>
    void convolution(L& layer) {
        layer.pack(next[0], next[1], next[2]);
        next += 3;
    }
    template <class L, class Place>
    void dense(L& layer, int outputs, Place place) {
        layer.pack(next[0], next[1], next[2], outputs, 0, place);
        next += 3;
    }
    template <class L>
    void head(L& layer, int outputs, int first) {
        layer.pack(next[0], next[1], nullptr, outputs, first, [](int tap) { return tap; });
        next += 2;
    }
};
}  // namespace

// ---- what Python calls

extern "C" {

// Counts changes of what the functions below take and give; native/__init__.py has the same number.
int facetl_interface() { return 3; }

// Whether this processor has the instructions that this build was compiled for, and the system
// keeps their registers.  Nothing else here may be called before this is known.
int facetl_runs() {
    __builtin_cpu_init();
#ifdef __AVX512F__
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq")) return 0;
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) return 0;
#endif
#ifdef __AVX512BF16__
    if (!__builtin_cpu_supports("avx512bf16")) return 0;
#endif
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

// Tensors by network and layer: weights, biases and, but for the output layers, slopes.
Cascade* facetl_load(const float* const* tensors) {
    auto* own = new Cascade;
    Tensors from{tensors};
    from.convolution(own->pnet.first), from.convolution(own->pnet.second),
        from.convolution(own->pnet.third);
    from.head(own->pnet.heads, 2, 0), from.head(own->pnet.heads, 4, 2);
    from.convolution(own->rnet.first), from.convolution(own->rnet.second),
        from.convolution(own->rnet.third);
    from.dense(own->rnet.dense, 128, flattened<3, 64>);
    from.head(own->rnet.heads, 2, 0), from.head(own->rnet.heads, 4, 2);
    from.convolution(own->onet.first), from.convolution(own->onet.second);
    from.convolution(own->onet.third), from.convolution(own->onet.fourth);
    from.dense(own->onet.dense, 256, flattened<3, 128>);
    from.head(own->onet.heads, 2, 0), from.head(own->onet.heads, 4, 2),
        from.head(own->onet.heads, 10, 6);
    return own;
}

void facetl_free(Cascade* own) { delete own; }

// PNet on one level of the pyramid, with a border of black: how many cells pass; at most `room`
// of them go to `cells`, 7 numbers each: column, row (of the bordered level), score, offsets.  -1
// if the memory is too small.
int facetl_sweep(const Cascade* own, const uint8_t* image, int height, int width, int level_height,
                 int level_width, int border, float threshold, int room, float* cells) try {
    const int h = level_height + 2 * border, w = level_width + 2 * border;
    std::vector<float> level(long(h) * w * 3 + 64, BLACK);
    Resampler()(image, height, width, 0, 0, width, height, level_height, level_width,
                level.data() + (long(border) * w + border) * 3, 3l * w);
    const auto found = own->pnet.sweep(level.data(), h, w, threshold);
    const int kept = std::min<int>(room, found.size());
    if (kept) std::memcpy(cells, found.data(), kept * sizeof(Cell));
    return found.size();
} catch (const std::bad_alloc&) { return -1; }

// RNet's (5) or ONet's (15) answers to (count, 4) windows: score, offsets, landmarks.
void facetl_judge(const Cascade* own, int onet, const uint8_t* image, int height, int width,
                  const int64_t* windows, int count, float* answers) {
    if (onet)
        judge(own->onet, image, height, width, windows, count, answers);
    else
        judge(own->rnet, image, height, width, windows, count, answers);
}
}
