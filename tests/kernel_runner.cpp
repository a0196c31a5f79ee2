// Runs the kernels on a processor that has no Python at hand: INPUT and OUTPUT are files.
//
// INPUT: 32-bit numbers of tensors, image height and width, levels, border, windows; the length
// of each tensor; the tensors; height and width of each level; the windows (64 bit); the image.
// OUTPUT: floats: how many cells pass a threshold of 0.5, the cells, RNet's and ONet's answers,
// and for each window whether NMS keeps it, all taken for boxes of a seventh of the size; the
// image's first numbers as maps that are pooled, with floats and with bfloat16: the maxima, their
// places, and the gradients of maps and slopes if those of the maxima are the maxima.
#include <cstdio>
#include <fstream>
#include <vector>

#include "../facetl/mtcnn/native/kernels.cpp"

template <class T>
std::vector<T> take(std::ifstream& from, long count) {
    std::vector<T> values(count);
    from.read(reinterpret_cast<char*>(values.data()), count * sizeof(T));
    return values;
}

inline float number_of(float value) { return value; }
inline float number_of(uint16_t half) {
    const uint32_t bits = uint32_t(half) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

template <class Number>
void append_pooled(const std::vector<uint8_t>& image, std::vector<float>& to) {
    const Pooling how{1, 61, 14, 17, 3, 30, 7};
    std::vector<Number> maps(how.own()), maxima(how.pooled()), gradients(how.own());
    std::vector<float> slopes(how.channels), of_slopes(how.channels);
    std::vector<uint8_t> places(how.pooled());
    for (int i = 0; i < how.channels; i++) slopes[i] = i / 8.f - 1;
    for (long i = 0; i < how.own(); i++) {
        const float value = image[i] - 128.f;
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        maps[i] = sizeof(Number) == 2 ? bits >> 16 : value;  // such numbers have few digits
    }
    const bool half = sizeof(Number) == 2;
    facetl_pool(&how, half, 2, nullptr, maps.data(), slopes.data(), maxima.data(), places.data());
    facetl_pool_backward(&how, half, 2, nullptr, maps.data(), slopes.data(), maxima.data(),
                         places.data(), gradients.data(), of_slopes.data());
    for (Number each : maxima) to.push_back(number_of(each));
    to.insert(to.end(), places.begin(), places.end());
    for (Number each : gradients) to.push_back(number_of(each));
    to.insert(to.end(), of_slopes.begin(), of_slopes.end());
}

int main(int, char** names) {
    std::ifstream from(names[1], std::ios::binary);
    const auto head = take<int32_t>(from, 6);
    const int height = head[1], width = head[2], levels = head[3], border = head[4];
    const int windows = head[5], threads = 2;
    std::vector<std::vector<float>> tensors;
    std::vector<const float*> addresses;
    for (int length : take<int32_t>(from, head[0])) tensors.push_back(take<float>(from, length));
    for (const auto& tensor : tensors) addresses.push_back(tensor.data());
    const auto sizes = take<int32_t>(from, 2 * levels);
    const auto at = take<int64_t>(from, 4 * windows);
    const auto image = take<uint8_t>(from, 3l * height * width);

    Cascade* cascade = facetl_load(addresses.data());
    const long room = 100000;
    std::vector<float> cells(7 * room), rnet(5 * windows), onet(15 * windows);
    std::vector<int32_t> counts(levels);
    const float passed = facetl_scan(cascade, image.data(), height, width, sizes.data(), levels,
                                     border, 0.5f, threads, room, cells.data(), counts.data());
    facetl_judge(cascade, 0, image.data(), height, width, at.data(), windows, threads, rnet.data());
    facetl_judge(cascade, 1, image.data(), height, width, at.data(), windows, threads, onet.data());
    facetl_free(cascade);

    std::vector<double> boxes(at.begin(), at.end());
    for (double& side : boxes) side /= 7;
    std::vector<int64_t> order(windows), keep(windows);
    for (int i = 0; i < windows; i++) order[i] = i;
    std::vector<float> stays(windows);
    const int kept = facetl_suppress(boxes.data(), order.data(), windows, 0, 0.5, keep.data());
    for (int i = 0; i < kept; i++) stays[keep[i]] = 1;

    std::vector<float> pooled;
    append_pooled<float>(image, pooled);
    append_pooled<uint16_t>(image, pooled);

    std::ofstream to(names[2], std::ios::binary);
    cells.resize(7 * long(passed));
    to.write(reinterpret_cast<const char*>(&passed), 4);
    for (const auto* values : {&cells, &rnet, &onet, &stays, &pooled})
        to.write(reinterpret_cast<const char*>(values->data()), 4 * values->size());
    return facetl_runs() ? 0 : 1;
}
