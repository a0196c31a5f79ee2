// The three networks of MTCNN and the pixels they see: one image, some threads, no library.
//
// Feature maps are (rows, columns, channels); the channels of a pixel lie side by side, rounded up
// to whole blocks, and what is rounded up is zero.  A convolution keeps a tile of TILE pixels by
// VECTORS vectors of outputs in registers while it walks over the inputs: each is one broadcast
// and VECTORS multiply-adds.  The same source is compiled for NEON, for AVX2, for AVX-512, and for
// AVX-512 with products of bfloat16: maps and weights then keep two numbers in the place of a
// float, but for the pixels, what comes out of the last layers, and every sum.

#ifndef __GNUC__
#error "the kernels need the vectors of GCC or Clang; without kernels, another engine does the work"
#endif

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

// Floats in a vector; pixels of a tile; vectors of outputs where there are 16, and where there are
// more: so that sums and weights fill the registers, 32 with AVX-512 and NEON, else 16.
#if defined __AVX512F__
constexpr int WIDTH = 16, TILE = 12, small_vectors = 1, wide_vectors = 2;
#elif defined __AVX2__
constexpr int WIDTH = 8, TILE = 6, small_vectors = 2, wide_vectors = 2;
#else
constexpr int WIDTH = 4, TILE = 6, small_vectors = 4, wide_vectors = 4;
#endif

#ifdef __AVX2__
#include <immintrin.h>
#endif
#ifdef __AVX512BF16__
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
inline Vector larger(Vector a, Vector b) {
#if defined __AVX512F__
    return (Vector)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);  // GCC warns of the other
#elif defined __AVX2__
    return (Vector)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return a > b ? a : b;
#endif
}
inline Vector activated(Vector sum, Vector slope) { return sum > 0 ? sum : sum * slope; }

// ---- threads

// Numbers from 0 up to a count, which threads take one after the other.
class Tasks {
  public:
    explicit Tasks(int count) : count(count) {}
    bool next(int& task) { return (task = taken.fetch_add(1)) < count; }
    void stop() { taken = count; }

  private:
    const int count;
    std::atomic<int> taken{0};
};

// Calls `work` with all tasks in each of so many threads, this one among them; where the system
// has fewer to give, fewer do it.  No thread outlives the call.
template <class Work>
void share(int threads, int count, const Work& work) {
    Tasks tasks(count);
    std::atomic<bool> failed{false};
    const auto run = [&] {
        try {
            work(tasks);
        } catch (...) {
            failed = true;
            tasks.stop();
        }
    };
    std::vector<std::thread> others;
    try {
        const int more = std::max(std::min(threads, count) - 1, 0);
        others.reserve(more);
        for (int i = 0; i < more; i++) others.emplace_back(run);
    } catch (const std::exception&) {}
    run();
    for (auto& other : others) other.join();
    if (failed) throw std::bad_alloc();
}

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
                if (ACTIVATED) sum = activated(sum, load(&slopes[block * BLOCK + v * WIDTH]));
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

    // Some rows of outputs; rows of inputs and of outputs lie in_row and out_row floats apart.
    void rows(int rows, int columns, const float* in, long in_row, float* out, long out_row) const {
        for (int y = 0; y < rows; y++) row(columns, in + y * in_row, in_row, IN, out + y * out_row);
    }
};

// A convolution of 3 x 3 with stride 1 in 16 multiplications for 4 outputs, instead of 36: Lavin
// and Gray, Fast algorithms for convolutional neural networks (2016), F(2 x 2, 3 x 3).  A patch of
// 4 x 4 pixels is transformed, multiplied by the transformed weights, and transformed back.
template <int INPUTS, int STRIDE, int OUTPUTS, int VECTORS>
struct Winograd {
    static constexpr int WINDOW = 3, BLOCK = VECTORS * WIDTH, PRODUCTS = 16;
    static constexpr int BLOCKS = (OUTPUTS + BLOCK - 1) / BLOCK, CHANNELS = BLOCKS * BLOCK;
    static constexpr int IN = STRIDE, OUT = CHANNELS;
    // Patches at a time: their sums fit the registers, all about them the first-level cache.
    static constexpr int TOGETHER = WIDTH < 16 ? TILE : VECTORS == 1 ? 9 : 8;
    using Product = Layer<1, INPUTS, STRIDE, BLOCK, VECTORS, 1, 1, false>;
    Product products[BLOCKS][PRODUCTS];
    std::vector<float> bias, slopes;

    // From torch's (OUTPUTS, INPUTS, 3, 3).
    void pack(const float* w, const float* b, const float* s) {
        bias.resize(CHANNELS), slopes.resize(CHANNELS);
        std::copy(b, b + OUTPUTS, bias.data()), std::copy(s, s + OUTPUTS, slopes.data());
        const std::vector<float> none(BLOCK);
        std::vector<float> own(BLOCK * INPUTS);
        for (int first = 0; first < OUTPUTS; first += BLOCK)
            for (int i = 0; i < PRODUCTS; i++) {
                const int outputs = std::min(BLOCK, OUTPUTS - first);
                for (int k = 0; k < outputs * INPUTS; k++)
                    own[k] = transformed(w + (first * INPUTS + k) * 9, i / 4, i % 4);
                products[first / BLOCK][i].pack(own.data(), none.data(), nullptr, outputs, 0,
                                                [](int tap) { return tap; });
            }
    }

