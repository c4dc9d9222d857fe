# What makes builds fast where it is installed: ccache and a quick linker. Neither is needed.

find_program(REINSTATE_CCACHE ccache)
if(REINSTATE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the checkout are hashed relative to it, so that checkouts of the same code share their hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${REINSTATE_CCACHE}")
endif()

find_program(REINSTATE_MOLD mold)
find_program(REINSTATE_LLD ld.lld)
if(REINSTATE_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(REINSTATE_LLD)
  add_link_options(-fuse-ld=lld)
endif()
