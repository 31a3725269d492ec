# What a release consists of: package, and the features it is built with (no defaults). Sourced by
# scripts/release and scripts/check-release-features, so that what is checked is what is built.
# shellcheck shell=bash disable=SC2034
RELEASE_ARTEFACTS=(subrosa subrosa-enclave)
declare -A RELEASE_FEATURES=(
  [subrosa]=""
  [subrosa-enclave]="embedded,nitro,nvidia,upstream"
)
