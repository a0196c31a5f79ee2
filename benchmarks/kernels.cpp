// Milliseconds of the kernels by themselves, with random weights; the least of some turns.
//
//     g++ -O3 -std=c++17 -pthread -mavx512{f,dq,bw,vl} -mfma benchmarks/kernels.cpp -o kernels
//     ./kernels
//
// With `-mavx2 -mfma` those for AVX2, with `-mavx512bf16` as well those of half precision.
#include "../facetl/mtcnn/native/kernels.cpp"

#include <cstdio>
#include <ctime>
#include <random>

constexpr int HEIGHT = 360, WIDE = 480, WINDOWS = 240, TURNS = 40;

// Weights, biases and slopes by layer, as facetl_load takes them.
constexpr int LENGTHS[] = {270, 10,     10,    1440, 16,  16,    4608,  32,  32,    64,
                           2,   128,    4,     756,  28,  28,    12096, 48,  48,    12288,
                           64,  64,     73728, 128,  128, 256,   2,     512, 4,     864,
                           32,  32,     18432, 64,   64,  36864, 64,    64,  32768, 128,
                           128, 294912, 256,   256,  512, 2,     1024,  4,   2560,  10};

double milliseconds(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1e3 + now.tv_nsec * 1e-6;
}

// The least of all turns: processor time of this thread, or time on the wall with several threads.
template <class Work>
double least(int threads, const Work& work) {
    const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    double best = 1e9;
    for (int turn = 0; turn < TURNS; turn++) {
        const double began = milliseconds(clock);
        work();
        best = std::min(best, milliseconds(clock) - began);
    }
    return best;
}

int main() {
    std::mt19937 chance(1);
    std::normal_distribution<float> weight(0, 0.1f);
    std::vector<std::vector<float>> tensors;
    std::vector<const float*> addresses;
    for (int length : LENGTHS) {
        tensors.emplace_back(length);
        for (float& value : tensors.back()) value = weight(chance);
    }
    for (const auto& tensor : tensors) addresses.push_back(tensor.data());
    Cascade* cascade = facetl_load(addresses.data());

    std::vector<uint8_t> image(HEIGHT * WIDE * 3);
    for (auto& value : image) value = chance();
    std::vector<int32_t> sizes;
    for (double scale = 0.6; HEIGHT * scale >= 12; scale *= 0.709)
        sizes.insert(sizes.end(), {int(HEIGHT * scale + 1), int(WIDE * scale + 1)});
    std::vector<int64_t> windows;
    for (int i = 0; i < WINDOWS; i++) windows.insert(windows.end(), {i, i, i + 20 + i, i + 20 + i});

    const int levels = sizes.size() / 2, room = 100000;
    std::vector<float> cells(7 * room), answers(15 * WINDOWS);
    std::vector<int32_t> counts(levels);
    for (int threads : {1, 2}) {
        const double scan = least(threads, [&] {
            facetl_scan(cascade, image.data(), HEIGHT, WIDE, sizes.data(), levels, 0, 0.9999f,
                        threads, room, cells.data(), counts.data());
        });
        std::printf("%d thread(s): a frame of %dx%d by PNet %.2f ms", threads, WIDE, HEIGHT, scan);
        for (int onet : {0, 1}) {
            const double all = least(threads, [&] {
                facetl_judge(cascade, onet, image.data(), HEIGHT, WIDE, windows.data(), WINDOWS,
                             threads, answers.data());
            });
            std::printf(", a window by %s %.4f ms", onet ? "ONet" : "RNet", all / WINDOWS);
        }
        std::printf("\n");
    }
    facetl_free(cascade);
}
