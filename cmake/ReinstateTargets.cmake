# The functions that every CMakeLists.txt of the repository declares its targets with.

include(GoogleTest)

set(REINSTATE_GENERATED_DIR "${PROJECT_BINARY_DIR}/generated")

# Warnings for our own code; generated sources do not link it.
add_library(reinstate_warnings INTERFACE)
target_compile_options(
  reinstate_warnings
  INTERFACE -Wall -Wextra -Werror
            $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety> $<$<CXX_COMPILER_ID:Clang>:-Werror=thread-safety>)

# reinstate_add_subdirectories(<folder>...)
#
# Adds those folders that have a CMakeLists.txt.
function(reinstate_add_subdirectories)
  foreach(folder IN LISTS ARGN)
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt")
      add_subdirectory("${folder}")
    endif()
  endforeach()
endfunction()

# Fails on arguments that the call NAME of FUNCTION did not recognise, so that a typo is not ignored.
function(_reinstate_refuse_unparsed function name)
  if(ARGN)
    message(FATAL_ERROR "${function}(${name}): unknown arguments: ${ARGN}")
  endif()
endfunction()

# reinstate_library(<name> SOURCES <file>... [DEPS <target>...] [PRIVATE_DEPS <target>...])
#
# A static library; DEPS are those that its headers include. A library of headers only has no code of its own.
function(reinstate_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS;PRIVATE_DEPS")
  _reinstate_refuse_unparsed(reinstate_library ${name} ${arg_UNPARSED_ARGUMENTS})

  set(code ${arg_SOURCES})
  list(FILTER code EXCLUDE REGEX "\\.h$")
  if(code)
    add_library(${name} STATIC ${arg_SOURCES})
    target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS} reinstate_warnings)
  else()
    add_library(${name} INTERFACE ${arg_SOURCES})
    target_include_directories(${name} INTERFACE "${PROJECT_SOURCE_DIR}")
    target_link_libraries(${name} INTERFACE ${arg_DEPS} ${arg_PRIVATE_DEPS})
  endif()
endfunction()

# reinstate_executable(<name> SOURCES <file>... [DEPS <target>...])
function(reinstate_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  _reinstate_refuse_unparsed(reinstate_executable ${name} ${arg_UNPARSED_ARGUMENTS})

  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${arg_DEPS} reinstate_warnings)
endfunction()

# reinstate_label_target(<target> <label>...)
#
# Makes <target> part of `tests_<label>`, which builds what the tests of that label need and nothing else.
function(reinstate_label_target target)
  foreach(label IN LISTS ARGN)
    if(NOT TARGET tests_${label})
      add_custom_target(tests_${label})
    endif()
    add_dependencies(tests_${label} ${target})
  endforeach()
endfunction()

# reinstate_test(<name> SOURCES <file>... [DEPS <target>...] [LABELS <label>...] [TIMEOUT <seconds>]
#                [ENVIRONMENT <variable=value>...])
#
# A GoogleTest program with main() provided; each TEST becomes one of ctest's. Its first label is the folder below
# tests/ (`unit`, `conformance`, …); those of storage and of the engine are labelled `tsan` as well. TIMEOUT is for one
# TEST, in seconds, and defaults to 120.
function(reinstate_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;DEPS;LABELS;ENVIRONMENT")
  _reinstate_refuse_unparsed(reinstate_test ${name} ${arg_UNPARSED_ARGUMENTS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()

  reinstate_executable(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} GTest::gmock_main)

  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
  if(folder MATCHES "^(conformance|unit/storage|unit/server/(snapshot|restore|hooks|jobs))(/|$)")
    list(APPEND arg_LABELS tsan)
  endif()
  string(REGEX REPLACE "/.*" "" folder "${folder}")
  set(labels ${folder} ${arg_LABELS})
  list(REMOVE_DUPLICATES labels)
  reinstate_label_target(${name} ${labels})

  gtest_discover_tests(
    ${name}
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 120
    TEST_LIST ${name}_TESTS
    PROPERTIES TIMEOUT ${arg_TIMEOUT})
  # gtest_discover_tests takes only one value a property, so lists are set once the tests are known.
  set(properties_file "${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake")
  file(WRITE "${properties_file}" "foreach(test IN LISTS ${name}_TESTS)
  set_tests_properties(\"\${test}\" PROPERTIES LABELS \"${labels}\" ENVIRONMENT \"${arg_ENVIRONMENT}\")
endforeach()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${properties_file}")
endfunction()

# reinstate_proto_library(<name> PROTOS <file>... [DEPS <target>...] [IMPORT_ROOT <folder>] [GRPC])
#
# The C++ code of protocol buffer files, and of their services with GRPC. It is included, and imported by other .proto
# files, by the path below IMPORT_ROOT (default: the repository's root). DEPS are the libraries of the imported files.
function(reinstate_proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "GRPC" "IMPORT_ROOT" "PROTOS;DEPS")
  _reinstate_refuse_unparsed(reinstate_proto_library ${name} ${arg_UNPARSED_ARGUMENTS})
  if(NOT arg_IMPORT_ROOT)
    set(arg_IMPORT_ROOT "${PROJECT_SOURCE_DIR}")
  endif()
  file(MAKE_DIRECTORY "${REINSTATE_GENERATED_DIR}")
  list(TRANSFORM arg_PROTOS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")

  set(endings pb)
  set(plugin "")
  if(arg_GRPC)
    list(APPEND endings grpc.pb)
    set(plugin "--plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>"
               "--grpc_out=${REINSTATE_GENERATED_DIR}")
  endif()

  set(sources "")
  foreach(proto IN LISTS arg_PROTOS)
    file(RELATIVE_PATH stem "${arg_IMPORT_ROOT}" "${proto}")
    string(REGEX REPLACE "\\.proto$" "" stem "${stem}")
    set(outputs "")
    foreach(ending IN LISTS endings)
      list(APPEND outputs "${REINSTATE_GENERATED_DIR}/${stem}.${ending}.cc"
           "${REINSTATE_GENERATED_DIR}/${stem}.${ending}.h")
    endforeach()
    # It depends on all files of the library, since they may import each other.
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc --fatal_warnings "--proto_path=${arg_IMPORT_ROOT}" "--cpp_out=${REINSTATE_GENERATED_DIR}"
              ${plugin} "${proto}"
      DEPENDS ${arg_PROTOS}
      COMMENT "Generating ${stem}.pb.cc"
      VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()

  add_library(${name} STATIC ${sources})
  if(arg_GRPC)
    target_link_libraries(${name} PUBLIC gRPC::grpc++)
  endif()
  target_include_directories(${name} SYSTEM PUBLIC "${REINSTATE_GENERATED_DIR}")
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${arg_DEPS})
endfunction()
