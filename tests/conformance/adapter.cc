#include "tests/conformance/adapter.h"

#include <cstdio>
#include <cstdlib>

namespace reinstate {

Adapter AdapterNamed(const std::string& name) {
  for (const Adapter& adapter : AllAdapters()) {
    if (adapter.name == name) {
      return adapter;
    }
  }
  std::fprintf(stderr, "there is no adapter %s\n", name.c_str());
  std::abort();
}

}  // namespace reinstate
