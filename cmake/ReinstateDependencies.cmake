# The libraries of Debian 12 that Reinstate is built on; deploy/install-dependencies installs them.

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)  # Link RocksDB::rocksdb-shared: RocksDB::rocksdb is the static one.
find_package(OpenSSL REQUIRED)
find_package(zstd CONFIG REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(PostgreSQL REQUIRED)  # libpq
find_package(CLI11 CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(tomlplusplus CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CURL REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(rapidcheck CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)

# Debian's libxxhash-dev has no CMake package. The functions are inlined: keys are hashed one by one.
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
add_library(xxHash::xxhash INTERFACE IMPORTED)
target_include_directories(xxHash::xxhash SYSTEM INTERFACE "${XXHASH_INCLUDE_DIR}")
target_compile_definitions(xxHash::xxhash INTERFACE XXH_INLINE_ALL)

# Nor has libcsv-dev one.
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)
find_library(CSV_LIBRARY csv REQUIRED)
add_library(csv::csv INTERFACE IMPORTED)
target_include_directories(csv::csv SYSTEM INTERFACE "${CSV_INCLUDE_DIR}")
target_link_libraries(csv::csv INTERFACE "${CSV_LIBRARY}")
