// Says of each library of kernels that is named whether this processor runs it.
#include <dlfcn.h>

#include <cstdio>

int main(int count, char** names) {
    for (int i = 1; i < count; i++) {
        void* library = dlopen(names[i], RTLD_NOW);
        if (!library) return std::puts(dlerror()), 1;
        std::printf("%d\n", reinterpret_cast<int (*)()>(dlsym(library, "facetl_runs"))());
    }
}
