//! Every test states one property.