    // Some rows of outputs.  Where their number is odd, or that of columns, a row or a pixel beyond
    // the input is read, without effect.  The same rows in pairs have the same bits.
    void rows(int rows, int columns, const float* in, long in_row, float* out, long out_row) const {
        const int across = (columns + 1) / 2, patches = across * ((rows + 1) / 2);
        const int parts = (patches + TOGETHER - 1) / TOGETHER;
        for (int part = 0, first = 0; part < parts; part++) {
            const int count = patches / parts + (part < patches % parts);
            float values[PRODUCTS * TOGETHER * STRIDE], sums[PRODUCTS * TOGETHER * BLOCK];
            for (int i = 0; i < count; i++) {
                const int y = (first + i) / across * 2, x = (first + i) % across * 2;
                transform(in + y * in_row + x * STRIDE, in_row, values + i * STRIDE);
            }
            for (int block = 0; block < BLOCKS; block++) {
                for (int i = 0; i < PRODUCTS; i++)
                    products[block][i].tile_of(count, 0, values + i * TOGETHER * STRIDE, 0, STRIDE,
                                               sums + i * TOGETHER * BLOCK,
                                               std::make_integer_sequence<int, TOGETHER>{});
                for (int i = 0; i < count; i++) {
                    const int y = (first + i) / across * 2, x = (first + i) % across * 2;
                    finish(sums + i * BLOCK, block * BLOCK, std::min(rows - y, 2),
                           std::min(columns - x, 2), out + y * out_row + long(x) * OUT, out_row);
                }
            }
            first += count;
        }
    }

  private:
    static double transformed(const float* w, int row, int column) {
        constexpr double by[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
        double sum = 0;
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 3; x++) sum += by[row][y] * by[column][x] * w[3 * y + x];
        return sum;
    }

    static void transform(const float* in, long in_row, float* values) {
        for (int c = 0; c < STRIDE; c += WIDTH) {
            Vector down[4][4];
#pragma GCC unroll 4
            for (int x = 0; x < 4; x++) {
                Vector own[4];
#pragma GCC unroll 4
                for (int y = 0; y < 4; y++) own[y] = load(in + y * in_row + x * STRIDE + c);
                down[0][x] = own[0] - own[2], down[1][x] = own[1] + own[2];
                down[2][x] = own[2] - own[1], down[3][x] = own[1] - own[3];
            }
#pragma GCC unroll 4
            for (int y = 0; y < 4; y++) {
                float* to = values + y * 4 * TOGETHER * STRIDE + c;
                store(to, down[y][0] - down[y][2]);
                store(to + TOGETHER * STRIDE, down[y][1] + down[y][2]);
                store(to + 2 * TOGETHER * STRIDE, down[y][2] - down[y][1]);
                store(to + 3 * TOGETHER * STRIDE, down[y][1] - down[y][3]);
            }
        }
    }

    // The outputs of a patch, of which `height` by `width` are wanted.
    void finish(const float* sums, int channel, int height, int width, float* out,
                long out_row) const {
        for (int c = 0; c < BLOCK; c += WIDTH, channel += WIDTH) {
            Vector down[2][4];
#pragma GCC unroll 4
            for (int x = 0; x < 4; x++) {
                Vector own[4];
#pragma GCC unroll 4
                for (int y = 0; y < 4; y++)
                    own[y] = load(sums + (y * 4 + x) * TOGETHER * BLOCK + c);
                down[0][x] = own[0] + own[1] + own[2], down[1][x] = own[1] - own[2] - own[3];
            }
            const Vector add = load(&bias[channel]), slope = load(&slopes[channel]);
#pragma GCC unroll 2
            for (int y = 0; y < 2; y++) {
                const Vector left = down[y][0] + down[y][1] + down[y][2] + add;
                const Vector right = down[y][1] - down[y][2] - down[y][3] + add;
                if (y >= height) continue;
                store(out + y * out_row + channel, activated(left, slope));
                if (width == 2) store(out + y * out_row + OUT + channel, activated(right, slope));
            }
        }
    }
};

// A convolution of 3 x 3 of maps, which may be of half precision.
template <int INPUTS, int STRIDE, int OUTPUTS, int VECTORS, int PACK_OUT = 1>
using Inner = std::conditional_t<HALF == 1, Winograd<INPUTS, STRIDE, OUTPUTS, VECTORS>,
                                 Layer<3, INPUTS, STRIDE, OUTPUTS, VECTORS, HALF, PACK_OUT>>;

// Side of a map after max pooling with stride 2, the last window reaching over the edge.
constexpr int pooled(int side, int kernel) { return (side - kernel + 1) / 2 + 1; }

