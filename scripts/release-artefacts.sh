# What a release consists of: package, the features it is built with (no defaults), and for which target. Sourced by
# scripts/release and scripts/check-release-features, so that what is checked is what is built.
# shellcheck shell=bash disable=SC2034
RELEASE_ARTEFACTS=(subrosa subrosa-edge subrosa-enclave)
declare -A RELEASE_FEATURES=(
  [subrosa]=""
  [subrosa-edge]=""
  [subrosa-enclave]="embedded,nitro,nvidia,upstream"
)
# Client and edge run everywhere; the enclave needs a C++ library.
declare -A RELEASE_TARGETS=(
  [subrosa]=x86_64-unknown-linux-musl
  [subrosa-edge]=x86_64-unknown-linux-musl
  [subrosa-enclave]=x86_64-unknown-linux-gnu
)
