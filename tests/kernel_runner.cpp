// Runs the kernels on a processor that has no Python at hand: INPUT and OUTPUT are files.
//
// INPUT: 32-bit numbers of tensors, image height and width, levels, border, windows; the length
// of each tensor; the tensors; height and width of each level; the windows (64 bit); the image.
// OUTPUT: floats: how many cells pass a threshold of 0.5, the cells, RNet's and ONet's answers,
// and for each window whether NMS keeps it, all taken for boxes of a seventh of the size.
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

    std::ofstream to(names[2], std::ios::binary);
    cells.resize(7 * long(passed));
    to.write(reinterpret_cast<const char*>(&passed), 4);
    for (const auto* values : {&cells, &rnet, &onet, &stays})
        to.write(reinterpret_cast<const char*>(values->data()), 4 * values->size());
    return facetl_runs() ? 0 : 1;
}
