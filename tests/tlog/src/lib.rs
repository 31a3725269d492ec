//! Another implementation of the same formats agrees with `subrosa-translog`; see `tests/`.