// A row of max pooling, of as many rows of floats as the kernel has (a row may be there twice).
template <int KERNEL>
void pool_row(const float* const* rows, int width, int channels, float* out) {
    for (int c = 0; c < channels; c += WIDTH) {
        const auto most = [&](int x) {
            const long at = long(std::min(x, width - 1)) * channels + c;
            Vector of = larger(load(rows[0] + at), load(rows[1] + at));
            return KERNEL == 3 ? larger(of, load(rows[2] + at)) : of;
        };
        Vector left = most(0);
        for (int x = 0; x < pooled(width, KERNEL); x++) {
            Vector own = larger(left, most(2 * x + 1));
            left = most(2 * x + 2);
            if (KERNEL == 3) own = larger(own, left);
            store_packed<HALF>(out + (long(x) * channels + c) / HALF, own);
        }
    }
}

// A layer over a square map, then max pooling.  `wide` takes what is between them: all of it, or
// the latest rows if all would leave the first-level cache.
template <int KERNEL, class Convolution>
void map_and_pool(const Convolution& layer, const float* in, int side, float* wide, float* out) {
    const int mapped = side - Convolution::WINDOW + 1, length = mapped * Convolution::CHANNELS;
    const bool small = mapped * length * 4 <= 16384;
    const int step = small ? mapped : 2, kept = small ? mapped : 4;
    const long in_row = side * Convolution::IN;
    for (int row = 0, done = 0; row < pooled(mapped, KERNEL); row++) {
        for (; done < std::min(2 * row + KERNEL, mapped); done += step)
            layer.rows(std::min(step, mapped - done), mapped, in + done * in_row, in_row,
                       wide + done % kept * length, length);
        const float* rows[KERNEL];
        for (int k = 0; k < KERNEL; k++)
            rows[k] = wide + std::min(2 * row + k, mapped - 1) % kept * length;
        pool_row<KERNEL>(rows, mapped, Convolution::CHANNELS,
                         out + row * pooled(mapped, KERNEL) * Convolution::CHANNELS / HALF);
    }
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
// (height, width, 3) bytes becomes (rows, columns, 3) floats.  Black beyond the image.
class Resampler {
  public:
    Resampler(const uint8_t* image, int height, int width)
        : image(image), height(height), width(width) {}

    // The window that is resampled from now on.
    void look_at(long x1, long y1, long x2, long y2, int to_rows, int to_columns) {
        top = y1, w = x2 - x1, h = y2 - y1, rows = to_rows, columns = to_columns;
        left = std::clamp(x1, 0L, long(width)), right = std::clamp(x2, left, long(width));
        first.resize(columns), last.resize(columns), across.resize(columns);
        for (int c = 0; c < columns; c++) {
            const long from = c * w / columns, to = ((c + 1) * w + columns - 1) / columns;
            across[c] = to - from;
            first[c] = std::clamp(x1 + from, left, right) - left;
            last[c] = std::clamp(x1 + to, left, right) - left;
        }
    }

    // One row of it.  What is written has one float of black more: there has to be room.
    void row(int r, float* out) {
        const long from = top + r * h / rows, to = top + ((r + 1) * h + rows - 1) / rows;
        add_up(std::max(from, 0L), std::min(to, long(height)));
        for (int c = 0; c < columns; c++) {
            const Sums sum = *at(last[c]) - *at(first[c]);
            const Means mean = __builtin_convertvector(Signed(sum), Means) / float(to - from);
            *reinterpret_cast<Means*>(out + 3 * c) = (mean / across[c] - 127.5f) * 0.0078125f;
        }
    }

  private:
    const uint8_t* image;
    int height, width, rows = 0, columns = 0;
    long top = 0, left = 0, right = 0, w = 0, h = 0;
    std::vector<uint32_t> column;  // sums over a bin's rows, by byte
    std::vector<uint32_t> sums;    // the same, over all columns up to here; 4 a pixel
    std::vector<int> first, last;  // column of each bin
    std::vector<float> across;     // columns of each bin

    void add_up(long from, long to) {
        const long count = 3 * (right - left);
        column.assign(count + 1, 0);
        for (long y = from; y < to; y++) {
            const uint8_t* bytes = image + (y * width + left) * 3;
            for (long i = 0; i < count; i++) column[i] += bytes[i];
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

// The latest rows of a map, one after the other in memory.
class Rows {
  public:
    Rows(int kept, long length, float filled = 0)
        : kept(kept), length(length), values((kept + 1) * length + 64, filled) {}
    float* next(int rows) {
        if (const int gone = std::max(count + rows - kept, 0)) {
            count -= gone;
            std::memmove(values.data(), values.data() + gone * length,
                         count * length * sizeof(float));
        }
        count += rows;
        return values.data() + (count - rows) * length;
    }
    // The latest so many rows.  One more row behind them is memory of this as well.
    const float* latest(int rows) const { return values.data() + (count - rows) * length; }

  private:
    const int kept;

  public:
    const long length;

  private:
    int count = 0;
    std::vector<float> values;
};

// A level of the pyramid with its border of black, in pixels, and what PNet makes of it.
struct Level {
    int number, height, width, border;
    int full_height() const { return height + 2 * border; }
    int full_width() const { return width + 2 * border; }
    int halved(int side) const { return side < 3 ? 0 : pooled(side - 2, 2); }
    int rows() const { return std::max(halved(full_height()) - 4, 0); }
    int columns() const { return std::max(halved(full_width()) - 4, 0); }
    long cells() const { return long(rows()) * columns(); }
};

// Some rows of PNet's map of a level.
struct Band {
    Level level;
    int first, last;
};

struct PNet {
    Layer<3, 3, 3, 10, small_vectors> first;
    Inner<10, 16, 16, small_vectors, HALF> second;
    Inner<16, 16, 32, wide_vectors> third;
    Layer<1, 32, 32, 6, small_vectors, 1, 1, false> heads;

    // The cells of a band whose score is at least the threshold.  Rows are computed in pairs.
    void sweep(Resampler& resample, const Band& band, float threshold,
               std::vector<Cell>& cells) const {
        const int columns = band.level.columns(), across = columns + 2;
        Rows pixels(4, 3l * band.level.full_width() + 1, BLACK);
        Rows halved(4, (across + 2) * second.IN), deeper(4, across * third.IN);
        const long seen_row = columns * third.OUT;
        std::vector<float> fresh(2l * band.level.full_width() * first.OUT), seen(2 * seen_row);
        int read = 2 * band.first;  // rows of pixels, up to here
        for (int row = band.first; row < band.last + 4; row += 2) {
            const int count = std::min(2, band.last + 4 - row);
            for (int y = row; y < row + count; y++)
                halve(resample, band.level, y, read, pixels, fresh, halved.next(1));
            if (row < band.first + 2) continue;
            second.rows(count, across, halved.latest(count + 2), halved.length, deeper.next(count),
                        deeper.length);
            if (row < band.first + 4) continue;
            third.rows(count, columns, deeper.latest(count + 2), deeper.length, seen.data(),
                       seen_row);
            for (int i = 0; i < count; i++)
                choose(seen.data() + i * seen_row, columns, row - 4 + i, threshold, cells);
        }
    }

  private:
    // A row of the first layer's map after max pooling.
    void halve(Resampler& resample, const Level& level, int row, int& read, Rows& pixels,
               std::vector<float>& fresh, float* out) const {
        const int height = level.full_height(), columns = level.full_width() - 2;
        for (; read < std::min(2 * row + 4, height); read++)
            take(resample, level, read, pixels.next(1));
        const int both = std::min(2, height - 2 - 2 * row);
        const long fresh_row = columns * first.OUT;
        first.rows(both, columns, pixels.latest(both + 2), pixels.length, fresh.data(), fresh_row);
        const float* rows[2] = {fresh.data(), fresh.data() + (both - 1) * fresh_row};
        pool_row<2>(rows, columns, first.OUT, out);
    }

    // A row of pixels of a level with its border; `to` is black but for an earlier row.
    static void take(Resampler& resample, const Level& level, int y, float* to) {
        const int inside = y - level.border;
        if (inside < 0 || inside >= level.height)
            std::fill(to, to + 3l * level.full_width(), BLACK);
        else
            resample.row(inside, to + 3l * level.border);
    }

    void choose(const float* seen, int columns, int row, float threshold,
                std::vector<Cell>& cells) const {
        // Cheaper to compare than the score, which has the last word: so a little lower.
        const float logit = std::min(std::log(threshold / (1 - threshold)), 15.f) - 1e-3f;
        float said[TILE * heads.CHANNELS];
        for (int x = 0; x < columns; x += TILE) {
            const int count = std::min(TILE, columns - x);
            heads.row(count, seen + long(x) * third.CHANNELS, 0, third.CHANNELS, said);
            for (int p = 0; p < count; p++) {
                const float* own = said + p * heads.CHANNELS;
                if (own[1] - own[0] < logit) continue;
                const float score = face_probability(own);
                if (score >= threshold)
                    cells.push_back(
                        {float(x + p), float(row), score, {own[2], own[3], own[4], own[5]}});
            }
        }
    }
};

constexpr int LEAST_ROWS = 16;  // of a band: neighbours see 4 rows twice
constexpr int BANDS = 4;        // for each thread, so that all end at about the same time

// Where a part of some rows begins: at an even row, as they are computed in pairs.
inline int part_of(int rows, int part, int parts) {
    return part == parts ? rows : int(long(rows) * part / parts) / 2 * 2;
}

// The rows of all levels, shared out; a single thread gets each level whole.
inline std::vector<Band> bands_of(const std::vector<Level>& levels, int threads) {
    double all = 1;
    for (const Level& level : levels) all += level.cells();
    std::vector<Band> bands;
    for (const Level& level : levels) {
        const int rows = level.rows(), most = std::max(rows / LEAST_ROWS, 1);
        const double wanted = threads > 1 ? std::ceil(level.cells() / all * BANDS * threads) : 1;
        const int parts = std::clamp<double>(wanted, 1, most);
        for (int i = 0; i < parts && level.cells(); i++)
            bands.push_back({level, part_of(rows, i, parts), part_of(rows, i + 1, parts)});
    }
    return bands;
}

// The cells of each band whose score is at least the threshold.
inline std::vector<std::vector<Cell>> scan(const PNet& net, const uint8_t* image, int height,
                                           int width, const std::vector<Band>& bands,
                                           float threshold, int threads) {
    std::vector<std::vector<Cell>> found(bands.size());
    share(threads, bands.size(), [&](Tasks& tasks) {
        Resampler resample(image, height, width);
        for (int task; tasks.next(task);) {
            const Level& level = bands[task].level;
            resample.look_at(0, 0, width, height, level.height, level.width);
            net.sweep(resample, bands[task], threshold, found[task]);
        }
    });
    return found;
}

// A dense layer sees a map as torch flattens it: column by column, then row, then channel.
template <int SIDE, int CHANNELS>
int flattened(int tap) {
    const int channel = tap % CHANNELS, column = tap / CHANNELS % SIDE, row = tap / CHANNELS / SIDE;
    return (column * SIDE + row) * CHANNELS + channel;
}

struct RNet {
    static constexpr int SIDE = 24, FEATURES = 576, HIDDEN = 128, ANSWERS = 6;
    Layer<3, 3, 3, 28, wide_vectors> first;
    Inner<28, 32, 48, HALF == 2 ? 3 : small_vectors> second;
    Layer<2, 48, 48, 64, wide_vectors, HALF, HALF> third;
    Layer<1, FEATURES, FEATURES, HIDDEN, wide_vectors, HALF> dense;
    Layer<1, HIDDEN, HIDDEN, ANSWERS, small_vectors, 1, 1, false> heads;

    void describe(const float* pixels, float* a, float* b, float* c, float* features) const {
        map_and_pool<3>(first, pixels, SIDE, a, b);
        map_and_pool<3>(second, b, 11, a, c);
        third.rows(3, 3, c, 4 * third.IN, features, 3 * third.OUT);
    }
};

struct ONet {
    static constexpr int SIDE = 48, FEATURES = 1152, HIDDEN = 256, ANSWERS = 16;
    Layer<3, 3, 3, 32, wide_vectors> first;
    Inner<32, 32, 64, HALF == 2 ? 2 : small_vectors> second;
    Inner<64, 64, 64, HALF == 2 ? 2 : small_vectors> third;
    Layer<2, 64, 64, 128, wide_vectors, HALF, HALF> fourth;
    Layer<1, FEATURES, FEATURES, HIDDEN, wide_vectors, HALF> dense;
    Layer<1, HIDDEN, HIDDEN, ANSWERS, small_vectors, 1, 1, false> heads;

    void describe(const float* pixels, float* a, float* b, float* c, float* features) const {
        map_and_pool<3>(first, pixels, SIDE, a, b);
        map_and_pool<3>(second, b, 23, a, c);
        map_and_pool<2>(third, c, 10, a, b);
        fourth.rows(3, 3, b, 4 * fourth.IN, features, 3 * fourth.OUT);
    }
};

// What a network answers to windows: score, then offsets, then landmarks if it has any.
template <class Net>
class Judge {
  public:
    Judge(const Net& net, const uint8_t* image, int height, int width)
        : net(net), resample(image, height, width) {}

    // At most TILE windows: what the hidden dense layer makes of each.
    const float* describe(const int64_t* windows, int count) {
        for (int i = 0; i < count; i++, windows += 4) {
            resample.look_at(windows[0], windows[1], windows[2], windows[3], side, side);
            for (int r = 0; r < side; r++) resample.row(r, pixels.data() + 3 * side * r);
            net.describe(pixels.data(), a.data(), b.data(), c.data(),
                         features.data() + i * net.dense.IN);
        }
        net.dense.row(count, features.data(), 0, net.dense.IN, hidden.data());
        return hidden.data();
    }

    // At most TILE windows.
    void operator()(const int64_t* windows, int count, float* answers) {
        describe(windows, count);
        net.heads.row(count, hidden.data(), 0, Net::HIDDEN, said.data());
        for (int i = 0; i < count; i++, answers += Net::ANSWERS - 1) {
            const float* from = said.data() + i * net.heads.CHANNELS;
            answers[0] = face_probability(from);
            std::copy(from + 2, from + Net::ANSWERS, answers + 1);
        }
    }

  private:
    static constexpr int side = Net::SIDE, largest = side * side / 4 * 32;
    const Net& net;
    Resampler resample;
    std::vector<float> pixels = room(side * side * 3);
    std::vector<float> a = room(largest), b = room(largest), c = room(largest);
    std::vector<float> features = room(TILE * Net::FEATURES), hidden = room(TILE * Net::HIDDEN);
    std::vector<float> said = room(TILE * net.heads.CHANNELS);

    static std::vector<float> room(int count) { return std::vector<float>(count + 64); }
};

template <class Net>
void judge(const Net& net, const uint8_t* image, int height, int width, const int64_t* windows,
           int count, int threads, float* answers) {
    share(threads, (count + TILE - 1) / TILE, [&](Tasks& tasks) {
        Judge<Net> judge(net, image, height, width);
        for (int task; tasks.next(task);) {
            const int start = task * TILE;
            judge(windows + 4l * start, std::min(TILE, count - start),
                  answers + long(start) * (Net::ANSWERS - 1));
        }
    });
}

// ---- non-maximum suppression

// In the order of numpy's arithmetic, to the bit: no product is fused with a sum.
#ifdef __clang__
#pragma clang fp contract(off)
#else
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

typedef double Doubles __attribute__((vector_size(WIDTH * 4), aligned(8), may_alias));
typedef int64_t Flags __attribute__((vector_size(WIDTH * 4), aligned(8), may_alias));
constexpr int DOUBLES = WIDTH / 2;

// The boxes that stay: a column for each corner and one for the areas.  Columns end in boxes that
// overlap none.
class Kept {
  public:
    Kept(int most, bool nested, double threshold)
        : nested(nested), threshold(threshold), columns(5) {
        constexpr double far = std::numeric_limits<double>::infinity();
        for (int i = 0; i < 5; i++) columns[i].assign(most + DOUBLES, i < 2 ? far : -far);
    }

    // Whether one that stays overlaps the box too much.
    bool beat(const double* box) const {
        const double own = area(box);
        for (int start = 0; start < count; start += DOUBLES) {
            const Doubles width = shared(box, 0, start), height = shared(box, 1, start);
            if (!any((width > 0) & (height > 0)) && upright && is_upright(box)) continue;
            const Doubles both = width * height, others = at(4, start);
            const Doubles least = others < own ? others : own + Doubles{};
            const Doubles whole = nested ? least : others + own - both;
            if (any((width > 0) & (both / whole > threshold))) return true;
        }
        return false;
    }

    void add(const double* box) {
        for (int i = 0; i < 4; i++) columns[i][count] = box[i];
        columns[4][count++] = area(box);
        upright &= is_upright(box);
    }

    double area(const double* box) const {
        const double edge = nested;
        return (box[2] - box[0] + edge) * (box[3] - box[1] + edge);
    }

  private:
    const bool nested;
    const double threshold;
    int count = 0;
    bool upright = true;  // so that what is shared is no more than 0 if one side is not
    std::vector<std::vector<double>> columns;

    static bool is_upright(const double* box) { return box[0] <= box[2] && box[1] <= box[3]; }

    Doubles at(int column, int start) const {
        return *reinterpret_cast<const Doubles*>(&columns[column][start]);
    }
    Doubles shared(const double* box, int axis, int start) const {
        const Doubles first = at(axis, start), last = at(axis + 2, start);
        const Doubles from = first > box[axis] ? first : box[axis] + Doubles{};
        const Doubles to = last < box[axis + 2] ? last : box[axis + 2] + Doubles{};
        return nested ? to - from + 1 : to - from;
    }
    static bool any(Flags flags) {
        int64_t all = 0;
        for (int i = 0; i < DOUBLES; i++) all |= flags[i];
        return all;
    }
};

// Greedy: boxes in a given order, of which a box goes if one that stays beats it.
inline int suppress(const double* boxes, const int64_t* order, int count, bool nested,
                    double threshold, int64_t* keep) {
    Kept kept(count, nested, threshold);
    int stay = 0;
    for (int i = 0; i < count; i++) {
        const double* box = boxes + 4 * order[i];
        const bool comparable = !std::isnan(kept.area(box));  // no number is above no number
        if (comparable && kept.beat(box)) continue;
        if (comparable) kept.add(box);
        keep[stay++] = order[i];
    }
    return stay;
}

#ifndef __clang__
#pragma GCC pop_options
#endif

// ---- activation and pooling, for training

typedef int32_t Ints __attribute__((vector_size(WIDTH * 4)));
typedef uint32_t Bits __attribute__((vector_size(WIDTH * 4)));
typedef uint16_t Halves __attribute__((vector_size(WIDTH * 2), aligned(2), may_alias));
typedef uint8_t Bytes __attribute__((vector_size(WIDTH), aligned(1), may_alias));

inline Vector load(const uint16_t* from) {  // bfloat16: the upper half of a float
    return (Vector)(__builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16);
}
inline Ints load(const uint8_t* from) {
    return __builtin_convertvector(*reinterpret_cast<const Bytes*>(from), Ints);
}
inline void store(uint16_t* to, Vector value) {
    const Bits bits = (Bits)value, nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    const Bits half = value == value ? nearest : (bits >> 16 | 0x40);  // no number stays none
    *reinterpret_cast<Halves*>(to) = __builtin_convertvector(half, Halves);
}
inline void store(uint8_t* to, Ints value) {
    *reinterpret_cast<Bytes*>(to) = __builtin_convertvector(value, Bytes);
}

// Maps of (count, height, width, channels), WIDTH channels or more, and windows of `kernel` pixels
// each way, STRIDE apart, which may end beyond the maps.
struct Pooling {
    int count, height, width, channels, kernel, rows, columns;

    long own() const { return long(height) * width * channels; }
    long pooled() const { return long(rows) * columns * channels; }
};
constexpr int STRIDE = 2;

// Calls `work` for blocks of WIDTH channels: from where on, and how many of these were in the block
// before.
template <class Work>
inline void in_blocks(int channels, const Work& work) {
    int c = 0;
    for (; c + WIDTH <= channels; c += WIDTH) work(c, 0);
    if (c < channels) work(channels - WIDTH, c + WIDTH - channels);
}
// The numbers of a vector but for so many of the first, which become zero.
inline Vector without_first(Vector all, int count) {
    Ints number;
    for (int i = 0; i < WIDTH; i++) number[i] = i;
    return number < count ? Vector{} : all;
}

// The maxima of an image's windows after the activation, and where in its window each was found.
template <int KERNEL, class Number>
void pool(const Pooling& how, const Number* in, const float* slopes, Number* out, uint8_t* places) {
    const int all = how.channels;
    for (int row = 0; row < how.rows; row++)
        for (int column = 0; column < how.columns; column++, out += all, places += all) {
            const int top = row * STRIDE, left = column * STRIDE;
            const int high = std::min(KERNEL, how.height - top);
            const int wide = std::min(KERNEL, how.width - left);
            const Number* corner = in + (long(top) * how.width + left) * all;
            in_blocks(all, [&](int c, int) {
                const Vector slope = load(slopes + c);
                Vector best = Vector{} - std::numeric_limits<float>::infinity();
                Ints place = {};
#pragma GCC unroll 3
                for (int y = 0; y < KERNEL; y++)
#pragma GCC unroll 3
                    for (int x = 0; x < KERNEL; x++) {
                        if (y >= high || x >= wide) continue;
                        const Number* from = corner + (long(y) * how.width + x) * all + c;
                        const Vector value = activated(load(from), slope);
                        const Ints more = (value > best) | (value != value);
                        best = more ? value : best;
                        place = more ? Ints{} + (y * KERNEL + x) : place;
                    }
                store(out + c, best);
                store(places + c, place);
            });
        }
}

// The gradients of an image's maps from those of the maxima; to `of_slopes` those of the slopes.
template <int KERNEL, class Number>
void pool_backward(const Pooling& how, const Number* in, const float* slopes,
                   const Number* gradient, const uint8_t* places, Number* out, float* of_slopes) {
    const int all = how.channels;
    std::fill(of_slopes, of_slopes + all, 0.f);
    for (int y = 0; y < how.height; y++)
        for (int x = 0; x < how.width; x++, in += all, out += all)
            in_blocks(all, [&](int c, int known) {
                Vector sum = {};
#pragma GCC unroll 2
                for (int up = 0; up < 2; up++)  // a pixel is in two windows each way, at most
#pragma GCC unroll 2
                    for (int back = 0; back < 2; back++) {
                        const int row = y / STRIDE - up, column = x / STRIDE - back;
                        const int down = y - row * STRIDE, right = x - column * STRIDE;
                        if (down >= KERNEL || right >= KERNEL) continue;
                        if (row < 0 || column < 0 || row >= how.rows || column >= how.columns)
                            continue;
                        const long window = (long(row) * how.columns + column) * all + c;
                        const Ints place = load(places + window);
                        const Vector given = load(gradient + window);
                        sum += place == down * KERNEL + right ? given : Vector{};
                    }
                const Vector value = load(in + c), slope = load(slopes + c);
                const Vector own = without_first(value < 0 ? sum * value : Vector{}, known);
                store(of_slopes + c, load(of_slopes + c) + own);
                store(out + c, value < 0 ? sum * slope : sum);
            });
}

// Starts a function in so many threads of a team that is there already: OpenMP's GOMP_parallel.
typedef void (*Team)(void (*)(void*), void*, unsigned, unsigned);

// Like `share`, in the threads of a team, if there is one.  Torch's threads wait for their next
// task in a loop, and would keep others from running at the same time.
template <class Work>
void share_in(Team team, int threads, int count, const Work& work) {
    if (!team || threads < 2) return share(threads, count, work);
    struct Call {
        const Work& work;
        Tasks tasks;
    } call{work, Tasks(count)};
    const auto run = [](void* all) {
        Call& own = *static_cast<Call*>(all);
        own.work(own.tasks);
    };
    team(run, &call, threads, 0);
}

// Calls `work` with the size of the windows, 2 or 3, and a number of the kind that maps have.
template <class Work>
void by_kind(const Pooling& how, int half, const Work& work) {
    const std::integral_constant<int, 2> two;
    const std::integral_constant<int, 3> three;
    if (half)
        how.kernel == 2 ? work(two, uint16_t()) : work(three, uint16_t());
    else
        how.kernel == 2 ? work(two, float()) : work(three, float());
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
int facetl_interface() { return 5; }

// Whether this processor has the instructions that this build was compiled for, and the system
// keeps their registers.  Nothing else here may be called before this is known.
int facetl_runs() {
#ifdef __x86_64__
    __builtin_cpu_init();
#ifdef __AVX512F__
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq")) return 0;
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) return 0;
#endif
#ifdef __AVX512BF16__
    if (!__builtin_cpu_supports("avx512bf16")) return 0;
#endif
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 1;  // every 64-bit ARM has NEON
#endif
}

// Tensors by network and layer: weights, biases and, but for the output layers, slopes.  Nothing
// if the memory is too small.
Cascade* facetl_load(const float* const* tensors) try {
    auto keeper = std::make_unique<Cascade>();
    Cascade* const own = keeper.get();
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
    return keeper.release();
} catch (const std::bad_alloc&) { return nullptr; }

void facetl_free(Cascade* own) { delete own; }

// PNet on (count, 2) levels of the pyramid, height and width, each with a border of black: how
// many cells pass.  At most `room` of them go to `cells`, level by level and row by row, 7 numbers
// each: column, row (of the bordered level), score, offsets; to `counts` how many each level has.
// -1 if the memory is too small.
long facetl_scan(const Cascade* own, const uint8_t* image, int height, int width,
                 const int32_t* sizes, int count, int border, float threshold, int threads,
                 long room, float* cells, int32_t* counts) try {
    std::vector<Level> levels;
    for (int i = 0; i < count; i++) levels.push_back({i, sizes[2 * i], sizes[2 * i + 1], border});
    const auto bands = bands_of(levels, threads);
    const auto found = scan(own->pnet, image, height, width, bands, threshold, threads);
    std::fill(counts, counts + count, 0);
    long all = 0;
    for (size_t i = 0; i < bands.size(); i++) {
        const long fits = std::clamp<long>(room - all, 0, found[i].size());
        if (fits)
            std::memcpy(cells + all * (sizeof(Cell) / 4), found[i].data(), fits * sizeof(Cell));
        counts[bands[i].level.number] += found[i].size();
        all += found[i].size();
    }
    return all;
} catch (const std::bad_alloc&) { return -1; }

// RNet's (5) or ONet's (15) answers to (count, 4) windows: score, offsets, landmarks.  -1 if the
// memory is too small.
int facetl_judge(const Cascade* own, int onet, const uint8_t* image, int height, int width,
                 const int64_t* windows, int count, int threads, float* answers) try {
    if (onet)
        judge(own->onet, image, height, width, windows, count, threads, answers);
    else
        judge(own->rnet, image, height, width, windows, count, threads, answers);
    return 0;
} catch (const std::bad_alloc&) { return -1; }

// What ONet's hidden dense layer makes of (count, 4) windows: 256 numbers each.  -1 if the memory
// is too small.
int facetl_describe(const Cascade* own, const uint8_t* image, int height, int width,
                    const int64_t* windows, int count, float* features) try {
    Judge<ONet> judge(own->onet, image, height, width);
    for (int start = 0; start < count; start += TILE) {
        const int some = std::min(TILE, count - start);
        const float* hidden = judge.describe(windows + 4 * start, some);
        std::copy(hidden, hidden + some * ONet::HIDDEN, features + start * ONet::HIDDEN);
    }
    return 0;
} catch (const std::bad_alloc&) { return -1; }

// Which of (count, 4) boxes greedy NMS keeps, best first: `order` has them by their scores.  The
// overlap is the intersection over the union, or over the smaller box if `nested`, edge pixels
// counted twice.  How many stay; -1 if the memory is too small.
int facetl_suppress(const double* boxes, const int64_t* order, int count, int nested,
                    double threshold, int64_t* keep) try {
    return suppress(boxes, order, count, nested, threshold, keep);
} catch (const std::bad_alloc&) { return -1; }

// In training: the maxima of (count, height, width, channels) maps after the activation, over
// windows of 2 or 3 pixels (see Pooling), and the place of each in its window, counted along its
// rows.  The maps are floats, or bfloat16 if `half`.  -1 if the memory is too small.
int facetl_pool(const Pooling* how, int half, int threads, Team team, const void* in,
                const float* slopes, void* out, uint8_t* places) try {
    by_kind(*how, half, [&](auto kernel, auto number) {
        using Number = decltype(number);
        share_in(team, threads, how->count, [&](Tasks& tasks) {
            for (int i; tasks.next(i);)
                pool<kernel>(*how, (const Number*)in + i * how->own(), slopes,
                             (Number*)out + i * how->pooled(), places + i * how->pooled());
        });
    });
    return 0;
} catch (const std::bad_alloc&) { return -1; }

// The gradients of these maps from those of the maxima; to (count, channels) `of_slopes` those of
// the slopes, by each image.  -1 if the memory is too small.
int facetl_pool_backward(const Pooling* how, int half, int threads, Team team, const void* in,
                         const float* slopes, const void* gradient, const uint8_t* places,
                         void* out, float* of_slopes) try {
    by_kind(*how, half, [&](auto kernel, auto number) {
        using Number = decltype(number);
        share_in(team, threads, how->count, [&](Tasks& tasks) {
            for (int i; tasks.next(i);)
                pool_backward<kernel>(*how, (const Number*)in + i * how->own(), slopes,
                                      (const Number*)gradient + i * how->pooled(),
                                      places + i * how->pooled(), (Number*)out + i * how->own(),
                                      of_slopes + long(i) * how->channels);
        });
    });
    return 0;
} catch (const std::bad_alloc&) { return -1; }
}
