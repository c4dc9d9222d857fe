#include "tests/conformance/adapter.h"

namespace reinstate {

std::vector<Adapter> AllAdapters() {
  return {MemoryAdapter(),   SpanningMemoryAdapter(),
          EmbeddedAdapter(), EmbeddedGenerationAdapter(),
          PostgresAdapter(), PostgresPathAdapter()};
}

}  // namespace reinstate
